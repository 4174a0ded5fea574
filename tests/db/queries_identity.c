/* queries_identity.c - sql/query/identity.sql and system.sql: who logs in, what keys say, what the system has. */
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

static struct db_answer *
make_key(const char *key_id, const char *owner_id)
{
	return CALL(KEY_CREATE, "key_id", key_id, "key", text("%s.secret", key_id), "hash",
	            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "name", "laptop", "type", "secret",
	            "role", "viewer", "actor_id", owner_id, "actor", "neo", "rate_limit", "70", "expires_in_days", "30",
	            "address", "127.0.0.1", "request_id", "r7");
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
test_key_is_created_and_audited(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");
	struct db_answer *answer = make_key("agd_sk_a1", owner);

	EXPECT(answer, 0, "key", "agd_sk_a1.secret");
	EXPECT(answer, 0, "rate_limit", "70");
	EXPECT(answer, 0, "status", "active");
	EXPECT_SQL("t", "SELECT expires_at - created_at BETWEEN interval '29 days' AND interval '31 days' FROM api_keys"
	                " WHERE key_id = 'agd_sk_a1'");
	EXPECT_SQL("key.create neo key agd_sk_a1 127.0.0.1 r7",
	           "SELECT concat_ws(' ', action, actor, subject_type, subject_id, address, request_id) FROM audit_log"
	           " WHERE tenant = %s",
	           fixture.tenant);
	EXPECT_SQL("0",
	           "SELECT count(*) FROM audit_log a WHERE a::text LIKE '%%agd_sk_a1.secret%%' OR a::text LIKE '%%00112233%%'");
}

static void
test_key_is_seen_by_its_owner_and_by_managers(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator"), *other = make_user("cypher", "operator");

	make_key("agd_sk_b1", owner);
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_b1", "all_keys", "false", "actor_id", owner), 0, "owner", "neo");
	assert_int_equal(CALL(KEY_GET, "key_id", "agd_sk_b1", "all_keys", "false", "actor_id", other)->rows, 0);
	assert_int_equal(CALL(KEY_GET, "key_id", "agd_sk_b1", "all_keys", "true", "actor_id", other)->rows, 1);
	assert_int_equal(CALL(KEY_GET, "key_id", "agd_sk_b1", "all_keys", "true", "actor_id", owner, "tenant", "1")->rows,
	                 0);
	assert_int_equal(CALL(KEY_LIST, "all_keys", "false", "actor_id", other, "limit", "10")->rows, 0);
	assert_int_equal(
	    CALL(KEY_REVOKE, "key_id", "agd_sk_b1", "all_keys", "false", "actor_id", other, "actor", "x")->rows, 0);
	EXPECT_SQL("active", "SELECT status FROM api_keys WHERE key_id = 'agd_sk_b1'");
}

static void
test_key_list_goes_page_by_page(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator"), *cursor = NULL;
	struct db_answer *page;
	int seen = 0;

	for (int i = 0; i < 5; i++)
		make_key(text("agd_sk_c%d", i), owner);
	do {
		page = CALL(KEY_LIST, "all_keys", "false", "actor_id", owner, "limit", "2", "cursor", cursor);
		for (int i = 0; i < MIN(page->rows, 2); i++)
			EXPECT(page, i, "key_id", text("agd_sk_c%d", 4 - seen++));
		if (page->rows == 3)
			cursor = db_answer_cell(page, 1, "_cursor");
	} while (page->rows == 3);
	assert_int_equal(seen, 5);
}

static void
test_key_revoked_is_revoked_and_expired_is_expired(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");

	make_key("agd_sk_d1", owner);
	make_key("agd_sk_d2", owner);
	EXPECT(CALL(KEY_REVOKE, "key_id", "agd_sk_d1", "all_keys", "false", "actor_id", owner, "actor", "neo"), 0, "status",
	       "revoked");
	SQL("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_id IN ('agd_sk_d1', 'agd_sk_d2')");
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_d1", "all_keys", "true"), 0, "status", "revoked");
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_d2", "all_keys", "true"), 0, "status", "expired");
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_d2", "all_keys", "true"), 0, "days_until_expiration", "0");
	EXPECT_SQL(text("%s key agd_sk_d1", fixture.tenant),
	           "SELECT concat_ws(' ', tenant, kind, subject) FROM changes ORDER BY seq DESC LIMIT 1");
	EXPECT_SQL("key.revoke agd_sk_d1",
	           "SELECT action || ' ' || subject_id FROM audit_log WHERE tenant = %s"
	           " ORDER BY id DESC LIMIT 1",
	           fixture.tenant);
}

static void
test_key_lookup_finds_each_of_a_batch(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");
	struct db_answer *known, *unknown, *again;

	make_key("agd_sk_e1", owner);
	known = ASK(KEY_LOOKUP, "key_id", "agd_sk_e1");
	unknown = ASK(KEY_LOOKUP, "key_id", "agd_sk_none");
	again = ASK(KEY_LOOKUP, "key_id", "agd_sk_e1");
	db_fixture_wait(&fixture);
	EXPECT(known, 0, "tenant", fixture.tenant);
	EXPECT(known, 0, "hash", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	EXPECT(known, 0, "status", "active");
	EXPECT(known, 0, "owner_id", owner);
	EXPECT(again, 0, "key_id", "agd_sk_e1");
	assert_int_equal(unknown->status, DB_OK);
	assert_int_equal(unknown->rows, 0);
	SQL("UPDATE users SET active = false WHERE id = '%s'", owner);
	EXPECT(CALL(KEY_LOOKUP, "key_id", "agd_sk_e1"), 0, "status", "suspended");
	SQL("UPDATE users SET active = true WHERE id = '%s'", owner);
	SQL("UPDATE tenants SET active = false WHERE id = %s", fixture.tenant);
	EXPECT(CALL(KEY_LOOKUP, "key_id", "agd_sk_e1"), 0, "status", "suspended");
}

static void
test_key_used_adds_up_over_a_batch(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");

	make_key("agd_sk_f1", owner);
	make_key("agd_sk_f2", owner);
	ASK(KEY_USED, "key_id", "agd_sk_f1", "used", "3", "failed", "0");
	ASK(KEY_USED, "key_id", "agd_sk_f2", "used", "0", "failed", "2");
	ASK(KEY_USED, "key_id", "agd_sk_f1", "used", "4", "failed", "1");
	db_fixture_wait(&fixture);
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_f1", "all_keys", "true"), 0, "usage_count", "7");
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_f1", "all_keys", "true"), 0, "failed_attempts", "1");
	assert_non_null(db_answer_cell(CALL(KEY_GET, "key_id", "agd_sk_f1", "all_keys", "true"), 0, "last_used"));
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_f2", "all_keys", "true"), 0, "failed_attempts", "2");
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_f2", "all_keys", "true"), 0, "last_used", NULL);
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
	EXPECT(CALL(DATABASE_PING), 0, "ok", "1");
}

const struct CMUnitTest identity_tests[] = {
    TEST(test_user_for_login_is_looked_up_in_its_tenant),
    TEST(test_key_is_created_and_audited),
    TEST(test_key_is_seen_by_its_owner_and_by_managers),
    TEST(test_key_list_goes_page_by_page),
    TEST(test_key_revoked_is_revoked_and_expired_is_expired),
    TEST(test_key_lookup_finds_each_of_a_batch),
    TEST(test_key_used_adds_up_over_a_batch),
    TEST(test_system_status_counts_what_is_live),
};
const int identity_test_count = ARRAY_LENGTH(identity_tests);
