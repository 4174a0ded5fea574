/*
 * key.c - agentctl key: API keys. A key itself is printed once, when it is made, and never stored here; one to be
 * verified comes on standard input, never as an argument.
 */
#include "base.h"

#include "command.h"
#include "http.h"
#include "private_file.h"
#include "resource.h"
#include "terminal.h"

#include <unistd.h>

static const struct output_field columns[] = {
    {"ID", "key_id", OUTPUT_TEXT, false, 0},
    {"NAME", "name", OUTPUT_TEXT, false, 24},
    {"TYPE", "type", OUTPUT_TEXT, false, 0},
    {"ROLE", "role", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"EXPIRES", "expires_at", OUTPUT_TIME, false, 0},
    {"LAST USED", "last_used", OUTPUT_TIME, false, 0},
    {"SCOPES", "scopes", OUTPUT_TEXT, true, 0},
    {"RATE LIMIT", "rate_limit", OUTPUT_TEXT, true, 0},
    {"USES", "usage_count", OUTPUT_TEXT, true, 0},
    {"REFUSED", "failed_attempts", OUTPUT_TEXT, true, 0},
    {"OWNER", "owner", OUTPUT_TEXT, true, 0},
    {"ADDRESSES", "allowed_ips", OUTPUT_TEXT, true, 0},
    {"ORIGINS", "allowed_origins", OUTPUT_TEXT, true, 0},
    {"ROTATED FROM", "rotated_from", OUTPUT_TEXT, true, 0},
    {"ROTATED TO", "rotated_to", OUTPUT_TEXT, true, 0},
    {"CREATED", "created_at", OUTPUT_TIME, true, 0},
    {0},
};

static const struct resource resource = {"the key", "the keys", "/keys", "/keys/%s", "key_id", columns, columns};

/* The key is what scripts want (-o name); people get the rest on standard error. */
static void
show_new(const struct ctl *ctl, const json_t *answer)
{
	static const struct output_field key_field = {"", "key", OUTPUT_TEXT, false, 0};
	char *key;

	if (output_json(ctl, answer))
		return;
	key = output_cell(answer, &key_field);
	puts(key);
	free(key);
	output_note(ctl, "this is the key %s. It is shown this once; keep it in a file of mode 0600.",
	            output_string(answer, "key_id", "?"));
	output_note(ctl, "next: AGENTCTL_KEY_FILE=FILE agentctl whoami");
}

static enum ctl_exit
create(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"name", OPTION_NAME, PAYLOAD_TEXT, true, 0, 0},
	    {"type", OPTION_TYPE, PAYLOAD_TEXT, false, 0, 0},
	    {"role", OPTION_ROLE, PAYLOAD_TEXT, false, 0, 0},
	    {"scopes", OPTION_SCOPE, PAYLOAD_TEXTS, false, 0, 0},
	    {"rate_limit", OPTION_RATE_LIMIT, PAYLOAD_NUMBER, false, 1, 1e9},
	    {"expires_in_days", OPTION_EXPIRES, PAYLOAD_NUMBER, false, 1, 3650},
	    {"allowed_ips", OPTION_ALLOW_IP, PAYLOAD_TEXTS, false, 0, 0},
	    {"allowed_origins", OPTION_ALLOW_ORIGIN, PAYLOAD_TEXTS, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code), *answer = NULL;

	if (!body)
		return code;
	code = http_create(ctl, resource.list, body, "cannot make the key.", &answer);
	if (code == CTL_DONE)
		show_new(ctl, answer);
	json_decref(answer);
	return code;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	return resource_list(ctl, &resource, NULL);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	return resource_get(ctl, &resource);
}

static enum ctl_exit
revoke_key(struct ctl *ctl)
{
	enum ctl_exit code;

	if (!resource_confirm(ctl, "Revoke this key for good? [y/N] ", &code))
		return code;
	return resource_change(ctl, &resource, "POST", "/keys/%s/revoke", NULL, "revoke",
	                       "is revoked: it opens nothing any more");
}

static enum ctl_exit
suspend(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "POST", "/keys/%s/suspend", NULL, "suspend", "is suspended");
}

static enum ctl_exit
reactivate(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "POST", "/keys/%s/reactivate", NULL, "reactivate", "is active again");
}

