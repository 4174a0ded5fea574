/* queries_alerts.c - sql/query/alert*.sql: what fires and is resolved, each once, and what channels are told of it. */
#include "base.h"

#include "queries.h"

#define BY_ADMIN "actor", "admin", "principal", "user:1"

static void
advance_s(int seconds)
{
	db_fixture_advance(&fixture, seconds * 1000);
}

/* What the counters of an agent say. */
static void
count(int failed, int completed)
{
	SQL("INSERT INTO agent_stats (tenant, agent_id, leased, completed, failed, ms, messages_sent, messages_received, "
	    "changed_at)"
	    " VALUES (%s, 'a1', 0, %d, %d, 0, 0, 0, now()) ON CONFLICT (tenant, agent_id) DO UPDATE SET completed ="
	    " excluded.completed, failed = excluded.failed, changed_at = now()",
	    fixture.tenant, completed, failed);
}

static struct db_answer *
rule(const char *name, const char *metric, const char *comparison, const char *threshold, const char *for_s,
     const char *keep_s)
{
	return CALL(ALERT_RULE_CREATE, BY_ADMIN, "id", new_id(), "name", name, "metric", metric, "comparison", comparison,
	            "threshold", threshold, "window_s", "300", "for_s", for_s, "keep_s", keep_s, "severity", "warning",
	            "active", "true");
}

static const char *
channel(const char *name, const char *min_severity)
{
	const char *id = new_id();
	struct db_answer *answer =
	    CALL(ALERT_CHANNEL_CREATE, BY_ADMIN, "channel_id", id, "name", name, "type", "webhook", "url",
	         "https://example.com/", "sealed", "s", "min_severity", min_severity, "active", "true");

	EXPECT(answer, 0, "_refused", NULL);
	return id;
}

static void
only_own_rules(void)
{
	CALL(ALERTS_EVALUATE);
	SQL("UPDATE alert_rules SET active = false WHERE tenant = %s", fixture.tenant);
}

/* What the test's tenant has. */
static void
evaluate(void)
{
	assert_int_equal(CALL(ALERTS_EVALUATE)->status, DB_OK);
}

#define EXPECT_STATES(expected) \
	EXPECT_SQL(expected, "SELECT string_agg(state, ',' ORDER BY id) FROM alerts WHERE tenant = %s", fixture.tenant)

static void
test_alert_rules_of_agentd_are_there_once(void **state UNUSED)
{
	evaluate();
	evaluate();
	/* Those of nodes are the default tenant's. */
	EXPECT_SQL("7", "SELECT count(*) FROM alert_rules WHERE tenant = %s AND builtin", fixture.tenant);
	EXPECT_SQL("11", "SELECT count(*) FROM alert_rules WHERE tenant = 1 AND builtin");
	EXPECT_SQL("7", "SELECT count(*) FROM alert_rules WHERE tenant = %s AND id::text LIKE '________-____-7%%'",
	           fixture.tenant);
}

static void
test_alert_fires_once_and_is_resolved_once(void **state UNUSED)
{
	const char *all = channel("all", "info");
	struct db_answer *one, *two;

	(void)channel("severe", "critical");
	only_own_rules();
	rule("errors", "agent_errors", ">=", "3", "0", "60");
	count(2, 0);
	evaluate();
	EXPECT_STATES(NULL);
	count(3, 0);
	/* Two leaders at once. */
	one = ASK(ALERTS_EVALUATE);
	two = ASK(ALERTS_EVALUATE);
	queries_wait(one);
	queries_wait(two);
	assert_int_equal(one->rows + two->rows, 1);
	EXPECT_STATES("firing");
	EXPECT_SQL("alert.firing", "SELECT event FROM alert_deliveries WHERE tenant = %s AND channel_id = '%s'",
	           fixture.tenant, all);
	EXPECT_SQL("1", "SELECT count(*) FROM alert_deliveries WHERE tenant = %s", fixture.tenant);
	EXPECT_SQL("errors|a1|3",
	           "SELECT concat_ws('|', d ->> 'rule', d ->> 'subject', d ->> 'value') FROM (SELECT body::json ->"
	           " 'data' AS d FROM alert_deliveries WHERE tenant = %s) x",
	           fixture.tenant);
	evaluate();
	EXPECT_STATES("firing");
	/* Out of the window, and in it again before a minute has passed. */
	advance_s(331);
	evaluate();
	EXPECT_SQL("t", "SELECT clear_since IS NOT NULL FROM alerts WHERE tenant = %s", fixture.tenant);
	count(7, 0);
	evaluate();
	EXPECT_SQL("t", "SELECT clear_since IS NULL FROM alerts WHERE tenant = %s", fixture.tenant);
	advance_s(31);
	evaluate();
	advance_s(335);
	evaluate();
	advance_s(60);
	one = ASK(ALERTS_EVALUATE);
	two = ASK(ALERTS_EVALUATE);
	queries_wait(one);
	queries_wait(two);
	assert_int_equal(one->rows + two->rows, 1);
	EXPECT_STATES("resolved");
	EXPECT_SQL("2", "SELECT count(*) FROM alert_deliveries WHERE tenant = %s", fixture.tenant);
	EXPECT(CALL(ALERT_LIST, "state", "resolved", "limit", "5"), 0, "rule", "errors");
	EXPECT(CALL(ALERT_GET, "id", SQL("SELECT id FROM alerts WHERE tenant = %s", fixture.tenant)), 0, "state",
	       "resolved");
	/* It may begin anew. */
	count(17, 0);
	evaluate();
	EXPECT_STATES("resolved,firing");
}

