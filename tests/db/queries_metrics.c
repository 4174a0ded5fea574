/* queries_metrics.c - sql/query/metrics.sql and explain.sql: what is counted, once; its history; the facts of a task.
 */
#include "base.h"

#include "config.h"
#include "duty.h"
#include "duty_board.h"
#include "queries.h"

static bool
is_over(void *arg)
{
	return !((struct duty *)arg)->running;
}

/* The keeper's duty, on the connection of the test, until it has caught up. */
static void
fold_now(void)
{
	static struct config config = {.keeper_interval_ms = 500};
	static struct duty_board board;
	struct heritage heritage = {.config = &config, .duties = &board};
	struct keeper keeper = {.heritage = &heritage, .db = fixture.db};
	struct duty duty = {.name = "fold", .keeper = &keeper, .record = &board.records[0]};

	do {
		duty.running = true;
		fold_run(&keeper, &duty);
		db_fixture_run(&fixture, is_over, &duty);
	} while (duty.pause_ms == 1);
	fixture.asked[QUERY_METRICS_UNCOUNTED] = fixture.asked[QUERY_METRICS_COUNT] = true;
}

static void
expect_counts(const char *expected, const char *columns)
{
	fold_now();
	EXPECT_SQL(expected, "SELECT concat_ws(' ', %s) FROM tenant_stats WHERE tenant = %s", columns, fixture.tenant);
}

static void
expect_agent(const char *expected)
{
	EXPECT_SQL(expected,
	           "SELECT concat_ws(' ', leased, completed, failed, ms, min_ms, max_ms, messages_sent, messages_received)"
	           " FROM agent_stats WHERE tenant = %s AND agent_id = 'smith'",
	           fixture.tenant);
}

static void
settle_in(const char *duration_ms)
{
	struct db_answer *lease = lease_one("q");

	CALL(TASK_SETTLE, "id", db_answer_cell(lease, 0, "id"), "epoch", "1", "outcome", "complete", "output_data", "1",
	     "retryable", "true", "duration_ms", duration_ms);
}

static void
test_events_are_counted_once(void **state UNUSED)
{
	for (int i = 0; i < 4; i++)
		make_task("q", "5");
	settle_in("10");
	settle_in("30");
	CALL(TASK_SETTLE, "id", db_answer_cell(lease_one("q"), 0, "id"), "epoch", "1", "outcome", "fail", "retryable",
	     "false", "error_message", "no");
	lease_one("q");
	expect_counts("4 4 2 1 0 2 40", "tasks_created, tasks_started, tasks_completed, tasks_failed, tasks_retried,"
	                                " tasks_timed, tasks_ms");
	expect_agent("4 2 1 40 10 30 0 0");
	/* Again without anything new: nothing moves. */
	expect_counts("4 4 2 1", "tasks_created, tasks_started, tasks_completed, tasks_failed");
	make_task("q", "5");
	expect_counts("5 4", "tasks_created, tasks_started");
	expect_agent("4 2 1 40 10 30 0 0");
}

static void
test_strange_durations_do_not_stop_the_counting(void **state UNUSED)
{
	make_task("q", "5");
	settle_in("9000000000000000");
	SQL("INSERT INTO events (tenant, at, items) VALUES (%s, now(), '[]'), (%s, now(), '[1]'), (%s, now(), "
	    "'[{\"kind\":\"x\",\"subject\":\"y\"}]'),"
	    " (%s, now(), "
	    "'[{\"kind\":\"x\",\"subject\":\"y\",\"data\":{\"tasks\":[1],\"duration_ms\":1.5,\"agent_id\":7}}]')",
	    fixture.tenant, fixture.tenant, fixture.tenant, fixture.tenant);
	make_task("q", "5");
	expect_counts("2 1 31536000000", "tasks_created, tasks_completed, tasks_ms");
}

