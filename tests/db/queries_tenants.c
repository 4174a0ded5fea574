/* queries_tenants.c - sql/query/tenants.sql: tenants made, bounded, put out of use and deleted with all that they have.
 */
#include "base.h"

#include "queries.h"

static struct db_answer *
make_tenant(const char *name, const char *quotas, const char *admin)
{
	return CALL(TENANT_CREATE, "name", name, "quotas", quotas, "admin_username", admin, "new_id", new_id(),
	            "password_hash", admin ? "h-secret" : NULL, "actor", "neo", "address", "127.0.0.1", "request_id", "r7");
}

static struct db_answer *
patch(const char *name, const char *active, const char *quotas)
{
	return CALL(TENANT_PATCH, "name", name, "active", active, "quotas", quotas, "actor", "neo");
}

/* A name that no other test has. */
static const char *
fresh_name(void)
{
	return text("t-%s", new_id());
}

static void
test_tenant_is_made_with_its_first_admin(void **state UNUSED)
{
	const char *name = fresh_name();
	struct db_answer *answer = make_tenant(name, "{\"max_users\": 5, \"max_keys\": null}", "kim");

	EXPECT(answer, 0, "status", "active");
	EXPECT(answer, 0, "quotas", "{\"max_users\": 5}");
	EXPECT(answer, 0, "admin_username", "kim");
	EXPECT(CALL(USER_FOR_LOGIN, "username", "kim", "tenant_name", name), 0, "role", "admin");
	EXPECT_SQL("tenant.create neo", "SELECT action || ' ' || actor FROM audit_log WHERE tenant = %s", fixture.tenant);
	EXPECT_SQL("user.create", "SELECT action FROM audit_log WHERE tenant = %s", db_answer_cell(answer, 0, "id"));
	EXPECT_SQL("0", "SELECT count(*) FROM audit_log a WHERE a::text LIKE '%%h-secret%%'");
	assert_int_equal(make_tenant(name, NULL, "lee")->rows, 0); /* the name is taken, and nothing was changed */
	EXPECT_SQL("1", "SELECT count(*) FROM users WHERE tenant = %s", db_answer_cell(answer, 0, "id"));
	assert_int_equal(make_tenant(fresh_name(), NULL, NULL)->rows, 1);
}

static void
test_tenant_is_found_by_name_and_by_id(void **state UNUSED)
{
	const char *name = fresh_name(), *id = db_answer_cell(make_tenant(name, NULL, "kim"), 0, "id");
	const char *cursor = NULL;
	struct db_answer *page;
	int seen = 0;

	EXPECT(CALL(TENANT_GET, "name", name), 0, "id", id);
	EXPECT(CALL(TENANT_GET, "name", id), 0, "name", name);
	EXPECT_SQL("1 0", "SELECT concat_ws(' ', '%s'::json->>'users', '%s'::json->>'agents')",
	           db_answer_cell(CALL(TENANT_GET, "name", id), 0, "usage"),
	           db_answer_cell(CALL(TENANT_GET, "name", id), 0, "usage"));
	assert_int_equal(CALL(TENANT_GET, "name", fresh_name())->rows, 0);
	EXPECT(CALL(TENANT_LIST, "limit", "2"), 0, "name", name);
	do {
		page = CALL(TENANT_LIST, "limit", "1", "cursor", cursor);
		seen++;
		cursor = db_answer_cell(page, 0, "_cursor");
	} while (page->rows == 2);
	EXPECT_SQL(text("%d", seen), "SELECT count(*) FROM tenants");
}

static void
test_tenant_is_changed_and_announced(void **state UNUSED)
{
	const char *name = fresh_name(), *id = db_answer_cell(make_tenant(name, "{\"max_users\": 5}", NULL), 0, "id");

	EXPECT(patch(name, NULL, "{\"max_keys\": 7}"), 0, "quotas", "{\"max_keys\": 7, \"max_users\": 5}");
	EXPECT(patch(name, NULL, "{\"max_users\": null}"), 0, "quotas", "{\"max_keys\": 7}");
	EXPECT_SQL("0", "SELECT count(*) FROM changes WHERE tenant = %s", id);
	EXPECT(patch(name, "false", NULL), 0, "status", "inactive");
	EXPECT_SQL(text("tenant %s", id), "SELECT kind || ' ' || subject FROM changes WHERE tenant = %s", id);
	EXPECT(patch(name, "false", NULL), 0, "_seq", NULL); /* it was so already */
	EXPECT(patch(name, "true", NULL), 0, "deactivated_at", NULL);
	EXPECT_SQL("2", "SELECT count(*) FROM changes WHERE tenant = %s AND kind = 'tenant'", id);
	EXPECT_SQL("false", "SELECT before ->> 'active' FROM audit_log WHERE tenant = %s ORDER BY id DESC LIMIT 1",
	           fixture.tenant);
	assert_int_equal(patch(fresh_name(), "false", NULL)->rows, 0);
	assert_non_null(strstr(db_answer_cell(patch("default", "false", NULL), 0, "_refused"), "cannot be deactivated"));
	EXPECT_SQL("t", "SELECT active FROM tenants WHERE id = 1");
	EXPECT(patch("default", NULL, "{}"), 0, "_refused", NULL);
}

