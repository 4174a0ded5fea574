/* workflow_run.c - agentctl workflow run: from a template or a graph of one's own, awaited or not. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "private_file.h"
#include "resource.h"
#include "text.h"
#include "workflow.h"

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

/* "review of report.md" when nothing is said. */
static json_t *
describe(const struct ctl *ctl, const json_t *input)
{
	const char *template_name = ctl_option(ctl, OPTION_TEMPLATE), *tasks = ctl_option(ctl, OPTION_TASKS);

	if (ctl_option(ctl, OPTION_FILE))
		return json_sprintf("%s of %s", template_name ? template_name : tasks, output_string(input, "name", "a file"));
	return json_string(template_name ? template_name : tasks);
}

/* What must not be said together, or is missing. */
static const char *
find_contradiction(const struct ctl *ctl)
{
	bool has_template = ctl_option(ctl, OPTION_TEMPLATE), has_tasks = ctl_option(ctl, OPTION_TASKS);

	if (!has_template && !has_tasks)
		return "--template is missing (or --tasks FILE, for a graph of your own)";
	if (has_template && has_tasks)
		return "--template and --tasks cannot be given together";
	if (ctl_option(ctl, OPTION_FILE) && ctl_option(ctl, OPTION_INPUT))
		return "--file and --input cannot be given together";
	return NULL;
}

/* Adds what is read from files. False: said why. */
static bool
add_files(const struct ctl *ctl, json_t *body)
{
	const char *file = ctl_option(ctl, OPTION_FILE), *tasks_file = ctl_option(ctl, OPTION_TASKS);
	json_t *input = file ? input_from_file(file) : NULL, *tasks = NULL, *description;

	if (file && !input)
		return false;
	if (input)
		json_object_set_new(body, "input_data", input);
	if (tasks_file)
		tasks = payload_tasks(tasks_file);
	if (tasks_file && !tasks)
		return false;
	if (tasks)
		json_object_set_new(body, "tasks", tasks);
	if (ctl_option(ctl, OPTION_DESCRIPTION))
		return true;
	description = describe(ctl, input);
	if (!description)
		output_error(CTL_USAGE, "wrong usage.", "the file's name must be UTF-8", "give a --description");
	else
		json_object_set_new(body, "description", description);
	return description;
}

/* The request's body out of the options. NULL: said why, and *code_r is set. */
static json_t *
build_request(const struct ctl *ctl, enum ctl_exit *code_r)
{
	static const struct payload_field fields[] = {
	    {"template", OPTION_TEMPLATE, PAYLOAD_TEXT, false, 0, 0},
	    {"description", OPTION_DESCRIPTION, PAYLOAD_TEXT, false, 0, 0},
	    {"input_data", OPTION_INPUT, PAYLOAD_JSON, false, 0, 0},
	    {"labels", OPTION_LABEL, PAYLOAD_LABELS, false, 0, 0},
	    {"deadline_s", OPTION_DEADLINE, PAYLOAD_NUMBER, false, 1, 31536000},
	    {0},
	};
	const char *contradiction = find_contradiction(ctl);
	json_t *body;

	if (contradiction) {
		*code_r = output_error(CTL_USAGE, "wrong usage.", contradiction, "agentctl help workflow run");
		return NULL;
	}
	body = payload_build(ctl, fields, code_r);
	if (!body || add_files(ctl, body))
		return body;
	json_decref(body);
	*code_r = CTL_FAILED;
	return NULL;
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
		output_note(ctl, "next: agentctl workflow watch %s", id);
	free(safe);
	free(safe_state);
}

enum ctl_exit
workflow_run(struct ctl *ctl)
{
	enum ctl_exit code;
	json_t *body = build_request(ctl, &code), *workflow = NULL;
	const char *id;

	if (!body)
		return code;
	code = http_create(ctl, "/workflows", body, "cannot start the workflow.", &workflow);
	if (code != CTL_DONE)
		return code;
	id = output_string(workflow, "id", NULL);
	if (!id) {
		code = output_error(CTL_FAILED, "cannot start the workflow.", "the answer has no id; is the server an agentd?",
		                    NULL);
	} else if (ctl_flag(ctl, OPTION_WAIT)) {
		output_note(ctl, "workflow %s started.", id);
		code = workflow_wait_and_show(ctl, id);
	} else {
		show_started(ctl, workflow, id);
	}
	json_decref(workflow);
	return code;
}
