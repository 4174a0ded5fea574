/*
 * test_row_security.c - the second wall between tenants: what a statement that forgets the tenant can see and change.
 *
 * The statements go through the server's own pool. agentd_claim(), which the query idempotency_claim calls with a
 * tenant, is replaced by a function that forgets it in every way; what it could do is read back by a connection that is
 * not bound.
 */
#include "base.h"

#include "buf.h"
#include "db_fixture.h"

#include <libpq-fe.h>

static struct db_fixture fixture;

#define SQL(...) db_fixture_sql(&fixture, __VA_ARGS__)

/* claim: what to do; what came of it is told in the table told. */
static const char forgetful_sql[] =
    "CREATE TABLE told (what text, tenants text);"
    "CREATE OR REPLACE FUNCTION agentd_claim(claim text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
    " CASE split_part(claim, ' ', 2)"
    " WHEN 'select' THEN INSERT INTO told SELECT 'select', coalesce(string_agg(DISTINCT tenant::text, ','), 'none') "
    "FROM tasks;"
    " WHEN 'done' THEN INSERT INTO told SELECT 'done', coalesce(string_agg(DISTINCT tenant::text, ','), 'none') FROM "
    "tasks_done;"
    " WHEN 'part' THEN INSERT INTO told SELECT 'part', coalesce(string_agg(DISTINCT tenant::text, ','), 'none') FROM "
    "tasks_done_default;"
    " WHEN 'update' THEN UPDATE tasks SET priority = 9;"
    " WHEN 'delete' THEN DELETE FROM tasks;"
    " WHEN 'steal' THEN UPDATE tasks SET tenant = 2;"
    " WHEN 'insert' THEN INSERT INTO tasks (tenant, id, queue, status) SELECT 3, gen_random_uuid(), 'q', 'pending';"
    " WHEN 'fail' THEN RAISE EXCEPTION 'as asked';"
    " END CASE; END $$";

static struct db_answer *
ask(const char *tenant, const char *what)
{
	return db_fixture_ask(&fixture, QUERY_IDEMPOTENCY_CLAIM, "tenant", tenant, "owner", what, "key", "k", "element",
	                      "0", (char *)NULL);
}

static struct db_answer *
call(const char *tenant, const char *what)
{
	struct db_answer *answer = ask(tenant, what);

	db_fixture_wait(&fixture);
	return answer;
}

/* What the last statement that looked could see. */
static void
expect_told(const char *expected)
{
	const char *told = SQL("SELECT string_agg(tenants, ' ') FROM told");

	SQL("DELETE FROM told");
	assert_string_equal(told ? told : "nothing", expected);
}

static void
fill(void)
{
	SQL("DELETE FROM tasks; DELETE FROM tasks_done; DELETE FROM told");
	SQL("INSERT INTO tasks (tenant, id, queue, status) SELECT n, gen_random_uuid(), 'q', 'completed'"
	    " FROM generate_series(1, 3) n, generate_series(1, 5)");
	SQL("INSERT INTO tasks_done (tenant, id, queue, status, done_at) SELECT n, gen_random_uuid(), 'q', 'completed', "
	    "'2001-01-01'"
	    " FROM generate_series(1, 3) n");
}

static int
set_up(struct db_options options)
{
	fill();
	db_fixture_start(&fixture, options);
	return 0;
}

static int
set_up_plain(void **state UNUSED)
{
	struct db_options options = db_fixture_options();

	options.pool_size = 1; /* so that one connection serves all tenants in turn */
	return set_up(options);
}

static int
set_up_pooled(void **state UNUSED)
{
	struct db_options options = db_fixture_options();

	options.pool_size = 1;
	options.pooled = true;
	return set_up(options);
}

static int
tear_down(void **state UNUSED)
{
	db_fixture_stop(&fixture);
	db_fixture_forget(&fixture);
	return 0;
}

static void
test_forgetful_statement_sees_only_its_tenant(void **state UNUSED)
{
	call("1", "select");
	expect_told("1");
	call("3", "select");
	expect_told("3");
	call("1", "select");
	expect_told("1");
	call("1", "done"); /* through the parent */
	expect_told("1");
	call("2", "part"); /* and the partition itself */
	expect_told("2");
	call("77", "select");
	expect_told("none");
}

static void
test_batch_sees_the_tenants_of_its_calls(void **state UNUSED)
{
	ask("3", "select");
	ask("1", "select");
	ask("3", "select");
	db_fixture_wait(&fixture);
	expect_told("1,3 1,3 1,3");
	call("2", "select");
	expect_told("2");
}

static void
test_forgetful_statement_changes_only_its_tenant(void **state UNUSED)
{
	assert_int_equal(call("1", "update")->status, DB_OK);
	assert_string_equal(SQL("SELECT string_agg(DISTINCT tenant::text, ',') FROM tasks WHERE priority = 9"), "1");
	assert_int_equal(call("1", "delete")->status, DB_OK);
	assert_string_equal(SQL("SELECT string_agg(DISTINCT tenant::text, ',') FROM tasks"), "2,3");
	assert_string_equal(call("2", "insert")->sqlstate, "42501");
	assert_string_equal(call("3", "steal")->sqlstate, "42501");
	assert_string_equal(SQL("SELECT count(*) FROM tasks WHERE tenant = 2"), "5");
	assert_string_equal(SQL("SELECT count(*) FROM tasks WHERE tenant = 3"), "5");
	assert_int_equal(call("3", "insert")->status, DB_OK);
}

