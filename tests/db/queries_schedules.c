/* queries_schedules.c - templates in versions; schedules: planned, changed, fired once whoever comes. */
#include "base.h"

#include "field.h"
#include "graph.h"
#include "queries.h"

static const char one_task[] = "[{\"key\":\"a\",\"role\":\"fire\"}]";
static const char two_tasks[] =
    "[{\"key\":\"a\",\"role\":\"fire\"},{\"key\":\"b\",\"role\":\"fire\",\"depends_on\":[\"a\"]}]";
static const char unique_task[] = "[{\"key\":\"a\",\"role\":\"fire\",\"unique_key\":\"only\"}]";

static const char *
compile(const char *tasks)
{
	struct field_errors errors = {.arena = &fixture.arena};
	struct graph_plan plan;
	struct json_error error;
	struct json json;

	if (!json_parse(&fixture.arena, slice_of(tasks), &json, &error))
		fail_msg("the graph is not JSON: %s", error.reason);
	if (!graph_compile(&json, 0, "/tasks", false, &fixture.arena, &plan, &errors))
		fail_msg("the graph: %s %s", errors.list[0].pointer, errors.list[0].detail);
	return arena_string(&fixture.arena, plan.text);
}

static struct db_answer *
ask_put(const char *name, const char *tasks)
{
	return ASK(TEMPLATE_PUT, "name", name, "tasks", tasks, "plan", compile(tasks), "actor", "neo");
}

static const char builtin[] = "[{\"name\":\"review\",\"description\":\"d\",\"tasks\":[{},{}]}]";

static void
test_template_versions(void **state UNUSED)
{
	struct db_answer *list;

	EXPECT(queries_wait(ask_put("t", one_task)), 0, "_status", "201");
	EXPECT(queries_wait(ask_put("t", one_task)), 0, "version", "1");
	EXPECT(queries_wait(ask_put("t", two_tasks)), 0, "version", "2");
	EXPECT(queries_wait(ask_put("t", one_task)), 0, "version", "3");
	EXPECT(CALL(TEMPLATE_GET, "name", "t", "builtin", builtin), 0, "version", "3");
	EXPECT(CALL(TEMPLATE_GET, "name", "t", "builtin", builtin, "version", "2"), 0, "task_count", "2");
	EXPECT(CALL(TEMPLATE_GET, "name", "review", "builtin", builtin), 0, "builtin", "t");
	assert_int_equal(CALL(TEMPLATE_GET, "name", "t", "builtin", builtin, "version", "4")->rows, 0);
	assert_int_equal(CALL(TEMPLATE_GET, "name", "t", "builtin", builtin, "tenant", "1")->rows, 0);
	list = CALL(TEMPLATE_LIST, "builtin", builtin, "limit", "9");
	assert_int_equal(list->rows, 2);
	EXPECT(list, 0, "name", "review");
	EXPECT(list, 1, "version", "3");
	assert_int_equal(CALL(TEMPLATE_LIST, "builtin", builtin, "limit", "9", "cursor", "review")->rows, 1);
	assert_int_equal(CALL(TEMPLATE_DELETE, "name", "t", "tenant", "1")->rows, 0);
	assert_int_equal(CALL(TEMPLATE_DELETE, "name", "t", "actor", "neo")->rows, 1);
	EXPECT_SQL("0", "SELECT count(*) FROM templates WHERE tenant = %s", fixture.tenant);
}

/* Those who come together get versions one after another; none fails. */
static void
test_templates_put_at_once(void **state UNUSED)
{
	const char *names[] = {one_task, two_tasks, unique_task};
	struct db_answer *answers[6];

	for (int i = 0; i < 6; i++)
		answers[i] = ask_put("t", names[i % 3]);
	db_fixture_wait(&fixture);
	for (int i = 0; i < 6; i++)
		assert_int_equal(answers[i]->rows, 1);
	EXPECT_SQL("t", "SELECT max(version) = count(*) AND count(*) >= 3 FROM templates WHERE tenant = %s",
	           fixture.tenant);
}

