/*
 * queries_graph.c - what may change the way through a graph: conditions, decisions of people, tasks that join later,
 * deadlines, pauses, another try.
 */
#include "base.h"

#include "field.h"
#include "graph.h"
#include "queries.h"

/* b runs if a says so, c after b, d after a and c. */
static const char branch[] =
    "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"],\"condition\":{\"task\":"
    "\"a\","
    "\"path\":\"/go\",\"op\":\"eq\",\"value\":true}},{\"key\":\"c\",\"role\":\"c\",\"depends_on\":[\"b\"]},"
    "{\"key\":\"d\",\"role\":\"d\",\"depends_on\":[\"a\",\"c\"]}]";

static struct db_answer *
settle_task(const char *id, const char *outcome, const char *output, const char *verdict)
{
	return CALL(TASK_SETTLE, "id", id, "outcome", outcome, "output_data", output, "verdict", verdict, "retryable",
	            "true", "actor", "neo", "error_message", strcmp(outcome, "skip") == 0 ? "skipped: so" : NULL);
}

static struct db_answer *
settle(const char *workflow, const char *key, const char *outcome, const char *output, const char *verdict)
{
	return settle_task(task_of(workflow, key), outcome, output, verdict);
}

static const char *
states(const char *workflow)
{
	return SQL("SELECT string_agg(key || ':' || CASE WHEN skipped THEN 'skipped' ELSE status END, ' ' ORDER BY key)"
	           " FROM tasks WHERE workflow_id = '%s'",
	           workflow);
}

#define EXPECT_STATES(workflow, expected) assert_string_equal(states(workflow), expected)

static const char *
kinds(const char *workflow)
{
	return SQL("SELECT string_agg(i ->> 'kind', ' ' ORDER BY e.xid, e.seq, o) FROM events e,"
	           " agentd_events(e.items) AS x(o, i)"
	           " WHERE e.tenant = %s AND e.workflow_id = '%s'",
	           fixture.tenant, workflow);
}

static void
nothing_to_lease(const char *queue)
{
	struct db_answer *lease = queries_wait(ask_lease(text("[\"%s\"]", queue), "smith", "1"));

	if (lease->rows)
		fail_msg("a task of %s can be leased", queue);
}

static void
test_condition_waits_to_be_judged(void **state UNUSED)
{
	const char *id = make_workflow(branch), *b = task_of(id, "b");
	struct db_answer *settled, *undecided;

	assert_int_equal(CALL(TASK_UNDECIDED, "id", b)->rows, 0); /* not yet */
	lease_one("a");
	settled = queries_wait(ask_settle(task_of(id, "a"), "1", "complete", "{\"go\": true}", NULL));
	EXPECT(settled, 0, "_ready", NULL);
	EXPECT(settled, 0, "_undecided", text("[\"%s\"]", b));
	nothing_to_lease("b");
	undecided = CALL(TASK_UNDECIDED, "id", b);
	EXPECT(undecided, 0, "outputs", "{ \"a\" : {\"go\": true} }");
	assert_non_null(strstr(db_answer_cell(undecided, 0, "condition"), "/go"));
	EXPECT(CALL(KEEPER_UNDECIDED), 0, "id", b);
	assert_int_equal(CALL(TASK_UNDECIDED, "id", b, "tenant", "1")->rows, 0);
	EXPECT(settle(id, "b", "go", NULL, NULL), 0, "_ready", "[\"b\"]");
	assert_int_equal(CALL(KEEPER_UNDECIDED)->rows, 0);
	/* Judged again by the keeper at the same time: nothing comes of it. */
	EXPECT(settle(id, "b", "skip", NULL, NULL), 0, "_result", "stale");
	work("b", "{}", NULL);
	work("c", "{}", NULL);
	work("d", "{}", NULL);
	expect_workflow(id, "status", "completed");
}

