/* workflow.c - agentctl workflow: seen, awaited and steered. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "resource.h"
#include "workflow.h"

static const struct output_field columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"VERDICT", "verdict", OUTPUT_STATUS, false, 0},
    {"TASKS", "progress", OUTPUT_PROGRESS, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"TEMPLATE", "template", OUTPUT_TEXT, true, 0},
    {"LABELS", "labels", OUTPUT_TEXT, true, 0},
    {"SCHEDULE", "schedule_id", OUTPUT_TEXT, true, 0},
    {"COMPLETED", "completed_at", OUTPUT_TIME, true, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 40},
    {0},
};

static const struct resource resource = {"the workflow", "the workflows", "/workflows", "/workflows/%s",
                                         "id",           columns,         columns};

enum ctl_exit
workflow_wait_and_show(const struct ctl *ctl, const char *id)
{
	json_t *workflow;
	enum ctl_exit code = workflow_wait(ctl, id, &workflow);

	if (code == CTL_DONE)
		code = workflow_show_result(ctl, workflow);
	json_decref(workflow);
	return code;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {
	    {"status", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0},
	    {"template", OPTION_TEMPLATE, PAYLOAD_TEXT, false, 0, 0},
	    {"label", OPTION_LABEL, PAYLOAD_LABELS, false, 0, 0},
	    {"schedule_id", OPTION_SCHEDULE, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};

	return resource_list(ctl, &resource, filters);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	char *path;
	json_t *workflow = NULL;
	enum ctl_exit code;

	if (ctl_flag(ctl, OPTION_WAIT))
		return workflow_wait_and_show(ctl, ctl->args.items[0]);
	path = http_path("/workflows/%s", ctl->args.items[0]);
	code = http_request(ctl, "GET", path, NULL, "cannot get the workflow.", &workflow);
	if (code == CTL_DONE)
		workflow_show(ctl, workflow);
	json_decref(workflow);
	free(path);
	return code;
}

static enum ctl_exit
watch(struct ctl *ctl)
{
	if (ctl_flag(ctl, OPTION_EVENTS))
		return workflow_watch_events(ctl, ctl->args.items[0]);
	return workflow_wait_and_show(ctl, ctl->args.items[0]);
}

static enum ctl_exit
cancel(struct ctl *ctl)
{
	enum ctl_exit code;

	if (!resource_confirm(ctl, "Cancel this workflow and its tasks? [y/N] ", &code))
		return code;
	return resource_change(ctl, &resource, "POST", "/workflows/%s/cancel", NULL, "cancel", "is cancelled");
}

static enum ctl_exit
retry(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "POST", "/workflows/%s/retry", NULL, "retry",
	                       "goes on: what failed is tried again");
}

static enum ctl_exit
pause_workflow(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "PATCH", "/workflows/%s", json_pack("{s:b}", "paused", 1), "pause",
	                       "is paused: what runs may end, nothing new begins");
}

static enum ctl_exit
resume(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "PATCH", "/workflows/%s", json_pack("{s:b}", "paused", 0), "resume",
	                       "goes on");
}

static enum ctl_exit delete (struct ctl *ctl) { return resource_delete(ctl, &resource); }

const struct command workflow_commands[] = {
    {"workflow run", NULL, "start a workflow from a template or a graph of tasks",
     OPTIONS(OPTION_TEMPLATE, OPTION_TASKS, OPTION_FILE, OPTION_INPUT, OPTION_DESCRIPTION, OPTION_LABEL,
             OPTION_DEADLINE, OPTION_WAIT),
     workflow_run,
     .more = "With --wait the exit code is 0 when the workflow completes, 8 when it fails or is cancelled, 7 when\n"
             "--timeout passes first. A server that restarts meanwhile is waited for. Sent again after a lost\n"
             "connection, the request still starts one workflow only."},
    {"workflow list", NULL, "list the workflows",
     OPTIONS(OPTION_STATUS, OPTION_TEMPLATE, OPTION_LABEL, OPTION_SCHEDULE, OPTION_LIMIT), list},
    {"workflow get", "ID", "show one workflow, its tasks and findings", OPTIONS(OPTION_WAIT), get},
    {"workflow watch", "ID", "show how a workflow goes, until it ends", OPTIONS(OPTION_EVENTS), watch,
     .more = "On a terminal one line a task, redrawn in place; elsewhere one line a change, on standard error. The\n"
             "result goes to standard output. With --events, each event of the workflow as it happens instead.\n"
             "The exit code is 0 when it completes, 8 when it fails or is cancelled, 7 when --timeout passes first."},
    {"workflow graph", "ID", "draw the tasks and what they wait for", OPTIONS(OPTION_DOT), workflow_graph},
    {"workflow cancel", "ID", "cancel a workflow and its tasks", OPTIONS(OPTION_YES), cancel},
    {"workflow retry", "ID", "try again what failed", NULL, retry},
    {"workflow pause", "ID", "let nothing new begin", NULL, pause_workflow},
    {"workflow resume", "ID", "let a paused workflow go on", NULL, resume},
    {"workflow delete", "ID", "delete a workflow that has ended", OPTIONS(OPTION_YES), delete},
    {0},
};
