/* task_create.c - agentctl task create. */
#include "base.h"

#include "task.h"

enum ctl_exit
task_create(struct ctl *ctl)
{
	static const struct body_field fields[] = {
	    {"role", OPTION_ROLE, BODY_TEXT, false, 0, 0},
	    {"agent_id", OPTION_AGENT_ID, BODY_TEXT, false, 0, 0},
	    {"description", OPTION_DESCRIPTION, BODY_TEXT, false, 0, 0},
	    {"input_data", OPTION_INPUT, BODY_JSON, false, 0, 0},
	    {"priority", OPTION_PRIORITY, BODY_NUMBER, false, 1, 10},
	    {"run_at", OPTION_RUN_AT, BODY_TEXT, false, 0, 0},
	    {"labels", OPTION_LABEL, BODY_LABELS, false, 0, 0},
	    {"max_retries", OPTION_MAX_RETRIES, BODY_NUMBER, false, 0, 100},
	    {"timeout_s", OPTION_TASK_TIMEOUT, BODY_NUMBER, false, 1, 604800},
	    {"lease_s", OPTION_LEASE, BODY_NUMBER, false, 1, 3600},
	    {"requires", OPTION_REQUIRES, BODY_TEXTS, false, 0, 0},
	    {"unique_key", OPTION_UNIQUE_KEY, BODY_TEXT, false, 0, 0},
	    {"on_duplicate", OPTION_ON_DUPLICATE, BODY_TEXT, false, 0, 0},
	    {"concurrency_key", OPTION_CONCURRENCY_KEY, BODY_TEXT, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body;

	if (!ctl_option(ctl, OPTION_ROLE) && !ctl_option(ctl, OPTION_AGENT_ID))
		return output_error(CTL_USAGE, "wrong usage.", "--role or --agent-id is missing: who shall do it?",
		                    "agentctl task create --role ROLE --description TEXT");
	body = body_build(ctl, fields, &code);
	return body ? resource_create(ctl, &task_resource, "/tasks", body) : code;
}
