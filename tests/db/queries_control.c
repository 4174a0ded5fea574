/* queries_control.c - steering tasks from outside, the dead letters, sub-tasks: sql/query/task_control.sql. */
#include "base.h"

#include "queries.h"

/* The kinds of the events of a subject, oldest first. */
static const char *
events_of(const char *id)
{
	return SQL("SELECT string_agg(i ->> 'kind', ' ' ORDER BY e.xid, e.seq, o) FROM events e,"
	           " agentd_events(e.items) AS x(o, i)"
	           " WHERE e.tenant = %s AND i ->> 'subject' = '%s'",
	           fixture.tenant, id);
}

static struct db_answer *
ask_alone(const char *id, const char *epoch, const char *outcome)
{
	if (strcmp(outcome, "complete") == 0)
		return ASK(TASK_COMPLETE, "id", id, "epoch", epoch, "output_data", "{\"n\":1}");
	return ASK(TASK_SETTLE_ALONE, "id", id, "epoch", epoch, "outcome", outcome, "retryable", "true", "error_message",
	           strcmp(outcome, "fail") == 0 ? "it broke" : NULL);
}

/* As worker/api_settle.c does it: the short way for what holders say, the long one for the rest. */
static struct db_answer *
settle(const char *id, const char *epoch, const char *outcome)
{
	if (strcmp(outcome, "cancel") != 0 && strcmp(outcome, "expire") != 0) {
		struct db_answer *answer = queries_wait(ask_alone(id, epoch, outcome));
		if (answer->rows)
			return answer;
	}
	return CALL(TASK_SETTLE, "id", id, "epoch", epoch, "outcome", outcome, "retryable", "true", "output_data",
	            strcmp(outcome, "complete") == 0 ? "{\"n\":1}" : NULL, "error_message",
	            strcmp(outcome, "fail") == 0 ? "it broke" : NULL, "actor", "neo");
}

static const char *
dead_task(const char *role)
{
	const char *id = make_task(role, "5");

	SQL("UPDATE tasks SET max_retries = 0 WHERE id = '%s'", id);
	lease_one(role);
	EXPECT(settle(id, SQL("SELECT epoch FROM tasks WHERE id = '%s'", id), "fail"), 0, "status", "dead");
	return id;
}

static void
test_settle_alone_leaves_what_is_not_plain(void **state UNUSED)
{
	const char *workflow = make_workflow("[{\"key\":\"a\",\"role\":\"a\"}]"), *inside = task_of(workflow, "a");
	const char *waiting = make_task("b", "5");

	lease_one("a");
	assert_int_equal(queries_wait(ask_alone(inside, "1", "complete"))->rows, 0);
	assert_int_equal(queries_wait(ask_alone(waiting, "0", "complete"))->rows, 0);
	assert_int_equal(queries_wait(ask_alone(new_id(), "1", "complete"))->rows, 0);
	expect_task(inside, "status", "processing");
	expect_task(waiting, "status", "pending");
	EXPECT(settle(new_id(), "1", "complete"), 0, "_result", "not_found");
}

static bool
is_waiting(void *arg UNUSED)
{
	return strcmp(SQL("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = "
	                  "'Lock'"),
	              "0") != 0;
}

/* Another transaction changes the task at this moment: a heartbeat costs nothing but the long way, a new lease wins. */
static void
test_settle_alone_beside_another(void **state UNUSED)
{
	static const char *const rows[][2] = {{"lease_until = lease_until + interval '1 second'", "completed"},
	                                      {"epoch = epoch + 1", "processing"}};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct pg_conn *other = db_fixture_connect(&fixture);
		const char *id = make_task("sena", "5");
		struct db_answer *answer;
		lease_one("sena");
		db_fixture_sql_on(&fixture, other, "BEGIN");
		db_fixture_sql_on(&fixture, other, text("UPDATE tasks SET %s WHERE id = '%s'", rows[i][0], id));
		answer = ask_alone(id, "1", "complete");
		db_fixture_run(&fixture, is_waiting, NULL);
		db_fixture_sql_on(&fixture, other, "COMMIT");
		db_fixture_wait(&fixture);
		if (answer->rows == 0)
			answer = settle(id, "1", "complete");
		EXPECT(answer, 0, "_result", i == 0 ? "ok" : "stale");
		expect_task(id, "status", rows[i][1]);
		database_close(other);
	}
}

