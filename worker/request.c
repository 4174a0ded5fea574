/*
 * request.c - the runner: the stages in their order, and the beginning and the end of a request.
 *
 * request_free() is the only place where a request is freed; while the process lives, only request_end() calls it.
 */
#include "request.h"
#include "access_log.h"
#include "calls.h"
#include "clock.h"
#include "conn_peer.h"
#include "db.h"
#include "follow.h"
#include "forwarded.h"
#include "health.h"
#include "log.h"
#include "measure.h"
#include "probe.h"
#include "problem.h"
#include "refusals.h"
#include "tracing.h"
#include "uuid.h"
#include "waiters.h"

#include <stdarg.h>

static const struct {
	char name[16];
	request_step *run;
} stages[] = {
    {"cors", stage_cors},     {"route", stage_route},         {"authenticate", stage_authenticate},
    {"limit", stage_limit},   {"authorize", stage_authorize}, {"body", stage_body},
    {"handle", stage_handle}, {"reply", stage_reply},
};

enum { STAGE_COUNT = ARRAY_LENGTH(stages), STAGE_REPLY = STAGE_COUNT - 1 };
_Static_assert((int)STAGE_COUNT == (int)REQUEST_STAGES, "struct request has a place for each stage");

struct slice
request_header(const struct request *request, const char *lower_name)
{
	if (!request->conn || request->broken)
		return SLICE_NONE;
	return http_parse_header(&request->conn->parser, request->data, lower_name);
}

static bool
is_plain_id(struct slice id)
{
	if (!id.data || id.len == 0 || id.len > REQUEST_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
		      c == '.' || c == ':' || c == '/'))
			return false;
	}
	return true;
}

static struct slice
choose_id(struct request *request, struct slice given)
{
	char *id;

	if (is_plain_id(given))
		return given;
	id = arena_alloc(&request->arena, UUID_TEXT_SIZE);
	uuid_new(id);
	return (struct slice){id, UUID_TEXT_SIZE - 1};
}

static void
take_message(struct request *request, const struct http_parser *parser)
{
	request->method = parser->method;
	request->keep_alive = parser->keep_alive && parser->minor_version == 1;
	if (parser->method == HTTP_HEAD) {
		request->method = HTTP_GET;
		request->head_only = true;
	}
	request->path = parser->asterisk ? SLICE("*") : http_span_slice(request->data, parser->path);
	request->query_text = http_span_slice(request->data, parser->query);
	request->body_text = http_span_slice(request->data, parser->body);
	request->id = choose_id(request, http_parse_header(parser, request->data, "x-request-id"));
}

/* Whose id log lines carry. */
static void
set_context(struct request *request)
{
	request->context.id_length = (uint8_t)request->id.len;
	memcpy(request->context.id, request->id.data, request->id.len);
}

/* Copies: the request may outlive the connection. */
static void
take_client(struct request *request, bool broken)
{
	const struct conn *conn = request->conn;
	const struct cidr_list *trusted = &request->worker->trusted;
	char address[CIDR_TEXT_SIZE], network[CIDR_TEXT_SIZE];
	struct cidr client;

	if (broken || !trusted->count) {
		request->address = slice_of(arena_string(&request->arena, slice_of(conn->address)));
		request->network = slice_of(arena_string(&request->arena, slice_of(conn->network)));
		return;
	}
	client = forwarded_for(trusted, &conn->peer, &conn->parser, request->data);
	cidr_write(&client, address);
	conn_peer_network(&client, network);
	request->address = slice_of(arena_string(&request->arena, slice_of(address)));
	request->network = slice_of(arena_string(&request->arena, slice_of(network)));
}

void
request_init(void)
{
	for (size_t i = 0; i < STAGE_COUNT; i++)
		measure_stage_name(i, stages[i].name);
}

