/* queries_settle.c - how a lease of a task outside a workflow ends: sql/query/task_settle.sql. */
#include "base.h"

#include "queries.h"

static void
test_complete_keeps_the_output(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *answer;

	lease_one("sena");
	answer = CALL(TASK_SETTLE, "id", id, "epoch", "1", "outcome", "complete", "output_data", "{\"sum\": 3.10}",
	              "retryable", "true", "duration_ms", "1234");
	EXPECT(answer, 0, "_result", "ok");
	EXPECT(answer, 0, "status", "completed");
	EXPECT(answer, 0, "duration_ms", "1234");
	EXPECT(CALL(TASK_GET, "id", id), 0, "output_data", "{\"sum\": 3.10}");
	EXPECT(CALL(TASK_GET, "id", id), 0, "error_message", NULL);
	assert_non_null(db_answer_cell(CALL(TASK_GET, "id", id), 0, "completed_at"));
}

static void
test_settling_again_is_answered_alike(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *first, *again;

	lease_one("sena");
	first = ask_settle(id, "1", "complete", "{\"v\":1}", NULL);
	again = ask_settle(id, "1", "complete", "{\"v\":2}", NULL); /* in the same batch */
	db_fixture_wait(&fixture);
	EXPECT(first, 0, "_result", "ok");
	EXPECT(again, 0, "_result", "ok");
	again = queries_wait(ask_settle(id, "1", "complete", "{\"v\":3}", NULL));
	EXPECT(again, 0, "_result", "ok");
	EXPECT(again, 0, "completed_at", db_answer_cell(first, 0, "completed_at"));
	EXPECT(again, 0, "_ready", NULL);
	expect_task(id, "output_data", "{\"v\":1}");
	EXPECT_SQL("1", "SELECT count(*) FROM agentd_attempts WHERE task_id = '%s'", id);
	/* But not another outcome. */
	EXPECT(queries_wait(ask_settle(id, "1", "fail", NULL, NULL)), 0, "_result", "stale");
	expect_task(id, "status", "completed");
}

static void
test_stale_epoch_changes_nothing(void **state UNUSED)
{
	const char *id = make_task("sena", "5"), *before;
	static const char *const outcomes[] = {"complete", "fail", "release", "expire"};

	lease_one("sena");
	queries_wait(ask_settle(id, "1", "release", NULL, NULL));
	lease_one("sena");
	db_fixture_advance(&fixture, 9000); /* the lease has run out: even so only the current epoch may end it */
	before = SQL("SELECT t::text FROM tasks t WHERE id = '%s'", id);
	for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++) {
		struct db_answer *answer = queries_wait(ask_settle(id, "3", outcomes[i], "{}", NULL));
		EXPECT(answer, 0, "_result", "stale");
		EXPECT(answer, 0, "status", "processing");
		EXPECT(answer, 0, "_epoch", "2");
	}
	EXPECT(queries_wait(ask_settle(id, "1", "complete", "{}", NULL)), 0, "_result", "stale");
	EXPECT(queries_wait(ask_settle(id, "1", "release", NULL, NULL)), 0, "_result", "ok"); /* a replay */
	EXPECT_SQL(before, "SELECT t::text FROM tasks t WHERE id = '%s'", id);
	EXPECT_SQL("1", "SELECT count(*) FROM agentd_attempts WHERE task_id = '%s'", id);
	EXPECT(queries_wait(ask_settle(new_id(), "1", "complete", "{}", NULL)), 0, "_result", "not_found");
	EXPECT(CALL(TASK_SETTLE, "tenant", "1", "id", id, "epoch", "2", "outcome", "complete", "retryable", "true"), 0,
	       "_result", "not_found");
	expect_task(id, "status", "processing");
}

/* Nobody held it: a task that was never leased cannot be settled. */
static void
test_task_without_a_lease_is_not_settled(void **state UNUSED)
{
	const char *id = make_task("sena", "5");

	EXPECT(queries_wait(ask_settle(id, "0", "complete", "{}", NULL)), 0, "_result", "stale");
	expect_task(id, "status", "pending");
}