static void
test_settle_alone_each_outcome(void **state UNUSED)
{
	static const struct {
		const char *outcome, *status, *event;
	} rows[] = {{"complete", "completed", "task.created task.started task.completed"},
	            {"fail", "retrying", "task.created task.started task.retrying"},
	            {"release", "pending", "task.created task.started task.released"},
	            {"cancel", "cancelled", "task.created task.started task.cancelled"},
	            {"expire", "retrying", "task.created task.started task.retrying"}};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const char *id = make_task(rows[i].outcome, "5");
		struct db_answer *first, *again;
		lease_one(rows[i].outcome);
		db_fixture_advance(&fixture, 9000);
		first = settle(id, "1", rows[i].outcome);
		EXPECT(first, 0, "_result", "ok");
		EXPECT(first, 0, "status", rows[i].status);
		again = settle(id, "1", rows[i].outcome);
		EXPECT(again, 0, "_result", "ok");
		EXPECT(again, 0, "status", rows[i].status);
		EXPECT(again, 0, "_ready", NULL);
		assert_string_equal(events_of(id), rows[i].event);
		EXPECT(CALL(TASK_ATTEMPTS, "id", id, "limit", "5"), 0, "outcome", rows[i].outcome);
		EXPECT_SQL("1", "SELECT count(*) FROM agentd_attempts WHERE task_id = '%s'", id);
		if (strcmp(rows[i].outcome, "complete") != 0)
			EXPECT(settle(id, "1", "complete"), 0, "_result", "stale");
	}
}

static void
test_settle_alone_twice_in_one_batch(void **state UNUSED)
{
	const char *id = make_task("sena", "5");
	struct db_answer *a, *b, *c, *d;

	lease_one("sena");
	queries_wait(ask_settle(id, "1", "release", NULL, NULL));
	lease_one("sena");
	a = ask_alone(id, "2", "complete");
	b = ask_alone(id, "1", "complete");
	c = ask_alone(id, "2", "complete");
	db_fixture_wait(&fixture);
	EXPECT(a, 0, "_result", "ok");
	d = queries_wait(ask_alone(id, "2", "fail")); /* another statement: beside the others it might come first */
	assert_int_equal(b->rows + c->rows + d->rows, 0);
	EXPECT(settle(id, "1", "complete"), 0, "_result", "stale");
	EXPECT(settle(id, "2", "complete"), 0, "_result", "ok");
	EXPECT(settle(id, "2", "fail"), 0, "_result", "stale");
	EXPECT(settle(id, "2", "fail"), 0, "status", "completed");
	EXPECT_SQL("2", "SELECT count(*) FROM agentd_attempts WHERE task_id = '%s'", id);
}

static void
test_cancel_of_each_state(void **state UNUSED)
{
	const char *waiting = make_task("a", "5"), *running = make_task("b", "5"), *done = make_task("c", "5");

	lease_one("b");
	work("c", "{}", NULL);
	EXPECT(settle(waiting, NULL, "cancel"), 0, "status", "cancelled");
	EXPECT(settle(waiting, NULL, "cancel"), 0, "_result", "ok"); /* once more is no fault */
	expect_task(waiting, "error_message", "cancelled by neo");
	EXPECT_SQL("0", "SELECT count(*) FROM agentd_attempts WHERE task_id = '%s'", waiting); /* nobody held it */
	EXPECT(settle(running, NULL, "cancel"), 0, "status", "cancelled");
	EXPECT(CALL(TASK_HEARTBEAT, "id", running, "epoch", "1"), 0, "cancel", "t");
	EXPECT(settle(running, "1", "complete"), 0, "_result", "stale");
	EXPECT(settle(done, NULL, "cancel"), 0, "_result", "stale");
	EXPECT(settle(done, NULL, "cancel"), 0, "status", "completed");
}

