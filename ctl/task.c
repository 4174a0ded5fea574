/* task.c - agentctl task: single tasks seen and steered. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "list.h"
#include "task.h"

const struct output_field task_columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"KEY", "key", OUTPUT_TEXT, false, 20},
    {"ROLE", "role", OUTPUT_TEXT, false, 20},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"AGENT", "leased_by", OUTPUT_TEXT, false, 28},
    {"TIME", "duration_ms", OUTPUT_MS, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"WORKFLOW", "workflow_id", OUTPUT_TEXT, true, 0},
    {"PRIORITY", "priority", OUTPUT_TEXT, true, 0},
    {"ATTEMPT", "attempt", OUTPUT_TEXT, true, 0},
    {"ROUND", "round", OUTPUT_TEXT, true, 0},
    {"EPOCH", "epoch", OUTPUT_TEXT, true, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, true, 0},
    {"ERROR", "error_message", OUTPUT_TEXT, true, 0},
    {0},
};

/* What only the detail view shows. */
static const struct output_field details[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"WORKFLOW", "workflow_id", OUTPUT_TEXT, false, 0},
    {"KEY", "key", OUTPUT_TEXT, false, 0},
    {"ROLE", "role", OUTPUT_TEXT, false, 0},
    {"FOR AGENT", "agent_id", OUTPUT_TEXT, false, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"ERROR", "error_message", OUTPUT_TEXT, false, 0},
    {"LEASED BY", "leased_by", OUTPUT_TEXT, false, 0},
    {"LEASED UNTIL", "lease_until", OUTPUT_TIME, false, 0},
    {"EPOCH", "epoch", OUTPUT_TEXT, false, 0},
    {"ATTEMPT", "attempt", OUTPUT_TEXT, false, 0},
    {"RETRIES", "retry_count", OUTPUT_TEXT, false, 0},
    {"MAX RETRIES", "max_retries", OUTPUT_TEXT, false, 0},
    {"ROUND", "round", OUTPUT_TEXT, false, 0},
    {"PRIORITY", "priority", OUTPUT_TEXT, false, 0},
    {"DEPENDS ON", "depends_on", OUTPUT_TEXT, false, 0},
    {"HELD BACK BY", "parked", OUTPUT_TEXT, false, 0},
    {"NOT BEFORE", "run_at", OUTPUT_TIME, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"STARTED", "started_at", OUTPUT_TIME, false, 0},
    {"COMPLETED", "completed_at", OUTPUT_TIME, false, 0},
    {"TIME", "duration_ms", OUTPUT_MS, false, 0},
    {"LABELS", "labels", OUTPUT_TEXT, false, 0},
    {"REQUIRES", "requires", OUTPUT_TEXT, false, 0},
    {"UNIQUE KEY", "unique_key", OUTPUT_TEXT, false, 0},
    {"CONCURRENCY KEY", "concurrency_key", OUTPUT_TEXT, false, 0},
    {"APPROVAL", "approval", OUTPUT_STATUS, false, 0},
    {"PROGRESS", "progress", OUTPUT_TEXT, false, 0},
    {"INPUT", "input_data", OUTPUT_TEXT, false, 0},
    {"OUTPUT", "output_data", OUTPUT_TEXT, false, 0},
    {0},
};

const struct resource task_resource = {"the task", "the tasks", "/tasks", "/tasks/%s", "id", task_columns, details};

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {
	    {"status", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0},
	    {"role", OPTION_ROLE, PAYLOAD_TEXT, false, 0, 0},
	    {"agent_id", OPTION_AGENT_ID, PAYLOAD_TEXT, false, 0, 0},
	    {"workflow_id", OPTION_WORKFLOW, PAYLOAD_TEXT, false, 0, 0},
	    {"label", OPTION_LABEL, PAYLOAD_LABELS, false, 0, 0},
	    {0},
	};
	struct resource dead = task_resource;

	if (!ctl_flag(ctl, OPTION_DEAD))
		return resource_list(ctl, &task_resource, filters);
	dead.list = "/tasks/dead";
	return resource_list(ctl, &dead, filters);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	return resource_get(ctl, &task_resource);
}

