/* queries_workflows.c - graphs of tasks: dependencies, gates that ask for revisions, how workflows end. */
#include "base.h"

#include "queries.h"

static const char chain[] = "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]}]";
static const char diamond[] = "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]},"
                              "{\"key\":\"c\",\"role\":\"c\",\"depends_on\":[\"a\"]},"
                              "{\"key\":\"d\",\"role\":\"d\",\"depends_on\":[\"b\",\"c\"]}]";
/* As the template `review`: the gate may send back twice. */
static const char review[] =
    "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"a\"],"
    "\"gate\":{\"on_revision\":\"a\",\"max_rounds\":3}},{\"key\":\"x\",\"role\":\"x\",\"depends_on\":[\"a\",\"g\"]},"
    "{\"key\":\"r\",\"role\":\"r\",\"depends_on\":[\"a\",\"g\",\"x\"]}]";

static void
nothing_to_lease(const char *queue)
{
	struct db_answer *lease = queries_wait(ask_lease(text("[\"%s\"]", queue), "smith", "1"));

	if (lease->rows)
		fail_msg("a task of %s can be leased", queue);
}

static void
test_workflow_is_made_whole(void **state UNUSED)
{
	const char *id = make_workflow(diamond);
	struct db_answer *workflow = CALL(WORKFLOW_GET, "id", id), *tasks = CALL(WORKFLOW_TASKS, "id", id);

	EXPECT(workflow, 0, "status", "pending");
	EXPECT(workflow, 0, "created_by", "neo");
	EXPECT(workflow, 0, "input_data", "{\"problem\":7}");
	EXPECT_SQL("4 0 0",
	           "SELECT concat_ws(' ', p->>'total', p->>'completed', p->>'running') FROM (SELECT '%s'::json AS p) q",
	           db_answer_cell(workflow, 0, "progress"));
	assert_int_equal(tasks->rows, 4);
	EXPECT(tasks, 0, "key", "a");
	EXPECT(tasks, 0, "status", "pending");
	EXPECT(tasks, 3, "key", "d");
	EXPECT(tasks, 3, "status", "blocked");
	EXPECT(tasks, 3, "depends_on", "[\"b\", \"c\"]");
	EXPECT_SQL("workflow.create", "SELECT action FROM audit_log WHERE tenant = %s AND subject_id = '%s'",
	           fixture.tenant, id);
	assert_int_equal(CALL(WORKFLOW_GET, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(WORKFLOW_TASKS, "id", id, "tenant", "1")->rows, 0);
}

/* One row that PostgreSQL refuses, and nothing of the workflow is there. */
static void
test_workflow_that_fails_leaves_nothing(void **state UNUSED)
{
	struct db_answer *answer =
	    ASK(WORKFLOW_CREATE, "id", new_id(), "description", "d", "actor", "neo", "new_id", new_id(), "plan",
	        "{\"tasks\":[],\"dependencies\":[{\"n\":0,\"depends_on\":1}],\"revisions\":[]}");

	db_fixture_wait(&fixture);
	assert_int_equal(answer->status, DB_FAILED);
	assert_string_equal(answer->sqlstate, "23503");
	EXPECT_SQL("0", "SELECT count(*) FROM workflows WHERE tenant = %s", fixture.tenant);
	EXPECT_SQL("0", "SELECT count(*) FROM audit_log WHERE tenant = %s", fixture.tenant);
}

static void
test_workflow_list_filters_and_pages(void **state UNUSED)
{
	const char *first = make_workflow(chain), *second = make_workflow(chain);
	struct db_answer *page = CALL(WORKFLOW_LIST, "limit", "1");

	assert_int_equal(page->rows, 2);
	EXPECT(page, 0, "id", second);
	EXPECT(CALL(WORKFLOW_LIST, "limit", "1", "cursor", second), 0, "id", first);
	work("a", "{}", NULL);
	EXPECT(CALL(WORKFLOW_LIST, "limit", "9", "status", "running"), 0, "id", first);
	assert_int_equal(CALL(WORKFLOW_LIST, "limit", "9", "template", "review")->rows, 0);
	assert_int_equal(CALL(WORKFLOW_LIST, "limit", "9", "tenant", "1")->rows, 0);
}

static void
test_dependencies_unblock_and_hand_outputs_on(void **state UNUSED)
{
	const char *id = make_workflow(diamond);
	struct db_answer *lease, *settled;

	nothing_to_lease("b");
	lease = lease_one("a");
	EXPECT(lease, 0, "input_data", "{\"problem\":7}"); /* the workflow's, as it has none of its own */
	expect_workflow(id, "status", "running");
	settled = queries_wait(ask_settle(db_answer_cell(lease, 0, "id"), "1", "complete", "{\"n\": 1.0}", NULL));
	EXPECT(settled, 0, "_ready", "[\"b\", \"c\"]");
	work("b", "{\"b\":true}", NULL);
	nothing_to_lease("d");
	EXPECT(work("c", "\"c\"", NULL), 0, "dependencies", "{ \"a\" : {\"n\": 1.0} }");
	lease = lease_one("d");
	EXPECT(lease, 0, "dependencies", "{ \"b\" : {\"b\":true}, \"c\" : \"c\" }");
	EXPECT_SQL("3 1 75",
	           "SELECT concat_ws(' ', p->>'completed', p->>'running', p->>'percent') FROM (SELECT '%s'::json AS p) q",
	           db_answer_cell(CALL(WORKFLOW_GET, "id", id), 0, "progress"));
}

static void
test_dependencies_completed_in_one_batch_unblock_once(void **state UNUSED)
{
	const char *id = make_workflow(diamond);
	struct db_answer *first, *second;

	work("a", "{}", NULL);
	lease_one("b");
	lease_one("c");
	first = ask_settle(task_of(id, "b"), "1", "complete", "{}", NULL);
	second = ask_settle(task_of(id, "c"), "1", "complete", "{}", NULL);
	db_fixture_wait(&fixture);
	EXPECT(first, 0, "_result", "ok");
	EXPECT(second, 0, "_ready", "[\"d\"]");
	expect_task(task_of(id, "d"), "deps_left", "0");
	expect_task(task_of(id, "d"), "status", "pending");
	expect_workflow(id, "tasks_completed", "3");
}

static void
test_workflow_completes_with_output_and_verdict(void **state UNUSED)
{
	const char *id = make_workflow(chain);

	work("a", "{}", NULL);
	work("b", "{\"verdict\":\"final_approved\",\"score\":0.90}", "final_approved");
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "output_data", "{\"verdict\":\"final_approved\",\"score\":0.90}");
	expect_workflow(id, "verdict", "final_approved");
	expect_workflow(id, "tasks_completed", "2");
	expect_workflow(id, "completed_at IS NOT NULL", "true");
	/* A replay of the last settlement counts nothing twice. */
	EXPECT(queries_wait(ask_settle(task_of(id, "b"), "1", "complete", "{}", NULL)), 0, "_result", "ok");
	expect_workflow(id, "tasks_completed", "2");
}

