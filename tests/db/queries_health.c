/* queries_health.c - sql/query/health.sql: what is asked, kept and done about health. */
#include "base.h"

#include "queries.h"

static struct db_answer *
look_at_agents(const char *may_take)
{
	return CALL(HEALTH_AGENTS, "interval_s", "30", "may_take", may_take, "node", "here");
}

static const char *
register_agent(const char *name)
{
	CALL(AGENT_REGISTER, "agent_id", name, "name", name, "role", "sena", "max_concurrent", "4", "actor", "neo",
	     "principal", "user:1", "address", "127.0.0.1", "request_id", "r1");
	return name;
}

static void
expect_health(const char *agent, const char *health)
{
	EXPECT_SQL(health, "SELECT health FROM agents WHERE tenant = %s AND agent_id = '%s'", fixture.tenant, agent);
}

/* Silent with work in hand: a warning, the third check takes the leases back, and a beat would have won. */
static void
test_leases_of_a_lost_agent_are_taken_back(void **state UNUSED)
{
	const char *agent = register_agent(text("beats-%s", fixture.tenant)), *task;
	struct db_answer *looked;

	CALL(AGENT_HEARTBEAT, "agent_id", agent, "status", "active");
	task = make_task("health-a", "5");
	CALL(TASK_LEASE, "queues", "[\"health-a\"]", "agent_id", agent, "max", "1", "lease_ms", "3600000");
	looked = look_at_agents("true");
	EXPECT(looked, 0, "agents", "0");
	expect_health(agent, "healthy");
	db_fixture_advance(&fixture, 31000);
	look_at_agents("true");
	expect_health(agent, "warning");
	db_fixture_advance(&fixture, 60000);
	/* Not while it is too early to judge. */
	EXPECT(look_at_agents("false"), 0, "leases", "0");
	expect_health(agent, "critical");
	expect_task(task, "lease_until > agentd_test.now()", "true");
	looked = look_at_agents("true");
	EXPECT(looked, 0, "agents", "1");
	EXPECT(looked, 0, "leases", "1");
	EXPECT(looked, 0, "names", agent);
	expect_task(task, "lease_until <= agentd_test.now()", "true");
	EXPECT_SQL(
	    "agent take_back_leases recovered here",
	    "SELECT concat_ws(' ', component, action, outcome, node) FROM recoveries WHERE tenant = %s AND subject = '%s'",
	    fixture.tenant, agent);
	EXPECT_SQL("1", "SELECT count(*) FROM events WHERE tenant = %s AND items::text LIKE '%%agent.offline%%'",
	           fixture.tenant);
	/* Once: it holds nothing any more. */
	EXPECT(look_at_agents("true"), 0, "agents", "0");
	expect_health(agent, "unknown");
	CALL(AGENT_HEARTBEAT, "agent_id", agent, "status", "active");
	look_at_agents("true");
	expect_health(agent, "healthy");
	EXPECT_SQL(
	    "warning critical unknown healthy",
	    "SELECT string_agg(status, ' ' ORDER BY recorded_at) FROM health_records WHERE tenant = %s AND agent_id = '%s'",
	    fixture.tenant, agent);
}

/* Who never beat asked for a long lease and has it. */
static void
test_an_agent_without_beats_keeps_its_lease(void **state UNUSED)
{
	const char *agent = register_agent(text("long-%s", fixture.tenant)), *task = make_task("health-b", "5");

	CALL(TASK_LEASE, "queues", "[\"health-b\"]", "agent_id", agent, "max", "1", "lease_ms", "3600000");
	db_fixture_advance(&fixture, 600000);
	EXPECT(look_at_agents("true"), 0, "leases", "0");
	expect_health(agent, "healthy");
	expect_task(task, "lease_until > agentd_test.now()", "true");
	db_fixture_advance(&fixture, 3600000);
	look_at_agents("true");
	expect_health(agent, "unknown");
}

/* Twelve at once: the network, rather than twelve agents. */
static void
test_a_crowd_that_falls_silent_keeps_its_leases(void **state UNUSED)
{
	struct db_answer *looked;

	for (int i = 0; i < 12; i++) {
		const char *agent = register_agent(text("crowd-%s-%d", fixture.tenant, i));
		make_task("health-c", "5");
		CALL(AGENT_HEARTBEAT, "agent_id", agent);
		CALL(TASK_LEASE, "queues", "[\"health-c\"]", "agent_id", agent, "max", "1", "lease_ms", "3600000");
	}
	db_fixture_advance(&fixture, 100000);
	looked = look_at_agents("true");
	EXPECT(looked, 0, "all_at_once", "t");
	EXPECT(looked, 0, "silent", "12");
	EXPECT(looked, 0, "leases", "0");
}

