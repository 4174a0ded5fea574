/* api_tasks.c - making, leasing and settling tasks: what rows of the endpoint table cannot say. */
#include "agents_seen.h"
#include "api.h"
#include "aside.h"
#include "ask.h"
#include "body.h"
#include "config.h"
#include "problem.h"
#include "rows.h"
#include "schemas.h"
#include "task_input.h"
#include "waiters.h"
#include "wake.h"

#include <math.h>

bool
api_task_prepare(struct request *request, struct call *call)
{
	struct slice role = call_field(call, "role")->text;
	struct slice agent_id = call_field(call, "agent_id")->text;
	struct task_retry retry = task_input_retry(&request->body, call_field(call, "retry")->token);

	if (!role.data && !agent_id.data) {
		struct field_errors errors = {.arena = &request->arena};
		field_error_add(&errors, "/role", "required", "a task needs a role or an agent_id");
		return call_fail_fields(call, &errors);
	}
	call_set(call, "queue", task_input_queue(role, agent_id, &request->arena));
	call_set(call, "retry_backoff", retry.fixed ? SLICE("fixed") : SLICE("exponential"));
	call_set(call, "retry_base_ms", slice_of(arena_printf(&request->arena, "%lld", (long long)retry.base_ms)));
	call_set(call, "retry_max_ms", slice_of(arena_printf(&request->arena, "%lld", (long long)retry.max_ms)));
	call_set(call, "retry_jitter", retry.jitter ? SLICE("true") : SLICE("false"));
	return true;
}

void
api_task_finish(struct request *request, struct call *call, const struct db_result *result)
{
	call_finish(request, call, result);
	wake_queue(request->worker->heritage, request->principal.tenant, call_value(call, "queue"));
}

static void
write_lease(struct request *request, const struct db_result *result)
{
	struct json_writer writer;

	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_key(&writer, "tasks");
	rows_write_array(&writer, result);
	json_write_object_close(&writer);
	request->status = 200;
}

static void
given_back(void *arg, const struct slice *values, const struct db_result *result)
{
	int64_t tenant = strtoll(values[db_param(QUERY_TASK_SETTLE, "tenant")].data, NULL, 10);

	/* If this failed, the lease runs out by itself. */
	if (result->status == DB_OK && result->count)
		wake_queues(arg, tenant, db_get(result, 0, "_ready"));
}

/* The client of a lease went away before its answer: its tasks are released. */
static void
give_back(struct request *request, const struct db_result *result)
{
	for (int row = 0; row < result->count; row++) {
		struct slice values[QUERY_PARAMS_MAX] = {0};
		ask_set(values, QUERY_TASK_SETTLE, "tenant", ask_tenant(request));
		ask_set(values, QUERY_TASK_SETTLE, "id", db_get(result, row, "id"));
		ask_set(values, QUERY_TASK_SETTLE, "epoch", db_get(result, row, "epoch"));
		ask_set(values, QUERY_TASK_SETTLE, "outcome", SLICE("release"));
		ask_set(values, QUERY_TASK_SETTLE, "retryable", SLICE("true"));
		aside_send(request->worker->db, QUERY_TASK_SETTLE, values, given_back, (void *)request->worker->heritage);
	}
}

/* The queues as a JSON array for SQL and as a list for the ready board. */
static struct slice
collect_queues(struct request *request, int roles, struct slice agent_id, struct waiter_wish *wish)
{
	struct json_writer writer;
	struct buf text = {0};
	struct slice copy;

	for (int at = json_first(&request->body, roles); at != JSON_NONE; at = json_next(&request->body, roles, at))
		wish->queues[wish->queue_count++] = json_string(&request->body, at, &request->arena);
	wish->queues[wish->queue_count++] = task_input_queue(SLICE_NONE, agent_id, &request->arena);
	json_write_begin(&writer, &text);
	json_write_array_open(&writer);
	for (int i = 0; i < wish->queue_count; i++) {
		bool again = false; /* a role that is named twice must not be offered twice */
		for (int j = 0; j < i; j++)
			again = again || slice_equal(wish->queues[i], wish->queues[j]);
		if (!again)
			json_write_string(&writer, wish->queues[i]);
	}
	json_write_array_close(&writer);
	copy = (struct slice){arena_string(&request->arena, buf_slice(&text)), text.len};
	buf_free(&text);
	return copy;
}

static double
seconds(struct slice text)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%.*s", SLICE_ARG(text));
	return strtod(digits, NULL);
}