static void
test_task_patch(void **state UNUSED)
{
	const char *id = make_task("sena", "5"), *other = make_task("sena", "6");
	struct db_answer *answer;

	EXPECT(CALL(TASK_PATCH, "id", id, "priority", "9", "actor", "neo"), 0, "priority", "9");
	EXPECT(lease_one("sena"), 0, "id", id);
	answer = CALL(TASK_PATCH, "id", id, "priority", "1", "actor", "neo");
	EXPECT(answer, 0, "_refused", "only a task that waits can be changed; this one is processing");
	expect_task(id, "priority", "9");
	answer = CALL(TASK_PATCH, "id", other, "run_at", SQL("SELECT now() + interval '1 hour'"), "actor", "neo");
	EXPECT(answer, 0, "_ready", NULL);
	assert_int_equal(queries_wait(ask_lease("[\"sena\"]", "smith", "1"))->rows, 0);
	answer = CALL(TASK_PATCH, "id", other, "run_at", "2020-01-01T00:00:00Z", "actor", "neo");
	EXPECT(answer, 0, "_ready", "[\"sena\"]");
	EXPECT(lease_one("sena"), 0, "id", other);
	assert_string_equal(events_of(other), "task.created task.updated task.updated task.started");
	assert_int_equal(CALL(TASK_PATCH, "id", id, "priority", "1", "tenant", "1", "actor", "neo")->rows, 0);
	EXPECT_SQL("3", "SELECT count(*) FROM audit_log WHERE tenant = %s AND action = 'task.update'", fixture.tenant);
}

static void
test_task_retry(void **state UNUSED)
{
	const char *id = dead_task("sena"), *live = make_task("rune", "5");
	const char *inside = task_of(make_workflow("[{\"key\":\"a\",\"role\":\"a\"}]"), "a");
	struct db_answer *answer = CALL(TASK_RETRY, "id", id, "actor", "neo");

	EXPECT(answer, 0, "status", "pending");
	EXPECT(answer, 0, "_refused", NULL);
	EXPECT(answer, 0, "_ready", "[\"sena\"]");
	EXPECT(answer, 0, "error_message", NULL);
	EXPECT(lease_one("sena"), 0, "attempt", "1");
	expect_task(id, "epoch", "2");
	assert_non_null(db_answer_cell(CALL(TASK_RETRY, "id", id, "actor", "neo"), 0, "_refused"));
	assert_non_null(db_answer_cell(CALL(TASK_RETRY, "id", live, "actor", "neo"), 0, "_refused"));
	assert_non_null(strstr(db_answer_cell(CALL(TASK_RETRY, "id", inside, "actor", "neo"), 0, "_refused"), "workflow"));
	assert_int_equal(CALL(TASK_RETRY, "id", id, "actor", "neo", "tenant", "1")->rows, 0);
	EXPECT_SQL("1", "SELECT count(*) FROM audit_log WHERE tenant = %s AND action = 'task.retry'", fixture.tenant);
}

