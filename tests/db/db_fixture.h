/*
 * db_fixture.h - what the tests of the database share: a database of their own, calls through the real pool that are
 * waited for, and a second connection that looks at what they did.
 *
 * Run under tests/with-postgres, which sets AGENTD_TEST_DATABASE_URL. Whatever goes wrong here fails the running test.
 * Times move through the schema agentd_test, as in tests/scenario/README.md, so nothing here sleeps.
 */
#ifndef AGENTD_DB_FIXTURE_H
#define AGENTD_DB_FIXTURE_H

#include "base.h"

#include "arena.h"
#include "database.h"
#include "db.h"

#include <event2/event.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

struct db_fixture {
	char name[64]; /* of the database */
	char *url;
	struct pg_conn *sql; /* the second connection; it has the test clock too */
	struct event_base *base;
	struct db *db;
	struct arena arena;      /* answers live until db_fixture_forget() */
	const char *tenant;      /* given as @tenant to every query that has one */
	bool asked[QUERY_COUNT]; /* queries that had an answer of status DB_OK */
};

/* A call and what came of it; texts are the arena's. */
struct db_answer {
	struct db_fixture *fixture;
	enum query_id query;
	struct slice values[QUERY_PARAMS_MAX];
	int done; /* times that the callback ran */
	enum db_status status;
	const char *sqlstate;
	const char *message;
	const char *constraint;
	int rows;
	int columns;
	const char **names;
	const char **cells; /* row after row; NULL is NULL */
};

/* Makes a fresh, empty database with the clock of tests. */
void db_fixture_create(struct db_fixture *fixture, const char *label);
/* Brings it to the newest schema. */
void db_fixture_migrate(struct db_fixture *fixture);
/* Starts a pool on it and waits until it is ready. options->url and test_clock are set here. */
void db_fixture_start(struct db_fixture *fixture, struct db_options options);
/* The options that most tests want. */
struct db_options db_fixture_options(void);
void db_fixture_stop(struct db_fixture *fixture);
/* Drops the database. */
void db_fixture_drop(struct db_fixture *fixture);
/* Frees the answers. */
void db_fixture_forget(struct db_fixture *fixture);

/* Queues a call: names and values in turn, NULL at the end. A value may be NULL; parameters not named are NULL. */
struct db_answer *db_fixture_ask(struct db_fixture *fixture, enum query_id query, ...);
/* Runs the loop until condition(arg) holds; fails the test after 20 s. */
void db_fixture_run(struct db_fixture *fixture, bool (*condition)(void *arg), void *arg);
/* Runs the loop until every call has its answer. */
void db_fixture_wait(struct db_fixture *fixture);

/* The text of a cell, NULL for NULL; fails the test when there is no such row or column. */
const char *db_answer_cell(const struct db_answer *answer, int row, const char *column);
/* Fails the test unless the cell is this text; NULL is NULL. */
void db_answer_expect(const struct db_answer *answer, int row, const char *column, const char *expected);

/* Runs SQL on the second connection, or another; the first cell of the first row, or NULL. */
const char *db_fixture_sql(struct db_fixture *fixture, const char *format, ...) PRINTF_LIKE(2, 3);
const char *db_fixture_sql_on(struct db_fixture *fixture, struct pg_conn *conn, const char *sql);
/* One more connection, to be closed with database_close(). */
struct pg_conn *db_fixture_connect(struct db_fixture *fixture);
/* Moves the time that PostgreSQL sees. */
void db_fixture_advance(struct db_fixture *fixture, int ms);

#endif