static void
test_skip_goes_on_to_what_waits(void **state UNUSED)
{
	const char *id = make_workflow(branch);
	struct db_answer *settled;

	work("a", "{}", NULL);
	settled = settle(id, "b", "skip", NULL, NULL);
	EXPECT(settled, 0, "_result", "ok");
	EXPECT(settled, 0, "_undecided", text("[\"%s\"]", task_of(id, "c"))); /* all it waited for was skipped */
	EXPECT(CALL(TASK_UNDECIDED, "id", task_of(id, "c")), 0, "outputs", NULL);
	settle(id, "c", "skip", NULL, NULL);
	/* d has the output of a: it runs. */
	EXPECT(CALL(TASK_UNDECIDED, "id", task_of(id, "d")), 0, "outputs", "{ \"a\" : {} }");
	settle(id, "d", "go", NULL, NULL);
	EXPECT(lease_one("d"), 0, "dependencies", "{ \"a\" : {} }");
	EXPECT_STATES(id, "a:completed b:skipped c:skipped d:processing");
	queries_wait(ask_settle(task_of(id, "d"), "1", "complete", "{\"d\":1}", NULL));
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "concat_ws(' ', tasks_completed, tasks_skipped, tasks_cancelled)", "2 2 0");
	expect_workflow(id, "output_data", "{\"d\":1}");
	assert_string_equal(kinds(id), "workflow.created task.started workflow.started task.completed task.skipped"
	                               " task.skipped task.ready task.started task.completed workflow.completed");
}

static void
test_workflow_of_which_the_end_is_skipped(void **state UNUSED)
{
	const char *id = make_workflow(
	    "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"],\"condition\":"
	    "{\"task\":\"a\",\"op\":\"absent\"}}]");

	work("a", "{\"a\":1}", NULL);
	settle(id, "b", "skip", NULL, NULL);
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "output_data", NULL);
	expect_workflow(id, "verdict", NULL);
}

static const char person[] =
    "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"g\",\"depends_on\":[\"a\"],\"gate\":{\"approval\":true,"
    "\"on_revision\":\"a\",\"max_rounds\":2}},{\"key\":\"z\",\"role\":\"z\",\"depends_on\":[\"g\"]}]";

static void
test_approve(void **state UNUSED)
{
	const char *id = make_workflow(person), *g = task_of(id, "g");
	struct db_answer *settled;

	EXPECT(settle_task(g, "approve", "{}", "approved"), 0, "_result", "stale"); /* its turn has not come */
	work("a", "{}", NULL);
	expect_task(g, "concat_ws(' ', status, approval, ready_at)", "pending t");
	assert_int_equal(queries_wait(ask_lease("[\"\"]", "smith", "1"))->rows, 0);
	settled = settle_task(g, "approve", "{\"verdict\":\"approved\",\"by\":\"neo\"}", "approved");
	EXPECT(settled, 0, "status", "completed");
	EXPECT(settled, 0, "_ready", "[\"z\"]");
	EXPECT(settle_task(g, "approve", "{}", "approved"), 0, "_result", "ok"); /* once more is no fault */
	EXPECT(settle_task(g, "reject", "{}", "rejected"), 0, "_result", "stale");
	EXPECT(CALL(TASK_ATTEMPTS, "id", g, "limit", "5"), 0, "agent_id", "neo");
	EXPECT(work("z", "{}", NULL), 0, "dependencies", "{ \"g\" : {\"verdict\":\"approved\",\"by\":\"neo\"} }");
	expect_workflow(id, "status", "completed");
	EXPECT(settle(id, "z", "approve", "{}", "approved"), 0, "_result", "stale"); /* it waits for nobody */
}

static void
test_reject_and_send_back(void **state UNUSED)
{
	const char *id = make_workflow(person), *g = task_of(id, "g");

	work("a", "{}", NULL);
	EXPECT(settle_task(g, "reject", "{\"comment\":\"more\"}", "needs_revision"), 0, "status", "blocked");
	EXPECT(work("a", "{}", NULL), 0, "feedback", "{\"comment\":\"more\"}");
	expect_task(g, "concat_ws(' ', status, round)", "pending 2");
	/* The last round: what would go back is refused. */
	EXPECT(settle_task(g, "reject", "{\"comment\":\"no\"}", "needs_revision"), 0, "status", "completed");
	expect_workflow(id, "concat_ws(' ', status, verdict)", "completed rejected");
	expect_workflow(id, "output_data", "{\"comment\":\"no\"}");
	EXPECT_STATES(id, "a:completed g:completed z:cancelled");
	EXPECT_SQL("2", "SELECT count(*) FROM agentd_attempts WHERE task_id = '%s'", g);
}

