/* job_environment.c - the environment of a command: ours, plus what names its task. */
#include "base.h"

#include "context.h"
#include "duration.h"
#include "output.h"
#include "work.h"

#include <unistd.h>

struct variables {
	char **items;
	size_t count;
};

static void
add(struct variables *variables, char *item)
{
	variables->items = mem_grow(variables->items, sizeof(*variables->items) * (variables->count + 1));
	variables->items[variables->count++] = item;
}

static bool
has_name(const char *item, const char *name)
{
	size_t len = strlen(name);

	return strncmp(item, name, len) == 0 && item[len] == '=';
}

/* Puts name=value in the place of an older one; value NULL: only removes. */
static void
set(struct variables *variables, const char *name, const char *value)
{
	char *item = NULL;

	for (size_t i = 0; i < variables->count; i++)
		if (has_name(variables->items[i], name)) {
			free(variables->items[i]);
			variables->items[i--] = variables->items[--variables->count];
		}
	if (!value)
		return;
	INVARIANT(asprintf(&item, "%s=%s", name, value) >= 0);
	add(variables, item);
}

char **
job_environment(const struct work *work, const struct job *job, const json_t *task)
{
	struct variables variables = {0};
	char epoch[24], deadline[DURATION_TEXT_SIZE];

	for (char **item = environ; *item; item++)
		add(&variables, mem_string(*item));
	snprintf(epoch, sizeof(epoch), "%lld", (long long)job->epoch);
	duration_format_time(duration_wall_ms() + job->timeout_at - job->started, deadline);
	set(&variables, "AGENTD_TASK_ID", job->id);
	set(&variables, "AGENTD_LEASE_EPOCH", epoch);
	set(&variables, "AGENTD_DEADLINE", job->timeout_at ? deadline : output_string(task, "lease_until", NULL));
	set(&variables, "AGENTD_AGENT_ID", work->agent_id);
	set(&variables, "AGENTD_ROLE", output_string(task, "role", work->roles->items[0]));
	set(&variables, "AGENTD_WORKFLOW_ID", output_string(task, "workflow_id", NULL));
	set(&variables, "TRACEPARENT", job->traceparent);
	set(&variables, "TRACESTATE", output_string(task, "tracestate", NULL));
	set(&variables, "AGENTCTL", work->self);
	set(&variables, "AGENTCTL_SERVER", work->ctl->context->server);
	if (ctl_option(work->ctl, OPTION_CONTEXT))
		set(&variables, "AGENTCTL_CONTEXT", work->ctl->context->name);
	add(&variables, NULL);
	return variables.items;
}

void
job_environment_free(char **environment)
{
	for (char **item = environment; *item; item++)
		free(*item);
	free(environment);
}