struct request *
request_new(struct conn *conn, bool broken)
{
	struct request *request = mem_zero(sizeof(*request));

	request->worker = conn->worker;
	request->conn = conn;
	request->data = conn->in.data;
	take_client(request, broken);
	request->content_type = "application/json";
	measure_begin(request);
	TAILQ_INSERT_TAIL(&conn->worker->requests, request, entry);
	conn->worker->request_count++;
	atomic_fetch_add(&conn->worker->slot->in_flight, 1);
	if (!broken) {
		take_message(request, &conn->parser);
		set_context(request);
		tracing_begin(request);
		PROBE_4(request__begin, request->context.id, http_method_name(request->method), request->path.data,
		        request->path.len);
		return request;
	}
	/* The framing is lost: whatever the bytes were, the answer is the last one on this connection. */
	request->id = choose_id(request, SLICE_NONE);
	set_context(request);
	request->close = true;
	request->broken = true;
	log_debug("http", "not a request, or none that can be answered", LOG_SLICE("client", request->address),
	          LOG_INT("status", conn->parser.error_status), LOG_TEXT("reason", conn->parser.error_detail),
	          LOG_SLICE("request_id", request->id));
	request_fail(request, error_of_status(conn->parser.error_status), "%s", conn->parser.error_detail);
	request->stage = STAGE_REPLY;
	return request;
}

static void
request_free(struct request *request)
{
	struct worker *worker = request->worker;

	TAILQ_REMOVE(&worker->requests, request, entry);
	worker->request_count--;
	worker->stream_count -= request->streaming;
	atomic_fetch_sub(&worker->slot->in_flight, 1);
	calls_free(request->calls); /* they stand in the arena */
	arena_reset(&request->arena);
	buf_free(&request->bytes);
	buf_free(&request->headers);
	buf_free(&request->reply);
	free(request);
}

void
request_free_all(struct worker *worker)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&worker->requests)))
		request_free(request);
}

static void
request_end(struct request *request)
{
	struct conn *conn = request->conn;
	bool keep_alive = request->keep_alive && !request->close;
	int64_t took_us = clock_steady_us() - request->began_us;
	const struct context *before = context_enter(&request->context);

	access_log_note(request->worker->access_log, request, took_us);
	context_enter(before);
	PROBE_4(request__end, request->context.id, request->endpoint ? request->endpoint->operation : "", request->status,
	        took_us);
	tracing_end(request, took_us);
	atomic_fetch_add(&request->worker->slot->requests, 1);
	measure_end(request, took_us);
	refusals_note(request->worker->refusals, request);
	request_free(request);
	if (conn)
		conn_answered(conn, keep_alive);
}

static void
note_text(char *out, size_t size, const char *text, size_t length)
{
	length = MIN(length, size - 1);
	memcpy(out, text, length);
	out[length] = '\0';
}

/* The crash record: whose request this process is in, and where. */
static void
note(const struct request *request)
{
	struct scoreboard_slot *slot = request->worker->slot;
	const char *operation = request->endpoint ? request->endpoint->operation : "";

	note_text(slot->request, sizeof(slot->request), request->id.data, request->id.len);
	note_text(slot->endpoint, sizeof(slot->endpoint), operation, strlen(operation));
}

const char *
request_stage_name(int stage)
{
	return stages[stage].name;
}

void
request_run(struct request *request)
{
	struct scoreboard_slot *slot = request->worker->slot;
	const struct context *before = context_enter(&request->context);
	enum step step = STEP_NEXT;

	INVARIANT(!request->running);
	request->running = true;
	note(request);
	while (request->stage < STAGE_COUNT && step != STEP_WAIT) {
		memcpy(slot->stage, stages[request->stage].name, sizeof(slot->stage));
		step = stages[request->stage].run(request);
		if (step != STEP_WAIT) {
			PROBE_2(request__stage, request->context.id, stages[request->stage].name);
			measure_stage(request, request->stage);
		}
		if (step == STEP_DONE && request->stage < STAGE_REPLY)
			request->stage = STAGE_REPLY;
		else if (step != STEP_WAIT && stages[request->stage++].run == stage_route)
			note(request);
	}
	slot->request[0] = slot->endpoint[0] = slot->stage[0] = '\0';
	request->running = false;
	context_enter(before);
	if (step == STEP_WAIT)
		request->paused = true;
	else
		request_end(request);
}

