/* agent.c - agentctl agent list|get. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "list.h"

static const struct output_field fields[] = {
    {"ID", "agent_id", OUTPUT_TEXT, false, 0},
    {"NAME", "name", OUTPUT_TEXT, false, 24},
    {"ROLE", "role", OUTPUT_TEXT, false, 20},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"LAST ACTIVITY", "last_activity", OUTPUT_TIME, false, 0},
    {"AT ONCE", "max_concurrent", OUTPUT_TEXT, true, 0},
    {"CAPABILITIES", "capabilities", OUTPUT_TEXT, true, 0},
    {"SINCE", "initialized_at", OUTPUT_TIME, true, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, true, 0},
    {0},
};

enum ctl_exit
agent_list(struct ctl *ctl)
{
	return list_show(ctl, "/agents", "cannot list the agents.", fields, "agent_id");
}

enum ctl_exit
agent_get(struct ctl *ctl)
{
	char *path = http_path("/agents/%s", ctl->args.items[0]);
	json_t *agent = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, "cannot get the agent.", &agent);

	if (code == CTL_DONE)
		output_object(ctl, agent, fields, "agent_id");
	json_decref(agent);
	free(path);
	return code;
}
