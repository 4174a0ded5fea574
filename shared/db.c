/*
 * db.c - the batching scheduler: which calls go together, onto which connection, and what becomes of their answers.
 *
 * A query's calls wait in its queue until dispatch, which runs once per turn of the event loop, so that what came in
 * one turn goes out in one batch. A batch query has one execution in flight, or as many
 * as its .sql file allows: what comes meanwhile is the next.
 */
#include "db.h"
#include "clock.h"
#include "db_private.h"
#include "log.h"
#include "probe.h"
#include "metrics.h"

#include <event2/event.h>
#include <limits.h>

enum { SILENCE_US = 2000 /* so long without an answer counts as one statement more */ };

void
db_wake(struct db *db)
{
	event_active(db->dispatch, EV_TIMEOUT, 0);
}

struct db_execution *
db_execution_new(int lane)
{
	struct db_execution *execution = mem_zero(sizeof(*execution));

	execution->lane = lane;
	execution->query = lane < 0 ? lane : lane % QUERY_COUNT;
	TAILQ_INIT(&execution->calls);
	return execution;
}

void
db_execution_free(struct db_execution *execution)
{
	struct db_call *call;

	while ((call = TAILQ_FIRST(&execution->calls))) {
		TAILQ_REMOVE(&execution->calls, call, entry);
		free(call);
	}
	PQclear(execution->rows);
	free(execution->message);
	free(execution->constraint);
	free(execution);
}

void
db_send(struct db *db, enum query_id query, const struct slice *values, db_done *done, void *arg)
{
	db_send_then(db, query, values, NULL, done, arg);
}

void
db_send_then(struct db *db, enum query_id query, const struct slice *values, const struct db_then *then, db_done *done,
             void *arg)
{
	int lane = (int)query + (then ? QUERY_COUNT : 0);
	struct db_call *call = TAILQ_FIRST(&db->unused);

	if (call)
		TAILQ_REMOVE(&db->unused, call, entry);
	else
		call = mem_alloc(sizeof(*call));
	*call = (struct db_call){.values = values, .then = then, .done = done, .arg = arg};
	if (context_now())
		call->context = *context_now();
	call->deadline_us = clock_steady_us() + (int64_t)db->options.statement_timeout_ms * 1000;
	db_queue_put(db, lane, call);
	db->pending++;
	db_wake(db);
}

/*
 * A pooler takes its server connection away when an answer is complete and it has not seen the end of the next question
 * yet (PgBouncer 1.18): what was half on its way would never be answered. So nothing is sent there before the answer.
 */
static bool
has_room(const struct db_connection *connection)
{
	const struct db_options *options = &connection->db->options;
	int most = options->pooled || options->one_at_a_time ? 1 : DB_PIPELINE_MAX;

	return connection->state == DB_CONNECTION_UP && !connection->open && connection->depth < most;
}

static bool
any_has_room(const struct db *db)
{
	for (int i = 0; i < db->options.pool_size; i++)
		if (has_room(&db->connections[i]))
			return true;
	return false;
}

/*
 * What a statement would wait for there: those before it, of which one that has no answer yet may never have one, the
 * longer the likelier. And, least of all, being told the tenants in db->tenants, unless it knows them already.
 */
static int
burden(const struct db_connection *connection, int64_t now_us)
{
	const struct db_execution *oldest = TAILQ_FIRST(&connection->executions);
	int64_t silent = oldest ? (now_us - oldest->sent_us) / SILENCE_US : 0;
	bool told = slice_equal(buf_slice(&connection->tenants), buf_slice(&connection->db->tenants));

	return (connection->depth + (int)MIN(silent, DB_PIPELINE_MAX)) * 2 + !told;
}

static struct db_connection *
least_busy(const struct db *db)
{
	int64_t now_us = clock_steady_us();
	struct db_connection *best = NULL;

	for (int i = 0; i < db->options.pool_size; i++) {
		struct db_connection *connection = &db->connections[i];
		if (has_room(connection) && (!best || burden(connection, now_us) < burden(best, now_us)))
			best = connection;
	}
	return best;
}