static enum ctl_exit
rotate(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"overlap_s", OPTION_OVERLAP_S, PAYLOAD_NUMBER, false, 0, 2592000},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code), *answer = NULL;
	char *path;

	if (!body)
		return code;
	path = http_path("/keys/%s/rotate", ctl->args.items[0]);
	code = http_create(ctl, path, body, "cannot rotate the key.", &answer);
	if (code == CTL_DONE) {
		show_new(ctl, answer);
		output_note(ctl, "the old key works until %s.", output_string(answer, "old_expires_at", "?"));
	}
	json_decref(answer);
	free(path);
	return code;
}

static enum ctl_exit delete (struct ctl *ctl) { return resource_delete(ctl, &resource); }

/* From standard input: asked for without showing it, or the first line of what is piped in. NULL: said why. */
static char *
read_key(void)
{
	char *text = NULL, *why = NULL;
	size_t len = 0;

	if (isatty(STDIN_FILENO))
		return terminal_ask("Key: ", true);
	if (!private_file_read("-", false, &text, &len, &why) || !text) {
		output_error(CTL_USAGE, "cannot read the key.", why, "agentctl key verify < FILE");
		free(why);
		return NULL;
	}
	text[strcspn(text, "\r\n")] = '\0';
	if (*text)
		return text;
	free(text);
	output_error(CTL_USAGE, "cannot read the key.", "standard input is empty", "agentctl key verify < FILE");
	return NULL;
}

static enum ctl_exit
verify(struct ctl *ctl)
{
	static const struct output_field checked[] = {
	    {"VALID", "valid", OUTPUT_TEXT, false, 0},         {"REASON", "reason", OUTPUT_TEXT, false, 0},
	    {"ID", "key_id", OUTPUT_TEXT, false, 0},           {"NAME", "name", OUTPUT_TEXT, false, 0},
	    {"OWNER", "owner", OUTPUT_TEXT, false, 0},         {"ROLE", "role", OUTPUT_TEXT, false, 0},
	    {"SCOPES", "scopes", OUTPUT_TEXT, false, 0},       {"RATE LIMIT", "rate_limit", OUTPUT_TEXT, false, 0},
	    {"REMAINING", "remaining", OUTPUT_TEXT, false, 0}, {0},
	};
	char *key = read_key();
	json_t *body = key ? json_pack("{s:s}", "key", key) : NULL, *answer = NULL;
	enum ctl_exit code;

	if (key)
		private_file_wipe(key, strlen(key));
	if (!body)
		return key ? output_error(CTL_USAGE, "cannot verify the key.", "it is not UTF-8", NULL) : CTL_USAGE;
	code = http_request(ctl, "POST", "/keys/verify", body, "cannot verify the key.", &answer);
	if (code == CTL_DONE)
		output_object(ctl, answer, checked, "key_id");
	if (code == CTL_DONE && !json_is_true(json_object_get(answer, "valid")))
		code = output_error(CTL_FAILED, "the key is not valid.", output_string(answer, "reason", NULL), NULL);
	json_decref(answer);
	return code;
}

const struct command key_commands[] = {
    {"key create", NULL, "make an API key; it is printed once",
     OPTIONS(OPTION_NAME, OPTION_TYPE, OPTION_ROLE, OPTION_SCOPE, OPTION_RATE_LIMIT, OPTION_EXPIRES, OPTION_ALLOW_IP,
             OPTION_ALLOW_ORIGIN),
     create,
     .more = "The key goes to standard output, all else to standard error:\n"
             "  (umask 077; agentctl key create --name builder --role agent > builder.key)"},
    {"key list", NULL, "list the keys", OPTIONS(OPTION_LIMIT), list},
    {"key get", "ID", "show a key and how it is used", NULL, get},
    {"key revoke", "ID", "end a key for good", OPTIONS(OPTION_YES), revoke_key},
    {"key suspend", "ID", "refuse a key until it is reactivated", NULL, suspend},
    {"key reactivate", "ID", "end the suspension of a key", NULL, reactivate},
    {"key rotate", "ID", "a new key in the place of an old one; it is printed once", OPTIONS(OPTION_OVERLAP_S), rotate,
     .more = "The old key works for --overlap-seconds more, and never longer than it would have:\n"
             "  (umask 077; agentctl key rotate agd_sk_0123456789abcdef > builder.key)"},
    {"key delete", "ID", "end a key and forget it", OPTIONS(OPTION_YES), delete},
    {"key verify", NULL, "say whether the key on standard input is valid", NULL, verify,
     .more = "The exit code is 0 for a valid key and 1 for another: agentctl key verify < builder.key"},
    {0},
};
