/* queries_tasks.c - making tasks, leasing them, beating: sql/query/tasks.sql and task_lease.sql. */
#include "base.h"

#include "queries.h"
#include "trace.h"

static void
test_task_create_keeps_what_was_said(void **state UNUSED)
{
	const char *id = new_id();
	struct db_answer *made =
	    CALL(TASK_CREATE, "id", id, "queue", "sena", "role", "sena", "description", "d", "input_data", "{\"x\": 1.0}",
	         "priority", "7", "max_retries", "2", "timeout_s", "90", "labels", "{\"a\":\"b\"}", "retry_backoff",
	         "fixed", "retry_base_ms", "1", "retry_max_ms", "2", "retry_jitter", "false", "event", "{}");

	assert_non_null(db_answer_cell(made, 0, "created_at"));
	made = CALL(TASK_GET, "id", id);
	EXPECT(made, 0, "id", id);
	EXPECT(made, 0, "status", "pending");
	EXPECT(made, 0, "input_data", "{\"x\": 1.0}");
	EXPECT(made, 0, "timeout_s", "90");
	EXPECT(made, 0, "attempt", "0");
	EXPECT(CALL(TASK_GET, "id", id), 0, "priority", "7");
	EXPECT(CALL(TASK_GET, "id", id), 0, "depends_on", "[]");
	EXPECT(CALL(TASK_GET, "id", id), 0, "retry_backoff", "fixed");
	assert_int_equal(CALL(TASK_GET, "id", id, "tenant", "1")->rows, 0);
}

static void
test_task_list_filters_and_pages(void **state UNUSED)
{
	const char *first = make_task("sena", "5"), *second = make_task("rune", "5"), *third = make_task("sena", "5");
	struct db_answer *page = CALL(TASK_LIST, "limit", "2");

	assert_int_equal(page->rows, 3);
	EXPECT(page, 0, "id", third);
	EXPECT(CALL(TASK_LIST, "limit", "2", "cursor", second), 0, "id", first);
	assert_int_equal(CALL(TASK_LIST, "limit", "9", "role", "sena")->rows, 2);
	lease_one("rune");
	EXPECT(CALL(TASK_LIST, "limit", "9", "status", "processing"), 0, "id", second);
	EXPECT(CALL(TASK_LIST, "limit", "9", "agent_id", "smith"), 0, "id", second);
	assert_int_equal(CALL(TASK_LIST, "limit", "9", "workflow_id", new_id())->rows, 0);
	assert_int_equal(CALL(TASK_LIST, "limit", "9", "tenant", "1")->rows, 0);
}

static void
test_lease_takes_by_priority_then_age(void **state UNUSED)
{
	const char *old = make_task("sena", "5"), *young = make_task("sena", "5"), *urgent = make_task("sena", "10");
	struct db_answer *lease = queries_wait(ask_lease("[\"sena\"]", "smith", "2"));

	assert_int_equal(lease->rows, 2);
	EXPECT(lease, 0, "id", urgent);
	EXPECT(lease, 1, "id", old);
	EXPECT(lease, 0, "epoch", "1");
	EXPECT(lease, 0, "attempt", "1");
	EXPECT(lease, 0, "lease_s", "8");
	EXPECT(lease, 0, "input_data", "{\"n\":1}");
	EXPECT(lease, 0, "dependencies", "{}");
	expect_task(old, "status", "processing");
	expect_task(old, "leased_by", "smith");
	expect_task(old, "lease_until - leased_at", "00:00:08");
	expect_task(young, "status", "pending");
	EXPECT(lease_one("sena"), 0, "id", young);
	assert_int_equal(queries_wait(ask_lease("[\"sena\"]", "smith", "1"))->rows, 0);
}

