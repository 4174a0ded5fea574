/*
 * forget.c - takes away, a part at a time, stored answers of Idempotency-Keys that are older than 24 hours, sessions
 * that are over, changes that concern nobody any more (sql/query/changes.sql says which), and traces of a week ago.
 */
#include "duty.h"

static void
forgotten(void *arg, const struct db_result *result)
{
	duty_note(arg, result);
	duty_done(arg);
}

static void
forget_traces(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	db_send(duty->keeper->db, QUERY_KEEPER_FORGET_TRACES, NULL, forgotten, duty);
}

static void
forget_sessions(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	db_send(duty->keeper->db, QUERY_KEEPER_FORGET_SESSIONS, NULL, forget_traces, duty);
}

static void
forget_changes(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	db_send(duty->keeper->db, QUERY_KEEPER_FORGET_CHANGES, NULL, forget_sessions, duty);
}

void
forget_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_FORGET_KEYS, NULL, forget_changes, duty);
}