enum step
api_lease(struct request *request)
{
	enum { ROLES, AGENT_ID, MAX_TASKS, WAIT_S, LEASE_S, FIELDS }; /* the order of fields_lease */
	struct field_value fields[FIELDS];
	struct waiter_wish wish = {.query = QUERY_TASK_LEASE, .write = write_lease, .undo = give_back};
	struct slice *values = ask_values(request, QUERY_TASK_LEASE);
	double lease_s = (double)request->worker->config->lease_s;

	if (!body_read(request, fields))
		return STEP_DONE;
	if (fields[LEASE_S].text.data)
		lease_s = seconds(fields[LEASE_S].text);
	ask_set(values, QUERY_TASK_LEASE, "tenant", ask_tenant(request));
	ask_set(values, QUERY_TASK_LEASE, "queues",
	        collect_queues(request, fields[ROLES].token, fields[AGENT_ID].text, &wish));
	ask_set(values, QUERY_TASK_LEASE, "agent_id", fields[AGENT_ID].text);
	ask_set(values, QUERY_TASK_LEASE, "max", fields[MAX_TASKS].text);
	ask_set(values, QUERY_TASK_LEASE, "lease_ms",
	        slice_of(arena_printf(&request->arena, "%lld", llround(lease_s * 1000))));
	wish.values = values;
	wish.wait_us = request->worker->draining ? 0 : llround(seconds(fields[WAIT_S].text) * 1000000);
	wish.key = slice_of(arena_printf(&request->arena, "lease %lld %.*s", (long long)request->principal.tenant,
	                                 SLICE_ARG(values[db_param(QUERY_TASK_LEASE, "queues")])));
	agents_seen_note(request->worker->agents, request->principal.tenant, fields[AGENT_ID].text);
	return waiters_begin(request->worker->waiters, request, &wish);
}

/* 409 with what is: the lease has ended, or another holds the task. */
static void
write_stale(struct call *call, const struct db_result *result)
{
	struct problem problem = {
	    .error = ERROR_STALE_EPOCH,
	    .detail = SLICE("this lease has ended: the task was settled, taken back or leased again; drop the work"),
	    .request_id = call->request->id,
	    .task_status = db_get(result, 0, "status"),
	    .current_epoch = db_get(result, 0, "_epoch")};

	call->is_error = true;
	call->status = error_kind(ERROR_STALE_EPOCH)->status;
	problem_write(&call->out, &problem);
}

/* Answers by the judgement of the statement; true when it was ok. */
static bool
answer_by_result(struct call *call, const struct db_result *result)
{
	struct slice judgement = result->count ? db_get(result, 0, "_result") : SLICE("not_found");

	if (slice_is(judgement, "not_found"))
		call_not_found(call);
	else if (slice_is(judgement, "stale"))
		write_stale(call, result);
	else
		call_write_row(call, result, 200);
	return slice_is(judgement, "ok");
}

void
api_beat_finish(struct request *request, struct call *call, const struct db_result *result)
{
	(void)request;
	(void)answer_by_result(call, result);
}

static struct slice
verdict_of(struct request *request, int output)
{
	int verdict = output != JSON_NONE && json_type(&request->body, output) == JSON_OBJECT
	                  ? json_get(&request->body, output, "verdict")
	                  : JSON_NONE;
	struct slice text;

	if (verdict == JSON_NONE || json_type(&request->body, verdict) != JSON_STRING)
		return SLICE_NONE;
	text = json_string(&request->body, verdict, &request->arena);
	return text.len == 0 || text.len > 100 || memchr(text.data, '\0', text.len) ? SLICE_NONE : text;
}

bool
api_complete_prepare(struct request *request, struct call *call)
{
	call_set(call, "verdict", verdict_of(request, call_field(call, "output_data")->token));
	return true;
}

bool
api_settle_prepare(struct request *request, struct call *call)
{
	struct field_errors errors = {.arena = &request->arena};

	if (slice_is(call_field(call, "outcome")->text, "fail") && !call_field(call, "error_message")->text.data) {
		field_error_add(&errors, "/error_message", "required", "is required for fail");
		return call_fail_fields(call, &errors);
	}
	return api_complete_prepare(request, call);
}

void
api_settle_finish(struct request *request, struct call *call, const struct db_result *result)
{
	if (answer_by_result(call, result))
		wake_queues(request->worker->heritage, request->principal.tenant, db_get(result, 0, "_ready"));
}
