/* queries_identity.c - sql/query/identity.sql and system.sql: who logs in, what the system has. */
#include "base.h"

#include "queries.h"

const char *
make_user(const char *name, const char *role)
{
	const char *id = new_id();

	SQL("INSERT INTO users (tenant, id, username, password_hash, role) VALUES (%s, '%s', '%s', 'h-%s', '%s')",
	    fixture.tenant, id, name, name, role);
	return id;
}

static void
test_user_for_login_is_looked_up_in_its_tenant(void **state UNUSED)
{
	const char *id = make_user("neo", "operator");
	const char *tenant_name = SQL("SELECT name FROM tenants WHERE id = %s", fixture.tenant);
	struct db_answer *answer = CALL(USER_FOR_LOGIN, "username", "neo", "tenant_name", tenant_name);

	assert_int_equal(answer->rows, 1);
	EXPECT(answer, 0, "id", id);
	EXPECT(answer, 0, "tenant", fixture.tenant);
	EXPECT(answer, 0, "password_hash", "h-neo");
	EXPECT(answer, 0, "version", "1");
	EXPECT(answer, 0, "active", "t");
	assert_int_equal(CALL(USER_FOR_LOGIN, "username", "neo")->rows, 0); /* not in the tenant `default` */
	assert_int_equal(CALL(USER_FOR_LOGIN, "username", "nobody", "tenant_name", tenant_name)->rows, 0);
	SQL("UPDATE tenants SET active = false WHERE id = %s", fixture.tenant);
	EXPECT(CALL(USER_FOR_LOGIN, "username", "neo", "tenant_name", tenant_name), 0, "active", "f");
}

static void
test_system_status_counts_what_is_live(void **state UNUSED)
{
	make_task("count", "5");
	make_task("count", "5");
	lease_one("count");
	make_workflow("[{\"key\":\"a\",\"role\":\"count\"}]");
	EXPECT_SQL("2 1 0 0 1",
	           "SELECT concat_ws(' ', '%s'::json->>'ready', '%s'::json->>'processing', '%s'::json->>'failed',"
	           " '%s'::json->>'registered', '%s'::json->>'open')",
	           db_answer_cell(CALL(SYSTEM_STATUS), 0, "tasks"), db_answer_cell(CALL(SYSTEM_STATUS), 0, "tasks"),
	           db_answer_cell(CALL(SYSTEM_STATUS), 0, "tasks"), db_answer_cell(CALL(SYSTEM_STATUS), 0, "agents"),
	           db_answer_cell(CALL(SYSTEM_STATUS), 0, "workflows"));
	EXPECT(CALL(DATABASE_PING), 0, "standby", "f");
}

const struct CMUnitTest identity_tests[] = {
    TEST(test_user_for_login_is_looked_up_in_its_tenant),
    TEST(test_system_status_counts_what_is_live),
};
const int identity_test_count = ARRAY_LENGTH(identity_tests);