static enum ctl_exit
list_attempts(struct ctl *ctl)
{
	static const struct output_field columns[] = {
	    {"ATTEMPT", "attempt", OUTPUT_TEXT, false, 0},
	    {"ROUND", "round", OUTPUT_TEXT, false, 0},
	    {"EPOCH", "epoch", OUTPUT_TEXT, false, 0},
	    {"AGENT", "agent_id", OUTPUT_TEXT, false, 28},
	    {"OUTCOME", "outcome", OUTPUT_STATUS, false, 0},
	    {"TIME", "duration_ms", OUTPUT_MS, false, 0},
	    {"STARTED", "started_at", OUTPUT_TIME, false, 0},
	    {"ENDED", "ended_at", OUTPUT_TIME, true, 0},
	    {"OUTPUT", "output_data", OUTPUT_TEXT, true, 0},
	    {"ERROR", "error_message", OUTPUT_TEXT, false, 60},
	    {0},
	};
	char *path = http_path("/tasks/%s/attempts", ctl->args.items[0]);
	enum ctl_exit code = list_show(ctl, path, "cannot list the task's attempts.", columns, "attempt");

	free(path);
	return code;
}

static enum ctl_exit
cancel(struct ctl *ctl)
{
	enum ctl_exit code;

	if (!resource_confirm(ctl, "Cancel this task? [y/N] ", &code))
		return code;
	return resource_change(ctl, &task_resource, "POST", "/tasks/%s/cancel", NULL, "cancel", "is cancelled");
}

static enum ctl_exit
retry(struct ctl *ctl)
{
	return resource_change(ctl, &task_resource, "POST", "/tasks/%s/retry", NULL, "retry", "will be tried again");
}

static enum ctl_exit
decide(struct ctl *ctl, const char *format, const char *verb, const char *done)
{
	static const struct payload_field fields[] = {
	    {"comment", OPTION_COMMENT, PAYLOAD_TEXT, false, 0, 0},
	    {"send_back", OPTION_SEND_BACK, PAYLOAD_FLAG, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code);

	return body ? resource_change(ctl, &task_resource, "POST", format, body, verb, done) : code;
}

static enum ctl_exit
approve(struct ctl *ctl)
{
	return decide(ctl, "/tasks/%s/approve", "approve", "is approved");
}

static enum ctl_exit
reject(struct ctl *ctl)
{
	return decide(ctl, "/tasks/%s/reject", "reject",
	              ctl_flag(ctl, OPTION_SEND_BACK) ? "is sent back for another round" : "is rejected");
}

static enum ctl_exit delete (struct ctl *ctl) { return resource_delete(ctl, &task_resource); }

static enum ctl_exit
patch(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"priority", OPTION_PRIORITY, PAYLOAD_NUMBER, false, 1, 10},
	    {"run_at", OPTION_RUN_AT, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code);

	if (!body)
		return code;
	if (json_object_size(body) == 0) {
		json_decref(body);
		return output_error(CTL_USAGE, "wrong usage.", "there is nothing to change: --priority or --run-at is missing",
		                    "agentctl help task patch");
	}
	return resource_change(ctl, &task_resource, "PATCH", "/tasks/%s", body, "change", "is changed");
}

static enum ctl_exit
list_dead(struct ctl *ctl)
{
	static const struct payload_field filters[] = {{"role", OPTION_ROLE, PAYLOAD_TEXT, false, 0, 0}, {0}};
	struct resource dead = task_resource;

	dead.list = "/tasks/dead";
	return resource_list(ctl, &dead, filters);
}

static json_t *
ids_of(const struct option_words *words)
{
	json_t *ids = json_array();

	for (int i = 0; i < words->count; i++)
		json_array_append_new(ids, json_string(words->items[i]));
	return ids;
}