static void
test_an_agent_in_error(void **state UNUSED)
{
	const char *agent = register_agent(text("error-%s", fixture.tenant));

	CALL(AGENT_HEARTBEAT, "agent_id", agent, "status", "error");
	look_at_agents("true");
	expect_health(agent, "warning");
	db_fixture_advance(&fixture, 61000);
	CALL(AGENT_HEARTBEAT, "agent_id", agent, "status", "error");
	look_at_agents("true");
	/* It was silent in between, so its error is new; three checks long, and it is critical. */
	expect_health(agent, "warning");
	for (int i = 0; i < 3; i++) {
		db_fixture_advance(&fixture, 25000);
		CALL(AGENT_HEARTBEAT, "agent_id", agent, "status", "error");
	}
	look_at_agents("true");
	expect_health(agent, "critical");
}

static void
test_the_database_tells_about_itself(void **state UNUSED)
{
	struct db_answer *looked;

	EXPECT(CALL(DATABASE_PING), 0, "read_only", "f");
	EXPECT(CALL(DATABASE_PING), 0, "standby", "f");
	make_task("health-young", "5");
	db_fixture_advance(&fixture, 20000);
	make_task("health-new", "5");
	db_fixture_advance(&fixture, 10000);
	looked = CALL(HEALTH_LOOK);
	EXPECT(looked, 0, "queue", "health-young");
	assert_in_range(strtol(db_answer_cell(looked, 0, "age_s"), NULL, 10), 29, 31);
	assert_int_equal(strtol(db_answer_cell(looked, 0, "version"), NULL, 10),
	                 query_migrations[query_migration_count - 1].version);
	assert_true(strtol(db_answer_cell(looked, 0, "connections"), NULL, 10) > 0);
	CALL(STORAGE_PROBE);
	EXPECT_SQL("256000", "SELECT length(filler) FROM storage_probe");
}

static void
test_records_and_recoveries_are_kept_and_pruned(void **state UNUSED)
{
	const char *attempt = new_id();
	struct db_answer *rows;

	CALL(HEALTH_NOTE, "id", new_id(), "component", "disk", "status", "warning", "message", "91.0 % in use", "node",
	     "here");
	CALL(HEALTH_RECORD_CREATE, "id", new_id(), "component", "probe", "status", "healthy", "message", "seen",
	     "response_time_ms", "1.5", "details", "{\"a\":1}");
	rows = CALL(HEALTH_RECORD_LIST, "limit", "10");
	assert_int_equal(rows->rows, 1);
	EXPECT(rows, 0, "component", "probe");
	EXPECT(rows, 0, "response_time_ms", "1.5");
	CALL(RECOVERY_NOTE, "id", attempt, "node", "here", "component", "redis", "action", "reconnect_redis", "attempt",
	     "1", "error", "no answer", "outcome", "started", "age_ms", "0");
	CALL(RECOVERY_NOTE, "id", attempt, "node", "here", "component", "redis", "action", "reconnect_redis", "attempt",
	     "1", "error", "no answer", "outcome", "recovered", "age_ms", "900");
	EXPECT_SQL("recovered t", "SELECT concat_ws(' ', outcome, ended_at IS NOT NULL) FROM recoveries WHERE id = '%s'",
	           attempt);
	assert_int_equal(CALL(RECOVERY_LIST, "limit", "10")->rows, 0); /* those of nodes are the tenant default's */
	EXPECT(CALL(HEALTH_REPORT), 0, "recoveries", "0");
	db_fixture_advance(&fixture, 8 * 86400 * 1000);
	CALL(HEALTH_NOTE, "id", new_id(), "component", "disk", "status", "healthy", "message", "", "node", "here");
	assert_true(strtol(db_answer_cell(CALL(HEALTH_PRUNE, "retention_days", "7"), 0, "pruned"), NULL, 10) >= 3);
	EXPECT_SQL("1", "SELECT count(*) FROM health_records");
	EXPECT_SQL("0", "SELECT count(*) FROM recoveries");
	SQL("DELETE FROM health_records");
}

const struct CMUnitTest health_tests[] = {
    TEST(test_leases_of_a_lost_agent_are_taken_back),
    TEST(test_an_agent_without_beats_keeps_its_lease),
    TEST(test_a_crowd_that_falls_silent_keeps_its_leases),
    TEST(test_an_agent_in_error),
    TEST(test_the_database_tells_about_itself),
    TEST(test_records_and_recoveries_are_kept_and_pruned),
};
const int health_test_count = ARRAY_LENGTH(health_tests);