/* SKIP LOCKED does not skip what the same transaction locked: requests of one batch must not meet. */
static void
test_lease_requests_of_a_batch_share_without_doubles(void **state UNUSED)
{
	struct db_answer *made[50], *leases[30];
	int taken = 0;

	for (int i = 0; i < 50; i++)
		made[i] = ask_create(new_id(), "sena", text("%d", 1 + i % 10));
	db_fixture_wait(&fixture);
	for (int i = 0; i < 50; i++)
		assert_int_equal(made[i]->rows, 1); /* the answer that they share */
	for (int i = 0; i < 30; i++)
		leases[i] = ask_lease("[\"sena\"]", text("agent %d", i), text("%d", 1 + i % 3));
	db_fixture_wait(&fixture);
	for (int i = 0; i < 30; i++) {
		assert_in_range(leases[i]->rows, 0, 1 + i % 3);
		taken += leases[i]->rows;
	}
	assert_int_equal(taken, 50); /* 60 were asked for */
	EXPECT_SQL("50", "SELECT count(*) FROM tasks WHERE tenant = %s AND status = 'processing' AND epoch = 1",
	           fixture.tenant);
	EXPECT(leases[0], 0, "priority", "10"); /* the first to ask gets the most urgent */
}

static void
test_lease_of_many_queues_takes_at_most_max(void **state UNUSED)
{
	struct db_answer *both, *one;

	for (int i = 0; i < 4; i++) {
		make_task("sena", "5");
		make_task("rune", i == 3 ? "9" : "5");
	}
	both = queries_wait(ask_lease("[\"sena\",\"rune\",\"@smith\"]", "smith", "3"));
	assert_int_equal(both->rows, 3);
	EXPECT(both, 0, "priority", "9");
	EXPECT(both, 0, "role", "rune");
	EXPECT_SQL("5", "SELECT count(*) FROM tasks WHERE tenant = %s AND status = 'pending'", fixture.tenant);
	both = ask_lease("[\"sena\",\"rune\"]", "smith", "2");
	one = ask_lease("[\"rune\"]", "jones", "2");
	db_fixture_wait(&fixture);
	assert_in_range(both->rows, 0, 2);
	assert_in_range(one->rows, 0, 2);
	EXPECT_SQL(text("%d", 3 + both->rows + one->rows),
	           "SELECT count(*) FROM tasks WHERE tenant = %s AND status = 'processing' AND epoch = 1", fixture.tenant);
}

static void
test_lease_of_a_bound_task_is_for_its_agent(void **state UNUSED)
{
	const char *id = new_id();

	CALL(TASK_CREATE, "event", "{}", "id", id, "queue", "@smith", "agent_id", "smith", "description", "", "priority", "5",
	     "max_retries", "3", "retry_backoff", "fixed", "retry_base_ms", "0", "retry_max_ms", "0", "retry_jitter",
	     "false");
	assert_int_equal(queries_wait(ask_lease("[\"smith\",\"@jones\"]", "jones", "5"))->rows, 0);
	EXPECT(queries_wait(ask_lease("[\"sena\",\"@smith\"]", "smith", "5")), 0, "id", id);
}

static void
test_lease_is_within_the_tenant(void **state UNUSED)
{
	make_task("sena", "5");
	assert_int_equal(
	    CALL(TASK_LEASE, "tenant", "1", "queues", "[\"sena\"]", "agent_id", "smith", "max", "5", "lease_ms", "8000")
	        ->rows,
	    0);
	lease_one("sena");
}

static void
test_lease_is_cut_by_the_timeout(void **state UNUSED)
{
	const char *id = make_task("sena", "5");

	SQL("UPDATE tasks SET timeout_ms = 3000 WHERE id = '%s'", id);
	lease_one("sena");
	expect_task(id, "lease_until - leased_at", "00:00:03");
	db_fixture_advance(&fixture, 2000);
	CALL(TASK_HEARTBEAT, "id", id, "epoch", "1");
	expect_task(id, "lease_until - leased_at", "00:00:03"); /* no heartbeat goes past it */
}

static void
test_epoch_grows_with_every_lease(void **state UNUSED)
{
	const char *id = make_task("sena", "5");

	for (int epoch = 1; epoch <= 3; epoch++) {
		EXPECT(lease_one("sena"), 0, "epoch", text("%d", epoch));
		EXPECT(queries_wait(ask_settle(id, text("%d", epoch), "release", NULL, NULL)), 0, "_result", "ok");
	}
	expect_task(id, "attempt", "0"); /* releases burn none */
}

static void
test_heartbeat_prolongs_the_lease(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *beat;

	lease_one("sena");
	db_fixture_advance(&fixture, 5000);
	beat = CALL(TASK_HEARTBEAT, "id", id, "epoch", "1", "progress", "{\"percent\":40}");
	EXPECT(beat, 0, "_result", "ok");
	EXPECT(beat, 0, "cancel", "f");
	expect_task(id, "lease_until - leased_at > interval '12 seconds'", "true");
	expect_task(id, "progress", "{\"percent\":40}");
	CALL(TASK_HEARTBEAT, "id", id, "epoch", "1");
	expect_task(id, "progress", "{\"percent\":40}");
}