static void
test_fail_retries_with_backoff_then_dies(void **state UNUSED)
{
	static const char *const pauses[] = {"00:00:01", "00:00:02", "00:00:04"};
	const char *id = make_task("sena", "5");

	for (int attempt = 1; attempt <= 3; attempt++) {
		struct db_answer *answer;
		EXPECT(lease_one("sena"), 0, "attempt", text("%d", attempt));
		answer = queries_wait(ask_settle(id, text("%d", attempt), "fail", NULL, NULL));
		EXPECT(answer, 0, "status", "retrying");
		EXPECT(answer, 0, "_ready", NULL);
		EXPECT_SQL(pauses[attempt - 1],
		           "SELECT t.run_at - a.ended_at FROM tasks t JOIN agentd_attempts a ON a.task_id = t.id"
		           " WHERE t.id = '%s' AND a.epoch = %d",
		           id, attempt);
		assert_int_equal(queries_wait(ask_lease("[\"sena\"]", "smith", "1"))->rows, 0);
		db_fixture_advance(&fixture, 5000);
		assert_int_equal(CALL(KEEPER_DUE)->rows, 1);
	}
	lease_one("sena");
	EXPECT(queries_wait(ask_settle(id, "4", "fail", NULL, NULL)), 0, "status", "dead");
	expect_task(id, "error_message", "it broke");
	expect_task(id, "completed_at IS NOT NULL", "true");
	db_fixture_advance(&fixture, 3600000);
	assert_int_equal(CALL(KEEPER_DUE)->rows, 0);
	EXPECT(CALL(TASK_GET, "id", id), 0, "retry_count", "3");
}

static void
test_backoff_obeys_its_settings(void **state UNUSED)
{
	const char *fixed = make_task("sena", "9"), *bounded = make_task("sena", "5"), *shaken = make_task("sena", "1");

	SQL("UPDATE tasks SET retry_backoff = 'fixed', attempt = 2 WHERE id = '%s'", fixed);
	SQL("UPDATE tasks SET attempt = 2, retry_max_ms = 2500 WHERE id = '%s'", bounded);
	SQL("UPDATE tasks SET retry_jitter = true WHERE id = '%s'", shaken);
	for (int i = 0; i < 3; i++) {
		struct db_answer *lease = lease_one("sena");
		queries_wait(ask_settle(db_answer_cell(lease, 0, "id"), "1", "fail", NULL, NULL));
	}
	EXPECT_SQL("00:00:01", "SELECT run_at - ended_at FROM tasks t JOIN agentd_attempts ON task_id = id WHERE id = '%s'",
	           fixed);
	EXPECT_SQL("00:00:02.5",
	           "SELECT run_at - ended_at FROM tasks t JOIN agentd_attempts ON task_id = id WHERE id = '%s'", bounded);
	EXPECT_SQL("t",
	           "SELECT run_at - ended_at BETWEEN interval '0.5 seconds' AND interval '1 second'"
	           " FROM tasks t JOIN agentd_attempts ON task_id = id WHERE id = '%s'",
	           shaken);
}

static void
test_fail_for_good_is_not_retried(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *answer;

	lease_one("sena");
	answer = CALL(TASK_SETTLE, "id", id, "epoch", "1", "outcome", "fail", "retryable", "false", "error_message",
	              "no such file");
	EXPECT(answer, 0, "status", "failed");
	assert_non_null(db_answer_cell(answer, 0, "completed_at"));
	EXPECT(answer, 0, "run_at", NULL);
}

static void
test_release_burns_no_attempt_and_is_ready_at_once(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *answer;

	SQL("UPDATE tasks SET max_retries = 0 WHERE id = '%s'", id);
	lease_one("sena");
	answer = queries_wait(ask_settle(id, "1", "release", NULL, NULL));
	EXPECT(answer, 0, "status", "pending");
	EXPECT(answer, 0, "attempt", "0");
	EXPECT(answer, 0, "_ready", "[\"sena\"]");
	EXPECT(lease_one("sena"), 0, "attempt", "1");
	EXPECT(queries_wait(ask_settle(id, "2", "complete", "{}", NULL)), 0, "status", "completed");
}

