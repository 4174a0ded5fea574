/* workflow.c - agentctl workflow run|list|get|cancel. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "list.h"
#include "private_file.h"
#include "terminal.h"
#include "text.h"
#include "workflow.h"

#include <unistd.h>

enum { FILE_MAX_BYTES = 900 * 1024 };

/* {"name", "text"} of --file. NULL: said why. */
static json_t *
input_from_file(const char *path)
{
	char *text = NULL, *why = NULL;
	const char *base = strrchr(path, '/'),
	           *what = "cannot use the file as the workflow's input (UTF-8 text of at most 900 KB).";
	size_t len = 0, good;
	json_t *input = NULL;

	if (!private_file_read(path, false, &text, &len, &why) || !text) {
		output_error(CTL_FAILED, what, why ? why : "there is no such file", "agentctl workflow run --file PATH");
		free(why);
		return NULL;
	}
	/* A NUL is UTF-8, but no database text. */
	good = text_valid_length(text, strlen(text));
	if (len > FILE_MAX_BYTES)
		output_error_why(CTL_FAILED, what, "send a part of it", "%s has %zu bytes; at most 900 KB (%d) fit", path, len,
		                 FILE_MAX_BYTES);
	else if (good < len)
		output_error_why(CTL_FAILED, what, "convert it, for example with: iconv -t UTF-8",
		                 "%s is not UTF-8 text: the byte 0x%02x at offset %zu", path, (unsigned)(uint8_t)text[good],
		                 good);
	else
		input = json_pack("{s:s, s:s%}", "name",
		                  strcmp(path, "-") == 0 ? "stdin"
		                  : base                 ? base + 1
		                                         : path,
		                  "text", text, len);
	if (len <= FILE_MAX_BYTES && good == len && !input)
		output_error(CTL_FAILED, what, "its name is not UTF-8", "rename it");
	free(text);
	return input;
}

