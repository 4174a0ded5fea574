/* calls.c - see calls.h. */
#include "calls.h"

#include "ask.h"
#include "bind.h"
#include "once.h"
#include "reach.h"

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

void
calls_free(struct calls *calls)
{
	for (int i = 0; calls && i < calls->count; i++)
		buf_free(&calls->list[i].out);
}

void
call_again(struct call *call, enum query_id query)
{
	struct request *request = call->request;

	call_switch(call, query);
	call->again = true;
	db_send(request->worker->db, call->query, call->values, call_done, call);
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

/* Asks another query with what it shares with the call's own: all its parameters. */
static void
ask_beside(struct call *call, int sql, db_done *done)
{
	enum query_id query = (enum query_id)(sql - 1);
	struct slice *values = ask_values(call->request, query);

	for (int i = 0; i < query_table[query].param_count; i++)
		values[i] = call_value(call, query_table[query].params[i].name);
	db_send(call->request->worker->db, query, values, done, call);
}

/* Asks what has to be known before, if anything has. */
static void
begin(struct call *call)
{
	const struct endpoint *endpoint = call->request->endpoint;

	if (!endpoint->ahead || (endpoint->reaches[0].kind && !call->request->narrowed))
		send_own(call);
	else
		ask_beside(call, endpoint->ahead, looked_ahead);
}

/* An empty list: of something that is there? */
static void
looked_within(void *arg, const struct db_result *result)
{
	struct call *call = arg;

	if (result->status != DB_OK)
		call_failed(call, result);
	else if (result->count == 0)
		call_not_found(call);
	call_end(call);
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
	if (result->status == DB_OK && result->count == 0 && call->request->endpoint->within) {
		ask_beside(call, call->request->endpoint->within, looked_within);
		return;
	}
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
