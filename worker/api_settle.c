/*
 * api_settle.c - how a lease ends: complete, fail, release, cancel, and the decisions of people.
 *
 * The lowest bit of a task's id says whether it belongs to a workflow: what holders say of those outside takes a
 * shorter way, complete one of its own. It answers only what is plain; everything else is sent again on the long one,
 * which judges.
 */
#include "api.h"
#include "ask.h"
#include "json_write.h"
#include "settle.h"
#include "tracing.h"

static void
choose_way(struct call *call)
{
	struct slice id = call_value(call, "id");
	char last = id.len ? id.data[id.len - 1] : '1';
	int digit = last >= '0' && last <= '9' ? last - '0' : (last | 0x20) - 'a' + 10;

	if (digit % 2 != 0)
		return;
	call_switch(call,
	            slice_is(call_value(call, "outcome"), "complete") ? QUERY_TASK_COMPLETE : QUERY_TASK_SETTLE_ALONE);
}

/* The text of output_data's member `verdict`: what gates and workflows go by. */
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
	choose_way(call);
	return true;
}

bool
api_end_prepare(struct request *request, struct call *call)
{
	(void)request;
	choose_way(call);
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

/* Who decided, for the audit log. */
static void
note_decision(struct request *request, struct call *call)
{
	struct buf text = {0};
	struct json_writer writer;

	json_write_begin(&writer, &text);
	json_write_object_open(&writer);
	json_write_member_string(&writer, "principal", ask_principal(request));
	json_write_member_string(&writer, "address", request->address);
	json_write_member_string(&writer, "request_id", request->id);
	json_write_object_close(&writer);
	call_set(call, "decided", (struct slice){arena_string(&request->arena, buf_slice(&text)), text.len});
	buf_free(&text);
}

/* Always the long way: the short one keeps no audit. */
bool
api_cancel_prepare(struct request *request, struct call *call)
{
	note_decision(request, call);
	return true;
}

/* A person's decision becomes the output of the task, as an agent's verdict would be. */
static bool
decide(struct request *request, struct call *call, const char *verdict)
{
	struct buf output = {0};
	struct json_writer writer;

	json_write_begin(&writer, &output);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "verdict", verdict);
	json_write_member_string(&writer, "comment", call_field(call, "comment")->text);
	json_write_member_string(&writer, "by", request->principal.name);
	json_write_object_close(&writer);
	call_set(call, "output_data", (struct slice){arena_string(&request->arena, buf_slice(&output)), output.len});
	call_set(call, "verdict", slice_of(verdict));
	buf_free(&output);
	note_decision(request, call);
	return true;
}

bool
api_approve_prepare(struct request *request, struct call *call)
{
	return decide(request, call, "approved");
}

bool
api_reject_prepare(struct request *request, struct call *call)
{
	bool send_back = slice_is(call_field(call, "send_back")->text, "true");

	return decide(request, call, send_back ? "needs_revision" : "rejected");
}

static bool
sent_again(struct call *call, const struct db_result *result)
{
	bool completed = call->query == QUERY_TASK_COMPLETE;

	if (result->count || !(completed || call->query == QUERY_TASK_SETTLE_ALONE))
		return false;
	call_switch(call, QUERY_TASK_SETTLE);
	if (completed)
		call_set(call, "outcome", SLICE("complete"));
	call_again(call, QUERY_TASK_SETTLE);
	return true;
}

void
api_settle_follow(struct request *request, struct call *call, const struct db_result *result)
{
	settle_follow(&request->worker->settler, ask_tenant(request), call_value(call, "id"), result);
	tracing_settled(request, call_value(call, "id"), call_value(call, "epoch"), result);
}

void
api_settle_finish(struct request *request, struct call *call, const struct db_result *result)
{
	if (!sent_again(call, result))
		(void)call_finish_fenced(request, call, result);
}

/* What nobody holds has no stale holder: a refusal is about the state of the task. */
static void
finish_unfenced(struct request *request, struct call *call, const struct db_result *result, const char *wanted)
{
	if (result->count && slice_is(db_get(result, 0, "_result"), "stale"))
		call_fail(
		    call, ERROR_CONFLICT,
		    arena_printf(&request->arena, "%s; this one is %.*s", wanted, SLICE_ARG(db_get(result, 0, "status"))));
	else
		(void)call_finish_fenced(request, call, result);
}

void
api_cancel_finish(struct request *request, struct call *call, const struct db_result *result)
{
	finish_unfenced(request, call, result, "only a task that has not ended can be cancelled");
}

void
api_decision_finish(struct request *request, struct call *call, const struct db_result *result)
{
	finish_unfenced(request, call, result,
	                "only a task that waits for a person's decision can be approved or rejected");
}
