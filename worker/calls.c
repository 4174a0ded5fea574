/* calls.c - see calls.h. */
#include "calls.h"
#include "ask.h"
#include "bind.h"
#include "metrics.h"
#include "once.h"
#include "problem.h"
#include "reach.h"
#include "rows.h"

#include <stdarg.h>

enum { SPARE_MAX = 512, SPARE_BYTES = 4096 };

/* Buffers of the elements of arrays, to be used again: a fifth of what an element costs would be malloc. */
static struct {
	struct buf list[SPARE_MAX];
	int count;
} spare;

static void call_done(void *arg, const struct db_result *result);

static struct buf
take_buffer(void)
{
	return spare.count ? spare.list[--spare.count] : (struct buf){0};
}

static void
give_buffer(struct buf *buffer)
{
	if (spare.count == SPARE_MAX || buffer->capacity > SPARE_BYTES) {
		buf_free(buffer);
		return;
	}
	buffer->len = 0;
	spare.list[spare.count++] = *buffer;
	*buffer = (struct buf){0};
}

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

void
call_again(struct call *call, enum query_id query)
{
	struct request *request = call->request;

	call_switch(call, query);
	call->again = true;
	db_send(request->worker->db, call->query, call->values, call_done, call);
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
	if (status == 204)
		call->status = status;
	else
		call_write_row(call, result, status);
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

void
calls_free(struct calls *calls)
{
	for (int i = 0; calls && i < calls->count; i++)
		buf_free(&calls->list[i].out);
}

void
call_end(struct call *call)
{
	struct request *request = call->request;

	if (--request->calls->left == 0)
		request_resume(request, STEP_NEXT);
}

/* The statement of a call that may be sent. */
static void
send_own(struct call *call)
{
	if (call->request->once)
		once_send(call);
	else
		db_send(call->request->worker->db, call->query, call->values, call_done, call);
}

static void
looked_ahead(void *arg, const struct db_result *result)
{
	struct call *call = arg;
	struct request *request = call->request;

	if (result->status != DB_OK)
		call_failed(call, result);
	else if (request->endpoint->judge(request, call, result)) {
		send_own(call);
		return;
	}
	call_end(call);
}

/* Asks what has to be known before, if anything has. */
static void
begin(struct call *call)
{
	const struct endpoint *endpoint = call->request->endpoint;
	enum query_id query = (enum query_id)(endpoint->ahead - 1);
	struct slice *values;

	if (!endpoint->ahead || (endpoint->reaches[0].kind && !call->request->narrowed)) {
		send_own(call);
		return;
	}
	values = ask_values(call->request, query);
	for (int i = 0; i < query_table[query].param_count; i++)
		values[i] = call_value(call, query_table[query].params[i].name);
	db_send(call->request->worker->db, query, values, looked_ahead, call);
}

static bool
is_elsewhere(const struct call *call, const struct db_result *result)
{
	const struct endpoint *endpoint = call->request->endpoint;

	return result->count == 0 && endpoint->elsewhere && call->query != (enum query_id)(endpoint->elsewhere - 1);
}

static void
call_done(void *arg, const struct db_result *result)
{
	struct call *call = arg;

	call->again = false;
	if (result->status != DB_OK)
		call_failed(call, result);
	else if (is_elsewhere(call, result))
		call_again(call, (enum query_id)(call->request->endpoint->elsewhere - 1));
	else
		call_write(call, result);
	if (call->again)
		return;
	if (result->status == DB_OK)
		call_follow(call, result);
	call_end(call);
}

/* Fields, then parameters, then what only the endpoint knows. False: the outcome is there already. */
static bool
prepare(struct request *request, struct call *call)
{
	const struct endpoint *endpoint = request->endpoint;
	const struct query *query = &query_table[endpoint->sql - 1];
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));
	size_t count = (size_t)field_count(endpoint->body);

	errors->arena = &request->arena;
	call->fields = arena_zero(&request->arena, (count + 1) * sizeof(*call->fields));
	call->values = arena_zero(&request->arena, (size_t)(query->param_count + 1) * sizeof(*call->values));
	if (call->token == JSON_NONE) {
		static const struct json empty = {.text = {"{}", 2}};
		struct json_error error;
		struct json json = empty;
		if (!json_parse(&request->arena, empty.text, &json, &error) ||
		    !field_check_object(endpoint->body, &json, 0, false, "", call->fields, errors))
			return call_fail_fields(call, errors);
	} else if (json_type(&request->body, call->token) != JSON_OBJECT) {
		field_error_add(errors, "", "wrong_type", "must be an object");
		return call_fail_fields(call, errors);
	} else if (!field_check_object(endpoint->body, &request->body, call->token, false, "", call->fields, errors)) {
		return call_fail_fields(call, errors);
	}
	bind_call(request, call);
	if (!bind_path_fits(request, call)) {
		call_not_found(call);
		return false;
	}
	return reach_call(request, call) && (!endpoint->prepare || endpoint->prepare(request, call));
}