static void
test_alert_waits_until_it_held_for_long_enough(void **state UNUSED)
{
	only_own_rules();
	rule("errors", "agent_errors", ">", "0", "30", "0");
	count(1, 0);
	evaluate();
	EXPECT_STATES("pending");
	assert_int_equal(CALL(ALERT_LIST, "limit", "5")->rows, 0);
	advance_s(29);
	evaluate();
	EXPECT_STATES("pending");
	advance_s(2);
	evaluate();
	EXPECT_STATES("firing");
	/* Without keep_s it is resolved at once; a pending one is forgotten. */
	SQL("UPDATE alert_rules SET threshold = 5 WHERE tenant = %s AND name = 'errors'", fixture.tenant);
	evaluate();
	EXPECT_STATES("resolved");
	SQL("UPDATE alert_rules SET threshold = 0 WHERE tenant = %s AND name = 'errors'", fixture.tenant);
	evaluate();
	EXPECT_STATES("resolved,pending");
	SQL("UPDATE alert_rules SET active = false WHERE tenant = %s", fixture.tenant);
	evaluate();
	EXPECT_STATES("resolved");
}

static void
test_alert_rates_need_five(void **state UNUSED)
{
	only_own_rules();
	rule("bad", "agent_success_rate", "<", "80", "0", "0");
	rule("lost", "error_rate", ">", "10", "0", "0");
	SQL("INSERT INTO tenant_stats (tenant, at, tasks_completed, tasks_failed) VALUES (%s, now(), 4, 0) ON CONFLICT "
	    "(tenant)"
	    " DO UPDATE SET at = now(), tasks_completed = 4",
	    fixture.tenant);
	count(2, 2);
	evaluate();
	EXPECT_STATES(NULL);
	count(2, 3);
	SQL("UPDATE tenant_stats SET tasks_failed = 1 WHERE tenant = %s", fixture.tenant);
	evaluate();
	EXPECT_SQL("60,20", "SELECT string_agg(value::text, ',' ORDER BY rule) FROM alerts WHERE tenant = %s",
	           fixture.tenant);
	/* What was counted before is in no window, what came since is. */
	advance_s(400);
	count(2, 13);
	evaluate();
	EXPECT_STATES("resolved,resolved");
}

static void
test_alert_of_queues_agents_and_nodes(void **state UNUSED)
{
	const char *node = new_id();

	only_own_rules();
	SQL("UPDATE alert_rules SET active = true, for_s = 0, keep_s = 0 WHERE name IN ('queue_age', 'agents_offline',"
	    " 'dead_letters', 'disk', 'certificate') AND tenant IN (1, %s)",
	    fixture.tenant);
	(void)make_task("alert-queue", "5");
	SQL("UPDATE tasks SET special = true WHERE tenant = %s AND id = '%s'", fixture.tenant,
	    make_task("alert-special", "1"));
	SQL("INSERT INTO agents (tenant, agent_id, name, role, last_activity, seen_until) VALUES (%s, 'quiet', 'q', 'r', "
	    "now(),"
	    " now() + interval '30 s')",
	    fixture.tenant);
	SQL("INSERT INTO nodes (id, name, version, started_at, seen_at, redis, disk_percent, certificate_expires_at) VALUES"
	    " ('%s', 'n1', '1', now(), now() + interval '301 s', false, 91, now() + interval '3 days')",
	    node);
	evaluate();
	EXPECT_STATES(NULL);
	EXPECT_SQL("certificate,disk",
	           "SELECT string_agg(rule, ',' ORDER BY rule) FROM alerts WHERE tenant = 1 AND subject = 'n1'");
	advance_s(301);
	evaluate();
	EXPECT_SQL("agents_offline:,queue_age:alert-queue,queue_age:alert-special",
	           "SELECT string_agg(rule || ':' || subject, ',' ORDER BY rule, subject) FROM alerts WHERE tenant = %s",
	           fixture.tenant);
	SQL("DELETE FROM tasks WHERE tenant = %s", fixture.tenant);
	SQL("DELETE FROM agents WHERE tenant = %s", fixture.tenant);
	SQL("DELETE FROM nodes WHERE id = '%s'", node);
	evaluate();
	EXPECT_STATES("resolved,resolved,resolved");
	EXPECT_SQL("0", "SELECT count(*) FROM alerts WHERE tenant = 1 AND subject = 'n1' AND state <> 'resolved'");
}

