/*
 * test_queries.c - every query of sql/query/ against a real PostgreSQL, through the pool that the server uses.
 *
 * The cases stand in queries_*.c. The last test fails when there is a query that no case ran.
 */
#include "base.h"

#include "field.h"
#include "graph.h"
#include "queries.h"
#include "uuid.h"

struct db_fixture fixture;

struct db_answer *
queries_wait(struct db_answer *answer)
{
	db_fixture_wait(&fixture);
	if (answer->status != DB_OK)
		fail_msg("%s failed: %s %s", query_table[answer->query].name, answer->sqlstate, answer->message);
	return answer;
}

void
queries_expect_sql(int line, const char *expected, const char *found)
{
	if (found && expected ? strcmp(found, expected) != 0 : found != expected)
		fail_msg("line %d: found %s, expected %s", line, found ? found : "NULL", expected ? expected : "NULL");
}

const char *
text(const char *format, ...)
{
	char out[1000];
	va_list list;

	va_start(list, format);
	assert_in_range(vsnprintf(out, sizeof(out), format, list), 0, sizeof(out) - 1);
	va_end(list);
	return arena_string(&fixture.arena, slice_of(out));
}

const char *
new_id(void)
{
	char id[UUID_TEXT_SIZE];

	uuid_new(id);
	return text("%s", id);
}

int
queries_set_up(void **state UNUSED)
{
	fixture.tenant = SQL("INSERT INTO tenants (name) SELECT 'test-' || count(*) FROM tenants RETURNING id");
	return 0;
}

/* What always holds, whatever the test did. */
static void
check_invariants(void)
{
	/* deps_left is the number of dependencies that are not done, and a task without any waits for its condition. */
	EXPECT_SQL(NULL,
	           "SELECT format('%%s waits for %%s but deps_left is %%s', d.key, n, d.deps_left) FROM ("
	           "SELECT d.*, (SELECT count(*) FROM task_dependencies x JOIN tasks p ON p.id = x.depends_on"
	           " WHERE x.task_id = d.id AND NOT (p.status = 'completed' OR p.skipped)) AS n,"
	           " (SELECT count(*) FROM task_dependencies x JOIN tasks p ON p.id = x.depends_on"
	           " WHERE x.task_id = d.id AND p.skipped) AS past FROM tasks d) d"
	           " WHERE tenant = %s AND status = 'blocked'"
	           " AND (n <> deps_left OR (n = 0 AND condition IS NULL AND past = 0))",
	           fixture.tenant);
	EXPECT_SQL(NULL,
	           "SELECT format('%%s: %%s %%s %%s %%s of %%s', w.status, tasks_completed, tasks_failed, tasks_cancelled,"
	           " tasks_skipped, tasks_total)"
	           " FROM workflows w JOIN tasks t ON t.workflow_id = w.id WHERE w.tenant = %s"
	           " GROUP BY w.tenant, w.id HAVING tasks_total <> count(*)"
	           " OR tasks_completed <> count(*) FILTER (WHERE t.status = 'completed')"
	           " OR tasks_failed <> count(*) FILTER (WHERE t.status IN ('failed', 'dead'))"
	           " OR tasks_skipped <> count(*) FILTER (WHERE t.skipped)"
	           " OR tasks_cancelled <> count(*) FILTER (WHERE t.status = 'cancelled' AND NOT t.skipped)"
	           " OR (w.status NOT IN ('pending', 'running') AND bool_or(t.status IN"
	           " ('blocked', 'pending', 'retrying', 'processing')))",
	           fixture.tenant);
	/* A sink is what nothing waits for. */
	EXPECT_SQL(NULL,
	           "SELECT format('%%s: is_sink is %%s', key, is_sink) FROM tasks t"
	           " WHERE tenant = %s AND workflow_id IS NOT NULL"
	           " AND is_sink = EXISTS (SELECT FROM task_dependencies d WHERE d.depends_on = t.id)",
	           fixture.tenant);
	/* A place in a limit is held by a task that is at work, and no counter has more of them than its limit. */
	EXPECT_SQL(NULL,
	           "SELECT counter FROM task_slots s JOIN tasks t ON t.id = s.task_id AND t.epoch = s.epoch"
	           " AND t.status = 'processing' WHERE s.tenant = %s GROUP BY counter, t.concurrency_key"
	           " HAVING count(*) > CASE WHEN counter LIKE '#%%' THEN 1 ELSE coalesce((SELECT value FROM limits l"
	           " WHERE l.tenant = %s AND l.name = split_part(counter, ':', 1)), 1000) END",
	           fixture.tenant, fixture.tenant);
	EXPECT_SQL(
	    NULL,
	    "SELECT format('%%s is %%s', key, status) FROM tasks WHERE tenant = %s AND"
	    " CASE WHEN status IN ('pending', 'retrying') THEN (ready_at IS NULL AND run_at IS NULL AND parked IS NULL"
	    " AND NOT approval) OR (ready_at IS NOT NULL AND (parked IS NOT NULL OR approval))"
	    " ELSE parked IS NOT NULL OR (ready_at IS NOT NULL AND status <> 'processing') END",
	    fixture.tenant);
}

