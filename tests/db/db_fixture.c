/* db_fixture.c - see db_fixture.h. */
#include "db_fixture.h"
#include "buf.h"
#include "clock.h"
#include "migrate.h"

#include <libpq-fe.h>
#include <unistd.h>

static const char clock_sql[] =
    "CREATE SCHEMA agentd_test;"
    "CREATE TABLE agentd_test.clock (moved interval NOT NULL);"
    "INSERT INTO agentd_test.clock VALUES ('0');"
    "CREATE FUNCTION agentd_test.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE"
    " RETURN pg_catalog.now() + (SELECT moved FROM agentd_test.clock)";

/* AGENTD_TEST_DATABASE_URL as keywords, with another database. */
static char *
url_of(const char *database)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(getenv("AGENTD_TEST_DATABASE_URL"), &error);
	struct buf url = {0};

	if (!options)
		fail_msg("AGENTD_TEST_DATABASE_URL cannot be read: %s", error);
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		if (!option->val || strcmp(option->keyword, "dbname") == 0)
			continue;
		buf_printf(&url, "%s='", option->keyword);
		for (const char *at = option->val; *at; at++)
			buf_printf(&url, "%s%c", strchr("\\'", *at) ? "\\" : "", *at);
		buf_add_text(&url, "' ");
	}
	buf_printf(&url, "dbname='%s'", database);
	buf_add_byte(&url, '\0');
	PQconninfoFree(options);
	return url.data;
}

/* "CREATE DATABASE" or "DROP DATABASE". */
static void
run_outside(const char *what, const char *name, const char *how)
{
	struct pg_conn *conn = database_open(getenv("AGENTD_TEST_DATABASE_URL"), 5);
	char sql[200];
	char *error;

	assert_non_null(conn);
	snprintf(sql, sizeof(sql), "%s %s WITH %s", what, name, how);
	error = database_script(conn, sql);
	database_close(conn);
	if (error)
		fail_msg("%s: %s", sql, error);
}

void
db_fixture_create(struct db_fixture *fixture, const char *label)
{
	if (!getenv("AGENTD_TEST_DATABASE_URL"))
		fail_msg("AGENTD_TEST_DATABASE_URL is not set; run this program with tests/with-postgres");
	*fixture = (struct db_fixture){0};
	snprintf(fixture->name, sizeof(fixture->name), "test_%s_%d", label, (int)getpid());
	run_outside("CREATE DATABASE", fixture->name, "ENCODING 'UTF8'");
	fixture->url = url_of(fixture->name);
	fixture->base = event_base_new();
	assert_non_null(fixture->base);
	fixture->sql = db_fixture_connect(fixture);
	db_fixture_sql(fixture, "%s", clock_sql);
	db_fixture_sql(fixture, "SET search_path TO agentd_test, pg_catalog, public; SET statement_timeout TO '20s'");
}

void
db_fixture_migrate(struct db_fixture *fixture)
{
	assert_true(migrate_up(fixture->url, MIGRATE_LATEST));
}

struct pg_conn *
db_fixture_connect(struct db_fixture *fixture)
{
	struct pg_conn *conn = database_open(fixture->url, 5);

	assert_non_null(conn);
	return conn;
}

struct db_options
db_fixture_options(void)
{
	return (struct db_options){.application_name = "agentd test",
	                           .pool_size = 2,
	                           .connect_timeout_ms = 5000,
	                           .statement_timeout_ms = 10000,
	                           .retries = 3,
	                           .test_clock = true};
}

static bool
is_ready(void *arg)
{
	return db_ready(arg);
}

void
db_fixture_start(struct db_fixture *fixture, struct db_options options)
{
	options.url = fixture->url;
	fixture->db = db_new(fixture->base, &options);
	db_fixture_run(fixture, is_ready, fixture->db);
}

void
db_fixture_stop(struct db_fixture *fixture)
{
	if (fixture->db)
		db_free(fixture->db);
	fixture->db = NULL;
}

void
db_fixture_drop(struct db_fixture *fixture)
{
	db_fixture_stop(fixture);
	database_close(fixture->sql);
	event_base_free(fixture->base);
	free(fixture->url);
	db_fixture_forget(fixture);
	run_outside("DROP DATABASE", fixture->name, "(FORCE)");
}

void
db_fixture_forget(struct db_fixture *fixture)
{
	arena_reset(&fixture->arena);
}

static void
copy_rows(struct db_answer *answer, const struct db_result *result)
{
	struct arena *arena = &answer->fixture->arena;

	answer->rows = result->count;
	answer->columns = db_columns(result);
	answer->names = arena_zero(arena, (size_t)(answer->columns + 1) * sizeof(char *));
	answer->cells = arena_zero(arena, (size_t)(answer->columns * answer->rows + 1) * sizeof(char *));
	for (int column = 0; column < answer->columns; column++)
		answer->names[column] = arena_string(arena, slice_of(db_column_name(result, column)));
	for (int i = 0; i < answer->rows * answer->columns; i++) {
		struct slice cell = db_cell(result, i / answer->columns, i % answer->columns);
		answer->cells[i] = cell.data ? arena_string(arena, cell) : NULL;
	}
}

