/* queries_agents.c - sql/query/agents.sql: registering, being there, being seen. */
#include "base.h"

#include "queries.h"

static struct db_answer *
register_agent(const char *agent_id, const char *role)
{
	return CALL(AGENT_REGISTER, "agent_id", agent_id, "name", "A. Smith", "role", role, "capabilities", "[\"sum\"]",
	            "max_concurrent", "2", "actor", "neo", "address", "127.0.0.1", "request_id", "r9");
}

static void
test_agent_register_again_updates(void **state UNUSED)
{
	struct db_answer *first = register_agent("smith", "sena"), *again = register_agent("smith", "lubit");

	EXPECT(first, 0, "_status", "201");
	EXPECT(first, 0, "status", "idle");
	EXPECT(first, 0, "capabilities", "[\"sum\"]");
	EXPECT(again, 0, "_status", "200");
	EXPECT(again, 0, "role", "lubit");
	EXPECT(again, 0, "initialized_at", db_answer_cell(first, 0, "initialized_at"));
	EXPECT_SQL("agent.register agent.update",
	           "SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE tenant = %s", fixture.tenant);
	EXPECT(CALL(AGENT_GET, "agent_id", "smith"), 0, "role", "lubit");
	assert_int_equal(CALL(AGENT_GET, "agent_id", "smith", "tenant", "1")->rows, 0);
}

/* Many at once: each has its answer; of one agent's the last counts, and only the first is new. */
static void
test_agents_registered_in_one_batch(void **state UNUSED)
{
	struct db_answer *answers[5];
	static const char *const ids[] = {"b", "a", "c", "a", "b"}, *const roles[] = {"r1", "r2", "r3", "r4", "r5"};

	for (int i = 0; i < 5; i++)
		answers[i] = ASK(AGENT_REGISTER, "agent_id", ids[i], "name", "n", "role", roles[i], "max_concurrent", "1",
		                 "actor", "neo");
	db_fixture_wait(&fixture);
	for (int i = 0; i < 5; i++) {
		EXPECT(answers[i], 0, "agent_id", ids[i]);
		EXPECT(answers[i], 0, "status", "idle");
	}
	EXPECT(CALL(AGENT_GET, "agent_id", "a"), 0, "role", "r4");
	EXPECT(CALL(AGENT_GET, "agent_id", "b"), 0, "role", "r5");
	EXPECT_SQL("3 2",
	           "SELECT count(*) FILTER (WHERE action = 'agent.register') || ' ' || count(*) FILTER (WHERE action ="
	           " 'agent.update') FROM audit_log WHERE tenant = %s",
	           fixture.tenant);
	EXPECT_SQL("a,b,c",
	           "SELECT string_agg(DISTINCT i->>'subject', ',') FROM events, agentd_events(items) AS x(n, i)"
	           " WHERE tenant = %s AND i->>'kind' = 'agent.registered'",
	           fixture.tenant);
}

static void
test_agent_patch_changes_what_is_given(void **state UNUSED)
{
	struct db_answer *patched;

	register_agent("smith", "sena");
	db_fixture_advance(&fixture, 31000);
	patched = CALL(AGENT_PATCH, "agent_id", "smith", "role", "rune", "actor", "neo");
	EXPECT(patched, 0, "role", "rune");
	EXPECT(patched, 0, "name", "A. Smith");
	EXPECT(patched, 0, "capabilities", "[\"sum\"]");
	EXPECT(patched, 0, "status", "offline"); /* no sign of life */
	assert_int_equal(CALL(AGENT_PATCH, "agent_id", "ghost", "role", "rune", "actor", "neo")->rows, 0);
	EXPECT_SQL("1",
	           "SELECT count(*) FROM events, agentd_events(items) AS x(n, i)"
	           " WHERE tenant = %s AND i->>'kind' = 'agent.updated'",
	           fixture.tenant);
}