static void
test_heartbeat_of_another_epoch_or_task_is_refused(void **state UNUSED)
{
	const char *id = make_task("sena", "5"), *until;
	struct db_answer *beat;

	lease_one("sena");
	until = SQL("SELECT lease_until FROM tasks WHERE id = '%s'", id);
	beat = CALL(TASK_HEARTBEAT, "id", id, "epoch", "2", "progress", "{}");
	EXPECT(beat, 0, "_result", "stale");
	EXPECT(beat, 0, "status", "processing");
	EXPECT(beat, 0, "_epoch", "1");
	EXPECT_SQL(until, "SELECT lease_until FROM tasks WHERE id = '%s'", id);
	expect_task(id, "progress", NULL);
	EXPECT(CALL(TASK_HEARTBEAT, "id", new_id(), "epoch", "1"), 0, "_result", "not_found");
	EXPECT(CALL(TASK_HEARTBEAT, "id", id, "epoch", "1", "tenant", "1"), 0, "_result", "not_found");
}

static void
test_heartbeats_of_a_batch_are_judged_one_by_one(void **state UNUSED)
{
	const char *id = make_task("sena", "5"), *done = make_task("rune", "5");
	struct db_answer *old, *current, *over;

	lease_one("sena");
	queries_wait(ask_settle(id, "1", "release", NULL, NULL));
	lease_one("sena");
	work("rune", "{}", NULL);
	old = ASK(TASK_HEARTBEAT, "id", id, "epoch", "1");
	current = ASK(TASK_HEARTBEAT, "id", id, "epoch", "2");
	over = ASK(TASK_HEARTBEAT, "id", done, "epoch", "1");
	db_fixture_wait(&fixture);
	EXPECT(old, 0, "_result", "stale");
	EXPECT(current, 0, "_result", "ok");
	EXPECT(over, 0, "_result", "stale");
	EXPECT(over, 0, "status", "completed");
}

static void
test_heartbeat_of_a_cancelled_task_says_so(void **state UNUSED)
{
	const char *workflow = make_workflow("[{\"key\":\"a\",\"role\":\"sena\"}]"), *id = task_of(workflow, "a");
	struct db_answer *beat;

	lease_one("sena");
	CALL(WORKFLOW_CANCEL, "id", workflow, "actor", "neo");
	beat = CALL(TASK_HEARTBEAT, "id", id, "epoch", "1");
	EXPECT(beat, 0, "_result", "ok");
	EXPECT(beat, 0, "status", "cancelled");
	EXPECT(beat, 0, "cancel", "t");
	EXPECT(beat, 0, "lease_until", NULL);
}

static void
test_keeper_due_makes_later_tasks_ready(void **state UNUSED)
{
	const char *id = new_id();

	CALL(TASK_CREATE_SPECIAL, "id", id, "queue", "sena", "role", "sena", "description", "", "priority", "5", "max_retries", "3",
	     "run_at", SQL("SELECT now() + interval '1 minute'"), "retry_backoff", "fixed", "retry_base_ms", "0",
	     "retry_max_ms", "0", "retry_jitter", "false");
	assert_int_equal(CALL(KEEPER_DUE)->rows, 0);
	assert_int_equal(queries_wait(ask_lease("[\"sena\"]", "smith", "1"))->rows, 0);
	db_fixture_advance(&fixture, 61000);
	assert_int_equal(queries_wait(ask_lease("[\"sena\"]", "smith", "1"))->rows, 0);
	EXPECT(CALL(KEEPER_DUE), 0, "queue", "sena");
	assert_int_equal(CALL(KEEPER_DUE)->rows, 0);
	EXPECT(lease_one("sena"), 0, "id", id);
}

