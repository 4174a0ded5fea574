/* memory.c - agentctl memory: what agents remember together. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "json_print.h"
#include "list.h"
#include "resource.h"
#include "text.h"

#include <unistd.h>

static const struct output_field columns[] = {
    {"KEY", "key", OUTPUT_TEXT, false, 0},
    {"TYPE", "type", OUTPUT_TEXT, false, 0},
    {"AGENT", "agent_id", OUTPUT_TEXT, false, 24},
    {"VERSION", "version", OUTPUT_TEXT, false, 0},
    {"UPDATED", "updated_at", OUTPUT_TIME, false, 0},
    {"BY", "updated_by", OUTPUT_TEXT, true, 0},
    {"EXPIRES", "expires_at", OUTPUT_TIME, true, 0},
    {"VALUE", "value", OUTPUT_TEXT, true, 0},
    {0},
};

static const struct resource resource = {"the memory", "the memory", "/memory", "/memory/%s", "key", columns, columns};

/* The path of the key, as the agent of --agent-id sees it. free() it. */
static char *
path_of_key(const struct ctl *ctl, const char *format)
{
	char *path = http_path(format, ctl->args.items[0]);

	http_path_query(&path, "agent_id", ctl_option(ctl, OPTION_AGENT_ID));
	return path;
}

/* A text as it is, anything else as JSON: for pipes. */
static void
print_value(const json_t *value)
{
	char *safe;

	if (!json_is_string(value)) {
		json_print_pretty(stdout, value);
	} else if (isatty(STDOUT_FILENO)) {
		safe = text_escape_lines(json_string_value(value), json_string_length(value));
		fputs(safe, stdout);
		free(safe);
	} else {
		fwrite(json_string_value(value), 1, json_string_length(value), stdout);
	}
	putchar('\n');
}

static enum ctl_exit
get(struct ctl *ctl)
{
	char *path = path_of_key(ctl, resource.item);
	json_t *answer = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, "cannot get the memory.", &answer);

	if (code == CTL_DONE && ctl->format == CTL_TABLE)
		print_value(json_object_get(answer, "value"));
	else if (code == CTL_DONE)
		output_object(ctl, answer, columns, "key");
	json_decref(answer);
	free(path);
	return code;
}

/* --value, or standard input. NULL: said why. */
static json_t *
read_value(const struct ctl *ctl)
{
	const char *given = ctl_option(ctl, OPTION_VALUE);

	if (!given && isatty(STDIN_FILENO))
		output_note(ctl, "reads the value (JSON) from the terminal; end it with Ctrl-D.");
	return given ? payload_json(given, OPTION_VALUE) : payload_file("-");
}

static enum ctl_exit
put(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"type", OPTION_TYPE, PAYLOAD_TEXT, false, 0, 0},
	    {"ttl_s", OPTION_TTL, PAYLOAD_NUMBER, false, 1, 1e9},
	    {"version", OPTION_IF_VERSION, PAYLOAD_NUMBER, false, 0, 9e15},
	    {"agent_id", OPTION_AGENT_ID, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code), *value;

	if (!body)
		return code;
	value = read_value(ctl);
	if (value) {
		json_object_set_new(body, "value", value);
		return resource_change(ctl, &resource, "PUT", resource.item, body, "write", "is written");
	}
	json_decref(body);
	return CTL_FAILED;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {
	    {"prefix", OPTION_PREFIX, PAYLOAD_TEXT, false, 0, 0},
	    {"agent_id", OPTION_AGENT_ID, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};

	return resource_list(ctl, &resource, filters);
}

static enum ctl_exit delete (struct ctl *ctl) {
	struct resource seen = resource; char *path = mem_string(resource.item); enum ctl_exit code;

	http_path_query(&path, "agent_id", ctl_option(ctl, OPTION_AGENT_ID));
	seen.item = path;
	code = resource_delete(ctl, &seen);
	free(path);
	return code;
}

static enum ctl_exit
show_history(struct ctl *ctl)
{
	static const struct output_field shown[] = {
	    {"AT", "at", OUTPUT_TIME, false, 0},           {"WHAT", "op", OUTPUT_TEXT, false, 0},
	    {"VERSION", "version", OUTPUT_TEXT, false, 0}, {"AGENT", "agent_id", OUTPUT_TEXT, false, 24},
	    {"BY", "actor", OUTPUT_TEXT, false, 24},       {0},
	};
	char *path = path_of_key(ctl, "/memory/%s/history");
	enum ctl_exit code = list_show(ctl, path, "cannot get the history.", shown, "version");

	free(path);
	return code;
}

const struct command memory_commands[] = {
    {"memory get", "KEY", "print what is remembered under a key", OPTIONS(OPTION_AGENT_ID), get,
     .more = "A text is printed as it is, anything else as JSON; -o wide, json and jsonl show version and times too."},
    {"memory put", "KEY", "remember a value",
     OPTIONS(OPTION_VALUE, OPTION_TYPE, OPTION_TTL, OPTION_IF_VERSION, OPTION_AGENT_ID), put,
     .more =
         "The value is JSON, of --value or of standard input: echo '{\"topic\": \"tea\"}' | agentctl memory put plan\n"
         "With --if-version it is written only if nobody else has written since you read that version (exit 5)."},
    {"memory list", NULL, "list the keys", OPTIONS(OPTION_PREFIX, OPTION_AGENT_ID, OPTION_LIMIT), list},
    {"memory delete", "KEY", "forget it", OPTIONS(OPTION_AGENT_ID, OPTION_YES), delete},
    {"memory history", "KEY", "list who wrote and read it", OPTIONS(OPTION_AGENT_ID, OPTION_LIMIT), show_history},
    {0},
};