static enum ctl_exit
redrive(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"role", OPTION_ROLE, PAYLOAD_TEXT, false, 0, 0},
	    {"max", OPTION_MAX, PAYLOAD_NUMBER, false, 1, 1e6},
	    {0},
	};
	static const struct output_field shown[] = {
	    {"REDRIVEN", "redriven", OUTPUT_TEXT, false, 0}, {"IDS", "ids", OUTPUT_TEXT, false, 0}, {0}};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code), *answer = NULL;

	if (!body)
		return code;
	if (ctl->args.count)
		json_object_set_new(body, "ids", ids_of(&ctl->args));
	else if (!resource_confirm(ctl, "Try all these dead tasks again? [y/N] ", &code)) {
		json_decref(body);
		return code;
	}
	code = http_create(ctl, "/tasks/dead/redrive", body, "cannot redrive the dead tasks.", &answer);
	if (code == CTL_DONE)
		output_object(ctl, answer, shown, "redriven");
	json_decref(answer);
	return code;
}

const struct command task_commands[] = {
    {"task list", NULL, "list the tasks",
     OPTIONS(OPTION_STATUS, OPTION_ROLE, OPTION_AGENT_ID, OPTION_WORKFLOW, OPTION_LABEL, OPTION_DEAD, OPTION_LIMIT),
     list},
    {"task get", "ID", "show one task", NULL, get},
    {"task create", NULL, "make a task outside a workflow",
     OPTIONS(OPTION_ROLE, OPTION_AGENT_ID, OPTION_DESCRIPTION, OPTION_INPUT, OPTION_PRIORITY, OPTION_RUN_AT,
             OPTION_LABEL, OPTION_MAX_RETRIES, OPTION_TASK_TIMEOUT, OPTION_LEASE, OPTION_REQUIRES, OPTION_UNIQUE_KEY,
             OPTION_ON_DUPLICATE, OPTION_CONCURRENCY_KEY),
     task_create},
    {"task explain", "ID", "say why a task is not running, and what would free it", NULL, task_explain},
    {"task attempts", "ID", "list what has been tried", OPTIONS(OPTION_LIMIT), list_attempts},
    {"task cancel", "ID", "cancel a task", OPTIONS(OPTION_YES), cancel},
    {"task retry", "ID", "try a failed or dead task again", NULL, retry},
    {"task approve", "ID", "say yes for a gate that waits for a person", OPTIONS(OPTION_COMMENT), approve},
    {"task reject", "ID", "say no, or send the work back", OPTIONS(OPTION_COMMENT, OPTION_SEND_BACK), reject},
    {"task patch", "ID", "change a task that is not leased", OPTIONS(OPTION_PRIORITY, OPTION_RUN_AT), patch},
    {"task delete", "ID", "delete a task", OPTIONS(OPTION_YES), delete},
    {"task dead list", NULL, "list the tasks that nobody tries any more", OPTIONS(OPTION_ROLE, OPTION_LIMIT),
     list_dead},
    {"task dead redrive", "[ID]...", "try dead tasks again: these, or all of a role",
     OPTIONS(OPTION_ROLE, OPTION_MAX, OPTION_YES), redrive},
    {"task add-tasks", "ID FILE", "add tasks to the workflow of a task that you hold",
     OPTIONS(OPTION_EPOCH, OPTION_BEFORE, OPTION_WORKFLOW), task_add_tasks,
     .more = "FILE (or -) holds the tasks as `workflow run --tasks` takes them. Those with --before wait for the new "
             "ones.\n"
             "Within a command of agentctl work, --epoch and --workflow are known and may be left out."},
    {"task subtask list", "TASK", "list the steps of a task", OPTIONS(OPTION_LIMIT), task_subtask_list},
    {"task subtask add", "TASK", "add a step to a task that you hold",
     OPTIONS(OPTION_EPOCH, OPTION_DESCRIPTION, OPTION_STATUS, OPTION_INPUT, OPTION_RESULT, OPTION_ERROR),
     task_subtask_add},
    {"task subtask update", "SUBTASK", "say how a step of your task goes",
     OPTIONS(OPTION_EPOCH, OPTION_STATUS, OPTION_RESULT, OPTION_ERROR), task_subtask_update},
    {0},
};