static void
test_quotas_refuse_the_row_beyond_them(void **state UNUSED)
{
	struct db_answer *first, *second, *third;

	SQL("UPDATE tenants SET quotas = '{\"max_agents\": 2, \"max_keys\": 1, \"max_users\": 1, \"max_schedules\": 0}' "
	    "WHERE id = %s",
	    fixture.tenant);
	first = ASK(AGENT_REGISTER, "agent_id", "a", "name", "A", "role", "r", "max_concurrent", "1", "actor", "neo");
	second = ASK(AGENT_REGISTER, "agent_id", "b", "name", "B", "role", "r", "max_concurrent", "1", "actor", "neo");
	third = ASK(AGENT_REGISTER, "agent_id", "c", "name", "C", "role", "r", "max_concurrent", "1", "actor", "neo");
	db_fixture_wait(&fixture);
	assert_int_equal(first->status, DB_OK);
	assert_int_equal(second->status, DB_OK);
	assert_int_equal(third->status, DB_FAILED);
	assert_string_equal(third->sqlstate, "AG403");
	assert_non_null(strstr(third->message, "max_agents"));
	/* Registering again is no new agent. */
	CALL(AGENT_REGISTER, "agent_id", "a", "name", "A2", "role", "r", "max_concurrent", "1", "actor", "neo");
	SQL("INSERT INTO users (tenant, id, username, password_hash, role) VALUES (%s, '%s', 'kim', 'h', 'viewer')",
	    fixture.tenant, new_id());
	EXPECT_SQL("0 0", "SELECT (SELECT count(*) FROM api_keys WHERE tenant = %s) || ' ' || count(*) FROM schedules",
	           fixture.tenant);
	SQL("UPDATE tenants SET quotas = '{}' WHERE id = %s", fixture.tenant);
	CALL(AGENT_REGISTER, "agent_id", "c", "name", "C", "role", "r", "max_concurrent", "1", "actor", "neo");
}