int
queries_tear_down(void **state UNUSED)
{
	check_invariants();
	/* The keeper's queries see all tenants: nothing may be left for them. */
	SQL("UPDATE messages SET ack_until = NULL; UPDATE tasks SET status = 'cancelled', parked = NULL WHERE status IN"
	    " ('blocked', 'pending', 'retrying', 'processing') OR parked IS NOT NULL");
	SQL("DELETE FROM schedules");
	fixture.tenant = NULL;
	db_fixture_forget(&fixture);
	return 0;
}

struct db_answer *
ask_create(const char *id, const char *queue, const char *priority)
{
	return ASK(TASK_CREATE, "id", id, "queue", queue, "role", queue, "description", "count the words", "priority",
	           priority, "max_retries", "3", "retry_jitter", "false", "input_data", "{\"n\":1}", "event",
	           text("{\"kind\":\"task.created\",\"subject\":\"%s\"}", id));
}

const char *
make_task(const char *queue, const char *priority)
{
	const char *id = new_id();

	assert_int_equal(queries_wait(ask_create(id, queue, priority))->rows, 1);
	return id;
}

struct db_answer *
ask_lease(const char *queues, const char *agent_id, const char *max)
{
	return ASK(TASK_LEASE, "queues", queues, "agent_id", agent_id, "max", max, "lease_ms", "8000");
}

struct db_answer *
lease_one(const char *queue)
{
	struct db_answer *answer = queries_wait(ask_lease(text("[\"%s\"]", queue), "smith", "1"));

	if (answer->rows != 1)
		fail_msg("no task of the queue %s can be leased", queue);
	return answer;
}

struct db_answer *
ask_settle(const char *id, const char *epoch, const char *outcome, const char *output, const char *verdict)
{
	return ASK(TASK_SETTLE, "id", id, "epoch", epoch, "outcome", outcome, "output_data", output, "verdict", verdict,
	           "retryable", "true", "error_message", strcmp(outcome, "fail") == 0 ? "it broke" : NULL);
}

void
expect_task(const char *id, const char *column, const char *expected)
{
	const char *found = SQL("SELECT (%s)::text FROM tasks WHERE tenant = %s AND id = '%s'", column, fixture.tenant, id);

	if (found && expected ? strcmp(found, expected) != 0 : found != expected)
		fail_msg("the task's %s is %s, expected %s", column, found ? found : "NULL", expected ? expected : "NULL");
}

