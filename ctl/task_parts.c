/*
 * task_parts.c - what the holder of a task may add to it: further tasks of the workflow, and steps of its own.
 *
 * The epoch proves that the lease is still held. Within a command of agentctl work it stands in the environment, and
 * counts only for the task that stands there too.
 */
#include "base.h"

#include "command.h"
#include "http.h"
#include "list.h"
#include "task.h"

#include <errno.h>
#include <limits.h>

static const struct output_field subtask_columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 60},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"COMPLETED", "completed_at", OUTPUT_TIME, true, 0},
    {"INPUT", "input_data", OUTPUT_TEXT, true, 0},
    {"OUTPUT", "output_data", OUTPUT_TEXT, true, 0},
    {"ERROR", "error_message", OUTPUT_TEXT, true, 0},
    {0},
};

static const struct resource subtask_resource = {"the sub-task", "the sub-tasks", NULL, NULL, "id",
                                                 NULL,           subtask_columns};

/* The environment's value, if the environment is about this task (task NULL: about any). */
static const char *
from_environment(const char *task, const char *name)
{
	const char *held = getenv("AGENTD_TASK_ID");

	return held && (!task || strcmp(held, task) == 0) ? getenv(name) : NULL;
}

/* Puts the epoch into body. False: said why. */
static bool
add_epoch(const struct ctl *ctl, const char *task, json_t *body)
{
	const char *known = from_environment(task, "AGENTD_LEASE_EPOCH");
	long epoch = known ? strtol(known, NULL, 10) : 0;

	if (!ctl_number(ctl, OPTION_EPOCH, 1, INT_MAX, &epoch))
		return false;
	if (epoch < 1 || epoch > INT_MAX) {
		output_error(CTL_USAGE, "wrong usage.",
		             "--epoch is missing: only the holder of the task may do this, and the epoch names its lease",
		             "take it from the answer to the lease, or run this within agentctl work");
		return false;
	}
	json_object_set_new(body, "epoch", json_integer(epoch));
	return true;
}

/* The workflow of the task: named, known, or asked for. NULL: said why. free() it. */
static char *
workflow_of(const struct ctl *ctl, const char *task, enum ctl_exit *code_r)
{
	const char *known = ctl_option(ctl, OPTION_WORKFLOW);
	json_t *answer = NULL;
	char *path, *id = NULL;

	*code_r = CTL_DONE;
	if (!known)
		known = from_environment(task, "AGENTD_WORKFLOW_ID");
	if (known)
		return mem_string(known);
	path = http_path("/tasks/%s", task);
	*code_r = http_request(ctl, "GET", path, NULL, "cannot find the task's workflow.", &answer);
	known = output_string(answer, "workflow_id", NULL);
	if (known)
		id = mem_string(known);
	else if (*code_r == CTL_DONE)
		*code_r = output_error(CTL_FAILED, "cannot add tasks.", "this task belongs to no workflow",
		                       "agentctl task create --role ROLE");
	json_decref(answer);
	free(path);
	return id;
}

static enum ctl_exit
send_tasks(const struct ctl *ctl, const char *workflow, json_t *body)
{
	static const struct output_field columns[] = {{"ID", "id", OUTPUT_TEXT, false, 0},
	                                              {"KEY", "key", OUTPUT_TEXT, false, 0},
	                                              {"STATUS", "status", OUTPUT_STATUS, false, 0},
	                                              {0}};
	char *path = http_path("/workflows/%s/tasks", workflow);
	json_t *answer = NULL, *list;
	enum ctl_exit code = http_create(ctl, path, body, "cannot add the tasks.", &answer);

	if (code == CTL_DONE && !(ctl->format == CTL_JSON && output_json(ctl, answer))) {
		list = json_pack("{s:O?}", "items", json_object_get(answer, "tasks"));
		output_list(ctl, list, columns, "id");
		json_decref(list);
	}
	json_decref(answer);
	free(path);
	return code;
}

enum ctl_exit
task_add_tasks(struct ctl *ctl)
{
	static const struct payload_field fields[] = {{"before", OPTION_BEFORE, PAYLOAD_TEXTS, false, 0, 0}, {0}};
	const char *task = ctl->args.items[0];
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code), *tasks;
	char *workflow = NULL;

	if (!body)
		return code;
	code = CTL_USAGE;
	if (json_object_set_new(body, "task_id", json_string(task)) != 0)
		output_error(CTL_USAGE, "wrong usage.", "ID must be UTF-8 text", "agentctl help task add-tasks");
	else if (add_epoch(ctl, task, body)) {
		tasks = payload_tasks(ctl->args.items[1]);
		code = CTL_FAILED;
		if (tasks) {
			json_object_set_new(body, "tasks", tasks);
			workflow = workflow_of(ctl, task, &code);
		}
	}
	if (workflow)
		code = send_tasks(ctl, workflow, json_incref(body));
	json_decref(body);
	free(workflow);
	return code;
}

enum ctl_exit
task_subtask_list(struct ctl *ctl)
{
	char *path = http_path("/tasks/%s/subtasks", ctl->args.items[0]);
	enum ctl_exit code = list_show(ctl, path, "cannot list the sub-tasks.", subtask_columns, "id");

	free(path);
	return code;
}

/* The body of a sub-task, with its epoch. NULL: said why. */
static json_t *
subtask_body(const struct ctl *ctl, const char *task, enum ctl_exit *code_r)
{
	static const struct payload_field fields[] = {
	    {"description", OPTION_DESCRIPTION, PAYLOAD_TEXT, false, 0, 0},
	    {"status", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0},
	    {"input_data", OPTION_INPUT, PAYLOAD_JSON, false, 0, 0},
	    {"output_data", OPTION_RESULT, PAYLOAD_JSON, false, 0, 0},
	    {"error_message", OPTION_ERROR, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	json_t *body = payload_build(ctl, fields, code_r);

	if (!body || add_epoch(ctl, task, body))
		return body;
	*code_r = CTL_USAGE;
	json_decref(body);
	return NULL;
}

enum ctl_exit
task_subtask_add(struct ctl *ctl)
{
	enum ctl_exit code;
	json_t *body;
	char *path;

	if (!ctl_option(ctl, OPTION_DESCRIPTION))
		return output_error(CTL_USAGE, "wrong usage.", "--description is missing: what is the step?",
		                    "agentctl help task subtask add");
	body = subtask_body(ctl, ctl->args.items[0], &code);
	if (!body)
		return code;
	path = http_path("/tasks/%s/subtasks", ctl->args.items[0]);
	code = resource_create(ctl, &subtask_resource, path, body);
	free(path);
	return code;
}

enum ctl_exit
task_subtask_update(struct ctl *ctl)
{
	enum ctl_exit code;
	json_t *body = subtask_body(ctl, NULL, &code);

	return body ? resource_change(ctl, &subtask_resource, "PATCH", "/subtasks/%s", body, "change", "is changed") : code;
}