/* What was set for a statement that failed still holds for those behind it. */
static void
test_failure_leaves_the_setting(void **state UNUSED)
{
	struct db_answer *first, *second;

	call("2", "select");
	expect_told("2");
	first = ask("3", "fail");
	second = ask("3", "select"); /* in the same batch, and alone after it failed */
	db_fixture_wait(&fixture);
	assert_int_equal(first->status, DB_FAILED);
	assert_int_equal(second->status, DB_OK);
	expect_told("3");
	for (int i = 0; i < 20; i++) {
		ask(i % 2 ? "1" : "2", i % 3 ? "select" : "fail");
		db_fixture_ask(&fixture, QUERY_TASK_LIST, "tenant", i % 2 ? "2" : "3", "limit", "50", (char *)NULL);
	}
	db_fixture_wait(&fixture);
	call("1", "select");
	assert_string_equal(SQL("SELECT tenants FROM told ORDER BY ctid DESC LIMIT 1"), "1");
	assert_int_equal(call("1", "fail")->status, DB_FAILED);
	SQL("DELETE FROM told");
	call("1", "select");
	expect_told("1");
}

static void
test_queries_in_turn_find_their_own(void **state UNUSED)
{
	struct db_answer *answers[60];

	for (int i = 0; i < 60; i++)
		answers[i] = db_fixture_ask(&fixture, QUERY_TASK_LIST, "tenant",
		                            i % 3 == 0   ? "1"
		                            : i % 3 == 1 ? "2"
		                                         : "3",
		                            "limit", "50", (char *)NULL);
	db_fixture_wait(&fixture);
	for (int i = 0; i < 60; i++)
		assert_int_equal(answers[i]->rows, 6); /* with what is archived */
}

static void
test_statements_of_all_tenants_see_all(void **state UNUSED)
{
	call("1", "select");
	expect_told("1");
	assert_int_equal(db_fixture_ask(&fixture, QUERY_TENANT_LIST, "limit", "50", (char *)NULL)->done, 0);
	db_fixture_wait(&fixture);
	SQL("INSERT INTO users (tenant, id, username, password_hash, role) VALUES (2, gen_random_uuid(), 'kim', 'h', "
	    "'viewer')"
	    " ON CONFLICT DO NOTHING");
	{
		struct db_answer *found =
		    db_fixture_ask(&fixture, QUERY_USER_FOR_LOGIN, "username", "kim", "tenant_name", "two", (char *)NULL);
		db_fixture_wait(&fixture);
		assert_int_equal(found->rows, 1);
	}
	call("1", "select");
	expect_told("1");
}

static void
test_keeper_sees_all(void **state UNUSED)
{
	struct db_options options = db_fixture_options();

	options.all_tenants = true;
	fill();
	db_fixture_start(&fixture, options);
	call("1", "select");
	expect_told("1,2,3");
	tear_down(NULL);
	options.pooled = true;
	db_fixture_start(&fixture, options);
	call("1", "select");
	expect_told("1,2,3");
}

/* Who adds a table with a column `tenant` calls agentd_guard() for it. */
static void
test_every_table_of_tenants_is_guarded(void **state UNUSED)
{
	static const char sql[] =
	    "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
	    " AND a.attname = 'tenant' AND NOT a.attisdropped"
	    " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT (c.relrowsecurity"
	    " AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = "
	    "'tenant'))";
	const char *open = SQL("%s", sql);

	if (open)
		fail_msg("without agentd_guard(): %s", open);
	assert_string_equal(SQL("SELECT agentd_partition('tasks_done', 'done_at', '2031-01-01')"), "t");
	assert_null(SQL("%s", sql));
	assert_string_equal(SQL("SELECT (count(*) > 30)::text FROM pg_policy WHERE polname = 'tenant'"), "true");
}

/* The tests themselves are bound, or they would prove nothing. */
static void
test_user_is_bound(void **state UNUSED)
{
	assert_string_equal(
	    SQL("SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"), "0");
	assert_string_equal(SQL("SELECT count(DISTINCT tenant) FROM tasks"), "3"); /* who names none sees all */
	SQL("SET agentd.tenants TO '{}'");
	assert_string_equal(SQL("SELECT count(*) FROM tasks"), "0");
	SQL("SET agentd.tenants TO '*'");
	assert_string_equal(SQL("SELECT count(DISTINCT tenant) FROM tasks"), "3");
	SQL("RESET agentd.tenants");
}

