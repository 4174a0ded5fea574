/* task.c - agentctl task list|get. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "list.h"

static const struct output_field fields[] = {
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
    {"NOT BEFORE", "run_at", OUTPUT_TIME, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"STARTED", "started_at", OUTPUT_TIME, false, 0},
    {"COMPLETED", "completed_at", OUTPUT_TIME, false, 0},
    {"TIME", "duration_ms", OUTPUT_MS, false, 0},
    {"INPUT", "input_data", OUTPUT_TEXT, false, 0},
    {"OUTPUT", "output_data", OUTPUT_TEXT, false, 0},
    {0},
};

enum ctl_exit
task_list(struct ctl *ctl)
{
	char *path = mem_string("/tasks");
	enum ctl_exit code;

	http_path_query(&path, "status", ctl_option(ctl, OPTION_STATUS));
	http_path_query(&path, "role", ctl_option(ctl, OPTION_ROLE));
	http_path_query(&path, "agent_id", ctl_option(ctl, OPTION_AGENT_ID));
	http_path_query(&path, "workflow_id", ctl_option(ctl, OPTION_WORKFLOW));
	code = list_show(ctl, path, "cannot list the tasks.", fields, "id");
	free(path);
	return code;
}

enum ctl_exit
task_get(struct ctl *ctl)
{
	char *path = http_path("/tasks/%s", ctl->args.items[0]);
	json_t *task = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, "cannot get the task.", &task);

	if (code == CTL_DONE)
		output_object(ctl, task, details, "id");
	json_decref(task);
	free(path);
	return code;
}