static void
test_workflow_with_many_ends_gives_them_by_key(void **state UNUSED)
{
	const char *id = make_workflow("[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\"}]");

	work("b", "2", "approved");
	work("a", "1", NULL);
	expect_workflow(id, "output_data->>'a'", "1");
	expect_workflow(id, "output_data->>'b'", "2");
	expect_workflow(id, "verdict", NULL);
}

static void
test_workflow_fails_and_cancels_the_rest(void **state UNUSED)
{
	const char *id = make_workflow(diamond);
	struct db_answer *answer;

	work("a", "{}", NULL);
	lease_one("b");
	lease_one("c");
	answer = CALL(TASK_SETTLE, "id", task_of(id, "b"), "epoch", "1", "outcome", "fail", "retryable", "false",
	              "error_message", "no disk");
	EXPECT(answer, 0, "status", "failed");
	expect_workflow(id, "status", "failed");
	expect_workflow(id, "error_message", "task b: no disk");
	expect_workflow(id, "concat_ws(' ', tasks_completed, tasks_failed, tasks_cancelled)", "1 1 2");
	expect_task(task_of(id, "c"), "status", "cancelled");
	expect_task(task_of(id, "d"), "status", "cancelled");
	/* Who still works on it is told, and cannot finish it. */
	EXPECT(CALL(TASK_HEARTBEAT, "id", task_of(id, "c"), "epoch", "1"), 0, "cancel", "t");
	EXPECT(queries_wait(ask_settle(task_of(id, "c"), "1", "complete", "{}", NULL)), 0, "_result", "stale");
	expect_task(task_of(id, "c"), "status", "cancelled");
	expect_workflow(id, "tasks_completed", "1");
}

