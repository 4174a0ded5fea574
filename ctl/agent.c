/* agent.c - agentctl agent: who works, on what, and how well. */
#include "base.h"

#include "agent.h"
#include "command.h"
#include "http.h"
#include "list.h"
#include "members.h"
#include "resource.h"
#include "task.h"

enum { PAGES_MAX = 20 }; /* of running tasks, for counting them */

static const struct output_field columns[] = {
    {"ID", "agent_id", OUTPUT_TEXT, false, 0},
    {"NAME", "name", OUTPUT_TEXT, false, 24},
    {"ROLE", "role", OUTPUT_TEXT, false, 20},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"LOAD", "load", OUTPUT_TEXT, false, 0},
    {"RUNNING", "running_tasks", OUTPUT_TEXT, false, 0},
    {"LAST ACTIVITY", "last_activity", OUTPUT_TIME, false, 0},
    {"AT ONCE", "max_concurrent", OUTPUT_TEXT, true, 0},
    {"CAPABILITIES", "capabilities", OUTPUT_TEXT, true, 0},
    {"SINCE", "initialized_at", OUTPUT_TIME, true, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, true, 0},
    {0},
};

static const struct output_field status_fields[] = {
    {"ID", "agent_id", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"LIVE", "live", OUTPUT_TEXT, false, 0},
    {"LOAD", "load", OUTPUT_TEXT, false, 0},
    {"SINCE", "since", OUTPUT_TIME, false, 0},
    {"HOLDS", "held", OUTPUT_TEXT, false, 0},
    {"AT ONCE", "max_concurrent", OUTPUT_TEXT, false, 0},
    {"LAST ACTIVITY", "last_activity", OUTPUT_TIME, false, 0},
    {"DETAILS", "details", OUTPUT_TEXT, false, 0},
    {0},
};

static const struct resource resource = {"the agent", "the agents", "/agents", "/agents/%s",
                                         "agent_id",  columns,      columns};

/* Counts the tasks of one page; *cursor is that of the next one, NULL when there is none. False: they are not shown. */
static bool
count_page(const struct ctl *ctl, json_t *counts, char **cursor)
{
	char *path = mem_string("/tasks?status=processing&limit=500");
	const char *next;
	struct http_call *call;
	json_t *task;
	size_t i;
	bool shown;

	http_path_query(&path, "cursor", *cursor);
	call = http_call_new(ctl, "GET", path, NULL, 0);
	http_call_perform(call);
	shown = http_call_ok(call);
	json_array_foreach(json_object_get(call->json, "items"), i, task)
	{
		const char *agent = output_string(task, "leased_by", "");
		json_int_t count = json_integer_value(json_object_get(counts, agent));

		json_object_set_new(counts, agent, json_integer(count + 1));
	}
	next = output_string(call->json, "next_cursor", NULL);
	free(*cursor);
	*cursor = next ? mem_string(next) : NULL;
	http_call_free(call);
	free(path);
	return shown;
}

void
agent_count_running(const struct ctl *ctl, json_t *agents)
{
	json_t *counts = json_object(), *agent;
	char *cursor = NULL;
	bool known = true;
	size_t i;

	/* What would take too long to count stays unsaid. */
	for (int page = 0; known && (page == 0 || cursor); page++)
		known = page < PAGES_MAX && count_page(ctl, counts, &cursor);
	json_array_foreach(agents, i, agent)
	{
		json_t *count = json_object_get(counts, output_string(agent, "agent_id", ""));

		if (known)
			json_object_set_new(agent, "running_tasks", json_integer(json_integer_value(count)));
	}
	json_decref(counts);
	free(cursor);
}

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {{"role", OPTION_ROLE, PAYLOAD_TEXT, false, 0, 0}, {0}};

	char *path = mem_string(resource.list);
	json_t *all = NULL;
	enum ctl_exit code;

	payload_query(ctl, filters, &path);
	code = list_get(ctl, path, "cannot list the agents.", &all);
	if (code == CTL_DONE && ctl->format <= CTL_WIDE)
		agent_count_running(ctl, json_object_get(all, "items"));
	if (code == CTL_DONE)
		output_list(ctl, all, columns, "agent_id");
	json_decref(all);
	free(path);
	return code;
}

static enum ctl_exit
get(struct ctl *ctl)
{
	return resource_get(ctl, &resource);
}

static enum ctl_exit
show_status(struct ctl *ctl)
{
	static const struct resource status = {"the agent's status", NULL, NULL,         "/agents/%s/status",
	                                       "agent_id",           NULL, status_fields};

	return resource_get(ctl, &status);
}

/* The members differ by what was measured: all are shown. */
static enum ctl_exit
show_metrics(struct ctl *ctl)
{
	char *path = http_path("/agents/%s/metrics", ctl->args.items[0]);
	json_t *metrics = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, "cannot get the agent's metrics.", &metrics);

	if (code == CTL_DONE)
		members_show(ctl, metrics);
	json_decref(metrics);
	free(path);
	return code;
}

static enum ctl_exit
list_tasks(struct ctl *ctl)
{
	static const struct payload_field filters[] = {{"status", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0}, {0}};
	char *path = http_path("/agents/%s/tasks", ctl->args.items[0]);
	enum ctl_exit code;

	payload_query(ctl, filters, &path);
	code = list_show(ctl, path, "cannot list the agent's tasks.", task_columns, "id");
	free(path);
	return code;
}

static enum ctl_exit
forget(struct ctl *ctl)
{
	return resource_delete(ctl, &resource);
}

const struct command agent_commands[] = {
    {"agent list", NULL, "list the agents", OPTIONS(OPTION_ROLE, OPTION_LIMIT), list},
    {"agent get", "ID", "show one agent", NULL, get},
    {"agent status", "ID", "show how an agent is and when it was last heard of", NULL, show_status},
    {"agent metrics", "ID", "show how much an agent has done and how long it took", NULL, show_metrics},
    {"agent tasks", "ID", "list the tasks that an agent has or had", OPTIONS(OPTION_STATUS, OPTION_LIMIT), list_tasks},
    {"agent delete", "ID", "forget an agent", OPTIONS(OPTION_YES), forget,
     .more = "An agent that is alive comes back when it registers again. Its leases end by themselves."},
    {0},
};
