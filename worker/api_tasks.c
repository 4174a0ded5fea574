/* api_tasks.c - making tasks and steering them: what rows of the endpoint table cannot say. */
#include "api.h"
#include "ask.h"
#include "graph.h"
#include "settle.h"
#include "task_input.h"
#include "task_made.h"
#include "wake.h"

/* The lowest bit of a task's id says that it is inside a workflow; see api_settle.c. */
static struct slice
outside_id(struct request *request, struct slice id)
{
	char *text = arena_string(&request->arena, id);
	char *last = &text[id.len - 1];

	if (strchr("13579bdf", *last))
		(*last)--;
	return (struct slice){text, id.len};
}

/* What the statement makes of an absent retry is the default. */
static void
set_retry(struct request *request, struct call *call)
{
	int token = call_field(call, "retry")->token;
	struct task_retry retry;

	if (token == JSON_NONE)
		return;
	retry = task_input_retry(&request->body, token);
	call_set(call, "retry_backoff", retry.fixed ? SLICE("fixed") : SLICE("exponential"));
	call_set(call, "retry_base_ms", slice_of(arena_printf(&request->arena, "%lld", (long long)retry.base_ms)));
	call_set(call, "retry_max_ms", slice_of(arena_printf(&request->arena, "%lld", (long long)retry.max_ms)));
	call_set(call, "retry_jitter", retry.jitter ? SLICE("true") : SLICE("false"));
}

bool
api_task_prepare(struct request *request, struct call *call)
{
	struct slice role = call_field(call, "role")->text;
	struct slice agent_id = call_field(call, "agent_id")->text;

	if (!role.data && !agent_id.data) {
		struct field_errors errors = {.arena = &request->arena};
		field_error_add(&errors, "/role", "required", "a task needs a role or an agent_id");
		return call_fail_fields(call, &errors);
	}
	call_set(call, "id", outside_id(request, call_value(call, "id")));
	call_set(call, "queue", task_input_queue(role, agent_id, &request->arena));
	call_set(call, "lease_own_ms", task_input_ms(call_field(call, "lease_s")->text, &request->arena));
	set_retry(request, call);
	if (!call_value(call, "unique_key").data && !call_value(call, "concurrency_key").data &&
	    !call_value(call, "requires").data && !call_value(call, "run_at").data) {
		call_switch(call, call_value(call, "traceparent").data ? QUERY_TASK_CREATE_TRACED : QUERY_TASK_CREATE);
		call_set(call, "event", task_made_event(call));
	}
	return true;
}

/* Refused is only what has a unique_key: the code says so, as it does for the tasks of a workflow. */
void
api_task_finish(struct request *request, struct call *call, const struct db_result *result)
{
	int column = result->count ? db_column(result, "_refused") : -1;
	struct slice why = column < 0 ? SLICE_NONE : db_cell(result, 0, column);

	if (call->query == QUERY_TASK_CREATE || call->query == QUERY_TASK_CREATE_TRACED)
		task_made_write(call, result);
	else if (why.data)
		call_fail(call, ERROR_UNIQUE_KEY_TAKEN, arena_string(&request->arena, why));
	else
		call_finish(request, call, result);
}

void
api_task_follow(struct request *request, struct call *call, const struct db_result *result)
{
	(void)result;
	wake_queue(request->worker->heritage, request->principal.tenant, call_value(call, "queue"));
	wake_queue(request->worker->heritage, request->principal.tenant, SLICE("events"));
}

/* What became ready, and who waits for it; row 0 is a task, a workflow, or a count of tasks. */
void
api_steer_follow(struct request *request, struct call *call, const struct db_result *result)
{
	(void)call;
	settle_follow(&request->worker->settler, ask_tenant(request), SLICE_NONE, result);
}

bool
api_append_prepare(struct request *request, struct call *call)
{
	struct graph_plan *plan = arena_zero(&request->arena, sizeof(*plan));
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));

	errors->arena = &request->arena;
	if (!graph_compile(&request->body, call_field(call, "tasks")->token, "/tasks", true, &request->arena, plan, errors))
		return call_fail_fields(call, errors);
	call_set(call, "plan", plan->text);
	call_set(call, "keys", plan->keys);
	return true;
}

void
api_fenced_finish(struct request *request, struct call *call, const struct db_result *result)
{
	(void)call_finish_fenced(request, call, result);
}
