/* config.c - agentctl config: the settings of the server, and those that can change while it runs. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "output.h"

static const struct output_field columns[] = {
    {"NAME", "name", OUTPUT_TEXT, false, 0},     {"VALUE", "value", OUTPUT_TEXT, false, 48},
    {"SOURCE", "source", OUTPUT_TEXT, false, 0}, {"CHANGEABLE", "changeable", OUTPUT_TEXT, false, 0},
    {"MEANING", "doc", OUTPUT_TEXT, true, 0},    {0},
};

/* True if the setting's name is among the words; of no words all are. */
static bool
is_asked(const struct ctl *ctl, const json_t *setting)
{
	const char *name = output_string(setting, "name", "");

	for (int i = 0; i < ctl->args.count; i++)
		if (strcmp(ctl->args.items[i], name) == 0)
			return true;
	return ctl->args.count == 0;
}

static enum ctl_exit
get(struct ctl *ctl)
{
	json_t *answer = NULL, *list = json_object(), *items = json_array();
	const json_t *setting;
	enum ctl_exit code = http_request(ctl, "GET", "/config", NULL, "cannot get the settings.", &answer);
	size_t at;

	json_array_foreach(json_object_get(answer, "items"), at, setting)
	{
		if (is_asked(ctl, setting))
			json_array_append(items, (json_t *)(uintptr_t)setting);
	}
	json_object_set(list, "items", items);
	if (code == CTL_DONE && ctl->args.count && json_array_size(items) < (size_t)ctl->args.count)
		code = output_error(CTL_NOT_FOUND, "cannot get the settings.", "not all of these are names of settings",
		                    "agentctl config get");
	else if (code == CTL_DONE)
		output_list(ctl, list, columns, "name");
	json_decref(items);
	json_decref(list);
	json_decref(answer);
	return code;
}

static enum ctl_exit
change(const struct ctl *ctl, json_t *body)
{
	json_t *answer = NULL;
	size_t count = json_object_size(body);
	enum ctl_exit code = http_request(ctl, "PATCH", "/config", body, "cannot change the settings.", &answer);

	if (code == CTL_DONE && !output_json(ctl, answer))
		output_note(ctl, "%zu setting%s changed, on every node within two seconds.", count, count == 1 ? "" : "s");
	json_decref(answer);
	return code;
}

static enum ctl_exit
set(struct ctl *ctl)
{
	json_t *body = json_object();

	for (int i = 0; i < ctl->args.count; i++) {
		const char *word = ctl->args.items[i], *equals = strchr(word, '=');
		json_t *value = equals ? json_string(equals + 1) : NULL;

		if (!value || equals == word) {
			json_decref(value);
			json_decref(body);
			return output_error(CTL_USAGE, "wrong usage.", "each word must be NAME=VALUE, in UTF-8",
			                    "agentctl config set rate_limit=500");
		}
		json_object_setn_new(body, word, (size_t)(equals - word), value);
	}
	return change(ctl, body);
}

static enum ctl_exit
unset(struct ctl *ctl)
{
	json_t *body = json_object();

	for (int i = 0; i < ctl->args.count; i++)
		json_object_set_new(body, ctl->args.items[i], json_null());
	return change(ctl, body);
}

const struct command config_commands[] = {
    {"config get", "[NAME]...", "show the settings of the server, secrets hidden", NULL, get},
    {"config set", "NAME=VALUE...", "change settings on every node while it runs", NULL, set,
     .more = "  agentctl config set rate_limit=500 log_level=debug"},
    {"config unset", "NAME...", "go back to what the environment of the nodes says", NULL, unset},
    {0},
};
