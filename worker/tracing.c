/*
 * tracing.c - see tracing.h.
 *
 * The span of an attempt, from which an agent's spans descend, has an id that follows from the task and its epoch. So
 * the lease, which hands it out, and the settlement, which is told it, need nothing in between.
 */
#include "tracing.h"
#include "clock.h"
#include "config.h"
#include "db.h"
#include "json_read.h"
#include "request.h"
#include "span.h"
#include "uuid.h"

void
tracing_begin(struct request *request)
{
	const struct config *config = request->worker->config;
	struct trace *trace = &request->context.trace;
	struct slice given = request_header(request, "traceparent");

	if (given.data && trace_parse(given, trace)) {
		if (!config->tracing)
			memcpy(trace->span, trace->parent, TRACE_SPAN_SIZE);
	} else if (config->tracing) {
		trace_begin(trace, config->trace_sample_rate);
		trace->present = trace->sampled; /* of others nobody will ever hear */
	}
}

static void
set_name(struct span *span, const struct request *request)
{
	const char *method = request->broken ? "HTTP" : http_method_name(request->method);

	if (request->head_only)
		method = "HEAD";
	if (request->endpoint)
		snprintf(span->name, sizeof(span->name), "%s %s", method, request->endpoint->path);
	else
		snprintf(span->name, sizeof(span->name), "%s", request->method == HTTP_METHOD_OTHER ? "HTTP" : method);
}

static void
add_request(struct span *span, const struct request *request)
{
	const struct principal *who = &request->principal;

	if (!request->broken)
		span_text(span, SPAN_HTTP_METHOD,
		          request->method == HTTP_METHOD_OTHER ? SLICE("_OTHER")
		          : request->head_only                 ? SLICE("HEAD")
		                                               : slice_of(http_method_name(request->method)));
	if (request->endpoint)
		span_text(span, SPAN_HTTP_ROUTE, slice_of(request->endpoint->path));
	span_int(span, SPAN_HTTP_STATUS, request->status);
	span_text(span, SPAN_REQUEST_ID, request->id);
	span_text(span, SPAN_CLIENT_ADDRESS, request->address);
	if (who->kind != PRINCIPAL_NOBODY) {
		span_text(span, SPAN_USER_ID, who->id);
		span_text(span, SPAN_TENANT, who->tenant_name);
	}
	if (request->status >= 500)
		span_text(span, SPAN_ERROR_TYPE, slice_of(error_kind(request->error)->code));
}

void
tracing_end(const struct request *request, int64_t took_us)
{
	static struct span span;
	const struct trace *trace = &request->context.trace;
	int64_t wall_us;

	if (!span_is_recorded(trace))
		return;
	wall_us = clock_wall_us() - clock_steady_us(); /* from the one clock to the other */
	span_begin(&span, trace, trace->span, trace->parent, SPAN_SERVER);
	span.begin_us = wall_us + request->began_us;
	span.end_us = span.begin_us + took_us;
	span.failed = request->status >= 500;
	set_name(&span, request);
	add_request(&span, request);
	for (int stage = 0; stage < REQUEST_STAGES; stage++)
		if (request->left_us[stage])
			span_event(&span, request_stage_name(stage), wall_us + request->left_us[stage]);
	span_int(&span, SPAN_BODY_SIZE, (int64_t)request->body_bytes);
	span_end(&span);
}

struct slice
tracing_parent(struct request *request)
{
	const struct trace *trace = &request->context.trace;

	if (trace->present && !request->traceparent.data)
		request->traceparent = trace_write(trace, trace->span, arena_alloc(&request->arena, TRACE_PARENT_TEXT + 1));
	return request->traceparent;
}

/* Only with the trace that it is about. */
struct slice
tracing_state(struct request *request)
{
	struct slice state = request->context.trace.present ? request_header(request, "tracestate") : SLICE_NONE;

	return state.data && trace_state_is_valid(state) ? state : SLICE_NONE;
}