void
request_resume(struct request *request, enum step outcome)
{
	if (outcome == STEP_WAIT)
		return;
	/* The stage that waited is asked again only to go on with its next step. */
	if (outcome == STEP_DONE) {
		measure_stage(request, request->stage);
		request->stage = STAGE_REPLY;
	}
	request_run(request);
}

void
request_orphan(struct request *request)
{
	struct conn *conn = request->conn;

	/* Head and body stay readable for what is still on its way. */
	request->bytes = conn->in;
	conn->in = (struct buf){0};
	request->conn = NULL;
	if (request->waiter)
		waiters_client_gone(request->waiter);
	if (request->follower)
		follow_client_gone(request->follower);
}

void
request_written(struct request *request)
{
	if (request->follower)
		follow_written(request->follower);
}

static enum step
fail(struct request *request, const struct problem *problem)
{
	request->is_error = true;
	request->status = error_kind(problem->error)->status;
	request->content_type = "application/problem+json";
	request->error = problem->error;
	if (request->status == 401 || request->status == 403 || request->status == 429)
		request->refusal = slice_of(arena_string(&request->arena, problem->detail));
	request->static_reply = SLICE_NONE;
	request->reply.len = 0;
	if ((request->status == 503 || request->status == 507) && !request->retry_after_s)
		request->retry_after_s = request->status == 503 ? 1 : 10;
	problem_write(&request->reply, problem);
	return STEP_DONE;
}

enum step
request_fail(struct request *request, enum error error, const char *detail, ...)
{
	struct problem problem = {.error = error, .request_id = request->id};
	char text[512];
	va_list args;

	va_start(args, detail);
	vsnprintf(text, sizeof(text), detail, args);
	va_end(args);
	problem.detail = slice_of(text);
	return fail(request, &problem);
}

enum step
request_fail_fields(struct request *request, enum error error, const struct field_errors *errors, const char *detail)
{
	struct problem problem = {.error = error, .request_id = request->id, .errors = errors, .detail = slice_of(detail)};

	return fail(request, &problem);
}

int64_t
request_time_us(const struct request *request)
{
	return health_time_us(request->worker->heritage->health);
}

enum step
request_fail_full(struct request *request)
{
	return request_fail(
	    request, ERROR_STORAGE_FULL,
	    "nothing was changed: a disk has no room for more. What is there can be read, work in hand can be "
	    "settled, things can be deleted. Whoever runs agentd has to make room; then this works again by itself");
}

enum step
request_fail_database(struct request *request, const struct db_result *result)
{
	enum error error = ERROR_UNAVAILABLE;

	if (result->status == DB_FAILED)
		error = error_of_sqlstate(result->sqlstate, result->constraint);
	if (result->status == DB_FULL) {
		health_storage_set(request->worker->heritage->health, HEALTH_STORAGE_FULL);
		return request_fail_full(request);
	}
	if (error == ERROR_INTERNAL || error == ERROR_UNAVAILABLE)
		log_warning("database", "a request failed", LOG_TEXT("sqlstate", result->sqlstate),
		            LOG_TEXT("reason", result->message));
	if (error == ERROR_INTERNAL)
		return request_fail(request, error, "the database refused what agentd asked for; the log has request_id %.*s",
		                    SLICE_ARG(request->id));
	if (error == ERROR_UNIQUE_KEY_TAKEN)
		return request_fail(request, error,
		                    "nothing was changed: a task that has not ended has the same unique_key; wait "
		                    "until it ends, cancel it, or take another key");
	if (error == ERROR_USERNAME_TAKEN)
		return request_fail(request, error,
		                    "nothing was done: a user of this tenant has this name already; take another");
	return request_fail(request, error, "%s", result->message);
}

void
request_add_header(struct request *request, const char *name, struct slice value)
{
	buf_add_text(&request->headers, name);
	buf_add(&request->headers, ": ", 2);
	buf_add_slice(&request->headers, value);
	buf_add(&request->headers, "\r\n", 2);
}