static const char *
seconds_since(const char *agent_id)
{
	return text("%s", SQL("SELECT round(extract(epoch FROM now() - '%s'::timestamptz))",
	                      db_answer_cell(CALL(AGENT_STATUS, "agent_id", agent_id), 0, "since")));
}

static void
test_agent_status_tells_since_when(void **state UNUSED)
{
	struct db_answer *status;

	register_agent("smith", "sena");
	db_fixture_advance(&fixture, 10000);
	EXPECT(CALL(AGENT_STATUS, "agent_id", "smith"), 0, "held", "[]");
	assert_string_equal(seconds_since("smith"), "10");
	make_task("sena", "5");
	lease_one("sena");
	db_fixture_advance(&fixture, 5000);
	status = CALL(AGENT_STATUS, "agent_id", "smith");
	EXPECT(status, 0, "status", "busy");
	EXPECT(status, 0, "live", "t");
	assert_string_equal(seconds_since("smith"), "5");
	assert_non_null(strstr(db_answer_cell(status, 0, "held"), "lease_until"));
	CALL(AGENT_HEARTBEAT, "agent_id", "smith", "status", "error");
	db_fixture_advance(&fixture, 7000);
	CALL(AGENT_HEARTBEAT, "agent_id", "smith", "status", "error");
	EXPECT(CALL(AGENT_STATUS, "agent_id", "smith"), 0, "status", "error");
	assert_string_equal(seconds_since("smith"), "7");
	db_fixture_advance(&fixture, 33000);
	EXPECT(CALL(AGENT_STATUS, "agent_id", "smith"), 0, "live", "f");
	assert_string_equal(seconds_since("smith"), "3");
	assert_int_equal(CALL(AGENT_STATUS, "agent_id", "smith", "tenant", "1")->rows, 0);
}

static void
test_agent_tasks_by_status(void **state UNUSED)
{
	const char *ids[3];
	struct db_answer *page;

	for (int i = 0; i < 3; i++) {
		ids[i] = make_task("sena", "5");
		lease_one("sena");
	}
	queries_wait(ask_settle(ids[0], "1", "complete", "{}", NULL));
	CALL(TASK_SETTLE, "id", ids[1], "epoch", "1", "outcome", "fail", "retryable", "false", "error_message", "no");
	page = CALL(AGENT_TASKS, "agent_id", "smith", "limit", "9");
	assert_int_equal(page->rows, 3);
	EXPECT(page, 0, "id", ids[2]);
	EXPECT(page, 2, "id", ids[0]);
	page = CALL(AGENT_TASKS, "agent_id", "smith", "limit", "1");
	assert_int_equal(page->rows, 2);
	page = CALL(AGENT_TASKS, "agent_id", "smith", "limit", "1", "cursor", ids[1]);
	assert_int_equal(page->rows, 1);
	EXPECT(page, 0, "id", ids[0]);
	page = CALL(AGENT_TASKS, "agent_id", "smith", "limit", "9", "status", "failed");
	assert_int_equal(page->rows, 1);
	EXPECT(page, 0, "error_message", "no");
	EXPECT(CALL(AGENT_TASKS, "agent_id", "smith", "limit", "9", "status", "processing"), 0, "id", ids[2]);
	EXPECT(CALL(AGENT_TASKS, "agent_id", "smith", "limit", "9", "status", "completed"), 0, "id", ids[0]);
	assert_int_equal(CALL(AGENT_TASKS, "agent_id", "smith", "limit", "9", "status", "cancelled")->rows, 0);
	assert_int_equal(CALL(AGENT_TASKS, "agent_id", "smith", "limit", "9", "tenant", "1")->rows, 0);
}