static bool
attempt_span(struct slice id, struct slice epoch, uint8_t span_r[TRACE_SPAN_SIZE])
{
	char digits[24];
	uint8_t bytes[UUID_SIZE];
	uint64_t number;

	snprintf(digits, sizeof(digits), "%.*s", (int)MIN(epoch.len, (size_t)20), epoch.data ? epoch.data : "");
	/* Tasks of one workflow differ in the last two bytes: the epoch goes before them. */
	number = strtoull(digits, NULL, 10) << 24;
	if (!uuid_parse(id, bytes))
		return false;
	for (int i = 0; i < TRACE_SPAN_SIZE; i++)
		span_r[i] = bytes[UUID_SIZE - TRACE_SPAN_SIZE + i] ^ (uint8_t)(number >> 8 * (TRACE_SPAN_SIZE - 1 - i));
	return true;
}

static int64_t
number_of(struct slice text)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%.*s", (int)MIN(text.len, (size_t)20), text.data ? text.data : "");
	return strtoll(digits, NULL, 10);
}

/* From the moment at which it could have been leased. */
static void
record_wait(const struct trace *trace, const uint8_t *id, const struct db_result *result, int row, int64_t ready_us,
            int64_t leased_us)
{
	static struct span span;
	struct slice role = db_get(result, row, "role");

	if (!span_is_recorded(trace))
		return;
	span_begin(&span, trace, id, trace->parent, SPAN_PRODUCER);
	span.begin_us = ready_us;
	span.end_us = leased_us;
	snprintf(span.name, sizeof(span.name), "queued %.*s", (int)MIN(role.len, (size_t)80), role.data ? role.data : "");
	span_text(&span, SPAN_TASK_ID, db_get(result, row, "id"));
	span_text(&span, SPAN_TASK_ROLE, role);
	span_int(&span, SPAN_TASK_ATTEMPT, number_of(db_get(result, row, "attempt")));
	span_int(&span, SPAN_TASK_EPOCH, number_of(db_get(result, row, "epoch")));
	span_end(&span);
}

void
tracing_write_lease(struct request *request, struct json_writer *writer, const struct db_result *result, int row)
{
	struct slice kept = db_get(result, row, "_trace");
	struct json_error error;
	struct json json;
	struct trace trace;
	uint8_t id[TRACE_SPAN_SIZE];
	char text[TRACE_PARENT_TEXT + 1];
	int state, ready, leased;

	if (!kept.data || !json_parse(&request->arena, kept, &json, &error) ||
	    !trace_parse(json_string(&json, json_first(&json, 0), &request->arena), &trace) ||
	    !attempt_span(db_get(result, row, "id"), db_get(result, row, "epoch"), id))
		return;
	state = json_next(&json, 0, json_first(&json, 0));
	ready = json_next(&json, 0, state);
	leased = json_next(&json, 0, ready);
	/* Who does not record leaves the way from the request to the agent as it is. */
	if (!request->worker->config->tracing)
		memcpy(id, trace.parent, sizeof(id));
	json_write_member_string(writer, "traceparent", trace_write(&trace, id, text));
	if (json_type(&json, state) == JSON_STRING)
		json_write_member_string(writer, "tracestate", json_string(&json, state, &request->arena));
	record_wait(&trace, id, result, row, number_of(json_raw(&json, ready)), number_of(json_raw(&json, leased)));
}

void
tracing_settled(const struct request *request, struct slice id, struct slice epoch, const struct db_result *result)
{
	static struct span span;
	const struct trace *trace = &request->context.trace;
	uint8_t attempt[TRACE_SPAN_SIZE], own[TRACE_SPAN_SIZE];
	int column = result->count ? db_column(result, "duration_ms") : -1;
	struct slice status = result->count ? db_get(result, 0, "status") : SLICE_NONE;

	if (column < 0 || !db_cell(result, 0, column).data || !span_is_recorded(trace) ||
	    !attempt_span(id, epoch, attempt) || memcmp(attempt, trace->parent, TRACE_SPAN_SIZE) != 0)
		return;
	trace_new_span(own);
	span_begin(&span, trace, own, attempt, SPAN_CONSUMER);
	span.end_us = clock_wall_us();
	span.begin_us = span.end_us - number_of(db_cell(result, 0, column)) * 1000;
	snprintf(span.name, sizeof(span.name), "task %.*s", (int)MIN(status.len, (size_t)80),
	         status.data ? status.data : "");
	span.failed = slice_is(status, "failed") || slice_is(status, "dead") || slice_is(status, "retrying");
	span_text(&span, SPAN_TASK_ID, id);
	span_int(&span, SPAN_TASK_EPOCH, number_of(epoch));
	span_end(&span);
}