/* What was counted of the tenant, and of each agent. */
static const char *
counts_so_far(void)
{
	fold_now();
	return SQL(
	    "SELECT concat_ws(' ', s.workflows_completed, s.tasks_started, s.tasks_completed, s.tasks_retried,"
	    " s.tasks_timed, s.tasks_ms, (SELECT string_agg(concat_ws(' ', a.agent_id, a.leased, a.completed, a.failed,"
	    " a.ms), ', ' ORDER BY a.agent_id COLLATE \"C\") FROM agent_stats a WHERE a.tenant = s.tenant))"
	    " FROM tenant_stats s WHERE s.tenant = %s",
	    fixture.tenant);
}

/* Groups count for what their events would count for, written out by agentd_events(). */
static void
test_groups_count_as_their_events(void **state UNUSED)
{
	static const char row[] =
	    "[{\"kind\":\"task.created\",\"subject\":\"x\"},"
	    "{\"kind\":\"task.started\",\"subject\":[\"a\",\"b\",\"c\"],\"data\":{},\"each\":{\"agent_id\":"
	    "[\"smith\",\"o\\\"hara\",\"smith\"]}},"
	    "{\"kind\":\"task.completed\",\"subject\":[\"a\",\"b\",\"c\",\"d\"],\"data\":{\"outcome\":\"complete\"},"
	    "\"each\":"
	    "{\"agent_id\":[\"smith\",\"o\\\"hara\",null,\"smith\"],\"duration_ms\":[7,5,null,1.5]}},"
	    "{\"kind\":\"task.retrying\",\"subject\":[\"a\"],\"data\":{\"outcome\":\"fail\"},\"each\":{\"agent_id\":["
	    "\"neo\"]}},"
	    "{\"kind\":\"workflow.completed\",\"subject\":[\"01a20944-e798-7506-82ba-b59f98e823ca\"],\"data\":{},\"each\":{"
	    "\"agent_id\":[\"neo\"]}},"
	    "{\"kind\":\"task.started\",\"subject\":[\"e\"],\"data\":{\"agent_id\":\"neo\"},\"each\":{}}]";

	SQL("INSERT INTO events (tenant, at, items) VALUES (%s, now(), '%s')", fixture.tenant, row);
	assert_string_equal(counts_so_far(), "1 4 4 1 2 12 neo 1 0 1 0, o\"hara 1 1 0 5, smith 2 2 0 7");
	SQL("INSERT INTO events (tenant, at, items) SELECT %s, now(), json_agg(event ORDER BY n) FROM agentd_events('%s')",
	    fixture.tenant, row);
	assert_string_equal(counts_so_far(), "2 8 8 2 4 24 neo 2 0 2 0, o\"hara 2 2 0 10, smith 4 4 0 14");
}

/* An event of a transaction that has not ended holds back what came after it, and is counted when it commits. */
static void
test_nothing_is_counted_before_what_came_before_it(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);

	fold_now();
	db_fixture_sql_on(&fixture, other, "BEGIN");
	db_fixture_sql_on(&fixture, other,
	                  text("INSERT INTO events (tenant, at, items) VALUES (%s, now(), "
	                       "'[{\"kind\":\"task.created\",\"subject\":\"x\"}]')",
	                       fixture.tenant));
	make_task("q", "5");
	expect_counts("0", "tasks_created");
	db_fixture_sql_on(&fixture, other, "COMMIT");
	expect_counts("2", "tasks_created");
	database_close(other);
}

/* Another keeper counted the same rows meanwhile: what was read before that is not added. */
static void
test_two_keepers_count_once(void **state UNUSED)
{
	struct db_answer *read, *count;

	fold_now();
	make_task("q", "5");
	read = CALL(METRICS_UNCOUNTED);
	assert_int_equal(read->rows, 1);
	expect_counts("1", "tasks_created");
	count = CALL(METRICS_COUNT, "from_xid", db_answer_cell(read, 0, "from_xid"), "from_seq",
	             db_answer_cell(read, 0, "from_seq"), "xid", db_answer_cell(read, 0, "xid"), "seq",
	             db_answer_cell(read, 0, "seq"), "at", db_answer_cell(read, 0, "latest"), "counts",
	             "{\"tasks_created\": 1}", "ended", "[]", "agents",
	             "[{\"agent_id\": \"smith\", \"leased\": 1, \"changed_at\": \"2026-01-01\"}]");
	EXPECT(count, 0, "moved", "f");
	expect_counts("1", "tasks_created");
	EXPECT_SQL("0", "SELECT count(*) FROM agent_stats WHERE tenant = %s", fixture.tenant);
}