static void
test_agent_status_follows_what_it_does(void **state UNUSED)
{
	register_agent("smith", "sena");
	make_task("sena", "5");
	lease_one("sena");
	EXPECT(CALL(AGENT_GET, "agent_id", "smith"), 0, "status", "busy");
	CALL(AGENT_HEARTBEAT, "agent_id", "smith", "status", "error");
	EXPECT(CALL(AGENT_GET, "agent_id", "smith"), 0, "status", "error");
	db_fixture_advance(&fixture, 31000);
	EXPECT(CALL(AGENT_GET, "agent_id", "smith"), 0, "status", "offline");
	CALL(AGENT_SEEN, "agent_id", "smith");
	EXPECT(CALL(AGENT_GET, "agent_id", "smith"), 0, "status", "error");
}

static void
test_agent_list_by_role_page_by_page(void **state UNUSED)
{
	struct db_answer *page;

	register_agent("a1", "sena");
	register_agent("a2", "rune");
	register_agent("a3", "sena");
	page = CALL(AGENT_LIST, "limit", "2");
	assert_int_equal(page->rows, 3);
	EXPECT(page, 0, "agent_id", "a3");
	EXPECT(page, 1, "agent_id", "a2");
	CALL(AGENT_DELETE, "agent_id", "a2", "actor", "neo"); /* the cursor is a place, not a row */
	page = CALL(AGENT_LIST, "limit", "2", "cursor", db_answer_cell(page, 1, "_cursor"));
	assert_int_equal(page->rows, 1);
	EXPECT(page, 0, "agent_id", "a1");
	assert_int_equal(CALL(AGENT_LIST, "limit", "10", "status", "offline")->rows, 0);
	assert_int_equal(CALL(AGENT_LIST, "limit", "10", "status", "idle")->rows, 2);
	page = CALL(AGENT_LIST, "limit", "10", "role", "sena");
	assert_int_equal(page->rows, 2);
	EXPECT(page, 1, "agent_id", "a1");
}

static void
test_agent_heartbeats_of_a_batch(void **state UNUSED)
{
	struct db_answer *first, *last, *unknown;

	register_agent("smith", "sena");
	first = ASK(AGENT_HEARTBEAT, "agent_id", "smith", "status", "busy", "load", "0.25");
	unknown = ASK(AGENT_HEARTBEAT, "agent_id", "ghost", "status", "busy");
	last = ASK(AGENT_HEARTBEAT, "agent_id", "smith", "load", "0.75", "details", "{\"gpu\":1}");
	db_fixture_wait(&fixture);
	EXPECT(first, 0, "agent_id", "smith");
	assert_non_null(db_answer_cell(last, 0, "last_activity"));
	assert_int_equal(unknown->status, DB_OK);
	assert_int_equal(unknown->rows, 0);
	EXPECT(CALL(AGENT_GET, "agent_id", "smith"), 0, "load", "0.75"); /* the last one counts */
	EXPECT(CALL(AGENT_GET, "agent_id", "smith"), 0, "details", "{\"gpu\":1}");
}

static void
test_agent_delete(void **state UNUSED)
{
	register_agent("smith", "sena");
	EXPECT(CALL(AGENT_DELETE, "agent_id", "smith", "actor", "neo"), 0, "agent_id", "smith");
	assert_int_equal(CALL(AGENT_DELETE, "agent_id", "smith", "actor", "neo")->rows, 0);
	assert_int_equal(CALL(AGENT_GET, "agent_id", "smith")->rows, 0);
	EXPECT_SQL("1", "SELECT count(*) FROM audit_log WHERE tenant = %s AND action = 'agent.delete'", fixture.tenant);
}

const struct CMUnitTest agent_tests[] = {
    TEST(test_agent_register_again_updates),
    TEST(test_agents_registered_in_one_batch),
    TEST(test_agent_patch_changes_what_is_given),
    TEST(test_agent_status_tells_since_when),
    TEST(test_agent_tasks_by_status),
    TEST(test_agent_status_follows_what_it_does),
    TEST(test_agent_list_by_role_page_by_page),
    TEST(test_agent_heartbeats_of_a_batch),
    TEST(test_agent_delete),
};
const int agent_test_count = ARRAY_LENGTH(agent_tests);
