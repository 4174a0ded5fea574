/*
 * db_connection.c - one PostgreSQL connection in pipeline mode on the event loop.
 *
 * db_connection_move() is the only place where a connection's state changes. Executions are answered in the order in which
 * they were sent; each ends with its sync. When anything is wrong with the connection, every execution on it ends as
 * unavailable and a new connection is made after a pause that grows.
 */
#include "clock.h"
#include "crypto.h"
#include "db_hosts.h"
#include "db_private.h"
#include "log.h"
#include "metrics.h"

#include <event2/event.h>

static void on_socket(evutil_socket_t fd, short what, void *arg);

void
db_connection_watch(struct db_connection *connection, short what)
{
	if (connection->event && connection->watched == what)
		return;
	if (connection->event)
		event_free(connection->event);
	connection->event =
	    event_new(connection->db->base, PQsocket(connection->conn), (short)(what | EV_PERSIST), on_socket, connection);
	INVARIANT(connection->event);
	event_add(connection->event, NULL);
	connection->watched = what;
}

void
db_connection_move(struct db_connection *connection, enum db_connection_state state)
{
	int64_t now_us = clock_steady_us();

	connection->state = state;
	if (state == DB_CONNECTION_UP) {
		metrics_add(METRIC_DB_CONNECTS, 0, 1);
		connection->backoff_ms = DB_BACKOFF_MIN_MS;
		connection->db->last_error[0] = '\0';
	}
	connection->deadline_us = now_us + (int64_t)connection->db->options.connect_timeout_ms * 1000;
}

static void
fail_executions(struct db_connection *connection, enum db_status status)
{
	struct db_execution *execution;

	while ((execution = TAILQ_FIRST(&connection->executions))) {
		TAILQ_REMOVE(&connection->executions, execution, entry);
		connection->depth--;
		db_finished(connection->db, execution, status);
	}
}

void
db_connection_lose(struct db_connection *connection, enum db_status status, const char *why)
{
	struct db *db = connection->db;
	uint32_t jitter;

	if (connection->event)
		event_free(connection->event);
	connection->event = NULL;
	connection->watched = 0;
	snprintf(db->last_error, sizeof(db->last_error), "%s", why);
	for (char *at = db->last_error; (at = strchr(at, '\n')); at++)
		*at = at[1] ? ' ' : '\0';
	metrics_add(METRIC_DB_LOSSES, 0, 1);
	log_warning("database", "connection lost", LOG_TEXT("reason", db->last_error));
	PQfinish(connection->conn);
	connection->conn = NULL;
	connection->open = NULL;
	connection->tenants.len = 0;
	db_connection_move(connection, DB_CONNECTION_DOWN);
	crypto_random(&jitter, sizeof(jitter));
	connection->retry_us = clock_steady_us() + connection->backoff_ms * (int64_t)(500 + jitter % 500);
	connection->backoff_ms = MIN(connection->backoff_ms * 2, DB_BACKOFF_MAX_MS);
	fail_executions(connection, status);
	db_wake(db);
}

void
db_connection_flush(struct db_connection *connection)
{
	int left = PQflush(connection->conn);

	if (left < 0)
		db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
	else
		db_connection_watch(connection, left ? EV_READ | EV_WRITE : EV_READ);
}

static void
note_error(struct db_execution *execution, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (execution->message)
		return;
	snprintf(execution->sqlstate, sizeof(execution->sqlstate), "%s", sqlstate ? sqlstate : "08000");
	execution->constraint = mem_string(constraint ? constraint : "");
	execution->message = mem_string(message ? message : PQresultErrorMessage(result));
}

/* The sync of the oldest execution has come: it is over. False: the connection was lost on the way. */
static bool
finish_oldest(struct db_connection *connection)
{
	struct db_execution *execution = TAILQ_FIRST(&connection->executions);

	INVARIANT(execution);
	if (execution->query < 0 && execution->message) {
		bool preparing = connection->state == DB_CONNECTION_PREPARING;
		char why[400];
		snprintf(why, sizeof(why), "%s%s%s", preparing ? "the statements of this agentd do not fit the database: " : "",
		         execution->message, preparing ? " (has it been migrated?)" : "");
		db_connection_lose(connection, DB_UNAVAILABLE, why);
		return false;
	}
	TAILQ_REMOVE(&connection->executions, execution, entry);
	connection->depth--;
	if (execution->query < 0) {
		db_execution_free(execution);
		if (connection->state == DB_CONNECTION_PREPARING)
			db_connection_move(connection, DB_CONNECTION_UP);
		db_wake(connection->db);
	} else {
		db_finished(connection->db, execution, execution->message ? DB_FAILED : DB_OK);
	}
	return true;
}

