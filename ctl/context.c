/* context.c - server and key from options, environment and file. The key is never printed. */
#include "base.h"

#include "context.h"
#include "command.h"
#include "output.h"
#include "private_file.h"

static const char *
not_empty(const char *text)
{
	return text && *text ? text : NULL;
}

static char *
default_path(void)
{
	const char *base = not_empty(getenv("XDG_CONFIG_HOME")), *home = not_empty(getenv("HOME"));
	char *path = NULL;

	if (base && *base == '/')
		INVARIANT(asprintf(&path, "%s/agentctl/config.json", base) >= 0);
	else
		INVARIANT(asprintf(&path, "%s/.config/agentctl/config.json", home ? home : ".") >= 0);
	return path;
}

static enum ctl_exit
load_file(struct context *context)
{
	char *text, *why = NULL;
	size_t len;
	json_error_t error = {.line = 1};

	if (!private_file_read(context->path, true, &text, &len, &why)) {
		enum ctl_exit code = output_error(CTL_FAILED, "cannot use the configuration file.", why, NULL);

		free(why);
		return code;
	}
	context->file = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &error) : json_object();
	private_file_wipe(text, len);
	if (!json_is_object(context->file))
		return output_error_why(CTL_FAILED, "cannot use the configuration file.",
		                        "correct it, or remove it and run: agentctl login", "%s is not a JSON object (line %d)",
		                        context->path, error.line);
	return CTL_DONE;
}

/* http(s)://host[:port][/prefix], without user information: that would be a secret in an argument. */
static char *
normalise_server(const char *text)
{
	size_t len = strlen(text);
	const char *host = strncmp(text, "http://", 7) == 0    ? text + 7
	                   : strncmp(text, "https://", 8) == 0 ? text + 8
	                                                       : NULL;

	if (!host || !*host || *host == '/' || *host == ':')
		return NULL;
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at > '~' || strchr("@?#\\\"<>", *at))
			return NULL;
	while (len > 0 && text[len - 1] == '/')
		len--;
	if (len > 7 && memcmp(text + len - 7, "/api/v1", 7) == 0)
		len -= 7;
	return strndup(text, len);
}

static enum ctl_exit
choose_server(const struct ctl *ctl, struct context *context, const char *stored)
{
	const char *text = ctl_option(ctl, OPTION_SERVER);

	if (!text)
		text = not_empty(getenv("AGENTCTL_SERVER"));
	if (!text)
		text = stored ? stored : "http://127.0.0.1:5000";
	context->server = normalise_server(text);
	if (!context->server)
		return output_error_why(CTL_USAGE, "the server's address is not usable.",
		                        "agentctl --server http://127.0.0.1:5000 status",
		                        "\"%s\" is not http:// or https:// with a host (and no user or query)", text);
	return CTL_DONE;
}

/* Takes ownership of key; only visible ASCII can stand in a header. */
static enum ctl_exit
accept_key(struct context *context, char *key, const char *origin)
{
	size_t len = strlen(key), good = 0;

	while (key[good] > ' ' && key[good] <= '~')
		good++;
	if (len == 0 || good != len || len > 8192) {
		private_file_wipe(key, len);
		return output_error_why(CTL_FAILED, "the key is not usable.", "set it again, or run: agentctl login",
		                        "%s is empty, too long, or has characters that no key has", origin);
	}
	context->key = key;
	context->key_origin = origin;
	return CTL_DONE;
}

static enum ctl_exit
key_from_file(struct context *context, const char *path)
{
	char *text, *why = NULL;
	size_t len;

	if (!private_file_read(path, false, &text, &len, &why) || !text) {
		enum ctl_exit code =
		    output_error(CTL_FAILED, "cannot read AGENTCTL_KEY_FILE.", why ? why : "there is no such file",
		                 "write the key there, or run: agentctl login");
		free(why);
		return code;
	}
	while (len > 0 && strchr("\r\n \t", text[len - 1]))
		text[--len] = '\0';
	return accept_key(context, text, "AGENTCTL_KEY_FILE");
}

static enum ctl_exit
choose_key(struct context *context, const json_t *stored)
{
	const char *key = not_empty(getenv("AGENTCTL_KEY")), *path = not_empty(getenv("AGENTCTL_KEY_FILE"));
	const char *stored_key = not_empty(output_string(stored, "key", NULL));
	enum ctl_exit code;
	char *kept_for;
	bool same;

	if (key)
		return accept_key(context, mem_string(key), "AGENTCTL_KEY");
	if (path)
		return key_from_file(context, path);
	if (!stored_key)
		return CTL_DONE;
	kept_for = normalise_server(output_string(stored, "server", ""));
	same = kept_for && strcmp(kept_for, context->server) == 0;
	if (!same) {
		context->withheld_for = kept_for;
		return CTL_DONE;
	}
	free(kept_for);
	code = accept_key(context, mem_string(stored_key), "the stored key");
	if (code == CTL_DONE && not_empty(output_string(stored, "refresh_token", NULL))) {
		context->refresh = mem_string(output_string(stored, "refresh_token", ""));
		context->expires_s = json_integer_value(json_object_get(stored, "expires_at"));
	}
	return code;
}