/* --input: JSON, or @FILE with JSON. NULL: said why. */
static json_t *
input_from_json(const char *given)
{
	char *text = NULL, *why = NULL;
	size_t len = strlen(given);
	json_error_t error;
	json_t *input;

	if (*given == '@' && (!private_file_read(given + 1, false, &text, &len, &why) || !text)) {
		output_error(CTL_FAILED, "cannot read the input.", why ? why : "there is no such file",
		             "agentctl workflow run --input @FILE");
		free(why);
		return NULL;
	}
	input = json_loadb(text ? text : given, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	if (!input)
		output_error_why(CTL_FAILED, "the input is not JSON.", "agentctl workflow run --input '{\"topic\": \"...\"}'",
		                 "line %d, column %d: %s", error.line, error.column, error.text);
	free(text);
	return input;
}

/* Adds the labels to body. False: said why. */
static bool
add_labels(const struct ctl *ctl, json_t *body)
{
	const struct option_words *given = &ctl->options[OPTION_LABEL];
	json_t *labels = json_object();

	for (int i = 0; i < given->count; i++) {
		const char *split = strchr(given->items[i], '=');
		char *key =
		    split && split > given->items[i] ? strndup(given->items[i], (size_t)(split - given->items[i])) : NULL;
		bool added = key && json_object_set_new(labels, key, json_string(split + 1)) == 0;

		free(key);
		if (!added) {
			json_decref(labels);
			output_error_why(CTL_USAGE, "wrong usage.", "agentctl help workflow run", "--label \"%s\" is not KEY=VALUE",
			                 given->items[i]);
			return false;
		}
	}
	if (given->count)
		json_object_set(body, "labels", labels);
	json_decref(labels);
	return true;
}

/* "review of report.md" when nothing is said. */
static json_t *
describe(const struct ctl *ctl, const json_t *input)
{
	const char *given = ctl_option(ctl, OPTION_DESCRIPTION), *template_name = ctl_option(ctl, OPTION_TEMPLATE);

	if (given)
		return json_string(given);
	if (ctl_option(ctl, OPTION_FILE))
		return json_sprintf("%s of %s", template_name, output_string(input, "name", "a file"));
	return json_string(template_name);
}

/* The request's body out of the options. NULL: said why, and *code_r is set. */
static json_t *
build_request(const struct ctl *ctl, enum ctl_exit *code_r)
{
	const char *template_name = ctl_option(ctl, OPTION_TEMPLATE), *file = ctl_option(ctl, OPTION_FILE);
	const char *given = ctl_option(ctl, OPTION_INPUT);
	json_t *input = NULL, *body;

	*code_r = CTL_USAGE;
	if (!template_name || (file && given)) {
		output_error(CTL_USAGE, "wrong usage.",
		             template_name ? "--file and --input cannot be given together" : "--template is missing",
		             "agentctl help workflow run");
		return NULL;
	}
	*code_r = CTL_FAILED;
	if (file || given) {
		input = file ? input_from_file(file) : input_from_json(given);
		if (!input)
			return NULL;
	}
	*code_r = CTL_USAGE;
	body = json_pack("{s:s, s:o}", "template", template_name, "description", describe(ctl, input));
	if (!body)
		output_error(CTL_USAGE, "wrong usage.", "template and description must be UTF-8", "agentctl help workflow run");
	if (body && input)
		json_object_set(body, "input_data", input);
	json_decref(input);
	if (body && !add_labels(ctl, body)) {
		json_decref(body);
		body = NULL;
	}
	return body;
}

static void
show_started(const struct ctl *ctl, const json_t *workflow, const char *id)
{
	const char *state = output_string(workflow, "status", "pending");
	char *safe = text_escape(id, strlen(id)), *safe_state = text_escape(state, strlen(state));

	if (ctl->format == CTL_NAME)
		puts(safe);
	else if (!output_json(ctl, workflow))
		printf("workflow %s is %s\n", safe, safe_state);
	if (ctl->format <= CTL_WIDE)
		output_note(ctl, "next: agentctl workflow get %s --wait", id);
	free(safe);
	free(safe_state);
}

static enum ctl_exit
wait_and_show(const struct ctl *ctl, const char *id)
{
	json_t *workflow;
	enum ctl_exit code = workflow_wait(ctl, id, &workflow);

	if (code == CTL_DONE)
		code = workflow_show_result(ctl, workflow);
	json_decref(workflow);
	return code;
}

enum ctl_exit
workflow_run(struct ctl *ctl)
{
	enum ctl_exit code;
	json_t *body = build_request(ctl, &code), *workflow = NULL;
	const char *id;

	if (!body)
		return code;
	code = http_request(ctl, "POST", "/workflows", body, "cannot start the workflow.", &workflow);
	if (code != CTL_DONE)
		return code;
	id = output_string(workflow, "id", NULL);
	if (!id) {
		code = output_error(CTL_FAILED, "cannot start the workflow.", "the answer has no id; is the server an agentd?",
		                    NULL);
	} else if (ctl_flag(ctl, OPTION_WAIT)) {
		output_note(ctl, "workflow %s started.", id);
		code = wait_and_show(ctl, id);
	} else {
		show_started(ctl, workflow, id);
	}
	json_decref(workflow);
	return code;
}

enum ctl_exit
workflow_list(struct ctl *ctl)
{
	static const struct output_field fields[] = {
	    {"ID", "id", OUTPUT_TEXT, false, 0},
	    {"STATUS", "status", OUTPUT_STATUS, false, 0},
	    {"VERDICT", "verdict", OUTPUT_STATUS, false, 0},
	    {"TASKS", "progress", OUTPUT_PROGRESS, false, 0},
	    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
	    {"TEMPLATE", "template", OUTPUT_TEXT, true, 0},
	    {"LABELS", "labels", OUTPUT_TEXT, true, 0},
	    {"COMPLETED", "completed_at", OUTPUT_TIME, true, 0},
	    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 40},
	    {0},
	};
	char *path = mem_string("/workflows");
	enum ctl_exit code;

	http_path_query(&path, "status", ctl_option(ctl, OPTION_STATUS));
	code = list_show(ctl, path, "cannot list the workflows.", fields, "id");
	free(path);
	return code;
}

enum ctl_exit
workflow_get(struct ctl *ctl)
{
	char *path;
	json_t *workflow = NULL;
	enum ctl_exit code;

	if (ctl_flag(ctl, OPTION_WAIT))
		return wait_and_show(ctl, ctl->args.items[0]);
	path = http_path("/workflows/%s", ctl->args.items[0]);
	code = http_request(ctl, "GET", path, NULL, "cannot get the workflow.", &workflow);
	if (code == CTL_DONE)
		workflow_show(ctl, workflow);
	json_decref(workflow);
	free(path);
	return code;
}

enum ctl_exit
workflow_cancel(struct ctl *ctl)
{
	char *path;
	json_t *workflow = NULL;
	enum ctl_exit code;

	if (!ctl_flag(ctl, OPTION_YES) && !isatty(STDIN_FILENO))
		return output_error(CTL_USAGE, "the workflow was not cancelled.",
		                    "there is no terminal to ask for confirmation", "agentctl workflow cancel ID --yes");
	if (!ctl_flag(ctl, OPTION_YES) && !terminal_confirm("Cancel this workflow and its tasks? [y/N] "))
		return output_error(CTL_FAILED, "the workflow was not cancelled.", "you did not say yes", NULL);
	path = http_path("/workflows/%s/cancel", ctl->args.items[0]);
	code = http_request(ctl, "POST", path, NULL, "cannot cancel the workflow.", &workflow);
	if (code == CTL_DONE && ctl->format <= CTL_WIDE)
		output_note(ctl, "the workflow is %s.", output_string(workflow, "status", "cancelled"));
	else if (code == CTL_DONE && ctl->format == CTL_NAME)
		puts(ctl->args.items[0]);
	else if (code == CTL_DONE)
		output_json(ctl, workflow);
	json_decref(workflow);
	free(path);
	return code;
}
