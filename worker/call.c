/* call.c - see call.h. */
#include "call.h"

#include "metrics.h"
#include "problem.h"
#include "rows.h"

static bool
fail(struct call *call, const struct problem *problem)
{
	call->is_error = true;
	call->status = error_kind(problem->error)->status;
	call->out.len = 0;
	problem_write(&call->out, problem);
	/* For the audit log, should this be the answer. */
	call->request->error = problem->error;
	if (call->status == 403)
		call->request->refusal = slice_of(arena_string(&call->request->arena, problem->detail));
	return false;
}

bool
call_fail(struct call *call, enum error error, const char *detail)
{
	struct problem problem = {.error = error, .request_id = call->request->id, .detail = slice_of(detail)};

	return fail(call, &problem);
}

bool
call_fail_fields(struct call *call, const struct field_errors *errors)
{
	struct problem problem = {.error = ERROR_VALIDATION_FAILED,
	                          .request_id = call->request->id,
	                          .errors = errors,
	                          .detail = SLICE("errors lists every field that does not fit")};

	return fail(call, &problem);
}

void
call_not_found(struct call *call)
{
	call_fail(call, ERROR_NOT_FOUND, "there is no such thing, or it is not yours");
}

static int
param_of(const struct call *call, const char *name)
{
	int param = db_param(call->query, name);

	INVARIANT(param >= 0);
	return param;
}

void
call_set(struct call *call, const char *name, struct slice value)
{
	call->values[param_of(call, name)] = value;
}

struct slice
call_value(const struct call *call, const char *name)
{
	return call->values[param_of(call, name)];
}

/*
 * Where the parameters of query to are among those of query from, -1 for none. Kept for the query it was switched from
 * last, which is nearly always the same.
 */
static const signed char *
params_of_other(enum query_id from, enum query_id to)
{
	static struct {
		bool known;
		enum query_id from;
		signed char params[QUERY_PARAMS_MAX];
	} others[QUERY_COUNT];

	if (!others[to].known || others[to].from != from) {
		for (int i = 0; i < query_table[to].param_count; i++)
			others[to].params[i] = (signed char)db_param(from, query_table[to].params[i].name);
		others[to].from = from;
		others[to].known = true;
	}
	return others[to].params;
}

void
call_switch(struct call *call, enum query_id query)
{
	const signed char *params = params_of_other(call->query, query);
	int count = query_table[query].param_count;
	struct slice *values = arena_zero(&call->request->arena, (size_t)(count + 1) * sizeof(*values));

	for (int i = 0; i < count; i++)
		if (params[i] >= 0)
			values[i] = call->values[params[i]];
	call->values = values;
	call->query = query;
}

struct field_value *
call_field(struct call *call, const char *name)
{
	int index = field_find(call->request->endpoint->body, slice_of(name));

	INVARIANT(index >= 0);
	return &call->fields[index];
}

void
call_write_row(struct call *call, const struct db_result *result, int status)
{
	struct json_writer writer;

	call->status = status;
	json_write_begin(&writer, &call->out);
	rows_write_object(&writer, result, 0);
}

bool
call_refused(struct call *call, const struct db_result *result)
{
	int column = result->count ? db_column(result, "_refused") : -1;
	struct slice why = column < 0 ? SLICE_NONE : db_cell(result, 0, column);

	if (why.data)
		call_fail(call, ERROR_CONFLICT, arena_string(&call->request->arena, why));
	return why.data != NULL;
}

void
call_stale(struct call *call, const struct db_result *result)
{
	struct problem problem = {
	    .error = ERROR_STALE_EPOCH,
	    .detail = SLICE("this lease has ended: the task was settled, taken back or leased again; drop the work"),
	    .request_id = call->request->id,
	    .task_status = db_get(result, 0, "status"),
	    .current_epoch = db_get(result, 0, "_epoch")};

	metrics_add(METRIC_LEASES_LOST, 0, 1);
	fail(call, &problem);
}

bool
call_finish_fenced(struct request *request, struct call *call, const struct db_result *result)
{
	struct slice judgement = result->count ? db_get(result, 0, "_result") : SLICE("not_found");

	if (slice_is(judgement, "not_found"))
		call_not_found(call);
	else if (slice_is(judgement, "stale"))
		call_stale(call, result);
	else if (!call_refused(call, result))
		call_write_row(call, result, request->endpoint->status ? request->endpoint->status : 200);
	return !call->is_error;
}

static int
page_limit(const struct request *request)
{
	int index = field_find(request->endpoint->query, SLICE("limit"));

	return index < 0 ? 1000
	                 : (int)strtol(arena_string((struct arena *)&request->arena, request->query[index].text), NULL, 10);
}

void
call_finish(struct request *request, struct call *call, const struct db_result *result)
{
	const struct endpoint *endpoint = request->endpoint;
	int status = endpoint->status ? endpoint->status : 200;
	struct json_writer writer;
	int column;

	if (query_table[call->query].kind == QUERY_KIND_MANY) {
		call->status = status;
		json_write_begin(&writer, &call->out);
		rows_write_page(&writer, result, page_limit(request));
		return;
	}
	if (result->count == 0) {
		call_not_found(call);
		return;
	}
	if (call_refused(call, result))
		return;
	column = db_column(result, "_status");
	if (column >= 0)
		status = (int)strtol(db_cell(result, 0, column).data, NULL, 10);
	if (status == 204) {
		call->status = status;
		return;
	}
	call_write_row(call, result, status);
	column = db_column(result, "_match");
	if (column >= 0)
		request->match = slice_of(arena_string(&request->arena, db_cell(result, 0, column)));
}

void
call_failed(struct call *call, const struct db_result *result)
{
	/* The request's own way of telling a database failure, moved into the call. */
	request_fail_database(call->request, result);
	call->status = call->request->status;
	call->is_error = true;
	call->retry_after_s = call->request->retry_after_s;
	buf_free(&call->out);
	call->out = call->request->reply;
	call->request->reply = (struct buf){0};
	call->request->is_error = false;
}

void
call_write(struct call *call, const struct db_result *result)
{
	struct request *request = call->request;

	call->is_error = false;
	call->out.len = 0;
	if (request->endpoint->finish)
		request->endpoint->finish(request, call, result);
	else
		call_finish(request, call, result);
}

void
call_follow(struct call *call, const struct db_result *result)
{
	const struct endpoint *endpoint = call->request->endpoint;

	if (endpoint->follow && !call->is_error)
		endpoint->follow(call->request, call, result);
}
