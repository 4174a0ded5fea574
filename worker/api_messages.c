/* api_messages.c - messages: who gets them, whether a known type says what it must, and the inbox. */
#include "agents_seen.h"
#include "api.h"
#include "aside.h"
#include "ask.h"
#include "config.h"
#include "problem.h"
#include "rows.h"
#include "schemas.h"
#include "waiters.h"
#include "wake.h"

#include <math.h>

static bool
check_content(struct request *request, struct call *call, struct field_errors *errors)
{
	struct slice type = call_field(call, "message_type")->text;
	struct field_value values[FIELD_COUNT_MAX];

	for (int i = 0; i < message_type_count; i++)
		if (slice_is(type, message_types[i].name))
			return field_check_object(message_types[i].content, &request->body, call_field(call, "content")->token,
			                          true, "/content", values, errors);
	return true;
}

bool
api_message_prepare(struct request *request, struct call *call)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));
	bool to_agent = call_field(call, "to_agent_id")->text.data;
	bool to_role = call_field(call, "to_role")->text.data;
	bool to_all = slice_is(call_field(call, "broadcast")->text, "true");

	errors->arena = &request->arena;
	if (to_agent + to_role + to_all != 1)
		field_error_add(errors, "", "recipient", "give exactly one of to_agent_id, to_role and broadcast: true");
	if (call_field(call, "epoch")->text.data && !call_field(call, "task_id")->text.data)
		field_error_add(errors, "/task_id", "required", "an epoch is that of a task: name the task too");
	(void)!check_content(request, call, errors);
	if (errors->count)
		return call_fail_fields(call, errors);
	if (to_all)
		call_switch(call, QUERY_MESSAGE_BROADCAST);
	return true;
}

static void
wake(struct request *request, const char *kind, struct slice who)
{
	if (who.data)
		wake_queue(request->worker->heritage, request->principal.tenant,
		           slice_of(arena_printf(&request->arena, "%s %.*s", kind, SLICE_ARG(who))));
}

static void
refuse_field(struct call *call, const char *pointer, const char *detail)
{
	struct field_errors errors = {.arena = &call->request->arena};

	field_error_add(&errors, pointer, "not_found", detail);
	(void)!call_fail_fields(call, &errors);
}

/* 409 with what is: who speaks for the task does not hold it any more. */
static void
refuse_stale(struct call *call, const struct db_result *result)
{
	struct problem problem = {.error = ERROR_STALE_EPOCH,
	                          .detail = SLICE("the lease that this message speaks for has ended; drop the work"),
	                          .request_id = call->request->id,
	                          .task_status = db_get(result, 0, "_task_status"),
	                          .current_epoch = db_get(result, 0, "_epoch")};

	call->is_error = true;
	call->status = error_kind(ERROR_STALE_EPOCH)->status;
	problem_write(&call->out, &problem);
}

void
api_message_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct slice judgement = db_get(result, 0, "_result");

	if (slice_is(judgement, "no_message"))
		refuse_field(call, "/reply_to", "there is no such message");
	else if (slice_is(judgement, "no_task"))
		refuse_field(call, "/task_id", "there is no such task");
	else if (slice_is(judgement, "stale"))
		refuse_stale(call, result);
	else
		call_finish(request, call, result);
}

void
api_message_follow(struct request *request, struct call *call, const struct db_result *result)
{
	(void)result;
	/* Inboxes of roles and broadcasts share one mark each: which agents they are is PostgreSQL's to know. */
	wake(request, "inbox", call_field(call, "to_agent_id")->text);
	if (!call_field(call, "to_agent_id")->text.data)
		wake(request, "inbox", SLICE("*"));
}

/* A filter that has an index of its own has a statement of its own: plans are made without the values. */
bool
api_messages_prepare(struct request *request, struct call *call)
{
	(void)request;
	if (call_value(call, "thread_id").data)
		call_switch(call, QUERY_MESSAGE_LIST_THREAD);
	else if (slice_is(call_value(call, "undeliverable"), "true"))
		call_switch(call, QUERY_MESSAGE_LIST_UNDELIVERABLE);
	else if (call_value(call, "from_agent_id").data)
		call_switch(call, QUERY_MESSAGE_LIST_FROM);
	return true;
}

void
api_ack_finish(struct request *request, struct call *call, const struct db_result *result)
{
	if (result->count && slice_is(db_get(result, 0, "_result"), "stale"))
		(void)!call_fail(call, ERROR_CONFLICT,
		                 arena_printf(&request->arena,
		                              "the message was delivered again, this was not delivery %.*s; drop the work",
		                              SLICE_ARG(db_get(result, 0, "delivery_count"))));
	else
		call_finish(request, call, result);
}

static void
write_inbox(struct request *request, const struct db_result *result)
{
	struct json_writer writer;

	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_key(&writer, "items");
	rows_write_array(&writer, result);
	json_write_key(&writer, "next_cursor");
	json_write_null(&writer);
	json_write_object_close(&writer);
	request->status = 200;
}

static void
given_back(void *arg, const struct slice *values, const struct db_result *result)
{
	int64_t tenant = strtoll(values[db_param(QUERY_MESSAGE_RETURN, "tenant")].data, NULL, 10);

	if (result->status == DB_OK)
		wake_queue(arg, tenant, SLICE("inbox *"));
}

/* Messages that nobody took: back to where they were. */
static void
give_back(struct request *request, const struct db_result *result)
{
	for (int row = 0; row < result->count; row++) {
		struct slice values[QUERY_PARAMS_MAX] = {0};
		ask_set(values, QUERY_MESSAGE_RETURN, "tenant", ask_tenant(request));
		ask_set(values, QUERY_MESSAGE_RETURN, "id", db_get(result, row, "id"));
		ask_set(values, QUERY_MESSAGE_RETURN, "delivery", db_get(result, row, "delivery_count"));
		aside_send(request->worker->db, QUERY_MESSAGE_RETURN, values, given_back, (void *)request->worker->heritage);
	}
}

enum step
api_inbox(struct request *request)
{
	struct slice agent_id = request->path_values[0];
	struct slice *values = ask_values(request, QUERY_MESSAGE_INBOX);
	struct waiter_wish wish = {.query = QUERY_MESSAGE_INBOX, .values = values, .write = write_inbox, .undo = give_back};

	ask_set(values, QUERY_MESSAGE_INBOX, "tenant", ask_tenant(request));
	ask_set(values, QUERY_MESSAGE_INBOX, "agent_id", agent_id);
	ask_set(values, QUERY_MESSAGE_INBOX, "max", request->query[1].text);
	ask_set(values, QUERY_MESSAGE_INBOX, "setting_ack_s",
	        slice_of(arena_printf(&request->arena, "%lld", (long long)request->worker->config->message_ack_s)));
	wish.queues[wish.queue_count++] = slice_of(arena_printf(&request->arena, "inbox %.*s", SLICE_ARG(agent_id)));
	wish.queues[wish.queue_count++] = SLICE("inbox *");
	wish.wait_us = request->worker->draining
	                   ? 0
	                   : llround(strtod(arena_string(&request->arena, request->query[0].text), NULL) * 1000000);
	(void)agents_seen_note(request->worker->agents, request->principal.tenant, agent_id, wish.wait_us);
	return waiters_begin(request->worker->waiters, request, &wish);
}