static enum step
start(struct request *request)
{
	bool array = request->endpoint->many && request->has_body && json_type(&request->body, 0) == JSON_ARRAY;
	int count = array ? json_size(&request->body, 0) : 1;
	int at = !request->has_body ? JSON_NONE : array ? json_first(&request->body, 0) : 0;
	struct calls *calls;

	if (once_read(request) == STEP_DONE)
		return STEP_DONE;
	if (count > CALLS_MAX)
		return request_fail(request, ERROR_VALIDATION_FAILED, "an array may have at most %d elements", CALLS_MAX);
	calls = arena_zero(&request->arena, sizeof(*calls) + (size_t)count * sizeof(struct call));
	calls->count = count;
	calls->array = array;
	request->calls = calls;
	/* Nothing is answered before this function is left, so left cannot reach zero in between. */
	for (int i = 0; i < count; i++) {
		struct call *call = &calls->list[i];
		call->request = request;
		call->query = (enum query_id)(request->endpoint->sql - 1);
		call->token = at;
		if (array) {
			call->out = take_buffer();
			at = json_next(&request->body, 0, at);
		}
		if (!prepare(request, call))
			continue;
		calls->left++;
		begin(call);
	}
	return calls->left ? STEP_WAIT : STEP_NEXT;
}

static void
write_array(struct request *request)
{
	struct calls *calls = request->calls;

	buf_add_byte(&request->reply, '[');
	for (int i = 0; i < calls->count; i++) {
		struct call *call = &calls->list[i];
		buf_add_text(&request->reply, i ? ",{\"status\":" : "{\"status\":");
		buf_add_int(&request->reply, call->status);
		buf_add_text(&request->reply, ",\"body\":");
		buf_add_slice(&request->reply, call->out.len ? buf_slice(&call->out) : SLICE("null"));
		buf_add_byte(&request->reply, '}');
		give_buffer(&call->out);
	}
	buf_add_byte(&request->reply, ']');
	request->status = 200;
}

static void
write_single(struct request *request)
{
	struct call *call = &request->calls->list[0];

	buf_free(&request->reply);
	request->reply = call->out;
	call->out = (struct buf){0};
	request->status = call->status;
	request->is_error = call->is_error;
	request->retry_after_s = call->retry_after_s;
	if (call->is_error)
		request->content_type = "application/problem+json";
}

enum step
stage_handle(struct request *request)
{
	const struct endpoint *endpoint = request->endpoint;

	while (request->step < ENDPOINT_STEPS_MAX && endpoint->steps[request->step]) {
		enum step step = endpoint->steps[request->step++](request);
		if (step != STEP_NEXT)
			return step;
	}
	if (!endpoint->sql)
		return STEP_NEXT;
	if (!request->calls) {
		enum step step = start(request);
		if (step != STEP_NEXT)
			return step;
	}
	if (request->calls->array)
		write_array(request);
	else
		write_single(request);
	return STEP_NEXT;
}