/* A person is told, however the task came to wait for one. */
static void
test_events_of_approvals(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"first\",\"gate\":{\"approval\":true}},{\"key\":\"then\",\"depends_on\":"
	                  "[\"first\"],\"gate\":{\"approval\":true}},{\"key\":\"last\",\"depends_on\":[\"then\"],"
	                  "\"gate\":{\"approval\":true},\"condition\":{\"task\":\"then\",\"op\":\"exists\"}}]");

	settle(id, "first", "approve", "{}", "approved");
	settle(id, "then", "approve", "{}", "approved");
	settle(id, "last", "go", NULL, NULL);
	settle(id, "last", "approve", "{}", "approved");
	assert_string_equal(kinds(id), "workflow.created task.waits_for_approval task.completed task.waits_for_approval"
	                               " workflow.started task.completed task.waits_for_approval task.completed"
	                               " workflow.completed");
	/* Sent back to a person, and asked again with the rest. */
	id = make_workflow(
	    "[{\"key\":\"p\",\"gate\":{\"approval\":true}},{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"p\"],"
	    "\"gate\":{\"on_revision\":\"p\"}}]");
	settle(id, "p", "approve", "{}", "approved");
	work("g", "{}", "needs_revision");
	CALL(WORKFLOW_CANCEL, "id", id, "actor", "neo");
	CALL(WORKFLOW_RETRY, "id", id, "actor", "neo");
	assert_non_null(strstr(kinds(id), "task.reset task.waits_for_approval task.cancelled"));
	EXPECT_SQL("3", "SELECT count(*) FROM string_to_table('%s', ' ') k WHERE k = 'task.waits_for_approval'", kinds(id));
	EXPECT(settle(id, "p", "approve", "{}", "approved"), 0, "_result", "ok");
}

static void
test_cancel_of_a_task_fails_its_workflow(void **state UNUSED)
{
	const char *id = make_workflow(branch);

	lease_one("a");
	EXPECT(settle(id, "a", "cancel", NULL, NULL), 0, "status", "cancelled");
	expect_workflow(id, "concat_ws(', ', status, error_message)", "failed, task a: cancelled by neo");
	EXPECT_STATES(id, "a:cancelled b:cancelled c:cancelled d:cancelled");
	EXPECT(CALL(TASK_HEARTBEAT, "id", task_of(id, "a"), "epoch", "1"), 0, "cancel", "t");
}

/* What is not blocked yet is not there for a gate to forget: it waits again too. */
static void
test_gate_takes_back_what_is_ready(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"a\",\"role\":\"a\"},"
	                  "{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"a\"}},"
	                  "{\"key\":\"side\",\"role\":\"side\",\"depends_on\":[\"a\"]}]");

	work("a", "{\"first\":1}", NULL);
	work("g", "{}", "needs_revision");
	nothing_to_lease("side"); /* the output that it waits for is gone */
	work("a", "{\"second\":1}", NULL);
	EXPECT(work("side", "{}", NULL), 0, "dependencies", "{ \"a\" : {\"second\":1} }");
	work("g", "{}", "approved");
	expect_workflow(id, "status", "completed");
}

/* A skipped part that runs again is judged again. */
static void
test_gate_sends_back_over_a_skipped_task(void **state UNUSED)
{
	const char *id = make_workflow(
	    "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"],\"condition\":"
	    "{\"task\":\"a\",\"path\":\"/go\",\"op\":\"exists\"}},"
	    "{\"key\":\"g\",\"role\":\"g\",\"depends_on\":[\"a\",\"b\"],\"gate\":{\"on_revision\":\"a\"}}]");

	work("a", "{}", NULL);
	settle(id, "b", "skip", NULL, NULL);
	settle(id, "g", "go", NULL, NULL);
	work("g", "{}", "needs_revision");
	EXPECT_STATES(id, "a:pending b:blocked g:blocked");
	expect_workflow(id, "concat_ws(' ', tasks_completed, tasks_skipped)", "0 0");
	work("a", "{\"go\":1}", NULL);
	settle(id, "b", "go", NULL, NULL);
	work("b", "{}", NULL);
	work("g", "{}", "approved");
	expect_workflow(id, "concat_ws(' ', status, tasks_completed, tasks_skipped)", "completed 3 0");
}