static void
test_quotas_hold_against_two_at_once(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *answer;

	SQL("UPDATE tenants SET quotas = '{\"max_agents\": 1}' WHERE id = %s", fixture.tenant);
	db_fixture_sql_on(&fixture, other, "BEGIN");
	db_fixture_sql_on(
	    &fixture, other,
	    text("INSERT INTO agents (tenant, agent_id, name, role) VALUES (%s, 'a', 'A', 'r')", fixture.tenant));
	answer = ASK(AGENT_REGISTER, "agent_id", "b", "name", "B", "role", "r", "max_concurrent", "1", "actor", "neo");
	while (strcmp(SQL("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "0") == 0)
		event_base_loop(fixture.base, EVLOOP_ONCE);
	db_fixture_sql_on(&fixture, other, "COMMIT");
	db_fixture_wait(&fixture);
	assert_string_equal(answer->sqlstate, "AG403");
	database_close(other);
}

static void
test_hot_quotas_are_noticed(void **state UNUSED)
{
	const char *where = text("WHERE id = %s", fixture.tenant);

	SQL("UPDATE tenants SET quotas = '{}'");
	SQL("UPDATE tenants SET quotas = '{\"max_open_tasks\": 2, \"max_open_workflows\": 1, \"rate_limit\": 9}' %s",
	    where);
	CALL(KEEPER_TENANTS_FULL);
	EXPECT_SQL("{}", "SELECT full_of FROM tenants %s", where);
	make_task("bounded", "5");
	make_task("bounded", "5");
	lease_one("bounded");
	CALL(KEEPER_TENANTS_FULL);
	EXPECT_SQL("{max_open_tasks}", "SELECT full_of FROM tenants %s", where);
	EXPECT(CALL(TENANT_BOUNDS), 0, "rate_limit", "9");
	EXPECT(CALL(TENANT_BOUNDS), 0, "tasks_full", "t");
	EXPECT(CALL(TENANT_BOUNDS), 0, "workflows_full", "f");
	work("bounded", "{}", NULL);
	CALL(KEEPER_TENANTS_FULL);
	EXPECT_SQL("{}", "SELECT full_of FROM tenants %s", where);
	make_workflow("[{\"key\":\"a\",\"role\":\"elsewhere\"}]");
	EXPECT(CALL(KEEPER_TENANTS_FULL), 0, "full_of", "max_open_workflows, max_open_tasks");
	SQL("UPDATE tenants SET quotas = '{}' %s", where);
	CALL(KEEPER_TENANTS_FULL);
	EXPECT_SQL("{}", "SELECT full_of FROM tenants %s", where);
	assert_int_equal(CALL(TENANT_BOUNDS)->rows, 0);
}

/* Rows of a tenant in every table that has such a column, but what stays. */
static const char *
rows_left(const char *tenant)
{
	const char *sql = SQL(
	    "SELECT string_agg(format('SELECT count(*) AS n FROM %%s WHERE tenant = %s', c.oid::regclass), ' UNION ALL ')"
	    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'"
	    " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
	    " AND c.relname NOT IN ('audit_log', 'changes')",
	    tenant);

	return SQL("SELECT sum(n) FROM (%s) x", sql);
}

static void
test_tenant_is_deleted_part_by_part(void **state UNUSED)
{
	const char *own = fixture.tenant, *name = fresh_name(), *id, *deleted;
	int parts = 0;

	id = fixture.tenant = db_answer_cell(make_tenant(name, NULL, "kim"), 0, "id");
	CALL(AGENT_REGISTER, "agent_id", "a", "name", "A", "role", "r", "max_concurrent", "1", "actor", "neo");
	make_workflow("[{\"key\":\"a\",\"role\":\"x\"},{\"key\":\"b\",\"role\":\"x\",\"depends_on\":[\"a\"]}]");
	make_task("doomed", "5");
	work("x", "{}", NULL);
	SQL("INSERT INTO tasks_done (tenant, id, queue, status, done_at) VALUES (%s, gen_random_uuid(), 'q', 'completed', "
	    "now())",
	    id);
	assert_true(strtol(rows_left(id), NULL, 10) > 8);
	fixture.tenant = own;
	assert_non_null(strstr(db_answer_cell(CALL(TENANT_DELETE, "name", name, "actor", "neo"), 0, "_refused"),
	                       "deactivate it first"));
	patch(name, "false", NULL);
	EXPECT(CALL(TENANT_DELETE, "name", name, "actor", "neo"), 0, "_status", "202");
	EXPECT(CALL(TENANT_DELETE, "name", name, "actor", "neo"), 0, "status", "deleting"); /* again is the same */
	EXPECT_SQL("1", "SELECT count(*) FROM audit_log WHERE tenant = %s AND action = 'tenant.delete'", own);
	assert_non_null(strstr(db_answer_cell(patch(name, "true", NULL), 0, "_refused"), "being deleted"));
	assert_int_equal(CALL(KEEPER_TENANT_FORGET, "max", "3")->rows, 0); /* somebody may still be at work for it */
	db_fixture_advance(&fixture, 6000);
	do {
		deleted = db_answer_cell(CALL(KEEPER_TENANT_FORGET, "max", "3"), 0, "deleted");
		parts++;
	} while (strcmp(deleted, "3") == 0);
	assert_true(parts > 3);
	assert_int_equal(CALL(KEEPER_TENANT_FORGET, "max", "3")->rows, 0);
	EXPECT_SQL("0", "SELECT count(*) FROM tenants WHERE id = %s", id);
	assert_string_equal(rows_left(id), "0");
	EXPECT_SQL("t", "SELECT count(*) > 0 FROM audit_log WHERE tenant = %s", id);
	EXPECT_SQL("1",
	           "SELECT count(*) FROM audit_log WHERE tenant = 1 AND action = 'tenant.deleted' AND subject_id = '%s'",
	           name);
	assert_non_null(strstr(db_answer_cell(CALL(TENANT_DELETE, "name", "default", "actor", "neo"), 0, "_refused"),
	                       "cannot be deleted"));
}

const struct CMUnitTest tenant_tests[] = {
    TEST(test_tenant_is_made_with_its_first_admin), TEST(test_tenant_is_found_by_name_and_by_id),
    TEST(test_tenant_is_changed_and_announced),     TEST(test_quotas_refuse_the_row_beyond_them),
    TEST(test_quotas_hold_against_two_at_once),     TEST(test_hot_quotas_are_noticed),
    TEST(test_tenant_is_deleted_part_by_part),
};
const int tenant_test_count = ARRAY_LENGTH(tenant_tests);
