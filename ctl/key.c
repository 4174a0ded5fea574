/* key.c - agentctl key: API keys. The key itself is printed once, when it is made, and never stored here. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "resource.h"

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
    {"OWNER", "owner", OUTPUT_TEXT, true, 0},
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
	    {"expires_in_days", OPTION_EXPIRES, PAYLOAD_NUMBER, false, 1, 36500},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code), *answer = NULL;

	if (!body)
		return code;
	/* Never stored, and so never repeated: the answer holds a secret. */
	code = http_request(ctl, "POST", resource.list, body, "cannot make the key.", &answer);
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
revoke(struct ctl *ctl)
{
	enum ctl_exit code;

	if (!resource_confirm(ctl, "Revoke this key for good? [y/N] ", &code))
		return code;
	return resource_change(ctl, &resource, "POST", "/keys/%s/revoke", NULL, "revoke",
	                       "is revoked: it opens nothing any more");
}

const struct command key_commands[] = {
    {"key create", NULL, "make an API key; it is printed once",
     OPTIONS(OPTION_NAME, OPTION_TYPE, OPTION_ROLE, OPTION_SCOPE, OPTION_RATE_LIMIT, OPTION_EXPIRES), create,
     .more = "The key goes to standard output, all else to standard error:\n"
             "  (umask 077; agentctl key create --name builder --role agent > builder.key)"},
    {"key list", NULL, "list the keys", OPTIONS(OPTION_LIMIT), list},
    {"key get", "ID", "show a key and how it is used", NULL, get},
    {"key revoke", "ID", "end a key for good", OPTIONS(OPTION_YES), revoke},
    {0},
};