/* Seconds from now, as the planner gives them. */
static const char *
in(int seconds)
{
	return SQL("SELECT floor(extract(epoch FROM now()))::int8 + %d", seconds);
}

static struct db_answer *
ask_schedule(const char *name, const char *tasks, const char *overlap, const char *next_s)
{
	return ASK(SCHEDULE_CREATE, "id", new_id(), "name", name, "cron", "0 0 * * *", "time_zone", "UTC", "tasks", tasks,
	           "plan", compile(tasks), "overlap", overlap, "catch_up", "one", "active", "true", "next_s", next_s,
	           "actor", "neo", "input_data", "[7]");
}

static const char *
make_schedule(const char *name, const char *tasks, const char *overlap, const char *next_s)
{
	return db_answer_cell(queries_wait(ask_schedule(name, tasks, overlap, next_s)), 0, "id");
}

static void
expect_schedule(const char *id, const char *column, const char *expected)
{
	EXPECT_SQL(expected, "SELECT (%s)::text FROM schedules WHERE tenant = %s AND id = '%s'", column, fixture.tenant,
	           id);
}

static struct db_answer *
ask_fire(const char *id, const char *due_s, const char *next_s, const char *missed, const char *start)
{
	return ASK(SCHEDULE_FIRE, "id", id, "due_s", due_s, "next_s", next_s, "missed", missed, "start", start,
	           "workflow_id", new_id(), "new_id", new_id());
}

static const char *
fire(const char *id, const char *due_s, const char *next_s, const char *expected)
{
	struct db_answer *answer = queries_wait(ask_fire(id, due_s, next_s, "0", "true"));

	EXPECT(answer, 0, "result", expected);
	return db_answer_cell(answer, 0, "workflow_id");
}