static void
test_messages_and_leases_that_ran_out(void **state UNUSED)
{
	const char *id = make_task("q", "5");

	lease_one("q");
	SQL("UPDATE tasks SET lease_until = now() - interval '1 second' WHERE id = '%s'", id);
	CALL(TASK_SETTLE, "id", id, "epoch", "1", "outcome", "expire", "retryable", "true");
	SQL("INSERT INTO events (tenant, at, items) VALUES (%s, now(),"
	    " '[{\"kind\":\"message.sent\",\"subject\":\"m\",\"data\":{\"from_agent_id\":\"smith\",\"to_agent_id\":\"neo\"}"
	    "},"
	    "{\"kind\":\"message.received\",\"subject\":\"m\",\"data\":{\"agent_id\":\"smith\"}}]')",
	    fixture.tenant);
	expect_counts("1 0 1", "tasks_retried, tasks_failed, messages_sent");
	expect_agent("1 0 1 0 1 1");
}

static void
test_metrics_and_their_history(void **state UNUSED)
{
	const char *now;
	struct db_answer *found;

	CALL(AGENT_REGISTER, "agent_id", "smith", "name", "n", "role", "q", "max_concurrent", "9", "actor", "neo");
	make_task("q", "5");
	settle_in("10");
	fold_now();
	found = CALL(METRICS_SYSTEM);
	EXPECT(found, 0, "completed_tasks", "1");
	EXPECT(found, 0, "avg_task_ms", "10");
	EXPECT(found, 0, "success_rate", "100");
	EXPECT(found, 0, "history", NULL);
	EXPECT(CALL(METRICS_AGENT, "agent_id", "smith"), 0, "max_response_ms", "10");
	CALL(METRICS_RECORD, "interval_s", "60", "cpu_percent", "12.5");
	/* The same interval by another node: one row. */
	CALL(METRICS_RECORD, "interval_s", "60", "cpu_percent", "99");
	EXPECT_SQL("1 12.5", "SELECT count(*) || ' ' || max(cpu_percent) FROM system_metrics WHERE tenant = %s",
	           fixture.tenant);
	EXPECT_SQL("1", "SELECT count(*) FROM agent_metrics WHERE tenant = %s", fixture.tenant);
	db_fixture_advance(&fixture, 60000);
	make_task("q", "5");
	settle_in("30");
	fold_now();
	CALL(METRICS_RECORD, "interval_s", "60", "cpu_percent", "37.5");
	now = SQL("SELECT to_char(now() + interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
	EXPECT_SQL("1,2", "SELECT string_agg(h->>'completed_tasks', ',') FROM json_array_elements('%s') h",
	           db_answer_cell(CALL(METRICS_SYSTEM, "to", now, "step", "60"), 0, "history"));
	/* One wide step: totals at its end, the rest averaged. */
	EXPECT_SQL("2 25 15",
	           "SELECT concat_ws(' ', h->>'completed_tasks', h->>'cpu_percent', h->>'avg_task_ms') FROM"
	           " json_array_elements('%s') h",
	           db_answer_cell(CALL(METRICS_SYSTEM, "to", now, "step", "31622400"), 0, "history"));
	found = CALL(METRICS_AGENTS, "limit", "9", "to", now);
	assert_int_equal(found->rows, 1);
	EXPECT_SQL("2", "SELECT count(*) FROM json_array_elements('%s')", db_answer_cell(found, 0, "history"));
	assert_int_equal(CALL(METRICS_AGENTS, "limit", "9", "cursor", "smith")->rows, 0);
	assert_int_equal(CALL(METRICS_AGENT, "agent_id", "smith", "tenant", "1")->rows, 0);
}

static void
test_old_metrics_are_dropped(void **state UNUSED)
{
	SQL("INSERT INTO agent_metrics (tenant, agent_id, recorded_at) SELECT %s, 'smith', now() - n * interval '1 hour' + "
	    "interval '30 minutes'"
	    " FROM generate_series(20, 29) n",
	    fixture.tenant);
	SQL("INSERT INTO system_metrics (tenant, recorded_at) SELECT %s, now() - n * interval '1 hour' + interval '30 "
	    "minutes'"
	    " FROM generate_series(20, 29) n",
	    fixture.tenant);
	CALL(METRICS_PRUNE, "retention_days", "1");
	EXPECT_SQL("5 5",
	           "SELECT (SELECT count(*) FROM agent_metrics WHERE tenant = %s) || ' ' ||"
	           " (SELECT count(*) FROM system_metrics WHERE tenant = %s)",
	           fixture.tenant, fixture.tenant);
}

static void
test_facts_of_a_task(void **state UNUSED)
{
	const char *first = make_task("q", "5"), *second = make_task("q", "5"), *urgent = make_task("q", "9");
	struct db_answer *facts;

	assert_int_equal(CALL(TASK_EXPLAIN, "id", new_id())->rows, 0);
	assert_int_equal(CALL(TASK_EXPLAIN_DONE, "id", first)->rows, 0);
	assert_int_equal(CALL(TASK_EXPLAIN, "id", first, "tenant", "1")->rows, 0);
	EXPECT(CALL(TASK_EXPLAIN, "id", urgent), 0, "ahead", "0");
	EXPECT(CALL(TASK_EXPLAIN, "id", first), 0, "ahead", "1");
	facts = CALL(TASK_EXPLAIN, "id", second);
	EXPECT(facts, 0, "ahead", "2");
	EXPECT(facts, 0, "queue_ready", "3");
	EXPECT(facts, 0, "registered", "0");
	EXPECT(facts, 0, "last_agent", NULL);
	CALL(AGENT_REGISTER, "agent_id", "smith", "name", "n", "role", "q", "max_concurrent", "1", "actor", "neo");
	EXPECT(CALL(TASK_EXPLAIN, "id", second), 0, "free", "1");
	lease_one("q");
	facts = CALL(TASK_EXPLAIN, "id", second);
	EXPECT(facts, 0, "free", "0");
	EXPECT(facts, 0, "live", "1");
	EXPECT(facts, 0, "ahead", "1");
	db_fixture_advance(&fixture, 31000);
	facts = CALL(TASK_EXPLAIN, "id", second);
	EXPECT(facts, 0, "live", "0");
	EXPECT(facts, 0, "last_agent", "smith");
	EXPECT(facts, 0, "last_seen_s", "32");
}

static void
test_facts_of_an_archived_task(void **state UNUSED)
{
	const char *id = make_task("q", "5");

	settle_in("10");
	SQL("WITH t AS (DELETE FROM tasks WHERE id = '%s' RETURNING *) INSERT INTO tasks_done SELECT *, now() FROM t", id);
	assert_int_equal(CALL(TASK_EXPLAIN, "id", id)->rows, 0);
	EXPECT(CALL(TASK_EXPLAIN_DONE, "id", id), 0, "status", "completed");
	assert_int_equal(CALL(TASK_EXPLAIN_DONE, "id", id, "tenant", "1")->rows, 0);
}

static const char *
row_of(struct db_answer *answer, const char *role, const char *column)
{
	for (int row = 0; row < answer->rows; row++)
		if (strcmp(db_answer_cell(answer, row, "role"), role) == 0)
			return db_answer_cell(answer, row, column);
	return "none";
}

/* Of all tenants together: what other tests have left waiting is taken away first. */
static void
test_gauges_of_queues(void **state UNUSED)
{
	struct db_answer *answer;

	SQL("DELETE FROM tasks WHERE tenant <> %s", fixture.tenant);
	assert_int_equal(CALL(GAUGE_QUEUES)->rows, 0);
	EXPECT(CALL(GAUGE_WORK), 0, "processing", "0");
	make_task("few", "1");
	db_fixture_advance(&fixture, 5000);
	for (int i = 0; i < 3; i++)
		make_task("many", "5");
	make_task("many", "9");
	make_task("few", "10");
	/* 20 roles more, each with one; two of the 22 do not fit. */
	for (int i = 10; i < 30; i++)
		make_task(text("role-%d", i), "5");
	SQL("UPDATE tasks SET queue = '@smith', special = true WHERE id = '%s'", make_task("many", "5"));
	answer = CALL(GAUGE_QUEUES);
	assert_int_equal(answer->rows, 21);
	assert_string_equal(row_of(answer, "many", "ready"), "4");
	assert_string_equal(row_of(answer, "few", "ready"), "2");
	assert_string_equal(row_of(answer, "(agents)", "ready"), "1");
	assert_string_equal(row_of(answer, "other", "ready"), "3");
	/* The oldest is of the lowest priority. */
	assert_in_range(strtoll(row_of(answer, "few", "age_us"), NULL, 10), 5000000, 6000000);
	assert_in_range(strtoll(row_of(answer, "many", "age_us"), NULL, 10), 0, 1000000);
	lease_one("few");
	EXPECT(CALL(GAUGE_WORK), 0, "processing", "1");
	assert_string_equal(row_of(CALL(GAUGE_QUEUES), "few", "ready"), "1");
}

static void
test_gauges_of_alerts(void **state UNUSED)
{
	struct db_answer *answer;

	SQL("DELETE FROM alerts");
	SQL("INSERT INTO alerts (tenant, id, rule_id, rule, metric, comparison, threshold, subject, severity, labels, "
	    "state, since)"
	    " SELECT %s, gen_random_uuid(), gen_random_uuid(), 'r', 'm', '>', 1, 's', severity, '{}', state, now()"
	    " FROM (VALUES ('warning', 'firing'), ('warning', 'firing'), ('critical', 'firing'), ('critical', 'pending'),"
	    " ('info', 'resolved')) v(severity, state)",
	    fixture.tenant);
	answer = CALL(GAUGE_WORK);
	EXPECT(answer, 0, "info", "0");
	EXPECT(answer, 0, "warning", "2");
	EXPECT(answer, 0, "critical", "1");
	SQL("DELETE FROM alerts");
}

static void
test_gauge_of_uncounted_events(void **state UNUSED)
{
	fold_now();
	EXPECT(CALL(GAUGE_WORK), 0, "event_age_us", "0");
	make_task("q", "5");
	db_fixture_advance(&fixture, 7000);
	assert_in_range(strtoll(db_answer_cell(CALL(GAUGE_WORK), 0, "event_age_us"), NULL, 10), 7000000, 8000000);
	fold_now();
	EXPECT(CALL(GAUGE_WORK), 0, "event_age_us", "0");
}

const struct CMUnitTest metrics_tests[] = {
    TEST(test_events_are_counted_once),
    TEST(test_strange_durations_do_not_stop_the_counting),
    TEST(test_nothing_is_counted_before_what_came_before_it),
    TEST(test_two_keepers_count_once),
    TEST(test_groups_count_as_their_events),
    TEST(test_messages_and_leases_that_ran_out),
    TEST(test_metrics_and_their_history),
    TEST(test_old_metrics_are_dropped),
    TEST(test_facts_of_a_task),
    TEST(test_facts_of_an_archived_task),
    TEST(test_gauges_of_queues),
    TEST(test_gauge_of_uncounted_events),
    TEST(test_gauges_of_alerts),
};
const int metrics_test_count = ARRAY_LENGTH(metrics_tests);
