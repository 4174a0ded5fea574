/* workflow_show.c - a workflow for people: its state, its tasks, its verdict and its findings. */
#include "base.h"

#include "duration.h"
#include "json_print.h"
#include "output.h"
#include "text.h"
#include "workflow.h"

static const struct output_field head_fields[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 0},
    {"TEMPLATE", "template", OUTPUT_TEXT, false, 0},
    {"LABELS", "labels", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"VERDICT", "verdict", OUTPUT_STATUS, false, 0},
    {"PROGRESS", "progress", OUTPUT_PROGRESS, false, 0},
    {"ERROR", "error_message", OUTPUT_TEXT, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"STARTED", "started_at", OUTPUT_TIME, false, 0},
    {"COMPLETED", "completed_at", OUTPUT_TIME, false, 0},
    {0},
};

static const struct output_field task_fields[] = {
    {"TASK", "key", OUTPUT_TEXT, false, 24},
    {"ROLE", "role", OUTPUT_TEXT, false, 20},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"AGENT", "leased_by", OUTPUT_TEXT, false, 28},
    {"TIME", "duration_ms", OUTPUT_MS, false, 0},
    {"ROUND", "round", OUTPUT_TEXT, true, 0},
    {"ATTEMPT", "attempt", OUTPUT_TEXT, true, 0},
    {"ID", "id", OUTPUT_TEXT, true, 0},
    {"ERROR", "error_message", OUTPUT_TEXT, false, 60},
    {0},
};

/* Text of several lines, each line after the first indented. */
static void
print_indented(const char *text, int indent)
{
	char *safe = text_escape_lines(text, strlen(text)), *rest = safe, *line;
	bool first = true;

	while ((line = strsep(&rest, "\n"))) {
		if (!first || *line)
			printf("%*s%s\n", indent, "", line);
		first = false;
	}
	free(safe);
}

static void
print_finding(const struct ctl *ctl, const json_t *finding, size_t number)
{
	const char *severity = output_string(finding, "severity", NULL);
	const char *title = json_is_string(finding) ? json_string_value(finding) : output_string(finding, "title", NULL);
	const char *detail = output_string(finding, "detail", NULL);
	char *whole = title || detail ? NULL : json_print_text(finding);
	const char *text = whole ? whole : title ? title : detail;
	char *safe = text_escape(text, strlen(text));

	printf("%3zu. ", number);
	if (severity) {
		char *word = text_escape(severity, strlen(severity));

		printf("%s[%s]%s ", ctl->colour ? output_colour(word) : "", word, ctl->colour ? OUTPUT_PLAIN : "");
		free(word);
	}
	puts(safe);
	if (title && detail)
		print_indented(detail, 5);
	free(safe);
	free(whole);
}

static void
print_findings(const struct ctl *ctl, const json_t *workflow)
{
	const json_t *findings = json_object_get(json_object_get(workflow, "output_data"), "findings");

	if (!json_is_array(findings))
		return;
	printf("%sfindings: %zu%s\n", ctl->colour ? OUTPUT_BOLD : "", json_array_size(findings),
	       ctl->colour ? OUTPUT_PLAIN : "");
	for (size_t i = 0; i < json_array_size(findings); i++)
		print_finding(ctl, json_array_get(findings, i), i + 1);
}

void
workflow_show(const struct ctl *ctl, const json_t *workflow)
{
	const json_t *tasks = json_object_get(workflow, "tasks");

	output_object(ctl, workflow, head_fields, "id");
	if (ctl->format > CTL_WIDE)
		return;
	if (json_array_size(tasks)) {
		putchar('\n');
		output_table(ctl, tasks, task_fields, 0);
	}
	if (json_is_array(json_object_get(json_object_get(workflow, "output_data"), "findings")))
		putchar('\n');
	print_findings(ctl, workflow);
}

/* The workflow's own reason, else that of the first task that failed. */
static char *
failure_reason(const json_t *workflow)
{
	const char *own = output_string(workflow, "error_message", NULL);
	char *text = NULL;
	json_t *task;
	size_t i;

	if (own)
		return mem_string(own);
	json_array_foreach(json_object_get(workflow, "tasks"), i, task)
	{
		const char *error = output_string(task, "error_message", NULL), *status = output_string(task, "status", "");

		if (error && (strcmp(status, "failed") == 0 || strcmp(status, "dead") == 0)) {
			INVARIANT(asprintf(&text, "%s: %s", output_string(task, "key", "a task"), error) >= 0);
			return text;
		}
	}
	return NULL;
}

enum ctl_exit
workflow_report_end(const json_t *workflow)
{
	const char *status = output_string(workflow, "status", "");
	char *what = NULL, *next = NULL, *why;

	if (strcmp(status, "completed") == 0)
		return CTL_DONE;
	why = failure_reason(workflow);
	INVARIANT(asprintf(&what, "the workflow was not completed: it is %s.", status) >= 0);
	INVARIANT(asprintf(&next, "agentctl workflow get %s -o wide", output_string(workflow, "id", "ID")) >= 0);
	output_error(CTL_WORKFLOW_FAILED, what, why, next);
	free(what);
	free(why);
	free(next);
	return CTL_WORKFLOW_FAILED;
}

static void
print_result(const struct ctl *ctl, const json_t *workflow)
{
	static const struct output_field fields[] = {{"workflow: ", "id", OUTPUT_TEXT, false, 0},
	                                             {"status:   ", "status", OUTPUT_STATUS, false, 0},
	                                             {"verdict:  ", "verdict", OUTPUT_STATUS, false, 0}};

	for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
		char *cell = output_cell(workflow, &fields[i]);
		const char *colour = ctl->colour && fields[i].kind == OUTPUT_STATUS ? output_colour(cell) : "";

		if (strcmp(cell, "-") != 0)
			printf("%s%s%s%s\n", fields[i].title, colour, cell, *colour ? OUTPUT_PLAIN : "");
		free(cell);
	}
	print_findings(ctl, workflow);
}

enum ctl_exit
workflow_show_result(const struct ctl *ctl, const json_t *workflow)
{
	if (ctl->format == CTL_NAME)
		output_object(ctl, workflow, head_fields, "id");
	else if (!output_json(ctl, workflow))
		print_result(ctl, workflow);
	return workflow_report_end(workflow);
}