static void
test_dead_letters_and_redrive(void **state UNUSED)
{
	const char *one = dead_task("sena"), *two = dead_task("rune"), *three = dead_task("sena");
	struct db_answer *list = CALL(TASK_DEAD, "limit", "2"), *redriven;

	assert_int_equal(list->rows, 3);
	EXPECT(list, 0, "id", three);
	EXPECT(list, 0, "error_message", "it broke");
	EXPECT(CALL(TASK_DEAD, "limit", "2", "cursor", two), 0, "id", one);
	assert_int_equal(CALL(TASK_DEAD, "limit", "9", "role", "rune")->rows, 1);
	assert_int_equal(CALL(TASK_DEAD, "limit", "9", "tenant", "1")->rows, 0);
	redriven = CALL(TASK_REDRIVE, "role", "sena", "max", "1", "actor", "neo");
	EXPECT(redriven, 0, "redriven", "1");
	EXPECT(redriven, 0, "ids", text("[\"%s\"]", one)); /* the oldest */
	EXPECT(redriven, 0, "_ready", "[\"sena\"]");
	EXPECT(CALL(TASK_REDRIVE, "ids", text("[\"%s\",\"%s\"]", two, new_id()), "max", "9", "actor", "neo"), 0, "redriven",
	       "1");
	expect_task(three, "status", "dead");
	redriven = CALL(TASK_REDRIVE, "max", "9", "actor", "neo", "tenant", "1");
	EXPECT(redriven, 0, "redriven", "0");
	EXPECT(redriven, 0, "ids", "[]");
	EXPECT(redriven, 0, "_ready", NULL);
	EXPECT(CALL(TASK_REDRIVE, "max", "9", "actor", "neo"), 0, "redriven", "1");
	assert_string_equal(events_of(three), "task.created task.started task.dead task.reset");
	EXPECT_SQL("3", "SELECT count(*) FROM audit_log WHERE tenant = %s AND action = 'task.redrive'", fixture.tenant);
}

static void
test_task_delete(void **state UNUSED)
{
	const char *id = dead_task("sena"), *live = make_task("rune", "5");
	const char *inside = task_of(make_workflow("[{\"key\":\"a\",\"role\":\"a\"}]"), "a");

	assert_int_equal(CALL(TASK_DELETE, "id", id, "actor", "neo", "tenant", "1")->rows, 0);
	EXPECT(CALL(TASK_DELETE, "id", id, "actor", "neo"), 0, "_refused", NULL);
	assert_int_equal(CALL(TASK_GET, "id", id)->rows, 0);
	EXPECT_SQL("0", "SELECT count(*) FROM agentd_attempts WHERE task_id = '%s'", id);
	EXPECT(CALL(TASK_DELETE, "id", live, "actor", "neo"), 0, "_refused", "the task has not ended; cancel it first");
	EXPECT(CALL(TASK_DELETE, "id", inside, "actor", "neo"), 0, "_refused",
	       "the task belongs to a workflow: it goes when that is deleted");
	expect_task(live, "status", "pending");
	assert_int_equal(CALL(TASK_DELETE, "id", id, "actor", "neo")->rows, 0);
	assert_string_equal(events_of(id), "task.created task.started task.dead task.deleted");
}

static struct db_answer *
note_step(const char *task, const char *epoch, const char *status)
{
	return CALL(SUBTASK_CREATE, "new_id", new_id(), "id", task, "epoch", epoch, "description", "count", "status",
	            status, "input_data", "{\"n\": 1.0}");
}

static void
test_subtasks_are_the_holders(void **state UNUSED)
{
	const char *id = make_task("sena", "5"), *step;
	struct db_answer *answer;

	EXPECT(note_step(id, "1", "pending"), 0, "_result", "stale"); /* nobody holds it yet */
	lease_one("sena");
	answer = note_step(id, "1", "pending");
	EXPECT(answer, 0, "_result", "ok");
	EXPECT(answer, 0, "status", "pending");
	EXPECT(answer, 0, "started_at", NULL);
	step = db_answer_cell(answer, 0, "id");
	answer = CALL(SUBTASK_PATCH, "id", step, "epoch", "1", "status", "completed", "output_data", "[1]");
	EXPECT(answer, 0, "status", "completed");
	EXPECT(answer, 0, "input_data", "{\"n\": 1.0}");
	assert_non_null(db_answer_cell(answer, 0, "started_at"));
	assert_non_null(db_answer_cell(answer, 0, "completed_at"));
	EXPECT(note_step(id, "1", "processing"), 0, "completed_at", NULL);
	EXPECT(note_step(id, "2", "processing"), 0, "_result", "stale");
	EXPECT(note_step(new_id(), "1", "processing"), 0, "_result", "not_found");
	answer = CALL(SUBTASK_LIST, "id", id, "limit", "1");
	assert_int_equal(answer->rows, 2);
	EXPECT(answer, 0, "id", step);
	EXPECT(CALL(SUBTASK_LIST, "id", id, "limit", "5", "cursor", step), 0, "status", "processing");
	assert_int_equal(CALL(SUBTASK_LIST, "id", id, "limit", "5", "tenant", "1")->rows, 0);
	EXPECT(CALL(SUBTASK_PATCH, "id", step, "epoch", "1", "status", "failed", "tenant", "1"), 0, "_result", "not_found");
	settle(id, "1", "complete");
	answer = CALL(SUBTASK_PATCH, "id", step, "epoch", "1", "status", "failed");
	EXPECT(answer, 0, "_result", "stale");
	EXPECT(answer, 0, "status", "completed"); /* of the task */
	EXPECT_SQL("completed", "SELECT status FROM subtasks WHERE id = '%s'", step);
	CALL(TASK_DELETE, "id", id, "actor", "neo");
	EXPECT_SQL("0", "SELECT count(*) FROM subtasks WHERE tenant = %s", fixture.tenant);
}