static void
answered(void *arg, const struct db_result *result)
{
	struct db_answer *answer = arg;
	struct arena *arena = &answer->fixture->arena;

	answer->done++;
	answer->status = result->status;
	answer->sqlstate = arena_string(arena, slice_of(result->sqlstate));
	answer->message = arena_string(arena, slice_of(result->message));
	answer->constraint = arena_string(arena, slice_of(result->constraint));
	if (result->status != DB_OK)
		return;
	answer->fixture->asked[answer->query] = true;
	if (result->count)
		copy_rows(answer, result);
}

static void
set_value(struct db_answer *answer, const char *name, const char *value)
{
	int param = db_param(answer->query, name);

	if (param < 0)
		fail_msg("%s has no parameter @%s", query_table[answer->query].name, name);
	answer->values[param] = value ? slice_of(arena_string(&answer->fixture->arena, slice_of(value))) : SLICE_NONE;
}

struct db_answer *
db_fixture_ask(struct db_fixture *fixture, enum query_id query, ...)
{
	struct db_answer *answer = arena_zero(&fixture->arena, sizeof(*answer));
	const char *name;
	va_list list;

	answer->fixture = fixture;
	answer->query = query;
	if (fixture->tenant && db_param(query, "tenant") >= 0)
		set_value(answer, "tenant", fixture->tenant);
	va_start(list, query);
	while ((name = va_arg(list, const char *)))
		set_value(answer, name, va_arg(list, const char *));
	va_end(list);
	db_send(fixture->db, query, answer->values, answered, answer);
	assert_int_equal(answer->done, 0);
	return answer;
}

void
db_fixture_run(struct db_fixture *fixture, bool (*condition)(void *arg), void *arg)
{
	int64_t deadline_us = clock_steady_us() + 20000000;

	while (!condition(arg)) {
		event_base_loop(fixture->base, EVLOOP_ONCE);
		if (clock_steady_us() > deadline_us)
			fail_msg("waited for 20 s; the database said last: \"%s\"", fixture->db ? db_last_error(fixture->db) : "");
	}
}

static bool
is_idle(void *arg)
{
	return db_pending(arg) == 0;
}

void
db_fixture_wait(struct db_fixture *fixture)
{
	db_fixture_run(fixture, is_idle, fixture->db);
}

const char *
db_answer_cell(const struct db_answer *answer, int row, const char *column)
{
	const char *name = query_table[answer->query].name;

	if (answer->done != 1)
		fail_msg("%s was answered %d times", name, answer->done);
	if (answer->status != DB_OK)
		fail_msg("%s failed: %s %s", name, answer->sqlstate, answer->message);
	if (row >= answer->rows)
		fail_msg("%s has %d rows, not %d", name, answer->rows, row + 1);
	for (int i = 0; i < answer->columns; i++)
		if (strcmp(answer->names[i], column) == 0)
			return answer->cells[row * answer->columns + i];
	fail_msg("%s has no column %s", name, column);
	return NULL;
}

void
db_answer_expect(const struct db_answer *answer, int row, const char *column, const char *expected)
{
	const char *found = db_answer_cell(answer, row, column);

	if (found && expected ? strcmp(found, expected) != 0 : found != expected)
		fail_msg("%s row %d: %s is %s, expected %s", query_table[answer->query].name, row, column,
		         found ? found : "NULL", expected ? expected : "NULL");
}

const char *
db_fixture_sql_on(struct db_fixture *fixture, struct pg_conn *conn, const char *sql)
{
	PGresult *result = PQexec((PGconn *)conn, sql);
	ExecStatusType status = PQresultStatus(result);
	const char *text = NULL;

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage((PGconn *)conn));
	if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
		text = arena_string(&fixture->arena, slice_of(PQgetvalue(result, 0, 0)));
	PQclear(result);
	return text;
}

const char *
db_fixture_sql(struct db_fixture *fixture, const char *format, ...)
{
	char sql[4096];
	va_list list;

	va_start(list, format);
	assert_in_range(vsnprintf(sql, sizeof(sql), format, list), 1, sizeof(sql) - 1);
	va_end(list);
	return db_fixture_sql_on(fixture, fixture->sql, sql);
}

void
db_fixture_advance(struct db_fixture *fixture, int ms)
{
	db_fixture_sql(fixture, "UPDATE agentd_test.clock SET moved = moved + %d * interval '1 millisecond'", ms);
}