static struct db_answer *
append(const char *workflow, const char *holder, const char *epoch, const char *tasks, const char *before)
{
	struct field_errors errors = {.arena = &fixture.arena};
	struct graph_plan plan;
	struct json_error error;
	struct json json;

	if (!json_parse(&fixture.arena, slice_of(tasks), &json, &error))
		fail_msg("the graph is not JSON: %s", error.reason);
	if (!graph_compile(&json, 0, "/tasks", true, &fixture.arena, &plan, &errors))
		fail_msg("the graph: %s %s", errors.list[0].pointer, errors.list[0].detail);
	return CALL(WORKFLOW_APPEND, "id", workflow, "task_id", task_of(workflow, holder), "epoch", epoch, "new_id",
	            new_id(), "plan", plan.text.data, "keys", plan.keys.data, "before", before);
}

static const char chain[] = "[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]}]";
static const char two_more[] = "[{\"key\":\"x\",\"role\":\"x\",\"depends_on\":[\"a\"]},{\"key\":\"y\",\"role\":\"y\","
                               "\"depends_on\":[\"x\"]},{\"key\":\"w\",\"role\":\"w\"}]";

static void
test_append(void **state UNUSED)
{
	const char *id = make_workflow(chain);
	struct db_answer *answer;

	lease_one("a");
	answer = append(id, "a", "1", two_more, "[\"b\"]");
	EXPECT(answer, 0, "_result", NULL);
	EXPECT(answer, 0, "_refused", NULL);
	EXPECT(answer, 0, "_ready", "[\"w\"]");
	expect_workflow(id, "tasks_total", "5");
	expect_task(task_of(id, "b"), "deps_left", "4");
	expect_task(task_of(id, "x"), "parent_id", task_of(id, "a"));
	queries_wait(ask_settle(task_of(id, "a"), "1", "complete", "{\"a\":1}", NULL));
	nothing_to_lease("b");
	EXPECT(work("x", "1", NULL), 0, "dependencies", "{ \"a\" : {\"a\":1} }");
	work("y", "2", NULL);
	work("w", "3", NULL);
	lease_one("b");
	queries_wait(ask_settle(task_of(id, "b"), "1", "complete", "{\"b\":1}", NULL));
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "output_data", "{\"b\":1}"); /* what b waited for is not an end */
}

/* Without `before`, what was appended are ends of their own. */
static void
test_append_of_more_ends(void **state UNUSED)
{
	const char *id = make_workflow(chain);

	work("a", "{}", NULL);
	lease_one("b");
	append(id, "b", "1", "[{\"key\":\"x\",\"role\":\"x\",\"depends_on\":[\"a\",\"b\"]}]", "[]");
	expect_task(task_of(id, "x"), "deps_left", "1"); /* a is done */
	queries_wait(ask_settle(task_of(id, "b"), "1", "complete", "{\"b\":1}", NULL));
	expect_workflow(id, "status", "running");
	work("x", "{\"x\":1}", NULL);
	expect_workflow(id, "output_data", "{\"x\":1}");
}

static void
test_append_is_refused(void **state UNUSED)
{
	const char *id = make_workflow(chain), *x = "[{\"key\":\"x\",\"role\":\"x\"}]";

	EXPECT(append(id, "a", "1", x, "[]"), 0, "_result", "stale"); /* nobody holds it */
	lease_one("a");
	EXPECT(append(id, "a", "2", x, "[]"), 0, "_result", "stale");
	assert_non_null(db_answer_cell(append(id, "a", "1", "[{\"key\":\"b\",\"role\":\"x\"}]", "[]"), 0, "_refused"));
	assert_non_null(db_answer_cell(
	    append(id, "a", "1", "[{\"key\":\"x\",\"role\":\"x\",\"depends_on\":[\"zz\"]}]", "[]"), 0, "_refused"));
	assert_non_null(db_answer_cell(append(id, "a", "1", x, "[\"a\"]"), 0, "_refused")); /* it does not wait */
	assert_non_null(db_answer_cell(append(id, "a", "1", x, "[\"zz\"]"), 0, "_refused"));
	assert_int_equal(CALL(WORKFLOW_APPEND, "id", make_workflow(chain), "task_id", task_of(id, "a"), "epoch", "1",
	                      "new_id", new_id(), "plan", "{\"tasks\":[]}", "keys", "[]", "before", "[]")
	                     ->rows,
	                 0);
	expect_workflow(id, "tasks_total", "2");
	EXPECT_SQL("4", "SELECT count(*) FROM tasks WHERE tenant = %s", fixture.tenant);
}