static void
test_schedule_is_kept(void **state UNUSED)
{
	const char *id = make_schedule("s", one_task, "skip", in(60));
	struct db_answer *answer = queries_wait(ask_schedule("s", one_task, "skip", in(60)));

	EXPECT(answer, 0, "id", NULL);
	EXPECT(answer, 0, "_refused",
	       "there is a schedule with the name s already; change it with PATCH, or take another name");
	answer = CALL(SCHEDULE_CREATE, "id", new_id(), "name", "t", "cron", "0 0 * * *", "time_zone", "UTC", "template",
	              "none", "overlap", "skip", "catch_up", "one", "active", "true", "actor", "neo");
	EXPECT(answer, 0, "_unknown", "t");
	EXPECT_SQL("1", "SELECT count(*) FROM schedules WHERE tenant = %s", fixture.tenant);
	EXPECT(CALL(SCHEDULE_GET, "id", id), 0, "input_data", "[7]");
	assert_int_equal(CALL(SCHEDULE_GET, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(SCHEDULE_LIST, "limit", "9")->rows, 1);
	assert_int_equal(CALL(SCHEDULE_LIST, "limit", "9", "active", "false")->rows, 0);
	assert_int_equal(CALL(SCHEDULE_LIST, "limit", "9", "tenant", "1")->rows, 0);
	assert_int_equal(CALL(SCHEDULE_DELETE, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(SCHEDULE_DELETE, "id", id, "actor", "neo")->rows, 1);
}

static void
test_schedule_patch_wants_the_right_plan(void **state UNUSED)
{
	const char *id = make_schedule("s", one_task, "skip", in(60)), *next_s = in(600);
	struct db_answer *answer = CALL(SCHEDULE_PATCH, "id", id, "cron", "5 * * * *", "actor", "neo");

	EXPECT(answer, 0, "id", NULL);
	EXPECT(answer, 0, "_cron", "5 * * * *");
	EXPECT(answer, 0, "_zone", "UTC");
	expect_schedule(id, "cron", "0 0 * * *");
	answer = CALL(SCHEDULE_PATCH, "id", id, "cron", "5 * * * *", "planned_cron", "5 * * * *", "planned_zone", "UTC",
	              "next_s", next_s, "actor", "neo");
	EXPECT(answer, 0, "id", id);
	expect_schedule(id, "extract(epoch FROM next_at)::int8", next_s);
	/* What does not concern the time leaves it alone. */
	CALL(SCHEDULE_PATCH, "id", id, "overlap", "queue", "planned_cron", "5 * * * *", "planned_zone", "UTC", "next_s",
	     in(900), "actor", "neo");
	expect_schedule(id, "extract(epoch FROM next_at)::int8", next_s);
	expect_schedule(id, "overlap", "queue");
	assert_int_equal(CALL(SCHEDULE_PATCH, "id", id, "tenant", "1", "actor", "neo")->rows, 0);
}

static void
test_schedule_fires_once_for_many_keepers(void **state UNUSED)
{
	const char *due_s = in(-5), *next_s = in(60), *id = make_schedule("s", two_tasks, "skip", due_s);
	struct db_answer *answers[10];
	int fired = 0;

	for (int i = 0; i < 10; i++)
		answers[i] = ask_fire(id, due_s, next_s, "3", "true");
	db_fixture_wait(&fixture);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(answers[i]->status, DB_OK);
		fired += answers[i]->rows;
	}
	assert_int_equal(fired, 1);
	EXPECT_SQL("1 2",
	           "SELECT count(DISTINCT w.id) || ' ' || count(*) FROM workflows w JOIN tasks t ON t.workflow_id = w.id"
	           " WHERE w.tenant = %s AND w.schedule_id = '%s'",
	           fixture.tenant, id);
	expect_schedule(id, "concat_ws(' ', fired, skipped)", "1 3");
	assert_int_equal(queries_wait(ask_fire(id, due_s, next_s, "0", "true"))->rows, 0);
	assert_int_equal(CALL(SCHEDULE_FIRE, "id", id, "tenant", "1", "due_s", next_s, "start", "true")->rows, 0);
}

static void
test_overlap_skip(void **state UNUSED)
{
	const char *due_s = in(-5), *next_s = in(-4), *id = make_schedule("s", one_task, "skip", due_s);
	const char *workflow = fire(id, due_s, next_s, "fired");

	fire(id, next_s, in(60), "skipped");
	expect_schedule(id, "concat_ws(' ', fired, skipped, last_workflow_id)", text("1 1 %s", workflow));
}

static void
test_overlap_queue(void **state UNUSED)
{
	const char *due_s = in(-5), *next_s = in(-4), *id = make_schedule("s", one_task, "queue", due_s);

	fire(id, due_s, next_s, "fired");
	assert_int_equal(CALL(KEEPER_SCHEDULES)->rows, 1);
	fire(id, next_s, in(60), "waiting");
	expect_schedule(id, "queued_at = next_at AND fired = 1", "true");
	assert_int_equal(CALL(KEEPER_SCHEDULES)->rows, 0);
	work("fire", "{}", NULL);
	EXPECT(CALL(KEEPER_SCHEDULES), 0, "queued", "t");
	fire(id, next_s, in(60), "fired");
	expect_schedule(id, "queued_at IS NULL AND fired = 2", "true");
	assert_int_equal(CALL(KEEPER_SCHEDULES)->rows, 0);
}

static void
test_overlap_cancel(void **state UNUSED)
{
	const char *due_s = in(-5), *next_s = in(-4), *id = make_schedule("s", two_tasks, "cancel", due_s);
	const char *old = fire(id, due_s, next_s, "fired");

	work("fire", "{}", NULL);
	lease_one("fire");
	fire(id, next_s, in(60), "fired");
	expect_workflow(old, "status", "cancelled");
	expect_workflow(old, "concat_ws(' ', tasks_completed, tasks_cancelled)", "1 1");
	expect_schedule(id, "fired", "2");
}

/* What cannot be made takes nothing away: the workflow that was to be cancelled lives. */
static void
test_firing_that_fails_changes_nothing(void **state UNUSED)
{
	const char *due_s = in(-5), *next_s = in(-4), *id = make_schedule("s", one_task, "cancel", due_s);
	const char *old = fire(id, due_s, next_s, "fired");
	struct db_answer *answer;

	CALL(SCHEDULE_PATCH, "id", id, "tasks", unique_task, "plan", compile(unique_task), "planned_cron", "0 0 * * *",
	     "planned_zone", "UTC", "actor", "neo");
	make_workflow(unique_task);
	answer = ask_fire(id, next_s, in(60), "0", "true");
	db_fixture_wait(&fixture);
	assert_int_equal(answer->status, DB_FAILED);
	assert_string_equal(answer->constraint, "tasks_unique");
	expect_workflow(old, "status", "pending");
	expect_schedule(id, "fired", "1");
	expect_schedule(id, "extract(epoch FROM next_at)::int8", next_s);
}

static void
test_template_that_is_gone(void **state UNUSED)
{
	const char *due_s = in(-5), *id;

	queries_wait(ask_put("t", one_task));
	id = db_answer_cell(CALL(SCHEDULE_CREATE, "id", new_id(), "name", "s", "cron", "0 0 * * *", "time_zone", "UTC",
	                         "template", "t", "overlap", "cancel", "catch_up", "one", "active", "true", "next_s", due_s,
	                         "actor", "neo"),
	                    0, "id");
	CALL(TEMPLATE_DELETE, "name", "t", "actor", "neo");
	fire(id, due_s, in(60), "no_template");
	expect_schedule(id, "extract(epoch FROM next_at)::int8", due_s);
	EXPECT(CALL(SCHEDULE_RUN, "id", id, "workflow_id", new_id(), "new_id", new_id(), "actor", "neo"), 0, "_refused",
	       "there is no template t any more; PUT it again, or give the schedule another one");
	queries_wait(ask_put("t", two_tasks));
	EXPECT(CALL(SCHEDULE_RUN, "id", id, "workflow_id", new_id(), "new_id", new_id(), "actor", "neo"), 0, "_refused",
	       NULL);
	expect_schedule(id, "fired", "1");
	fire(id, due_s, in(60), "fired");
	EXPECT_SQL("2", "SELECT tasks_total FROM workflows WHERE tenant = %s AND status = 'pending'", fixture.tenant);
}

static void
test_five_failures_pause(void **state UNUSED)
{
	const char *times[] = {in(-20), in(-15), in(-10), in(-5), in(0), in(60)};
	const char *id = make_schedule("s", one_task, "skip", times[0]);

	for (int i = 0; i < 5; i++) {
		EXPECT(CALL(SCHEDULE_FAIL, "id", id, "due_s", times[i], "next_s", times[i + 1], "reason", "no luck"), 0,
		       "active", i < 4 ? "t" : "f");
		/* Of two keepers only one counts it. */
		assert_int_equal(CALL(SCHEDULE_FAIL, "id", id, "due_s", times[i], "reason", "no luck")->rows, 0);
	}
	expect_schedule(id, "error_message", "paused after 5 failures in a row: no luck");
	expect_schedule(id, "next_at", NULL);
}

const struct CMUnitTest schedule_tests[] = {
    TEST(test_template_versions),
    TEST(test_templates_put_at_once),
    TEST(test_schedule_is_kept),
    TEST(test_schedule_patch_wants_the_right_plan),
    TEST(test_schedule_fires_once_for_many_keepers),
    TEST(test_overlap_skip),
    TEST(test_overlap_queue),
    TEST(test_overlap_cancel),
    TEST(test_firing_that_fails_changes_nothing),
    TEST(test_template_that_is_gone),
    TEST(test_five_failures_pause),
};
const int schedule_test_count = ARRAY_LENGTH(schedule_tests);
