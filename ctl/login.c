/* login.c - login and logout: a password becomes a token, which is stored; the password is kept nowhere. */
#include "base.h"

#include "command.h"
#include "context.h"
#include "credential.h"
#include "http.h"
#include "output.h"
#include "terminal.h"

static char *
get_password(const struct ctl *ctl)
{
	const char *path = ctl_option(ctl, OPTION_PASSWORD_FILE);
	char *password;

	if (path)
		return credential_lines(path, "agentctl login --password-file FILE", &password, 1) ? password : NULL;
	password = terminal_ask("Password: ", true);
	if (!password)
		output_error(CTL_USAGE, "cannot ask for the password.", "standard input is not a terminal",
		             "agentctl login --username NAME --password-file FILE");
	return password;
}

static char *
get_username(const struct ctl *ctl)
{
	const char *given = ctl_option(ctl, OPTION_USERNAME);
	char *name = given ? mem_string(given) : terminal_ask("Username: ", false);

	if (!name || !*name) {
		output_error(CTL_USAGE, "cannot log in without a user name.", NULL,
		             "agentctl login --username NAME --password-file FILE");
		free(name);
		return NULL;
	}
	return name;
}

static bool
travels_in_the_open(const char *server)
{
	return strncmp(server, "http://127.", 11) != 0 && strncmp(server, "http://localhost", 16) != 0 &&
	       strncmp(server, "http://[::1]", 12) != 0 && strncmp(server, "https://", 8) != 0;
}

static enum ctl_exit
ask_token(const struct ctl *ctl, const char *username, const char *password, json_t **answer_r)
{
	json_t *body = json_pack("{s:s, s:s, s:s*}", "username", username, "password", password, "tenant_name",
	                         ctl_option(ctl, OPTION_TENANT));
	struct ctl anonymous = *ctl;
	struct context context = *ctl->context;

	if (!body)
		return output_error(CTL_USAGE, "cannot log in.", "the user name and the password must be UTF-8", NULL);
	/* An old or foreign key must not decide about this request. */
	context.key = NULL;
	context.key_origin = NULL;
	anonymous.context = &context;
	return http_request(&anonymous, "POST", "/auth/login", body, "cannot log in.", answer_r);
}

static enum ctl_exit
store_token(const struct ctl *ctl, const char *username, const json_t *answer)
{
	const char *token = output_string(answer, "access_token", NULL);

	if (!token || !*token)
		return output_error(CTL_FAILED, "cannot log in.", "the answer has no access_token; is the server an agentd?",
		                    NULL);
	if (!context_store(ctl->context, username, token))
		return CTL_FAILED;
	output_note(ctl, "logged in to %s as %s; context \"%s\" is the current one.", ctl->context->server, username,
	            ctl->context->name);
	if (ctl->context->key_origin && strncmp(ctl->context->key_origin, "AGENTCTL_", 9) == 0)
		output_note(ctl, "%s is set and goes before the stored token.", ctl->context->key_origin);
	return CTL_DONE;
}

static enum ctl_exit
log_in(struct ctl *ctl)
{
	char *username = get_username(ctl), *password;
	json_t *answer = NULL;
	enum ctl_exit code;

	if (!username)
		return CTL_USAGE;
	if (travels_in_the_open(ctl->context->server))
		output_note(ctl, "the password travels unencrypted to %s; use https:// where others share the network.",
		            ctl->context->server);
	password = get_password(ctl);
	if (!password) {
		free(username);
		return ctl_option(ctl, OPTION_PASSWORD_FILE) ? CTL_FAILED : CTL_USAGE;
	}
	code = ask_token(ctl, username, password, &answer);
	credential_wipe(password);
	if (code == CTL_DONE)
		code = store_token(ctl, username, answer);
	free(username);
	json_decref(answer);
	return code;
}

static enum ctl_exit
log_out(struct ctl *ctl)
{
	struct http_call *call;
	bool ended, has_stored = ctl->context->key_origin && strcmp(ctl->context->key_origin, "the stored key") == 0;

	if (!has_stored) {
		output_note(ctl, "context \"%s\" holds no token for %s; nothing to do.", ctl->context->name,
		            ctl->context->server);
		return CTL_DONE;
	}
	call = http_call_new(ctl, "POST", "/auth/logout", NULL, 0);
	http_call_perform(call);
	/* 401: it was not valid any more. */
	ended = http_call_ok(call) || call->status == 401;
	http_call_free(call);
	if (!context_store(ctl->context, NULL, NULL))
		return CTL_FAILED;
	output_note(ctl,
	            ended ? "logged out of %s."
	                  : "the token is removed here, but %s did not end the session; it ends by itself.",
	            ctl->context->server);
	return CTL_DONE;
}

const struct command login_commands[] = {
    {"login", NULL, "log in and store the token in the context", OPTIONS(OPTION_USERNAME, OPTION_PASSWORD_FILE, OPTION_TENANT), log_in,
     .more = "The password is asked for on the terminal, or read with --password-file. The token is stored in the\n"
             "configuration file, readable by you only. The context becomes the current one.",
     .ignores_context = true},
    {"logout", NULL, "end the session and remove the token from the context", NULL, log_out, .ignores_context = true},
    {0},
};
