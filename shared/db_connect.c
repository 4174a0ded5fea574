/*
 * db_connect.c - how a connection comes up: step by step on the loop, then settings and all statements in one pipeline,
 * so that a schema that does not fit is known before anything is asked.
 */
#include "db_hosts.h"
#include "db_private.h"
#include "log.h"

#include <event2/event.h>

void
db_connection_start(struct db_connection *connection)
{
	/* What comes later wins, and an empty value does not count. */
	const char *keywords[] = {"dbname", "application_name", "client_encoding", "host", "hostaddr", "port", NULL};
	const char *values[] = {connection->db->url, connection->db->application_name, "UTF8", NULL, NULL, NULL, NULL};
	struct db_hosts hosts;

	db_hosts_turn(connection->db->url, connection->db->first_host, &hosts);
	values[3] = hosts.host;
	values[4] = hosts.hostaddr;
	values[5] = hosts.port;
	connection->conn = PQconnectStartParams(keywords, values, 1);
	db_hosts_clear(&hosts);
	INVARIANT(connection->conn);
	db_connection_move(connection, DB_CONNECTION_CONNECTING);
	if (PQstatus(connection->conn) == CONNECTION_BAD) {
		db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
		return;
	}
	db_connection_watch(connection, EV_WRITE);
}

static void
ignore_notice(void *arg, const char *message)
{
	(void)arg;
	log_debug("database", "notice", LOG_TEXT("text", message));
}

/*
 * Settings of the session, or, where the session is not ours (unnamed statements), of each transaction. Plans are
 * generic and stay on indexes: they must not depend on statistics that are stale or absent.
 */
bool
db_connection_settings(struct db_connection *connection, const char *tenants)
{
	static const char settings[] =
	    "SELECT set_config('plan_cache_mode', 'force_generic_plan', $3), set_config('jit', 'off', $3),"
	    " set_config('enable_seqscan', 'off', $3), set_config('enable_mergejoin', 'off', $3),"
	    " set_config('enable_hashagg', 'off', $3), set_config('enable_memoize', 'off', $3),"
	    " set_config('TimeZone', 'UTC', $3), set_config('DateStyle', 'ISO', $3),"
	    " set_config('synchronous_commit', 'on', $3), set_config('statement_timeout', $1, $3),"
	    " set_config('idle_in_transaction_session_timeout', '60s', $3), set_config('search_path', $2, $3),"
	    " set_config('agentd.tenants', $4, $3)";
	const struct db_options *options = &connection->db->options;
	char timeout[16];
	const char *values[] = {timeout, options->test_clock ? "agentd_test, pg_catalog, public" : "public",
	                        options->pooled ? "true" : "false", tenants};

	/* PostgreSQL gives up first, so that its connection can be kept. */
	snprintf(timeout, sizeof(timeout), "%d", options->statement_timeout_ms * 9 / 10);
	return PQsendQueryParams(connection->conn, settings, 4, NULL, values, NULL, NULL, 0);
}

static bool
send_listen(struct db_connection *connection)
{
	char text[80];

	if (!connection->db->options.listen || connection != connection->db->connections)
		return true;
	snprintf(text, sizeof(text), "LISTEN %s", connection->db->options.listen);
	return PQsendQueryParams(connection->conn, text, 0, NULL, NULL, NULL, NULL, 0);
}

static bool
send_prepares(struct db_connection *connection)
{
	char name[16];

	for (int query = 0; !connection->db->options.pooled && query < QUERY_COUNT; query++)
		for (int i = 0; i < query_table[query].statement_count; i++) {
			snprintf(name, sizeof(name), "q%d_%d", query, i);
			if (!PQsendPrepare(connection->conn, name, query_table[query].statements[i].sql, 0, NULL))
				return false;
		}
	return PQsendPrepare(connection->conn, "tenants", "SELECT set_config('agentd.tenants', $1, false)", 0, NULL);
}

static void
prepare(struct db_connection *connection)
{
	struct db_execution *setup = db_execution_new(-1);
	const char *tenants = connection->db->options.all_tenants ? "*" : "{}";

	PQsetNoticeProcessor(connection->conn, ignore_notice, NULL);
	TAILQ_INSERT_TAIL(&connection->executions, setup, entry);
	connection->depth++;
	db_connection_move(connection, DB_CONNECTION_PREPARING);
	setup->deadline_us = connection->deadline_us;
	if (PQsetnonblocking(connection->conn, 1) != 0 || !PQenterPipelineMode(connection->conn) ||
	    !db_connection_settings(connection, tenants) || !send_listen(connection) || !send_prepares(connection) ||
	    !PQpipelineSync(connection->conn)) {
		db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
		return;
	}
	db_connection_flush(connection);
}

void
db_connection_continue(struct db_connection *connection)
{
	/* The socket may change from step to step (several addresses), so the event is made anew. */
	event_free(connection->event);
	connection->event = NULL;
	switch (PQconnectPoll(connection->conn)) {
	case PGRES_POLLING_READING:
		db_connection_watch(connection, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		db_connection_watch(connection, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		prepare(connection);
		break;
	default:
		db_connection_lose(connection, DB_UNAVAILABLE, PQerrorMessage(connection->conn));
	}
}