static bool
send_statements(struct db_connection *connection, const struct db_execution *execution, int query, enum db_phase phase)
{
	struct db_encoded encoded;
	char name[16];
	bool sent = true;

	for (int i = 0; i < query_table[query].statement_count && sent; i++) {
		const struct query_statement *statement = &query_table[query].statements[i];
		db_encode(&query_table[query], statement, &execution->calls, phase, &connection->db->scratch, &encoded);
		snprintf(name, sizeof(name), "q%d_%d", query, i);
		sent = !connection->db->options.pooled
		           ? PQsendQueryPrepared(connection->conn, name, statement->param_count, encoded.values, encoded.lengths,
		                                 encoded.formats, 0)
		           : PQsendQueryParams(connection->conn, statement->sql, statement->param_count, NULL, encoded.values,
		                               encoded.lengths, encoded.formats, 0);
	}
	return sent;
}

/* Ends the transaction of the open execution: it commits, or is rolled back if something failed in it. */
static bool
close_open(struct db_connection *connection)
{
	connection->open = NULL;
	db_wake(connection->db);
	return PQpipelineSync(connection->conn);
}

static int
results_before_step(const struct db_connection *connection, const struct db_execution *execution)
{
	return (connection->db->options.pooled ? 1 : 0) + query_table[execution->then->before].statement_count +
	       query_table[execution->query].statement_count;
}

/* The rows of the open execution are complete: its calls say what is to be stored with them. */
static bool
step_open(struct db_connection *connection)
{
	struct db_execution *execution = connection->open;
	const struct db_call *call;
	bool stores = false, sent = true;

	db_step(connection->db, execution);
	execution->stepped = true;
	TAILQ_FOREACH(call, &execution->calls, entry)
	{
		stores = stores || call->after_values;
	}
	if (stores)
		sent = send_statements(connection, execution, (int)execution->then->after, DB_AFTER);
	return close_open(connection) && sent;
}

/* One more statement of the oldest execution is done. */
static bool
take_rows(struct db_connection *connection, struct db_execution *execution, PGresult *result)
{
	if (execution->stepped) {
		PQclear(result);
		return true;
	}
	PQclear(execution->rows);
	execution->rows = result;
	execution->results++;
	if (connection->open != execution || execution->results < results_before_step(connection, execution) ||
	    step_open(connection))
		return true;
	db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
	return false;
}

static bool
take_error(struct db_connection *connection, struct db_execution *execution, PGresult *result)
{
	if (execution)
		note_error(execution, result);
	PQclear(result);
	if (!execution || connection->open != execution || close_open(connection))
		return true;
	db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
	return false;
}

static bool
take_result(struct db_connection *connection, PGresult *result)
{
	struct db_execution *execution = TAILQ_FIRST(&connection->executions);

	switch (PQresultStatus(result)) {
	case PGRES_PIPELINE_SYNC:
		PQclear(result);
		return finish_oldest(connection);
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		INVARIANT(execution);
		return take_rows(connection, execution, result);
	case PGRES_PIPELINE_ABORTED:
		PQclear(result);
		return true;
	default:
		return take_error(connection, execution, result);
	}
}

static void
hear(struct db_connection *connection)
{
	const struct db_options *options = &connection->db->options;
	PGnotify *notify;

	while ((notify = PQnotifies(connection->conn))) {
		if (options->notified)
			options->notified(options->notified_arg, notify->extra);
		PQfreemem(notify);
	}
}