/* x waits for b and b for x: neither would ever run. */
static void
test_append_of_a_circle_is_refused(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]},"
	                  "{\"key\":\"c\",\"role\":\"c\",\"depends_on\":[\"b\"]}]");

	lease_one("a");
	assert_non_null(db_answer_cell(
	    append(id, "a", "1", "[{\"key\":\"x\",\"role\":\"x\",\"depends_on\":[\"b\"]}]", "[\"b\"]"), 0, "_refused"));
	assert_non_null(db_answer_cell(
	    append(id, "a", "1", "[{\"key\":\"x\",\"role\":\"x\",\"depends_on\":[\"c\"]}]", "[\"b\"]"), 0, "_refused"));
	expect_workflow(id, "tasks_total", "3");
	EXPECT(append(id, "a", "1", "[{\"key\":\"x\",\"role\":\"x\",\"depends_on\":[\"b\"]}]", "[\"c\"]"), 0, "_refused",
	       NULL);
}

static void
test_append_to_a_paused_workflow(void **state UNUSED)
{
	const char *id = make_workflow(chain);

	lease_one("a");
	CALL(WORKFLOW_PATCH, "id", id, "paused", "true", "actor", "neo");
	EXPECT(append(id, "a", "1", "[{\"key\":\"x\",\"role\":\"x\"}]", "[]"), 0, "_ready", NULL);
	nothing_to_lease("x");
	CALL(WORKFLOW_PATCH, "id", id, "paused", "false", "actor", "neo");
	work("x", "{}", NULL);
}

static struct db_answer *
wait_for(const char *workflow, const char *key, const char *other)
{
	return CALL(TASK_ADD_DEPENDENCY, "actor", "neo", "id", task_of(workflow, key), "depends_on",
	            task_of(workflow, other));
}

static void
test_add_dependency(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]},"
	                  "{\"key\":\"c\",\"role\":\"c\"},{\"key\":\"d\",\"role\":\"d\"}]");
	const char *outside = make_task("sena", "5");

	EXPECT(wait_for(id, "c", "b"), 0, "_refused", NULL);
	EXPECT(wait_for(id, "c", "b"), 0, "_status", "200"); /* known already */
	expect_task(task_of(id, "c"), "concat_ws(' ', status, deps_left)", "blocked 1");
	nothing_to_lease("c");
	assert_non_null(strstr(db_answer_cell(wait_for(id, "a", "c"), 0, "_refused"), "circle"));
	assert_non_null(strstr(db_answer_cell(wait_for(id, "a", "a"), 0, "_refused"), "circle"));
	assert_non_null(db_answer_cell(
	    CALL(TASK_ADD_DEPENDENCY, "actor", "neo", "id", task_of(id, "a"), "depends_on", outside), 0, "_refused"));
	assert_non_null(db_answer_cell(
	    CALL(TASK_ADD_DEPENDENCY, "actor", "neo", "id", outside, "depends_on", task_of(id, "a")), 0, "_refused"));
	assert_non_null(db_answer_cell(
	    CALL(TASK_ADD_DEPENDENCY, "actor", "neo", "id", task_of(id, "a"), "depends_on", new_id()), 0, "_refused"));
	assert_int_equal(CALL(TASK_ADD_DEPENDENCY, "actor", "neo", "id", new_id(), "depends_on", outside)->rows, 0);
	work("a", "1", NULL);
	EXPECT(wait_for(id, "d", "a"), 0, "_refused", NULL); /* done already */
	EXPECT(work("d", "{}", NULL), 0, "dependencies", "{ \"a\" : 1 }");
	assert_non_null(strstr(db_answer_cell(wait_for(id, "d", "b"), 0, "_refused"), "completed"));
	work("b", "{}", NULL);
	work("c", "\"c\"", NULL);
	expect_workflow(id, "status", "completed");
	expect_workflow(id, "output_data", "{ \"c\" : \"c\", \"d\" : {} }");
}