static void
test_expired_lease_dies_after_the_last_attempt(void **state UNUSED)
{
	const char *id = make_task("sena", "5");

	SQL("UPDATE tasks SET max_retries = 0 WHERE id = '%s'", id);
	lease_one("sena");
	db_fixture_advance(&fixture, 9000);
	EXPECT(queries_wait(ask_settle(id, "1", "expire", NULL, NULL)), 0, "status", "dead");
	expect_task(id, "error_message", "the lease of smith expired: no heartbeat in time");
	expect_task(id, "ready_at", NULL);
	/* The late holder is refused. */
	EXPECT(queries_wait(ask_settle(id, "1", "complete", "{}", NULL)), 0, "_result", "stale");
	expect_task(id, "status", "dead");
}

static void
test_attempts_are_on_record(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *list;

	lease_one("sena");
	queries_wait(ask_settle(id, "1", "release", NULL, NULL));
	lease_one("sena");
	queries_wait(ask_settle(id, "2", "fail", NULL, NULL));
	db_fixture_advance(&fixture, 2000);
	CALL(KEEPER_DUE);
	lease_one("sena");
	queries_wait(ask_settle(id, "3", "complete", "{\"a\":1}", NULL));
	list = CALL(TASK_ATTEMPTS, "id", id, "limit", "10");
	assert_int_equal(list->rows, 3);
	EXPECT(list, 0, "outcome", "complete");
	EXPECT(list, 0, "attempt", "2");
	EXPECT(list, 1, "outcome", "fail");
	EXPECT(list, 1, "attempt", "1");
	EXPECT(list, 1, "error_message", "it broke");
	EXPECT(list, 2, "outcome", "release");
	EXPECT(list, 2, "attempt", "1");
	for (int i = 0; i < 3; i++)
		EXPECT(list, i, "agent_id", "smith");
	list = CALL(TASK_ATTEMPTS, "id", id, "limit", "1", "cursor", "3");
	EXPECT(list, 0, "epoch", "2");
	assert_int_equal(CALL(TASK_ATTEMPTS, "id", id, "limit", "10", "tenant", "1")->rows, 0);
}

static void
test_settlements_of_a_batch_are_judged_one_by_one(void **state UNUSED)
{
	const char *ids[4];
	struct db_answer *answers[5];

	for (int i = 0; i < 4; i++)
		ids[i] = make_task("sena", "5");
	assert_int_equal(queries_wait(ask_lease("[\"sena\"]", "smith", "4"))->rows, 4);
	answers[0] = ask_settle(ids[0], "1", "complete", "{}", NULL);
	answers[1] = ask_settle(ids[1], "2", "complete", "{}", NULL);
	answers[2] = ask_settle(new_id(), "1", "complete", "{}", NULL);
	answers[3] = ask_settle(ids[2], "1", "fail", NULL, NULL);
	answers[4] = ask_settle(ids[3], "1", "release", NULL, NULL);
	db_fixture_wait(&fixture);
	EXPECT(answers[0], 0, "status", "completed");
	EXPECT(answers[1], 0, "_result", "stale");
	EXPECT(answers[2], 0, "_result", "not_found");
	EXPECT(answers[3], 0, "status", "retrying");
	EXPECT(answers[4], 0, "status", "pending");
	EXPECT(answers[4], 0, "_ready", "[\"sena\"]");
	EXPECT(answers[0], 0, "_ready", NULL);
	EXPECT_SQL("1", "SELECT count(DISTINCT settled_in) FROM tasks WHERE tenant = %s", fixture.tenant); /* one batch */
}

const struct CMUnitTest settle_tests[] = {
    TEST(test_complete_keeps_the_output),
    TEST(test_settling_again_is_answered_alike),
    TEST(test_stale_epoch_changes_nothing),
    TEST(test_task_without_a_lease_is_not_settled),
    TEST(test_fail_retries_with_backoff_then_dies),
    TEST(test_backoff_obeys_its_settings),
    TEST(test_fail_for_good_is_not_retried),
    TEST(test_release_burns_no_attempt_and_is_ready_at_once),
    TEST(test_expired_lease_dies_after_the_last_attempt),
    TEST(test_attempts_are_on_record),
    TEST(test_settlements_of_a_batch_are_judged_one_by_one),
};
const int settle_test_count = ARRAY_LENGTH(settle_tests);