enum ctl_exit
context_open(const struct ctl *ctl, struct context *context_r)
{
	const char *path = not_empty(getenv("AGENTCTL_CONFIG")), *asked = ctl_option(ctl, OPTION_CONTEXT);
	const json_t *stored;
	enum ctl_exit code;

	*context_r = (struct context){.path = path ? mem_string(path) : default_path()};
	code = load_file(context_r);
	if (code != CTL_DONE)
		return code;
	if (!asked)
		asked = not_empty(getenv("AGENTCTL_CONTEXT"));
	context_r->name = mem_string(asked ? asked : output_string(context_r->file, "current_context", "default"));
	stored = json_object_get(json_object_get(context_r->file, "contexts"), context_r->name);
	if (asked && !stored && !ctl->command->ignores_context)
		return output_error_why(CTL_USAGE, "there is no such context.", "agentctl login --context NAME --server URL",
		                        "\"%s\" is not in %s", asked, context_r->path);
	code = choose_server(ctl, context_r, not_empty(output_string(stored, "server", NULL)));
	return code == CTL_DONE ? choose_key(context_r, stored) : code;
}

static void
wipe(char **text)
{
	if (*text)
		private_file_wipe(*text, strlen(*text));
	*text = NULL;
}

void
context_close(struct context *context)
{
	json_decref(context->file);
	free(context->path);
	free(context->name);
	free(context->server);
	free(context->withheld_for);
	wipe(&context->key);
	wipe(&context->refresh);
	*context = (struct context){0};
}

bool
context_login_read(const json_t *answer, struct context_login *login_r)
{
	*login_r = (struct context_login){
	    .key = not_empty(output_string(answer, "access_token", NULL)),
	    .refresh = not_empty(output_string(answer, "refresh_token", NULL)),
	    .expires_s = time(NULL) + json_integer_value(json_object_get(answer, "expires_in")),
	};
	return login_r->key != NULL;
}

void
context_use(struct context *context, const struct context_login *login)
{
	char *key = mem_string(login->key), *refresh = login->refresh ? mem_string(login->refresh) : NULL;

	wipe(&context->key);
	wipe(&context->refresh);
	context->key = key;
	context->refresh = refresh;
	context->expires_s = login->expires_s;
}

void
context_reload(struct context *context)
{
	struct context fresh = {.path = context->path};
	const json_t *stored;
	struct context_login login;

	if (load_file(&fresh) != CTL_DONE) {
		json_decref(fresh.file);
		return;
	}
	json_decref(context->file);
	context->file = fresh.file;
	stored = json_object_get(json_object_get(context->file, "contexts"), context->name);
	login = (struct context_login){.key = not_empty(output_string(stored, "key", NULL)),
	                               .refresh = not_empty(output_string(stored, "refresh_token", NULL)),
	                               .expires_s = json_integer_value(json_object_get(stored, "expires_at"))};
	if (login.key)
		context_use(context, &login);
}

/* The entry of the context's name; made if there is none. */
static json_t *
entry_of(struct context *context)
{
	json_t *contexts = json_object_get(context->file, "contexts"), *entry;

	if (!json_is_object(contexts)) {
		contexts = json_object();
		json_object_set_new(context->file, "contexts", contexts);
	}
	entry = json_object_get(contexts, context->name);
	if (!json_is_object(entry)) {
		entry = json_object();
		json_object_set_new(contexts, context->name, entry);
	}
	return entry;
}

static void
set_text(json_t *entry, const char *name, const char *text)
{
	if (text)
		json_object_set_new(entry, name, json_string(text));
	else
		json_object_del(entry, name);
}

bool
context_store(struct context *context, const struct context_login *login)
{
	json_t *entry = entry_of(context);
	char *text, *why = NULL;
	bool stored;

	set_text(entry, "server", context->server);
	if (!login || login->username)
		set_text(entry, "username", login ? login->username : NULL);
	set_text(entry, "key", login ? login->key : NULL);
	set_text(entry, "refresh_token", login ? login->refresh : NULL);
	if (login && login->refresh)
		json_object_set_new(entry, "expires_at", json_integer(login->expires_s));
	else
		json_object_del(entry, "expires_at");
	if (login && login->username)
		json_object_set_new(context->file, "current_context", json_string(context->name));
	text = json_dumps(context->file, JSON_INDENT(2));
	INVARIANT(text);
	stored = private_file_replace(context->path, text, strlen(text), &why);
	if (!stored)
		output_error(CTL_FAILED, "cannot write the configuration file.", why, NULL);
	private_file_wipe(text, strlen(text));
	free(why);
	return stored;
}