static void
test_dependencies_and_tasks_in_pages(void **state UNUSED)
{
	const char *id = make_workflow(branch);
	struct db_answer *page = CALL(TASK_DEPENDENCIES, "id", task_of(id, "b"), "limit", "1");

	assert_int_equal(page->rows, 2);
	EXPECT(page, 0, "key", "a");
	EXPECT(page, 0, "direction", "depends_on");
	page = CALL(TASK_DEPENDENCIES, "id", task_of(id, "b"), "limit", "9", "cursor", task_of(id, "a"));
	assert_int_equal(page->rows, 1);
	EXPECT(page, 0, "key", "c");
	EXPECT(page, 0, "direction", "dependent");
	assert_int_equal(CALL(TASK_DEPENDENCIES, "id", task_of(id, "b"), "limit", "9", "tenant", "1")->rows, 0);
	page = CALL(WORKFLOW_TASK_LIST, "id", id, "limit", "1", "cursor", task_of(id, "b"));
	assert_int_equal(page->rows, 2);
	EXPECT(page, 0, "key", "c");
	EXPECT(page, 0, "depends_on", "[\"b\"]");
	assert_int_equal(CALL(WORKFLOW_TASK_LIST, "id", id, "limit", "9", "tenant", "1")->rows, 0);
}

static void
test_workflow_graph(void **state UNUSED)
{
	const char *id = make_workflow(person);
	struct db_answer *graph = CALL(WORKFLOW_GRAPH, "id", id);

	EXPECT_SQL(
	    "a g z|f t f|f t f",
	    "SELECT string_agg(n ->> 'key', ' ' ORDER BY o) || '|' || string_agg(left(n ->> 'gate', 1), ' ' ORDER BY o)"
	    " || '|' || string_agg(left(n ->> 'approval', 1), ' ' ORDER BY o)"
	    " FROM json_array_elements('%s') WITH ORDINALITY AS x(n, o)",
	    db_answer_cell(graph, 0, "nodes"));
	EXPECT_SQL("dependency a>g, dependency g>z, revision g>a",
	           "SELECT string_agg(format('%%s %%s>%%s', e ->> 'kind', f.key, t.key), ', ' ORDER BY e ->> 'kind', f.key)"
	           " FROM json_array_elements('%s') e JOIN tasks f ON f.id = (e ->> 'from')::uuid"
	           " JOIN tasks t ON t.id = (e ->> 'to')::uuid",
	           db_answer_cell(graph, 0, "edges"));
	assert_int_equal(CALL(WORKFLOW_GRAPH, "id", id, "tenant", "1")->rows, 0);
}

static void
test_deadline(void **state UNUSED)
{
	const char *id = make_workflow(chain), *late = make_workflow(chain);
	struct db_answer *found;

	work("a", "{}", NULL);
	CALL(WORKFLOW_PATCH, "id", id, "deadline_s", "60", "actor", "neo");
	EXPECT(CALL(WORKFLOW_EXPIRE, "id", id), 0, "status", "running"); /* not yet */
	assert_int_equal(CALL(KEEPER_DEADLINES)->rows, 0);
	lease_one("b");
	db_fixture_advance(&fixture, 61000);
	found = CALL(KEEPER_DEADLINES);
	assert_int_equal(found->rows, 1);
	EXPECT(found, 0, "id", id);
	EXPECT(CALL(WORKFLOW_EXPIRE, "id", id), 0, "status", "failed");
	expect_workflow(id, "error_message", "the deadline of the workflow passed");
	EXPECT_STATES(id, "a:completed b:cancelled");
	EXPECT(CALL(TASK_HEARTBEAT, "id", task_of(id, "b"), "epoch", "1"), 0, "cancel", "t");
	assert_int_equal(CALL(KEEPER_DEADLINES)->rows, 0);
	expect_workflow(late, "status", "pending");
	assert_non_null(strstr(kinds(id), "task.cancelled workflow.failed"));
}

