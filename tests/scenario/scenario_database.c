/*
 * scenario_database.c - the database of a scenario and the clock that PostgreSQL and the server share.
 *
 * Time in PostgreSQL moves through two functions in the schema agentd_test, which stands before pg_catalog in the
 * search_path of the server under test: now() and clock_timestamp(). CURRENT_TIMESTAMP and its like are keywords and
 * do not move. The server's own clocks move through the file AGENTD_TEST_CLOCK (shared/clock.h).
 */
#include "base.h"
#include "scenario_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* What moves all clocks of the servers, and what moves their wall clocks besides. */
enum { CLOCK_BYTES = 2 * sizeof(int64_t) };

static const char clock_sql[] =
    "CREATE SCHEMA agentd_test;"
    "CREATE TABLE agentd_test.clock (moved interval NOT NULL);"
    "INSERT INTO agentd_test.clock VALUES ('0');"
    "CREATE FUNCTION agentd_test.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE"
    " RETURN pg_catalog.now() + (SELECT moved FROM agentd_test.clock);"
    "CREATE FUNCTION agentd_test.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE"
    " RETURN pg_catalog.clock_timestamp() + (SELECT moved FROM agentd_test.clock);"
    "GRANT USAGE ON SCHEMA agentd_test TO public;"
    "GRANT SELECT ON agentd_test.clock TO public;"
    "SET search_path TO agentd_test, pg_catalog, public;"
    "SET statement_timeout TO '10s'";

static bool
run_sql(struct scenario *scenario, PGconn *connection, const char *sql)
{
	PGresult *result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);
	bool done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

	if (!done)
		failure_set(&scenario->failure, 0, "PostgreSQL refuses `%.500s`: %s", sql, PQerrorMessage(connection));
	PQclear(result);
	return done;
}

static bool
connect_to(struct scenario *scenario, const char *url, PGconn **connection_r)
{
	*connection_r = PQconnectdb(url);
	if (PQstatus(*connection_r) == CONNECTION_OK)
		return true;
	failure_set(&scenario->failure, 0, "cannot connect with AGENTD_TEST_DATABASE_URL: %s",
	            PQerrorMessage(*connection_r));
	PQfinish(*connection_r);
	*connection_r = NULL;
	return false;
}

/* Runs one statement in the database that AGENTD_TEST_DATABASE_URL names. */
static bool
run_outside(struct scenario *scenario, const char *sql)
{
	PGconn *connection;
	bool done;

	if (!connect_to(scenario, getenv("AGENTD_TEST_DATABASE_URL"), &connection))
		return false;
	done = run_sql(scenario, connection, "SET client_min_messages TO warning") && run_sql(scenario, connection, sql);
	PQfinish(connection);
	return done;
}

/* AGENTD_TEST_DATABASE_URL as keywords, with another database. */
static bool
make_url(struct scenario *scenario)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(getenv("AGENTD_TEST_DATABASE_URL"), &error);
	struct buf url = {0};

	if (!options) {
		failure_set(&scenario->failure, 0, "AGENTD_TEST_DATABASE_URL cannot be read: %s", error ? error : "no memory");
		PQfreemem(error);
		return false;
	}
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		if (!option->val || strcmp(option->keyword, "dbname") == 0)
			continue;
		buf_printf(&url, "%s='", option->keyword);
		for (const char *at = option->val; *at; at++)
			buf_printf(&url, "%s%c", strchr("\\'", *at) ? "\\" : "", *at);
		buf_add_text(&url, "' ");
	}
	buf_printf(&url, "dbname='%s'", scenario->database);
	scenario->database_url = arena_string(&scenario->arena, buf_slice(&url));
	variables_set(&scenario->variables, "DATABASE_URL", buf_slice(&url));
	buf_free(&url);
	PQconninfoFree(options);
	return true;
}

static bool
open_clock(struct scenario *scenario)
{
	int fd;

	scenario->clock_path = arena_printf(&scenario->arena, "%s/clock", scenario->folder);
	fd = open(scenario->clock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, CLOCK_BYTES) < 0)
		return failure_set(&scenario->failure, 0, "cannot make %s: %s", scenario->clock_path, strerror(errno));
	scenario->clock = mmap(NULL, CLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (scenario->clock != MAP_FAILED)
		return true;
	scenario->clock = NULL;
	return failure_set(&scenario->failure, 0, "cannot map %s: %s", scenario->clock_path, strerror(errno));
}

bool
database_open(struct scenario *scenario, int number)
{
	struct arena *arena = &scenario->arena;
	const char *name = arena_printf(arena, "scenario_%d_%d", number, (int)getpid());

	if (!run_outside(scenario, arena_printf(arena, "CREATE DATABASE %s", name)))
		return false;
	scenario->database = name;
	return make_url(scenario) && connect_to(scenario, scenario->database_url, &scenario->sql) &&
	       run_sql(scenario, scenario->sql, clock_sql) && open_clock(scenario);
}

void
database_close(struct scenario *scenario)
{
	struct failure ignored = scenario->failure;

	if (scenario->sql)
		PQfinish(scenario->sql);
	if (scenario->clock)
		munmap(scenario->clock, CLOCK_BYTES);
	if (scenario->database &&
	    !run_outside(scenario, arena_printf(&scenario->arena, "DROP DATABASE %s WITH (FORCE)", scenario->database)))
		fprintf(stderr, "scenario: %s\n", scenario->failure.text);
	scenario->failure = ignored;
}

bool
database_sql(struct scenario *scenario, const struct statement *statement)
{
	struct buf text = {0};
	struct slice sql;
	PGresult *result;

	if (!scenario_text(scenario, statement->texts[0], &sql))
		return false;
	result = PQexec(scenario->sql, sql.data);
	for (int row = 0; row < PQntuples(result); row++)
		for (int column = 0; column < PQnfields(result); column++)
			buf_printf(&text, "%s%s", column ? "|" : row ? "\n" : "", PQgetvalue(result, row, column));
	scenario->result = arena_string(&scenario->arena, buf_slice(&text));
	buf_free(&text);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK) {
		PQclear(result);
		return failure_set(&scenario->failure, 0, "PostgreSQL refuses it: %s", PQerrorMessage(scenario->sql));
	}
	PQclear(result);
	return true;
}

bool
database_advance(struct scenario *scenario, const struct statement *statement)
{
	const char *sql =
	    arena_printf(&scenario->arena, "UPDATE agentd_test.clock SET moved = moved + interval '%lld microseconds'",
	                 (long long)statement->duration_us);

	if (!run_sql(scenario, scenario->sql, sql))
		return false;
	atomic_fetch_add((_Atomic int64_t *)scenario->clock, statement->duration_us);
	return true;
}

bool
database_jump_forward(struct scenario *scenario, const struct statement *statement)
{
	atomic_fetch_add((_Atomic int64_t *)scenario->clock + 1, statement->duration_us);
	return true;
}

bool
database_jump_back(struct scenario *scenario, const struct statement *statement)
{
	atomic_fetch_sub((_Atomic int64_t *)scenario->clock + 1, statement->duration_us);
	return true;
}