static void
test_workflow_goes_on_after_a_retry(void **state UNUSED)
{
	const char *id = make_workflow(chain);

	lease_one("a");
	EXPECT(queries_wait(ask_settle(task_of(id, "a"), "1", "fail", NULL, NULL)), 0, "status", "retrying");
	expect_workflow(id, "status", "running");
	expect_workflow(id, "tasks_failed", "0");
	db_fixture_advance(&fixture, 2000);
	CALL(KEEPER_DUE);
	work("a", "{}", NULL);
	work("b", "{}", NULL);
	expect_workflow(id, "status", "completed");
}

static void
test_workflow_cancel(void **state UNUSED)
{
	const char *id = make_workflow(diamond);
	struct db_answer *answer;

	work("a", "{}", NULL);
	lease_one("b");
	assert_int_equal(CALL(WORKFLOW_CANCEL, "id", id, "actor", "neo", "tenant", "1")->rows, 0);
	expect_workflow(id, "status", "running");
	answer = CALL(WORKFLOW_CANCEL, "id", id, "actor", "neo", "address", "127.0.0.1", "request_id", "r2");
	EXPECT(answer, 0, "status", "cancelled");
	EXPECT(answer, 0, "error_message", "cancelled by neo");
	expect_workflow(id, "tasks_cancelled", "3");
	nothing_to_lease("c");
	EXPECT(queries_wait(ask_settle(task_of(id, "b"), "1", "complete", "{}", NULL)), 0, "_result", "stale");
	EXPECT(CALL(WORKFLOW_CANCEL, "id", id, "actor", "smith"), 0, "error_message", "cancelled by neo");
	EXPECT_SQL("1", "SELECT count(*) FROM audit_log WHERE tenant = %s AND action = 'workflow.cancel'", fixture.tenant);
}

static void
test_gate_sends_back_with_feedback(void **state UNUSED)
{
	const char *id = make_workflow(review), *a = task_of(id, "a"), *g = task_of(id, "g");
	struct db_answer *settled, *lease;

	work("a", "{\"draft\":1}", NULL);
	lease_one("g");
	settled = queries_wait(ask_settle(g, "1", "complete", "{\"feedback\":\"more\"}", "needs_revision"));
	EXPECT(settled, 0, "status", "blocked");
	EXPECT(settled, 0, "round", "2");
	EXPECT(settled, 0, "_ready", "[\"a\"]");
	expect_workflow(id, "tasks_completed", "0");
	expect_task(a, "status", "pending");
	expect_task(a, "output_data", NULL);
	expect_task(task_of(id, "x"), "deps_left", "2");
	expect_task(task_of(id, "r"), "deps_left", "3");
	nothing_to_lease("x");
	lease = work("a", "{\"draft\":2}", NULL);
	EXPECT(lease, 0, "feedback", "{\"feedback\":\"more\"}");
	EXPECT(lease, 0, "round", "2");
	EXPECT(lease, 0, "attempt", "1");
	EXPECT(lease, 0, "epoch", "2");
	nothing_to_lease("x");
	lease = work("g", "{\"verdict\":\"approved\"}", "approved");
	EXPECT(lease, 0, "dependencies", "{ \"a\" : {\"draft\":2} }");
	EXPECT(lease, 0, "round", "2");
	work("x", "{}", NULL);
	work("r", "{}", "final_approved");
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "tasks_completed", "4");
	expect_workflow(id, "verdict", "final_approved");
}

static void
test_gate_rounds_keep_old_outputs(void **state UNUSED)
{
	const char *id = make_workflow(review);
	struct db_answer *list;

	work("a", "{\"draft\":1}", NULL);
	work("g", "{\"more\":1}", "needs_revision");
	work("a", "{\"draft\":2}", NULL);
	work("g", "{\"ok\":1}", "approved");
	list = CALL(TASK_ATTEMPTS, "id", task_of(id, "a"), "limit", "10");
	assert_int_equal(list->rows, 2);
	EXPECT(list, 1, "round", "1");
	EXPECT(list, 1, "output_data", "{\"draft\":1}");
	EXPECT(list, 0, "round", "2");
	EXPECT(list, 0, "output_data", NULL); /* the task has it */
	list = CALL(TASK_ATTEMPTS, "id", task_of(id, "g"), "limit", "10");
	EXPECT(list, 1, "round", "1");
	EXPECT(list, 1, "output_data", "{\"more\":1}");
	expect_task(task_of(id, "g"), "output_data", "{\"ok\":1}");
}

