/*
 * queries_archive.c - what is kept after the work: the archive (sql/query/archive.sql), answers by Idempotency-Key
 * (idempotency.sql), and the nodes that share the database (nodes.sql).
 */
#include "base.h"

#include "queries.h"

static void
archive_all(const char *after_s, const char *failed_after_s)
{
	CALL(KEEPER_ARCHIVE_TASKS, "after_s", after_s, "failed_after_s", failed_after_s, "max", "100000");
	CALL(KEEPER_ARCHIVE_WORKFLOWS, "after_s", after_s, "failed_after_s", failed_after_s, "max", "100000");
}

static void
test_archive_of_tasks(void **state UNUSED)
{
	const char *done = make_task("sena", "5"), *live = make_task("rune", "5"), *failed = make_task("lubit", "5");
	const char *other = make_task("sena", "5");
	struct db_answer *task;

	work("sena", "{\"n\": 1.0}", NULL);
	work("sena", "{\"n\": 2.0}", NULL);
	lease_one("lubit");
	CALL(TASK_SETTLE, "id", failed, "epoch", "1", "outcome", "fail", "retryable", "false", "error_message", "x");
	archive_all("60", "3600");
	assert_int_equal(CALL(TASK_GET, "id", done)->rows, 1); /* too young */
	SQL("UPDATE tasks SET id = 'ffffffff-ffff-7fff-bfff-000000000001' WHERE id = '%s'", other);
	db_fixture_advance(&fixture, 61000);
	archive_all("60", "3600");
	assert_int_equal(CALL(TASK_GET, "id", done)->rows, 0);
	task = CALL(TASK_GET_DONE, "id", done);
	EXPECT(task, 0, "status", "completed");
	EXPECT(task, 0, "output_data", "{\"n\": 1.0}");
	EXPECT(task, 0, "depends_on", "[]");
	EXPECT(CALL(TASK_ATTEMPTS_DONE, "id", done, "limit", "5"), 0, "outcome", "complete");
	assert_int_equal(CALL(TASK_ATTEMPTS_DONE, "id", done, "limit", "5", "cursor", "1")->rows, 0);
	assert_int_equal(CALL(SUBTASK_LIST_DONE, "id", done, "limit", "5")->rows, 0);
	assert_int_equal(CALL(TASK_GET_DONE, "id", done, "tenant", "1")->rows, 0);
	EXPECT(CALL(TASK_KNOWN, "id", done), 0, "id", done);
	EXPECT(CALL(TASK_KNOWN, "id", live), 0, "id", live);
	assert_int_equal(CALL(TASK_KNOWN, "id", done, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(TASK_KNOWN, "id", live, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(TASK_GET, "id", live)->rows, 1);
	/* An id of the future: nobody looks so far. */
	assert_int_equal(CALL(TASK_GET, "id", "ffffffff-ffff-7fff-bfff-000000000001")->rows, 1);
	assert_int_equal(CALL(TASK_GET, "id", failed)->rows, 1); /* what ended badly stays longer */
	assert_int_equal(CALL(TASK_DELETE_DONE, "id", done, "actor", "neo", "tenant", "1")->rows, 0);
	EXPECT(CALL(TASK_DELETE_DONE, "id", done, "actor", "neo"), 0, "_status", "204");
	assert_int_equal(CALL(TASK_GET_DONE, "id", done)->rows, 0);
	EXPECT_SQL("0", "SELECT count(*) FROM agentd_attempts_done WHERE task_id = '%s'", done);
}

static void
test_archive_of_workflows(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]}]");
	const char *live = make_workflow("[{\"key\":\"c\",\"role\":\"c\"}]");
	struct db_answer *tasks;

	lease_one("a");
	CALL(SUBTASK_CREATE, "new_id", new_id(), "id", task_of(id, "a"), "epoch", "1", "description", "d", "status",
	     "pending");
	queries_wait(ask_settle(task_of(id, "a"), "1", "complete", "{}", NULL));
	work("b", "{\"b\":1}", NULL);
	db_fixture_advance(&fixture, 61000);
	archive_all("60", "60");
	assert_int_equal(CALL(WORKFLOW_GET, "id", id)->rows, 0);
	EXPECT_SQL("0", "SELECT count(*) FROM tasks WHERE workflow_id = '%s'", id);
	EXPECT(CALL(WORKFLOW_GET_DONE, "id", id), 0, "output_data", "{\"b\":1}");
	tasks = CALL(WORKFLOW_TASKS_DONE, "id", id);
	assert_int_equal(tasks->rows, 2);
	EXPECT(tasks, 1, "depends_on", "[\"a\"]");
	assert_int_equal(
	    CALL(WORKFLOW_TASK_LIST_DONE, "id", id, "limit", "5", "cursor", db_answer_cell(tasks, 0, "id"))->rows, 1);
	assert_int_equal(CALL(SUBTASK_LIST_DONE, "id", db_answer_cell(tasks, 0, "id"), "limit", "5")->rows, 1);
	EXPECT(CALL(TASK_DEPENDENCIES_DONE, "id", db_answer_cell(tasks, 0, "id"), "limit", "5"), 0, "direction", "dependent");
	EXPECT(CALL(TASK_DEPENDENCIES_DONE, "id", db_answer_cell(tasks, 1, "id"), "limit", "5"), 0, "key", "a");
	assert_int_equal(CALL(TASK_DEPENDENCIES_DONE, "id", db_answer_cell(tasks, 1, "id"), "limit", "5", "cursor",
	                      db_answer_cell(tasks, 0, "id"))
	                     ->rows,
	                 0);
	assert_int_equal(
	    CALL(TASK_DEPENDENCIES_DONE, "id", db_answer_cell(tasks, 1, "id"), "limit", "5", "tenant", "1")->rows, 0);
	EXPECT(CALL(WORKFLOW_KNOWN, "id", id), 0, "id", id);
	EXPECT(CALL(WORKFLOW_KNOWN, "id", live), 0, "id", live);
	assert_int_equal(CALL(WORKFLOW_KNOWN, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(WORKFLOW_KNOWN, "id", live, "tenant", "1")->rows, 0);
	EXPECT_SQL("2 1", "SELECT concat_ws(' ', json_array_length('%s'), json_array_length('%s'))",
	           db_answer_cell(CALL(WORKFLOW_GRAPH_DONE, "id", id), 0, "nodes"),
	           db_answer_cell(CALL(WORKFLOW_GRAPH_DONE, "id", id), 0, "edges"));
	assert_int_equal(CALL(WORKFLOW_GET_DONE, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(WORKFLOW_GET, "id", live)->rows, 1);
	assert_int_equal(CALL(WORKFLOW_DELETE_DONE, "id", id, "actor", "neo", "tenant", "1")->rows, 0);
	EXPECT(CALL(WORKFLOW_DELETE_DONE, "id", id, "actor", "neo"), 0, "_status", "204");
	EXPECT_SQL("0",
	           "SELECT (SELECT count(*) FROM tasks_done WHERE tenant = %1$s)"
	           " + (SELECT count(*) FROM agentd_attempts_done WHERE tenant = %1$s)"
	           " + (SELECT count(*) FROM subtasks_done WHERE tenant = %1$s)"
	           " + (SELECT count(*) FROM task_dependencies_done WHERE tenant = %1$s)",
	           fixture.tenant);
}

static void
test_partitions_come_and_go(void **state UNUSED)
{
	const char *today = SQL("SELECT to_char(now(), 'YYYYMMDD')");

	CALL(KEEPER_PARTITIONS, "event_days", "2", "done_days", "2");
	EXPECT_SQL("t", "SELECT count(*) >= 3 FROM pg_inherits WHERE inhparent = 'events'::regclass");
	EXPECT_SQL("t", "SELECT count(*) > 0 FROM pg_class WHERE relname LIKE 'events%%' || '%s'", today);
	db_fixture_advance(&fixture, 10 * 86400000);
	CALL(KEEPER_PARTITIONS, "event_days", "2", "done_days", "2");
	EXPECT_SQL("0", "SELECT count(*) FROM pg_class WHERE relname LIKE 'events%%' || '%s'", today);
}

#define KEY "owner", "user neo", "key", "k1", "element", "0"

static void
test_idempotency_answer_is_kept_for_a_day(void **state UNUSED)
{
	struct db_answer *found;

	assert_int_equal(CALL(IDEMPOTENCY_FIND, KEY)->rows, 0);
	CALL(IDEMPOTENCY_CLAIM, KEY);
	CALL(IDEMPOTENCY_STORE, KEY, "digest", "d1", "status", "201", "body", "{\"n\": 1.0}");
	found = CALL(IDEMPOTENCY_FIND, KEY);
	EXPECT(found, 0, "digest", "d1");
	EXPECT(found, 0, "status", "201");
	EXPECT(found, 0, "body", "{\"n\": 1.0}");
	assert_int_equal(CALL(IDEMPOTENCY_FIND, "tenant", "1", KEY)->rows, 0);
	/* Two at once that both found nothing: the second learns it. */
	found = ASK(IDEMPOTENCY_STORE, KEY, "digest", "d2", "status", "201", "body", "{}");
	db_fixture_wait(&fixture);
	assert_int_equal(found->status, DB_FAILED);
	assert_string_equal(found->sqlstate, "AG200");
	db_fixture_advance(&fixture, 86400000 + 1000);
	assert_int_equal(CALL(IDEMPOTENCY_FIND, KEY)->rows, 0);
	CALL(IDEMPOTENCY_STORE, KEY, "digest", "d3", "status", "201", "body", "{}");
	EXPECT(CALL(IDEMPOTENCY_FIND, KEY), 0, "digest", "d3");
	assert_int_equal(CALL(KEEPER_FORGET_KEYS)->rows, 0);
	db_fixture_advance(&fixture, 86400000 + 1000);
	assert_int_equal(CALL(KEEPER_FORGET_KEYS)->rows, 1);
	EXPECT_SQL("0", "SELECT count(*) FROM idempotency_keys");
}

static void
test_idempotency_claim_is_of_one_at_a_time(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *claim;

	db_fixture_sql_on(&fixture, other, "BEGIN");
	db_fixture_sql_on(&fixture, other, text("SELECT agentd_claim('%s user neo k1 0')", fixture.tenant));
	claim = ASK(IDEMPOTENCY_CLAIM, KEY);
	db_fixture_wait(&fixture);
	assert_int_equal(claim->status, DB_FAILED);
	assert_string_equal(claim->sqlstate, "AG409");
	db_fixture_sql_on(&fixture, other, "ROLLBACK");
	database_close(other);
	CALL(IDEMPOTENCY_CLAIM, KEY);
}

static void
test_nodes_see_each_other(void **state UNUSED)
{
	const char *one = new_id(), *two = new_id();
	struct db_answer *heard;

	heard = CALL(NODE_BEAT, "id", one, "name", "one", "version", "1", "redis", "false");
	EXPECT(heard, 0, "others", "0");
	EXPECT(heard, 0, "with_redis", "0");
	heard = CALL(NODE_BEAT, "id", two, "name", "two", "version", "1", "redis", "true");
	EXPECT(heard, 0, "others", "1");
	EXPECT(heard, 0, "with_redis", "0");
	heard = CALL(NODE_BEAT, "id", one, "name", "one", "version", "1", "redis", "true");
	EXPECT(heard, 0, "others", "1");
	EXPECT(heard, 0, "with_redis", "1");
	EXPECT(CALL(NODE_BEAT, "id", two, "name", "two", "version", "1", "redis", "false"), 0, "with_redis", "1");
	db_fixture_advance(&fixture, 11000);
	EXPECT(CALL(NODE_BEAT, "id", one, "name", "one", "version", "1", "redis", "false"), 0, "others", "0"); /* silent */
	db_fixture_advance(&fixture, 3600000);
	CALL(NODE_BEAT, "id", one, "name", "one", "version", "1", "redis", "false");
	EXPECT_SQL(one, "SELECT string_agg(id::text, ' ') FROM nodes");
	CALL(NODE_TELL, "marks", "1,2");
}

const struct CMUnitTest archive_tests[] = {
    TEST(test_archive_of_tasks),
    TEST(test_archive_of_workflows),
    TEST(test_partitions_come_and_go),
    TEST(test_idempotency_answer_is_kept_for_a_day),
    TEST(test_idempotency_claim_is_of_one_at_a_time),
    TEST(test_nodes_see_each_other),
};
const int archive_test_count = ARRAY_LENGTH(archive_tests);