const char *
make_workflow(const char *tasks_json)
{
	struct field_errors errors = {.arena = &fixture.arena};
	const char *id = new_id();
	struct graph_plan plan;
	struct json_error error;
	struct json json;

	if (!json_parse(&fixture.arena, slice_of(tasks_json), &json, &error))
		fail_msg("the graph is not JSON: %s", error.reason);
	if (!graph_compile(&json, 0, "/tasks", false, &fixture.arena, &plan, &errors))
		fail_msg("the graph: %s %s", errors.list[0].pointer, errors.list[0].detail);
	CALL(WORKFLOW_CREATE, "id", id, "description", "review it", "input_data", "{\"problem\":7}", "labels",
	     "{\"team\":\"a\"}", "actor", "neo", "address", "127.0.0.1", "request_id", "r1", "new_id", new_id(), "plan",
	     plan.text.data);
	return id;
}

const char *
task_of(const char *workflow, const char *key)
{
	return SQL("SELECT id FROM tasks WHERE workflow_id = '%s' AND key = '%s'", workflow, key);
}

struct db_answer *
work(const char *queue, const char *output, const char *verdict)
{
	struct db_answer *lease = lease_one(queue);

	EXPECT(queries_wait(ask_settle(db_answer_cell(lease, 0, "id"), db_answer_cell(lease, 0, "epoch"), "complete",
	                               output, verdict)),
	       0, "_result", "ok");
	return lease;
}

void
expect_workflow(const char *id, const char *column, const char *expected)
{
	const char *found =
	    SQL("SELECT (%s)::text FROM workflows WHERE tenant = %s AND id = '%s'", column, fixture.tenant, id);

	if (found && expected ? strcmp(found, expected) != 0 : found != expected)
		fail_msg("the workflow's %s is %s, expected %s", column, found ? found : "NULL", expected ? expected : "NULL");
}

static void
test_every_query_was_run(void **state UNUSED)
{
	char missing[1000] = "";

	for (int i = 0; i < QUERY_COUNT; i++)
		if (!fixture.asked[i]) {
			size_t used = strlen(missing);
			snprintf(missing + used, sizeof(missing) - used, " %s", query_table[i].name);
		}
	if (missing[0])
		fail_msg("no case runs:%s", missing);
}

static int
group_set_up(void **state UNUSED)
{
	db_fixture_create(&fixture, "queries");
	db_fixture_migrate(&fixture);
	db_fixture_start(&fixture, db_fixture_options());
	return 0;
}

static int
group_tear_down(void **state UNUSED)
{
	db_fixture_drop(&fixture);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest last = cmocka_unit_test(test_every_query_was_run);
	const struct {
		const struct CMUnitTest *tests;
		int count;
	} parts[] = {{identity_tests, identity_test_count},
	             {tenant_tests, tenant_test_count},
	             {session_tests, session_test_count},
	             {change_tests, change_test_count},
	             {key_tests, key_test_count},
	             {agent_tests, agent_test_count},
	             {memory_tests, memory_test_count},
	             {event_tests, event_test_count},
	             {message_tests, message_test_count},
	             {metrics_tests, metrics_test_count},
	             {task_tests, task_test_count},
	             {floor_tests, floor_test_count},
	             {settle_tests, settle_test_count},
	             {user_tests, user_test_count},
	             {workflow_tests, workflow_test_count},
	             {schedule_tests, schedule_test_count},
	             {closely_tests, closely_test_count},
	             {control_tests, control_test_count},
	             {graph_tests, graph_test_count},
	             {archive_tests, archive_test_count},
	             {audit_tests, audit_test_count},
	             {setting_tests, setting_test_count},
	             {leader_tests, leader_test_count},
	             {alert_tests, alert_test_count},
	             {health_tests, health_test_count},
	             {backup_tests, backup_test_count},
	             {&last, 1}};
	struct CMUnitTest tests[400];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
		for (int j = 0; j < parts[i].count; j++) {
			INVARIANT(count < ARRAY_LENGTH(tests));
			tests[count++] = parts[i].tests[j];
		}
	return _cmocka_run_group_tests("queries", tests, count, group_set_up, group_tear_down);
}