static void
test_keeper_expired_finds_silent_holders(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *found;

	lease_one("sena");
	assert_int_equal(CALL(KEEPER_EXPIRED)->rows, 0);
	db_fixture_advance(&fixture, 8100);
	found = CALL(KEEPER_EXPIRED);
	assert_int_equal(found->rows, 1);
	EXPECT(found, 0, "id", id);
	EXPECT(found, 0, "epoch", "1");
	EXPECT(found, 0, "tenant", fixture.tenant);
	/* A heartbeat that comes in between wins. */
	CALL(TASK_HEARTBEAT, "id", id, "epoch", "1");
	EXPECT(queries_wait(ask_settle(id, "1", "expire", NULL, NULL)), 0, "_result", "stale");
	expect_task(id, "status", "processing");
	db_fixture_advance(&fixture, 8100);
	EXPECT(queries_wait(ask_settle(id, "1", "expire", NULL, NULL)), 0, "_ready", "[\"sena\"]");
	expect_task(id, "status", "retrying");
	EXPECT(lease_one("sena"), 0, "attempt", "2");
}

static const char *
marked_id(void)
{
	char *id = (char *)(uintptr_t)new_id();

	trace_mark(id, true);
	return id;
}

/* The statements that make tasks keep the trace, every statement that leases hands it out, a week is enough. */
static void
test_traces_go_with_their_tasks(void **state UNUSED)
{
	const char *plain = make_task("sena", "9"), *traced = marked_id(), *special = marked_id();
	const char *begin = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", *held;
	struct db_answer *lease;

	CALL(TASK_CREATE_TRACED, "id", traced, "queue", "sena", "role", "sena", "description", "d", "priority", "8", "max_retries",
	     "0", "event", "{}", "traceparent", begin, "tracestate", "a=b");
	CALL(TASK_CREATE_SPECIAL, "id", special, "queue", "sena", "role", "sena", "description", "d", "priority", "7",
	     "max_retries", "0", "unique_key", special, "on_duplicate", "refuse", "traceparent", begin);
	CALL(TASK_CREATE_SPECIAL, "id", new_id(), "queue", "sena", "role", "sena", "description", "d", "priority", "7",
	     "max_retries", "0", "unique_key", special, "on_duplicate", "return", "traceparent", begin);
	EXPECT_SQL("2", "SELECT count(*) FROM task_traces WHERE tenant = %s", fixture.tenant);
	lease = queries_wait(ask_lease("[\"sena\"]", "smith", "3"));
	EXPECT(lease, 0, "id", plain);
	assert_null(db_answer_cell(lease, 0, "_trace"));
	EXPECT(lease, 1, "id", traced);
	held = db_answer_cell(lease, 1, "_trace");
	assert_non_null(strstr(held, text("[\"%s\", \"a=b\", ", begin)));
	EXPECT(lease, 2, "id", special);
	assert_non_null(strstr(db_answer_cell(lease, 2, "_trace"), text("[\"%s\", null, ", begin)));
	CALL(KEEPER_FORGET_TRACES);
	EXPECT_SQL("2", "SELECT count(*) FROM task_traces WHERE tenant = %s", fixture.tenant);
	SQL("UPDATE task_traces SET created_at = now() - interval '169 hours' WHERE tenant = %s", fixture.tenant);
	CALL(KEEPER_FORGET_TRACES);
	EXPECT_SQL("0", "SELECT count(*) FROM task_traces WHERE tenant = %s", fixture.tenant);
}

const struct CMUnitTest task_tests[] = {
    TEST(test_traces_go_with_their_tasks),
    TEST(test_task_create_keeps_what_was_said),
    TEST(test_task_list_filters_and_pages),
    TEST(test_lease_takes_by_priority_then_age),
    TEST(test_lease_requests_of_a_batch_share_without_doubles),
    TEST(test_lease_of_many_queues_takes_at_most_max),
    TEST(test_lease_of_a_bound_task_is_for_its_agent),
    TEST(test_lease_is_within_the_tenant),
    TEST(test_lease_is_cut_by_the_timeout),
    TEST(test_epoch_grows_with_every_lease),
    TEST(test_heartbeat_prolongs_the_lease),
    TEST(test_heartbeat_of_another_epoch_or_task_is_refused),
    TEST(test_heartbeats_of_a_batch_are_judged_one_by_one),
    TEST(test_heartbeat_of_a_cancelled_task_says_so),
    TEST(test_keeper_due_makes_later_tasks_ready),
    TEST(test_keeper_expired_finds_silent_holders),
};
const int task_test_count = ARRAY_LENGTH(task_tests);