/* The conditions that a statement searches indexes with, one a line; numbers of parameters and the like left out. */
static const char *
searches(struct pg_conn *conn, const char *sql, int count)
{
	char explain[300] = "EXPLAIN (COSTS OFF) EXECUTE p";
	PGresult *result;
	struct buf out = {0};
	const char *text;

	db_fixture_sql_on(&fixture, conn, arena_printf(&fixture.arena, "PREPARE p AS %s", sql));
	for (int i = 0; i < count; i++)
		snprintf(explain + strlen(explain), sizeof(explain) - strlen(explain), "%s", i ? ", NULL" : "(NULL");
	result = PQexec((PGconn *)conn, arena_printf(&fixture.arena, "%s%s", explain, count ? ")" : ""));
	for (int row = 0; row < PQntuples(result); row++) {
		const char *line = strstr(PQgetvalue(result, row, 0), "Index Cond: ");
		for (const char *at = line; at && *at; at++)
			if (*at < '0' || *at > '9')
				buf_add_byte(&out, *at);
		if (line)
			buf_add_byte(&out, '\n');
	}
	PQclear(result);
	db_fixture_sql_on(&fixture, conn, "DEALLOCATE p");
	text = arena_string(&fixture.arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

enum { STATEMENTS_MAX = 16 };

static void
search_all(struct pg_conn *conn, const char *found_r[QUERY_COUNT][STATEMENTS_MAX])
{
	for (int query = 0; query < QUERY_COUNT; query++)
		for (int i = 0; i < query_table[query].statement_count; i++) {
			const struct query_statement *statement = &query_table[query].statements[i];
			assert_in_range(i, 0, STATEMENTS_MAX - 1);
			found_r[query][i] = searches(conn, statement->sql, statement->param_count);
		}
}

/*
 * A condition that the planner does not trust not to tell what it sees is looked at after the policy, and so not used
 * to search: only plain comparisons of columns and of what was computed before are. That would be slow, and nobody
 * would know.
 */
static void
test_statements_search_as_without_policies(void **state UNUSED)
{
	static const char *with[QUERY_COUNT][STATEMENTS_MAX], *without[QUERY_COUNT][STATEMENTS_MAX];
	struct pg_conn *conn = db_fixture_connect(&fixture);

	db_fixture_sql_on(
	    &fixture, conn,
	    "SET search_path TO agentd_test, pg_catalog, public; SET plan_cache_mode TO force_generic_plan;"
	    "SET enable_seqscan TO off; SET enable_mergejoin TO off; SET enable_hashagg TO off; SET jit TO off;"
	    "SET enable_memoize TO off; SET agentd.tenants TO '{1}'");
	search_all(conn, with);
	/* The owner is not bound then. */
	db_fixture_sql_on(&fixture, conn,
	                  "BEGIN; DO $$ DECLARE part regclass; BEGIN FOR part IN SELECT polrelid FROM pg_policy LOOP"
	                  " EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', part); END LOOP; END $$");
	search_all(conn, without);
	database_close(conn);
	for (int query = 0; query < QUERY_COUNT; query++)
		for (int i = 0; i < query_table[query].statement_count; i++)
			/* Of task_settle: among the attempts of one task, which are few. */
			if (query != QUERY_TASK_SETTLE && strcmp(with[query][i], without[query][i]) != 0)
				fail_msg("%s searches otherwise with row level security:\n%s\nthan without:\n%s",
				         query_table[query].name, with[query][i], without[query][i]);
	assert_non_null(strstr(without[QUERY_TASK_GET][0], "Index Cond"));
}

static int
group_set_up(void **state UNUSED)
{
	db_fixture_create(&fixture, "row_security");
	db_fixture_migrate(&fixture);
	SQL("INSERT INTO tenants (id, name) VALUES (2, 'two'), (3, 'three')");
	SQL("%s", forgetful_sql);
	return 0;
}

static int
group_tear_down(void **state UNUSED)
{
	db_fixture_drop(&fixture);
	return 0;
}

#define PLAIN(test) cmocka_unit_test_setup_teardown(test, set_up_plain, tear_down)
#define POOLED(test)                                            \
	{                                                           \
#test " (pooled)", test, set_up_pooled, tear_down, NULL \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    PLAIN(test_forgetful_statement_sees_only_its_tenant),
	    PLAIN(test_batch_sees_the_tenants_of_its_calls),
	    PLAIN(test_forgetful_statement_changes_only_its_tenant),
	    PLAIN(test_failure_leaves_the_setting),
	    PLAIN(test_queries_in_turn_find_their_own),
	    PLAIN(test_statements_of_all_tenants_see_all),
	    POOLED(test_forgetful_statement_sees_only_its_tenant),
	    POOLED(test_batch_sees_the_tenants_of_its_calls),
	    POOLED(test_forgetful_statement_changes_only_its_tenant),
	    POOLED(test_failure_leaves_the_setting),
	    POOLED(test_queries_in_turn_find_their_own),
	    POOLED(test_statements_of_all_tenants_see_all),
	    cmocka_unit_test_teardown(test_keeper_sees_all, tear_down),
	    cmocka_unit_test(test_every_table_of_tenants_is_guarded),
	    cmocka_unit_test_teardown(test_statements_search_as_without_policies, tear_down),
	    PLAIN(test_user_is_bound),
	};

	return cmocka_run_group_tests_name("row_security", tests, group_set_up, group_tear_down);
}