static struct db_answer *
claim(void)
{
	return CALL(ALERT_DELIVERIES_CLAIM, "max", "32", "hold_s", "40");
}

static void
done(const char *id, const char *attempts, const char *status, const char *pause_s, const char *gone)
{
	EXPECT(CALL(ALERT_DELIVERY_DONE, "id", id, "attempts", attempts, "status", status, "gone", gone, "answer_status",
	            "200", "error", strcmp(status, "delivered") == 0 ? NULL : "why", "pause_s", pause_s),
	       0, "status", status);
}

static void
test_alert_deliveries_are_taken_by_one_and_in_order(void **state UNUSED)
{
	const char *to = channel("one", "info"), *alert = new_id(), *first = new_id(), *second = new_id();
	struct db_answer *answer;

	/* Those of the other tests. */
	SQL("DELETE FROM alert_deliveries");
	SQL("INSERT INTO alert_deliveries (tenant, id, channel_id, alert_id, event, body, status, next_at, created_at) "
	    "VALUES"
	    " (%s, '%s', '%s', '%s', 'alert.firing', '{}', 'pending', now(), now() - interval '1 s'),"
	    " (%s, '%s', '%s', '%s', 'alert.resolved', '{}', 'pending', now(), now())",
	    fixture.tenant, first, to, alert, fixture.tenant, second, to, alert);
	answer = claim();
	assert_int_equal(answer->rows, 1);
	EXPECT(answer, 0, "id", first);
	EXPECT(answer, 0, "attempts", "1");
	EXPECT(answer, 0, "secret", "s");
	assert_int_equal(claim()->rows, 0);
	/* Its leader died: another takes it after a while. Who comes too late with an answer changes nothing. */
	advance_s(41);
	EXPECT(claim(), 0, "attempts", "2");
	assert_int_equal(CALL(ALERT_DELIVERY_DONE, "id", first, "attempts", "1", "status", "failed", "gone", "false")->rows,
	                 0);
	done(first, "2", "pending", "100", "false");
	assert_int_equal(claim()->rows, 0);
	advance_s(101);
	EXPECT(claim(), 0, "id", first);
	done(first, "3", "delivered", NULL, "false");
	EXPECT(claim(), 0, "id", second);
	EXPECT(CALL(ALERT_DELIVERY_LIST, "id", to, "limit", "5"), 0, "status", "pending");
	EXPECT(CALL(ALERT_CHANNEL_GET, "id", to), 0, "active", "t");
	/* Gone: nothing more is sent. */
	EXPECT(CALL(ALERT_CHANNEL_TEST, BY_ADMIN, "id", to, "new_id", new_id()), 0, "status", "pending");
	done(second, "1", "failed", NULL, "true");
	EXPECT(CALL(ALERT_CHANNEL_GET, "id", to), 0, "active", "f");
	EXPECT_SQL("0", "SELECT count(*) FROM alert_deliveries WHERE tenant = %s AND status = 'pending'", fixture.tenant);
	EXPECT(CALL(ALERT_CHANNEL_TEST, BY_ADMIN, "id", to, "new_id", new_id()), 0, "event", NULL);
	EXPECT_SQL("alert_channel.create,alert_channel.disable,alert_channel.test",
	           "SELECT string_agg(action, ',' ORDER BY action) FROM audit_log WHERE tenant = %s", fixture.tenant);
}