static void
read_results(struct db_connection *connection)
{
	if (!PQconsumeInput(connection->conn)) {
		db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
		return;
	}
	while (!TAILQ_EMPTY(&connection->executions) && !PQisBusy(connection->conn)) {
		PGresult *result = PQgetResult(connection->conn);
		if (!result && PQstatus(connection->conn) == CONNECTION_BAD)
			break;
		if (!result)
			continue; /* between two statements of the pipeline */
		if (!take_result(connection, result))
			return;
	}
	/* What was sent meanwhile may have found the connection lost already. */
	if (connection->conn && PQstatus(connection->conn) == CONNECTION_BAD)
		db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
	else if (connection->conn)
		hear(connection);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct db_connection *connection = arg;

	(void)fd;
	if (connection->state == DB_CONNECTION_CONNECTING) {
		db_connection_continue(connection);
		return;
	}
	if (what & EV_READ)
		read_results(connection);
	if (connection->conn && (what & EV_WRITE))
		db_connection_flush(connection);
}

/*
 * What row level security lets the next statements see, if it is not so already. A transaction of its own: should theirs
 * fail, the setting stays, for others may be on their way that rely on it.
 */
static bool
send_tenants(struct db_connection *connection, const struct db_execution *execution)
{
	struct db *db = connection->db;
	struct db_execution *setting;
	const char *const values[] = {db->tenants.data};

	if (slice_equal(buf_slice(&connection->tenants), buf_slice(&db->tenants)))
		return true;
	setting = db_execution_new(-1);
	setting->sent_us = execution->sent_us;
	setting->deadline_us = execution->deadline_us;
	TAILQ_INSERT_TAIL(&connection->executions, setting, entry);
	connection->depth++;
	connection->tenants.len = 0;
	buf_add_slice(&connection->tenants, buf_slice(&db->tenants));
	return PQsendQueryPrepared(connection->conn, "tenants", 1, values, NULL, NULL, 0) && PQpipelineSync(connection->conn);
}

static bool
send_scope(struct db_connection *connection, const struct db_execution *execution)
{
	struct db *db = connection->db;

	if (db->options.pooled)
		return db_connection_settings(connection, db->options.all_tenants ? "*" : db->tenants.data);
	return db->options.all_tenants || send_tenants(connection, execution);
}

void
db_connection_send(struct db_connection *connection, struct db_execution *execution)
{
	bool sent = send_scope(connection, execution);

	if (execution->then)
		sent = sent && send_statements(connection, execution, (int)execution->then->before, DB_BEFORE);
	sent = sent && send_statements(connection, execution, execution->query, DB_QUERY);
	TAILQ_INSERT_TAIL(&connection->executions, execution, entry);
	connection->depth++;
	if (execution->then)
		connection->open = execution;
	/* Without a sync the transaction stays open; the flush brings its rows. */
	sent = sent && (execution->then ? PQsendFlushRequest(connection->conn) : PQpipelineSync(connection->conn));
	if (!sent)
		db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
}

/* Nothing comes from that host any more: others are tried first from now on. */
static void
leave_host(struct db_connection *connection)
{
	const char *host = PQhost(connection->conn), *port = PQport(connection->conn);

	connection->db->first_host = db_hosts_after(connection->db->url, host ? host : "", port ? port : "");
}

void
db_connection_tick(struct db_connection *connection, int64_t now_us)
{
	struct db_execution *oldest = TAILQ_FIRST(&connection->executions);

	if (connection->state == DB_CONNECTION_DOWN) {
		if (now_us >= connection->retry_us)
			db_connection_start(connection);
	} else if (connection->state != DB_CONNECTION_UP) {
		if (now_us >= connection->deadline_us) {
			leave_host(connection);
			db_connection_lose(connection, DB_UNAVAILABLE, "PostgreSQL did not answer in time");
		}
	} else if (oldest && now_us >= oldest->deadline_us) {
		leave_host(connection);
		db_connection_lose(connection, DB_TIMEOUT, "a statement got no answer in time");
	}
}

void
db_connection_reset(struct db_connection *connection, const char *why)
{
	connection->backoff_ms = DB_BACKOFF_MIN_MS;
	if (connection->state != DB_CONNECTION_DOWN)
		db_connection_lose(connection, DB_UNAVAILABLE, why);
	connection->retry_us = clock_steady_us();
}

void
db_connection_free(struct db_connection *connection)
{
	struct db_execution *execution;

	if (connection->event)
		event_free(connection->event);
	PQfinish(connection->conn);
	buf_free(&connection->tenants);
	while ((execution = TAILQ_FIRST(&connection->executions))) {
		TAILQ_REMOVE(&connection->executions, execution, entry);
		db_execution_free(execution);
	}
}