static void
test_gate_refuses_in_the_last_round(void **state UNUSED)
{
	const char *id = make_workflow(review);

	for (int round = 1; round <= 3; round++) {
		EXPECT(work("a", "{}", NULL), 0, "round", text("%d", round));
		expect_workflow(id, "status", "running");
		work("g", text("{\"round\":%d}", round), "needs_revision");
	}
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "verdict", "rejected");
	expect_workflow(id, "output_data", "{\"round\":3}");
	expect_workflow(id, "concat_ws(' ', tasks_completed, tasks_failed, tasks_cancelled)", "2 0 2");
	expect_task(task_of(id, "x"), "status", "cancelled");
	expect_task(task_of(id, "x"), "error_message", "a gate refused the work");
}

static void
test_gate_that_rejects_ends_the_workflow(void **state UNUSED)
{
	const char *id = make_workflow(review);

	work("a", "{}", NULL);
	work("g", "{\"why\":\"unsafe\"}", "rejected");
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "verdict", "rejected");
	expect_workflow(id, "output_data", "{\"why\":\"unsafe\"}");
	nothing_to_lease("x");
}

/* needs_revision is only a word in the output of a task that is no gate. */
static void
test_verdict_of_a_plain_task_sends_nothing_back(void **state UNUSED)
{
	const char *id = make_workflow(chain);

	work("a", "{}", "needs_revision");
	work("b", "{}", "rejected");
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "verdict", "rejected");
	expect_task(task_of(id, "a"), "round", "1");
}

/* A long segment, with a task beside it that waits for a task inside. */
static void
test_gate_rearms_the_segment_and_who_waits_for_it(void **state UNUSED)
{
	const char *id = make_workflow(
	    "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]},"
	    "{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"a\",\"b\"],\"gate\":{\"on_revision\":\"a\"}},"
	    "{\"key\":\"slow\",\"role\":\"slow\"},{\"key\":\"side\",\"role\":\"side\",\"depends_on\":[\"b\",\"slow\"]}]");

	work("a", "{}", NULL);
	work("b", "{}", NULL);
	expect_task(task_of(id, "side"), "deps_left", "1");
	work("g", "{}", "needs_revision");
	expect_task(task_of(id, "side"), "deps_left", "2");
	expect_task(task_of(id, "b"), "status", "blocked");
	work("slow", "{}", NULL);
	nothing_to_lease("side");
	nothing_to_lease("b");
	work("a", "{}", NULL);
	nothing_to_lease("g");
	work("b", "{\"second\":1}", NULL);
	EXPECT(work("side", "{}", NULL), 0, "dependencies", "{ \"b\" : {\"second\":1}, \"slow\" : {} }");
	work("g", "{}", "approved");
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "tasks_completed", "5");
}

static const char two_gates[] =
    "[{\"key\":\"a\",\"role\":\"a\"},"
    "{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"a\"}},"
    "{\"key\":\"h\",\"role\":\"h\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"a\"}},"
    "{\"key\":\"z\",\"role\":\"z\",\"depends_on\":[\"g\",\"h\"]}]";

static void
finish_two_gates(const char *id)
{
	work("a", "{}", NULL);
	work("g", "{}", "approved");
	work("h", "{}", "approved");
	work("z", "{}", NULL);
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "tasks_completed", "4");
}

/* Two gates look at one task, and both send it back: one after the other. */
static void
test_two_gates_send_back_one_after_the_other(void **state UNUSED)
{
	const char *id = make_workflow(two_gates);

	work("a", "{}", NULL);
	lease_one("h");
	work("g", "{}", "needs_revision");
	queries_wait(ask_settle(task_of(id, "h"), "1", "complete", "{}", "needs_revision"));
	finish_two_gates(id);
}

static void
test_two_gates_send_back_in_one_batch(void **state UNUSED)
{
	const char *id = make_workflow(two_gates);

	work("a", "{}", NULL);
	lease_one("g");
	lease_one("h");
	ask_settle(task_of(id, "g"), "1", "complete", "{}", "needs_revision");
	ask_settle(task_of(id, "h"), "1", "complete", "{}", "needs_revision");
	db_fixture_wait(&fixture);
	expect_workflow(id, "tasks_completed", "0");
	finish_two_gates(id);
}