static void
test_alert_channels_change_and_go(void **state UNUSED)
{
	const char *id = channel("one", "info");

	SQL("DELETE FROM alert_deliveries");
	for (int i = 0; i < 6; i++)
		CALL(ALERT_CHANNEL_TEST, BY_ADMIN, "id", id, "new_id", new_id());
	/* A few of a channel at once. */
	assert_int_equal(claim()->rows, 4);
	EXPECT(CALL(ALERT_CHANNEL_PATCH, BY_ADMIN, "id", id, "url", "https://b/", "active", "false"), 0, "url",
	       "https://b/");
	EXPECT_SQL("6", "SELECT count(*) FROM alert_deliveries WHERE tenant = %s AND status = 'failed'", fixture.tenant);
	EXPECT_SQL(
	    "b",
	    "SELECT after ->> 'host' FROM audit_log WHERE tenant = %s AND action = 'alert_channel.update' AND after::text"
	    " NOT LIKE '%%https%%'",
	    fixture.tenant);
	assert_int_equal(CALL(ALERT_CHANNEL_LIST, "limit", "5", "name", "one")->rows, 1);
	EXPECT(CALL(ALERT_CHANNEL_DELETE, BY_ADMIN, "id", id), 0, "id", id);
	EXPECT_SQL("0", "SELECT count(*) FROM alert_deliveries WHERE tenant = %s", fixture.tenant);
	assert_int_equal(CALL(ALERT_CHANNEL_GET, "id", id)->rows, 0);
}

static void
test_alert_rules_change_and_go(void **state UNUSED)
{
	struct db_answer *made = rule("mine", "task_ms", ">", "1.5", "0", "0");
	const char *id = db_answer_cell(made, 0, "id");

	EXPECT(made, 0, "threshold", "1.5");
	EXPECT(CALL(ALERT_RULE_GET, "id", id), 0, "name", "mine");
	assert_non_null(strstr(db_answer_cell(rule("mine", "task_ms", ">", "2", "0", "0"), 0, "_refused"), "already"));
	EXPECT(CALL(ALERT_RULE_PATCH, BY_ADMIN, "id", id, "threshold", "2", "active", "false"), 0, "threshold", "2");
	EXPECT(CALL(ALERT_RULE_LIST, "limit", "5", "name", "mine"), 0, "active", "f");
	EXPECT(CALL(ALERT_RULE_DELETE, BY_ADMIN, "id", id), 0, "_refused", NULL);
	assert_int_equal(CALL(ALERT_RULE_DELETE, BY_ADMIN, "id", id)->rows, 0);
	evaluate();
	id = SQL("SELECT id FROM alert_rules WHERE tenant = %s AND name = 'dead_letters'", fixture.tenant);
	assert_non_null(strstr(db_answer_cell(CALL(ALERT_RULE_DELETE, BY_ADMIN, "id", id), 0, "_refused"), "silence"));
}

static void
test_alerts_go_by_age(void **state UNUSED)
{
	only_own_rules();
	rule("errors", "agent_errors", ">=", "3", "0", "0");
	count(3, 0);
	evaluate();
	advance_s(400);
	count(4, 0);
	evaluate();
	EXPECT_STATES("resolved");
	EXPECT_SQL("2", "SELECT count(*) FROM alert_marks WHERE tenant = %s", fixture.tenant);
	advance_s(7200);
	(void)CALL(ALERTS_PRUNE, "retention_days", "30");
	EXPECT_STATES("resolved");
	/* The newest mark stays, however old. */
	EXPECT_SQL("4", "SELECT max(failed) FROM alert_marks WHERE tenant = %s HAVING count(*) = 1", fixture.tenant);
	SQL("UPDATE alerts SET resolved_at = now() - interval '31 days' WHERE tenant = %s", fixture.tenant);
	(void)CALL(ALERTS_PRUNE, "retention_days", "30");
	EXPECT_STATES(NULL);
}

const struct CMUnitTest alert_tests[] = {
    TEST(test_alert_rules_of_agentd_are_there_once),
    TEST(test_alert_fires_once_and_is_resolved_once),
    TEST(test_alert_waits_until_it_held_for_long_enough),
    TEST(test_alert_rates_need_five),
    TEST(test_alert_of_queues_agents_and_nodes),
    TEST(test_alert_deliveries_are_taken_by_one_and_in_order),
    TEST(test_alert_channels_change_and_go),
    TEST(test_alert_rules_change_and_go),
    TEST(test_alerts_go_by_age),
};
const int alert_test_count = (int)ARRAY_LENGTH(alert_tests);