static void
test_workflow_retry(void **state UNUSED)
{
	const char *id = make_workflow(branch);
	struct db_answer *answer;

	assert_non_null(strstr(
	    db_answer_cell(CALL(WORKFLOW_RETRY, "id", make_workflow(chain), "actor", "neo"), 0, "_refused"), "pending"));
	SQL("DELETE FROM tasks WHERE workflow_id <> '%s' AND tenant = %s", id, fixture.tenant);
	SQL("DELETE FROM workflows WHERE id <> '%s' AND tenant = %s", id, fixture.tenant);
	work("a", "{\"go\":1}", NULL);
	settle(id, "b", "skip", NULL, NULL);
	settle(id, "c", "go", NULL, NULL);
	lease_one("c");
	CALL(TASK_SETTLE, "id", task_of(id, "c"), "epoch", "1", "outcome", "fail", "retryable", "false", "error_message",
	     "x");
	EXPECT_STATES(id, "a:completed b:skipped c:failed d:cancelled");
	answer = CALL(WORKFLOW_RETRY, "id", id, "actor", "neo");
	EXPECT(answer, 0, "status", "running");
	EXPECT(answer, 0, "_ready", "[\"c\"]");
	EXPECT(answer, 0, "error_message", NULL);
	EXPECT_STATES(id, "a:completed b:skipped c:pending d:blocked");
	EXPECT(work("c", "{}", NULL), 0, "attempt", "1");
	settle(id, "d", "go", NULL, NULL);
	work("d", "{}", NULL);
	expect_workflow(id, "concat_ws(' ', status, tasks_completed, tasks_skipped)", "completed 3 1");
	assert_non_null(db_answer_cell(CALL(WORKFLOW_RETRY, "id", id, "actor", "neo"), 0, "_refused"));
	assert_int_equal(CALL(WORKFLOW_RETRY, "id", id, "actor", "neo", "tenant", "1")->rows, 0);
}

/* A task whose condition nobody had judged when the workflow ended. */
static void
test_workflow_retry_judges_conditions(void **state UNUSED)
{
	const char *id = make_workflow(branch);

	work("a", "{\"go\":true}", NULL);
	CALL(WORKFLOW_CANCEL, "id", id, "actor", "neo");
	EXPECT(CALL(WORKFLOW_RETRY, "id", id, "actor", "neo"), 0, "_undecided", text("[\"%s\"]", task_of(id, "b")));
	EXPECT_STATES(id, "a:completed b:blocked c:blocked d:blocked");
	/* The first lease of a dropped task is not confused with the second. */
	settle(id, "b", "go", NULL, NULL);
	lease_one("b");
	CALL(WORKFLOW_CANCEL, "id", id, "actor", "neo");
	CALL(WORKFLOW_RETRY, "id", id, "actor", "neo");
	EXPECT(queries_wait(ask_settle(task_of(id, "b"), "1", "complete", "{}", NULL)), 0, "_result", "stale");
	EXPECT(CALL(TASK_HEARTBEAT, "id", task_of(id, "b"), "epoch", "1"), 0, "_result", "stale");
	settle(id, "b", "go", NULL, NULL);
	EXPECT(lease_one("b"), 0, "epoch", "2");
}

static void
test_workflow_pause(void **state UNUSED)
{
	const char *id =
	    make_workflow("[{\"key\":\"a\",\"role\":\"a\"},{\"key\":\"b\",\"role\":\"b\",\"depends_on\":[\"a\"]},"
	                  "{\"key\":\"c\",\"role\":\"c\"},{\"key\":\"d\",\"role\":\"d\"}]");
	struct db_answer *answer;

	lease_one("a");
	lease_one("d");
	answer = CALL(WORKFLOW_PATCH, "id", id, "paused", "true", "description", "later", "actor", "neo");
	EXPECT(answer, 0, "paused", "t");
	EXPECT(answer, 0, "description", "later");
	nothing_to_lease("c");
	/* What runs goes on; what it makes ready waits. */
	queries_wait(ask_settle(task_of(id, "a"), "1", "complete", "{}", NULL));
	queries_wait(ask_settle(task_of(id, "d"), "1", "fail", NULL, NULL));
	nothing_to_lease("b");
	EXPECT_SQL("paused paused paused", "SELECT string_agg(parked, ' ') FROM tasks WHERE workflow_id = '%s'", id);
	db_fixture_advance(&fixture, 60000);
	assert_int_equal(CALL(KEEPER_DUE)->rows, 0);
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 0);
	answer = CALL(WORKFLOW_PATCH, "id", id, "paused", "false", "actor", "neo");
	EXPECT(answer, 0, "_ready", "[\"b\", \"c\", \"d\"]");
	work("b", "{}", NULL);
	work("c", "{}", NULL);
	work("d", "{}", NULL);
	expect_workflow(id, "status", "completed");
	assert_non_null(strstr(
	    db_answer_cell(CALL(WORKFLOW_PATCH, "id", id, "paused", "true", "actor", "neo"), 0, "_refused"), "completed"));
	expect_workflow(id, "paused", "false");
	EXPECT(CALL(WORKFLOW_PATCH, "id", id, "description", "past", "actor", "neo"), 0, "description", "past");
	assert_non_null(strstr(kinds(id), "workflow.paused"));
	assert_non_null(strstr(kinds(id), "workflow.resumed"));
	assert_int_equal(CALL(WORKFLOW_PATCH, "id", id, "paused", "true", "actor", "neo", "tenant", "1")->rows, 0);
}