/* In one batch a gate sends back, and the last thing that somebody beside it waits for completes. */
static void
test_gate_sends_back_while_others_complete(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"slow\",\"role\":\"slow\"},"
	                  "{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"a\"}},"
	                  "{\"key\":\"side\",\"role\":\"side\",\"depends_on\":[\"a\",\"slow\"]}]");

	work("a", "{}", NULL);
	lease_one("g");
	lease_one("slow");
	ask_settle(task_of(id, "slow"), "1", "complete", "{}", NULL);
	ask_settle(task_of(id, "g"), "1", "complete", "{}", "needs_revision");
	db_fixture_wait(&fixture);
	nothing_to_lease("side");
	expect_workflow(id, "tasks_completed", "1");
	work("a", "{\"second\":1}", NULL);
	EXPECT(work("side", "{}", NULL), 0, "dependencies", "{ \"a\" : {\"second\":1}, \"slow\" : {} }");
	work("g", "{}", "approved");
	expect_workflow(id, "status", "completed");
}

/* Two gates with segments that overlap but are not the same, both in one batch. */
static void
test_two_gates_with_different_segments(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"c\",\"role\":\"c\"},"
	                  "{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\",\"c\"]},"
	                  "{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"b\"],\"gate\":{\"on_revision\":\"a\"}},"
	                  "{\"key\":\"h\",\"role\":\"h\",\"depends_on\":[\"b\",\"c\"],\"gate\":{\"on_revision\":\"c\"}}]");

	work("a", "{}", NULL);
	work("c", "{}", NULL);
	work("b", "{}", NULL);
	lease_one("g");
	lease_one("h");
	ask_settle(task_of(id, "g"), "1", "complete", "{}", "needs_revision");
	ask_settle(task_of(id, "h"), "1", "complete", "{}", "needs_revision");
	db_fixture_wait(&fixture);
	work("c", "{}", NULL);
	nothing_to_lease("b");
	work("a", "{}", NULL);
	work("b", "{}", NULL);
	work("g", "{}", "approved");
	work("h", "{}", "approved");
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "tasks_completed", "5");
}

static void
test_gate_within_a_gate(void **state UNUSED)
{
	const char *id = make_workflow(
	    "[{\"key\":\"a\",\"role\":\"a\"},"
	    "{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"a\",\"max_rounds\":2}},"
	    "{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"g\"]},"
	    "{\"key\":\"h\",\"role\":\"h\",\"depends_on\":[\"b\"],\"gate\":{\"on_revision\":\"a\",\"max_rounds\":3}}]");

	work("a", "{}", NULL);
	work("g", "{}", "needs_revision");
	work("a", "{}", NULL);
	work("g", "{}", "approved");
	work("b", "{}", NULL);
	work("h", "{}", "needs_revision");
	expect_task(task_of(id, "g"), "status", "blocked");
	work("a", "{}", NULL);
	work("g", "{}", "approved");
	work("b", "{}", NULL);
	work("h", "{}", "approved");
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "tasks_completed", "4");
}

const struct CMUnitTest workflow_tests[] = {
    TEST(test_workflow_is_made_whole),
    TEST(test_workflow_that_fails_leaves_nothing),
    TEST(test_workflow_list_filters_and_pages),
    TEST(test_dependencies_unblock_and_hand_outputs_on),
    TEST(test_dependencies_completed_in_one_batch_unblock_once),
    TEST(test_workflow_completes_with_output_and_verdict),
    TEST(test_workflow_with_many_ends_gives_them_by_key),
    TEST(test_workflow_fails_and_cancels_the_rest),
    TEST(test_workflow_goes_on_after_a_retry),
    TEST(test_workflow_cancel),
    TEST(test_gate_sends_back_with_feedback),
    TEST(test_gate_rounds_keep_old_outputs),
    TEST(test_gate_refuses_in_the_last_round),
    TEST(test_gate_that_rejects_ends_the_workflow),
    TEST(test_verdict_of_a_plain_task_sends_nothing_back),
    TEST(test_gate_rearms_the_segment_and_who_waits_for_it),
    TEST(test_two_gates_send_back_one_after_the_other),
    TEST(test_two_gates_send_back_in_one_batch),
    TEST(test_gate_sends_back_while_others_complete),
    TEST(test_two_gates_with_different_segments),
    TEST(test_gate_within_a_gate),
};
const int workflow_test_count = ARRAY_LENGTH(workflow_tests);