static size_t
call_bytes(const struct query *query, const struct db_call *call)
{
	size_t bytes = 0;

	for (int i = 0; i < query->param_count; i++)
		bytes += call->values[i].len;
	return bytes;
}

/* Takes the next calls of a query that can go together; NULL if all that were there could not be sent. */
static struct db_execution *
take_calls(struct db *db, int lane)
{
	const struct query *query = &query_table[lane % QUERY_COUNT];
	int most = query->kind == QUERY_KIND_BATCH ? DB_BATCH_MAX : 1;
	struct db_execution *execution = db_execution_new(lane);
	int64_t patience_us = (int64_t)db->options.statement_timeout_ms * 1000;
	size_t bytes = 0;
	struct db_call *call;

	execution->sent_us = clock_steady_us();
	execution->deadline_us = execution->sent_us + patience_us;

	while (execution->count < most && (call = db_queue_first(db, lane))) {
		if (execution->count > 0 && (call->alone || bytes + call_bytes(query, call) > DB_BATCH_BYTES))
			break;
		(void)db_queue_take(db, lane);
		if (!db_encode_check(query, call->values)) {
			db_answer_without_rows(db, call, DB_FAILED, NULL);
			continue;
		}
		bytes += call_bytes(query, call);
		db_measure_call(execution, execution->deadline_us - call->deadline_us);
		TAILQ_INSERT_TAIL(&execution->calls, call, entry);
		execution->then = call->then;
		execution->count++;
		if (call->alone)
			break;
	}
	if (execution->count == 0) {
		db_execution_free(execution);
		return NULL;
	}
	db_measure_sent(execution);
	return execution;
}

static void
fail_queue(struct db *db, int lane, enum db_status status, int64_t due_us)
{
	struct db_call *call;

	while ((call = db_queue_take_due(db, lane, due_us)))
		db_answer_without_rows(db, call, status, NULL);
}

static void
refuse_surplus(struct db *db, int lane)
{
	while (db->lanes[lane].queued > DB_QUEUE_MAX)
		db_answer_without_rows(db, db_queue_take_surplus(db, lane), DB_OVERLOADED, NULL);
}

/* True if the lane has to wait for more calls to go with these; it is looked at again in time. */
static bool
must_gather(struct db *db, int lane)
{
	int64_t left_us = db->lanes[lane].next_us - clock_steady_us();
	const struct timeval pause = {.tv_usec = left_us};

	if (!query_table[lane % QUERY_COUNT].gather_ms || left_us <= 0)
		return false;
	if (!event_pending(db->gather, EV_TIMEOUT, NULL))
		event_add(db->gather, &pause);
	return true;
}

static void
dispatch_lane(struct db *db, int lane)
{
	const struct query *query = &query_table[lane % QUERY_COUNT];
	int most = query->kind == QUERY_KIND_BATCH ? query->parallel : INT_MAX;
	struct db_lane *at = &db->lanes[lane];
	struct db_connection *connection;
	struct db_execution *execution;

	refuse_surplus(db, lane);
	if (must_gather(db, lane))
		return;
	while (at->queued && at->in_flight < most && any_has_room(db)) {
		execution = take_calls(db, lane);
		if (!execution)
			continue;
		if (!db->options.all_tenants)
			db_tenants_write(execution, &db->tenants);
		at->in_flight++;
		at->next_us = clock_steady_us() + query->gather_ms * 1000;
		PROBE_2(batch__begin, query->name, execution->count);
		connection = least_busy(db);
		INVARIANT(connection);
		db_connection_send(connection, execution);
	}
}