/* A pause is for agents: people may decide meanwhile, and resuming makes no agent's task of theirs. */
static void
test_pause_and_approval(void **state UNUSED)
{
	const char *id = make_workflow(person), *g = task_of(id, "g");

	lease_one("a");
	CALL(WORKFLOW_PATCH, "id", id, "paused", "true", "actor", "neo");
	queries_wait(ask_settle(task_of(id, "a"), "1", "complete", "{}", NULL));
	CALL(WORKFLOW_PATCH, "id", id, "paused", "false", "actor", "neo");
	expect_task(g, "ready_at", NULL);
	EXPECT(settle_task(g, "approve", "{}", "approved"), 0, "_result", "ok");
}

static void
test_workflow_delete(void **state UNUSED)
{
	const char *id = make_workflow(chain);

	work("a", "{}", NULL);
	assert_non_null(db_answer_cell(CALL(WORKFLOW_DELETE, "id", id, "actor", "neo"), 0, "_refused"));
	expect_workflow(id, "status", "running");
	CALL(WORKFLOW_CANCEL, "id", id, "actor", "neo");
	assert_int_equal(CALL(WORKFLOW_DELETE, "id", id, "actor", "neo", "tenant", "1")->rows, 0);
	EXPECT(CALL(WORKFLOW_DELETE, "id", id, "actor", "neo"), 0, "_refused", NULL);
	EXPECT_SQL(
	    "0 0 0 0",
	    "SELECT concat_ws(' ', (SELECT count(*) FROM workflows WHERE tenant = %1$s),"
	    " (SELECT count(*) FROM tasks WHERE tenant = %1$s), (SELECT count(*) FROM agentd_attempts WHERE tenant = %1$s),"
	    " (SELECT count(*) FROM task_dependencies WHERE tenant = %1$s))",
	    fixture.tenant);
	assert_int_equal(CALL(WORKFLOW_DELETE, "id", id, "actor", "neo")->rows, 0);
}

/* What was decided took nobody's time. */
static void
test_duration_is_of_a_lease(void **state UNUSED)
{
	const char *id = make_workflow(branch);

	work("a", "{}", NULL);
	settle(id, "b", "skip", NULL, NULL);
	expect_task(task_of(id, "b"), "duration_ms", NULL);
}

const struct CMUnitTest graph_tests[] = {
    TEST(test_condition_waits_to_be_judged),
    TEST(test_skip_goes_on_to_what_waits),
    TEST(test_workflow_of_which_the_end_is_skipped),
    TEST(test_approve),
    TEST(test_reject_and_send_back),
    TEST(test_events_of_approvals),
    TEST(test_cancel_of_a_task_fails_its_workflow),
    TEST(test_gate_takes_back_what_is_ready),
    TEST(test_gate_sends_back_over_a_skipped_task),
    TEST(test_append),
    TEST(test_append_of_more_ends),
    TEST(test_append_is_refused),
    TEST(test_append_of_a_circle_is_refused),
    TEST(test_append_to_a_paused_workflow),
    TEST(test_add_dependency),
    TEST(test_dependencies_and_tasks_in_pages),
    TEST(test_workflow_graph),
    TEST(test_deadline),
    TEST(test_workflow_retry),
    TEST(test_workflow_retry_judges_conditions),
    TEST(test_workflow_pause),
    TEST(test_pause_and_approval),
    TEST(test_workflow_delete),
    TEST(test_duration_is_of_a_lease),
};
const int graph_test_count = ARRAY_LENGTH(graph_tests);
