/* limit.c - agentctl limit: how many tasks of a key run at once, or start in a time. */
#include "base.h"

#include "command.h"
#include "resource.h"

static const struct output_field columns[] = {
    {"NAME", "name", OUTPUT_TEXT, false, 0},
    {"KIND", "kind", OUTPUT_TEXT, false, 0},
    {"KEY", "key", OUTPUT_TEXT, false, 0},
    {"LABEL", "label", OUTPUT_TEXT, false, 24},
    {"MATCH", "match", OUTPUT_TEXT, false, 24},
    {"VALUE", "value", OUTPUT_TEXT, false, 0},
    {"WINDOW (S)", "window_s", OUTPUT_TEXT, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, true, 0},
    {0},
};

static const struct resource resource = {"the limit", "the limits", "/limits", "/limits/%s", "name", columns, columns};

static enum ctl_exit
put(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"kind", OPTION_KIND, PAYLOAD_TEXT, true, 0, 0},
	    {"key", OPTION_KEY, PAYLOAD_TEXT, true, 0, 0},
	    {"value", OPTION_VALUE, PAYLOAD_NUMBER, true, 0, 1e9},
	    {"window_s", OPTION_WINDOW, PAYLOAD_NUMBER, false, 0, 1e9},
	    {"label", OPTION_LABEL, PAYLOAD_TEXT, false, 0, 0},
	    {"match", OPTION_MATCH, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code);

	return body ? resource_change(ctl, &resource, "PUT", resource.item, body, "set", "is set") : code;
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

static enum ctl_exit delete (struct ctl *ctl) { return resource_delete(ctl, &resource); }

const struct command limit_commands[] = {
    {"limit put", "NAME", "make a limit, or change it",
     OPTIONS(OPTION_KIND, OPTION_KEY, OPTION_VALUE, OPTION_WINDOW, OPTION_LABEL, OPTION_MATCH), put,
     .more = "At most three tasks of the role gitcode at once:\n"
             "  agentctl limit put builds --kind concurrency --key role --match gitcode --value 3\n"
             "At most ten tasks a second for each value of the label customer:\n"
             "  agentctl limit put fair --kind rate --key label --label customer --value 10 --window 1"},
    {"limit list", NULL, "list the limits", OPTIONS(OPTION_LIMIT), list},
    {"limit get", "NAME", "show a limit", NULL, get},
    {"limit delete", "NAME", "take a limit away", OPTIONS(OPTION_YES), delete},
    {0},
};