/* A step that was pending again has not ended. */
static void
test_subtask_goes_back(void **state UNUSED)
{
	const char *id = make_task("sena", "5"), *step;

	lease_one("sena");
	step = db_answer_cell(note_step(id, "1", "failed"), 0, "id");
	EXPECT(CALL(SUBTASK_PATCH, "id", step, "epoch", "1", "status", "processing"), 0, "completed_at", NULL);
	EXPECT(CALL(SUBTASK_PATCH, "id", step, "epoch", "1", "status", "completed"), 0, "status", "completed");
	assert_non_null(
	    db_answer_cell(CALL(SUBTASK_PATCH, "id", step, "epoch", "1", "output_data", "2"), 0, "completed_at"));
}

/* A unique_key that somebody else has meanwhile: the old task cannot come back to life. */
static void
test_retry_of_a_key_that_is_taken(void **state UNUSED)
{
	const char *id = dead_task("sena");
	struct db_answer *answer;

	SQL("UPDATE tasks SET unique_key = 'k' WHERE id = '%s'", id);
	SQL("UPDATE tasks SET unique_key = 'k' WHERE id = '%s'", make_task("rune", "5"));
	answer = ASK(TASK_RETRY, "id", id, "actor", "neo");
	db_fixture_wait(&fixture);
	assert_int_equal(answer->status, DB_FAILED);
	assert_string_equal(answer->constraint, "tasks_unique");
	/* The others of a redrive do not suffer from it. */
	dead_task("sena");
	EXPECT(CALL(TASK_REDRIVE, "max", "9", "actor", "neo"), 0, "redriven", "1");
	expect_task(id, "status", "dead");
}

/* The same, of two dead letters with one key: one of them. */
static void
test_redrive_of_two_with_one_key(void **state UNUSED)
{
	const char *one = dead_task("sena"), *two = dead_task("sena");

	SQL("UPDATE tasks SET unique_key = 'k' WHERE id IN ('%s', '%s')", one, two);
	EXPECT(CALL(TASK_REDRIVE, "max", "9", "actor", "neo"), 0, "redriven", "1");
	expect_task(one, "status", "pending");
	expect_task(two, "status", "dead");
}

const struct CMUnitTest control_tests[] = {
    TEST(test_settle_alone_leaves_what_is_not_plain),
    TEST(test_settle_alone_beside_another),
    TEST(test_settle_alone_each_outcome),
    TEST(test_settle_alone_twice_in_one_batch),
    TEST(test_cancel_of_each_state),
    TEST(test_task_patch),
    TEST(test_task_retry),
    TEST(test_dead_letters_and_redrive),
    TEST(test_task_delete),
    TEST(test_subtasks_are_the_holders),
    TEST(test_subtask_goes_back),
    TEST(test_retry_of_a_key_that_is_taken),
    TEST(test_redrive_of_two_with_one_key),
};
const int control_test_count = ARRAY_LENGTH(control_tests);
