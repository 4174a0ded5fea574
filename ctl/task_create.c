/* task_create.c - agentctl task create. */
#include "base.h"

#include "task.h"

enum ctl_exit
task_create(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"role", OPTION_ROLE, PAYLOAD_TEXT, false, 0, 0},
	    {"agent_id", OPTION_AGENT_ID, PAYLOAD_TEXT, false, 0, 0},
	    {"description", OPTION_DESCRIPTION, PAYLOAD_TEXT, false, 0, 0},
	    {"input_data", OPTION_INPUT, PAYLOAD_JSON, false, 0, 0},
	    {"priority", OPTION_PRIORITY, PAYLOAD_NUMBER, false, 1, 10},
	    {"run_at", OPTION_RUN_AT, PAYLOAD_TEXT, false, 0, 0},
	    {"labels", OPTION_LABEL, PAYLOAD_LABELS, false, 0, 0},
	    {"max_retries", OPTION_MAX_RETRIES, PAYLOAD_NUMBER, false, 0, 100},
	    {"timeout_s", OPTION_TASK_TIMEOUT, PAYLOAD_NUMBER, false, 1, 604800},
	    {"lease_s", OPTION_LEASE, PAYLOAD_NUMBER, false, 1, 3600},
	    {"requires", OPTION_REQUIRES, PAYLOAD_TEXTS, false, 0, 0},
	    {"unique_key", OPTION_UNIQUE_KEY, PAYLOAD_TEXT, false, 0, 0},
	    {"on_duplicate", OPTION_ON_DUPLICATE, PAYLOAD_TEXT, false, 0, 0},
	    {"concurrency_key", OPTION_CONCURRENCY_KEY, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body;

	if (!ctl_option(ctl, OPTION_ROLE) && !ctl_option(ctl, OPTION_AGENT_ID))
		return output_error(CTL_USAGE, "wrong usage.", "--role or --agent-id is missing: who shall do it?",
		                    "agentctl task create --role ROLE --description TEXT");
	body = payload_build(ctl, fields, &code);
	return body ? resource_create(ctl, &task_resource, "/tasks", body) : code;
}