static void
dispatch_waiting(struct db *db, int word)
{
	/* What a callback queues meanwhile sets its bit anew. */
	uint64_t bits = db->waiting[word];

	db->waiting[word] = 0;
	for (; bits; bits &= bits - 1) {
		int lane = word * 64 + __builtin_ctzll(bits);
		if (db_ready(db))
			dispatch_lane(db, lane);
		else
			fail_queue(db, lane, DB_UNAVAILABLE, INT64_MAX);
		if (db->lanes[lane].queued)
			db->waiting[word] |= UINT64_C(1) << lane % 64;
	}
}

static void
flush_all(struct db *db)
{
	for (int i = 0; i < db->options.pool_size; i++)
		if (db->connections[i].state == DB_CONNECTION_UP && db->connections[i].depth)
			db_connection_flush(&db->connections[i]);
}

void
db_dispatch_ahead(struct db *db, int lane)
{
	if (!db->lanes[lane].queued || !db_ready(db))
		return;
	dispatch_lane(db, lane);
	flush_all(db);
}

static void
on_dispatch(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;

	(void)fd;
	(void)what;
	for (size_t word = 0; word < ARRAY_LENGTH(db->waiting); word++)
		if (db->waiting[word])
			dispatch_waiting(db, (int)word);
	flush_all(db);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;
	int64_t now_us = clock_steady_us();

	(void)fd;
	(void)what;
	for (int i = 0; i < db->options.pool_size; i++)
		db_connection_tick(&db->connections[i], now_us);
	for (int lane = 0; lane < DB_LANES; lane++)
		if (db->lanes[lane].queued)
			fail_queue(db, lane, DB_TIMEOUT, now_us);
	db_measure_pool(db, false);
}

struct db *
db_new(struct event_base *base, const struct db_options *options)
{
	static const struct timeval interval = {.tv_usec = 50000};
	struct db *db = mem_zero(sizeof(*db));

	db_measure_init();
	db->base = base;
	db->options = *options;
	db->url = mem_string(options->url);
	db->application_name = mem_string(options->application_name);
	db->dispatch = event_new(base, -1, 0, on_dispatch, db);
	db->gather = event_new(base, -1, 0, on_dispatch, db);
	db->tick = event_new(base, -1, EV_PERSIST, on_tick, db);
	INVARIANT(db->dispatch && db->gather && db->tick);
	event_add(db->tick, &interval);
	TAILQ_INIT(&db->unused);
	db_queue_init(db);
	db->connections = mem_zero((size_t)options->pool_size * sizeof(*db->connections));
	for (int i = 0; i < options->pool_size; i++) {
		db->connections[i].db = db;
		db->connections[i].backoff_ms = DB_BACKOFF_MIN_MS;
		TAILQ_INIT(&db->connections[i].executions);
		db_connection_start(&db->connections[i]);
	}
	return db;
}

void
db_free(struct db *db)
{
	struct db_call *call;

	db_measure_pool(db, true);
	for (int i = 0; i < db->options.pool_size; i++)
		db_connection_free(&db->connections[i]);
	db_queue_free(db);
	while ((call = TAILQ_FIRST(&db->unused))) {
		TAILQ_REMOVE(&db->unused, call, entry);
		free(call);
	}
	event_free(db->dispatch);
	event_free(db->gather);
	event_free(db->tick);
	buf_free(&db->scratch);
	buf_free(&db->tenants);
	free(db->connections);
	free(db->url);
	free(db->application_name);
	free(db);
}

void
db_set_slow(struct db *db, int64_t slow_ms)
{
	db->slow_us = slow_ms * 1000;
}

bool
db_ready(const struct db *db)
{
	return db_up(db) > 0;
}

int
db_up(const struct db *db)
{
	int up = 0;

	for (int i = 0; i < db->options.pool_size; i++)
		up += db->connections[i].state == DB_CONNECTION_UP;
	return up;
}

void
db_reset(struct db *db, const char *why)
{
	for (int i = 0; i < db->options.pool_size; i++)
		db_connection_reset(&db->connections[i], why);
}

const char *
db_last_error(const struct db *db)
{
	return db->last_error;
}

int
db_pending(const struct db *db)
{
	return db->pending;
}
