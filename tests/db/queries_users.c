/* queries_users.c - sql/query/users.sql: every change of a user, who is kept from it, and what it announces. */
#include "base.h"

#include "queries.h"

#define ALL_ROLES "admin,operator,viewer,guest,agent"

static struct db_answer *
create(const char *name, const char *role)
{
	return CALL(USER_CREATE, "id", new_id(), "username", name, "password_hash", text("h-%s", name), "role", role,
	            "actor", "neo", "address", "127.0.0.1", "request_id", "r1");
}

static const char *
make(const char *name, const char *role)
{
	struct db_answer *answer = create(name, role);

	assert_int_equal(answer->rows, 1);
	return text("%s", db_answer_cell(answer, 0, "id"));
}

#define PATCH(id_, ...) \
	CALL(USER_PATCH, "id", id_, "grantable", ALL_ROLES, "actor", "neo", "request_id", "r2" __VA_OPT__(, ) __VA_ARGS__)
#define DELETE(id_, ...) CALL(USER_DELETE, "id", id_, "grantable", ALL_ROLES, "actor", "neo" __VA_OPT__(, ) __VA_ARGS__)

static const char *
column_of(const char *id, const char *column)
{
	return SQL("SELECT %s::text FROM users WHERE id = '%s'", column, id);
}

/* What was announced of a kind in this test's tenant. */
static const char *
announced(const char *kind)
{
	return SQL("SELECT string_agg(subject, ' ' ORDER BY subject) FROM changes WHERE tenant = %s AND kind = '%s'",
	           fixture.tenant, kind);
}

static void
make_key(const char *key_id, const char *owner)
{
	CALL(KEY_CREATE, "key_id", key_id, "hash", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
	     "name", "n", "type", "secret", "role", "viewer", "actor_id", owner, "actor", "neo", "rate_limit", "70",
	     "expires_in_days", "30", "scopes", "[\"default\"]", "allowed_ips", "[]", "allowed_origins", "[]");
}

static void
test_create_get_and_audit(void **state UNUSED)
{
	const char *id = make("ada", "viewer");
	struct db_answer *answer = CALL(USER_GET, "id", id);

	EXPECT(answer, 0, "username", "ada");
	EXPECT(answer, 0, "role", "viewer");
	EXPECT(answer, 0, "active", "t");
	EXPECT(answer, 0, "version", "1");
	EXPECT(answer, 0, "last_login", NULL);
	EXPECT(answer, 0, "display_name", NULL);
	assert_int_equal(CALL(USER_GET, "id", id, "tenant", "1")->rows, 0);
	EXPECT_SQL("user.create neo user 127.0.0.1 r1",
	           "SELECT concat_ws(' ', action, actor, subject_type, address, request_id) FROM audit_log"
	           " WHERE tenant = %s AND subject_id = '%s'",
	           fixture.tenant, id);
	EXPECT_SQL("0", "SELECT count(*) FROM audit_log a WHERE a::text LIKE '%%h-ada%%'");
}

static void
test_names_are_unique_in_a_tenant(void **state UNUSED)
{
	struct db_answer *answer;

	make("ada", "viewer");
	answer =
	    ASK(USER_CREATE, "id", new_id(), "username", "ada", "password_hash", "h", "role", "viewer", "actor", "neo");
	db_fixture_wait(&fixture);
	assert_int_equal(answer->status, DB_FAILED);
	assert_string_equal(answer->sqlstate, "23505");
	assert_string_equal(answer->constraint, "users_username_key");
	make("Ada", "viewer");
}

static void
test_list_goes_page_by_page_and_filters(void **state UNUSED)
{
	const char *cursor = NULL, *gone = NULL;
	struct db_answer *page;
	int seen = 0;

	for (int i = 0; i < 5; i++)
		gone = make(text("user%d", i), i % 2 ? "viewer" : "operator");
	do {
		page = CALL(USER_LIST, "limit", "2", "cursor", cursor);
		for (int i = 0; i < MIN(page->rows, 2); i++)
			EXPECT(page, i, "username", text("user%d", 4 - seen++));
		if (page->rows == 3)
			cursor = db_answer_cell(page, 1, "_cursor");
	} while (page->rows == 3);
	assert_int_equal(seen, 5);
	PATCH(gone, "active", "false");
	assert_int_equal(CALL(USER_LIST, "limit", "9", "role", "operator")->rows, 3);
	assert_int_equal(CALL(USER_LIST, "limit", "9", "role", "operator", "active", "true")->rows, 2);
	assert_int_equal(CALL(USER_LIST, "limit", "9", "active", "false")->rows, 1);
	assert_int_equal(CALL(USER_LIST, "limit", "9", "username", "user3")->rows, 1);
	assert_int_equal(CALL(USER_LIST, "limit", "9", "username", "user")->rows, 0);
	EXPECT_SQL("0", "SELECT count(*) FROM users WHERE tenant = 1 AND username LIKE 'user_'");
	assert_int_equal(CALL(USER_LIST, "limit", "9", "tenant", "1", "username", "user3")->rows, 0);
}

static void
test_patch_changes_what_is_given(void **state UNUSED)
{
	const char *id = make("ada", "viewer");
	struct db_answer *answer = PATCH(id, "display_name", "Ada L.");

	make("boss", "admin");
	EXPECT(answer, 0, "_result", "ok");
	EXPECT(answer, 0, "display_name", "Ada L.");
	EXPECT(answer, 0, "version", "2");
	assert_null(announced("user"));
	answer = PATCH(id, "role", "operator");
	EXPECT(answer, 0, "role", "operator");
	EXPECT(answer, 0, "display_name", "Ada L.");
	EXPECT(answer, 0, "version", "3");
	assert_string_equal(announced("user"), id);
	/* What is so already is no change. */
	answer = PATCH(id, "role", "operator", "active", "true");
	EXPECT(answer, 0, "_result", "ok");
	EXPECT(answer, 0, "version", "3");
	assert_string_equal(announced("user"), id);
	EXPECT(PATCH(id, "display_name", ""), 0, "display_name", NULL);
	EXPECT_SQL("3", "SELECT count(*) FROM audit_log WHERE subject_id = '%s' AND action = 'user.update'", id);
	EXPECT_SQL("viewer operator",
	           "SELECT (before ->> 'role') || ' ' || (after ->> 'role') FROM audit_log"
	           " WHERE subject_id = '%s' AND before ->> 'role' <> after ->> 'role'",
	           id);
	assert_int_equal(PATCH(new_id(), "active", "false")->rows, 0);
	assert_int_equal(CALL(USER_PATCH, "id", id, "tenant", "1", "grantable", ALL_ROLES, "active", "false")->rows, 0);
	assert_string_equal(column_of(id, "active"), "true");
}

static void
test_patch_holds_for_the_version_that_was_read(void **state UNUSED)
{
	const char *id = make("ada", "viewer");

	EXPECT(PATCH(id, "display_name", "A", "if_match", "\"2\""), 0, "_result", "precondition");
	EXPECT(PATCH(id, "display_name", "A", "if_match", "W/\"1\""), 0, "_result", "precondition");
	EXPECT(PATCH(id, "display_name", "A", "if_match", "\"11\""), 0, "_result", "precondition");
	assert_null(column_of(id, "display_name"));
	EXPECT(PATCH(id, "display_name", "A", "if_match", "\"7\", \"1\""), 0, "_result", "ok");
	EXPECT(PATCH(id, "display_name", "B", "if_match", "*"), 0, "_result", "ok");
	/* A login in between does not stand in the way, but another change does. */
	SQL("UPDATE users SET last_login = now() WHERE id = '%s'", id);
	EXPECT(PATCH(id, "display_name", "C", "if_match",
	             text("\"%s\"", db_answer_cell(CALL(USER_GET, "id", id), 0, "_etag"))),
	       0, "_result", "ok");
	EXPECT(PATCH(id, "display_name", "B", "if_match", "\"3.1234\""), 0, "_result", "precondition");
	EXPECT(DELETE(id, "if_match", "\"2\""), 0, "_result", "precondition");
	EXPECT(DELETE(id, "if_match", "\"2\""), 0, "_version", "4");
	EXPECT(DELETE(id, "if_match", "\"4\""), 0, "_result", "ok");
}

/* Deactivating ends sessions, and makes what is cached of the keys void; activating only the latter. */
static void
test_deactivation_is_announced(void **state UNUSED)
{
	const char *id = make("ada", "viewer"), *key = text("agd_sk_u%s", fixture.tenant);

	make_key(key, id);
	EXPECT(PATCH(id, "active", "false"), 0, "active", "f");
	assert_string_equal(announced("user"), id);
	assert_string_equal(announced("key"), key);
	EXPECT(CALL(KEY_LOOKUP, "key_id", key), 0, "status", "suspended");
	EXPECT(PATCH(id, "active", "true"), 0, "active", "t");
	assert_string_equal(announced("user"), id);
	assert_string_equal(announced("key"), text("%s %s", key, key));
	EXPECT(CALL(KEY_LOOKUP, "key_id", key), 0, "status", "active");
	EXPECT_SQL(
	    "t", "SELECT at <= clock_timestamp() AND until > at + interval '7 days' FROM changes WHERE subject = '%s'", id);
}

static void
test_last_admin_stays(void **state UNUSED)
{
	const char *boss = make("boss", "admin"), *deputy;

	make("ada", "viewer");
	EXPECT(PATCH(boss, "active", "false"), 0, "_result", "last_admin");
	EXPECT(PATCH(boss, "role", "operator"), 0, "_result", "last_admin");
	EXPECT(PATCH(boss, "role", "operator", "actor_id", boss), 0, "_result", "last_admin");
	EXPECT(DELETE(boss), 0, "_result", "last_admin");
	EXPECT(PATCH(boss, "display_name", "B", "role", "admin"), 0, "_result", "ok");
	deputy = make("deputy", "admin");
	PATCH(deputy, "active", "false");
	EXPECT(PATCH(boss, "active", "false"), 0, "_result", "last_admin");
	PATCH(deputy, "active", "true");
	EXPECT(PATCH(boss, "role", "viewer"), 0, "_result", "ok");
	EXPECT(DELETE(deputy), 0, "_result", "last_admin");
	/* An admin of another tenant does not count. */
	EXPECT_SQL("t", "SELECT count(*) > 0 FROM users WHERE tenant <> %s AND role = 'admin'", fixture.tenant);
}

/* Two admins who deactivate each other at the same moment: one stays. */
static void
test_two_admins_do_not_both_go(void **state UNUSED)
{
	const char *one = make("one", "admin"), *two = make("two", "admin");
	struct db_answer *first =
	    ASK(USER_PATCH, "id", one, "grantable", ALL_ROLES, "active", "false", "actor", "two", "actor_id", two);
	struct db_answer *second = ASK(USER_DELETE, "id", two, "grantable", ALL_ROLES, "actor", "one", "actor_id", one);

	db_fixture_wait(&fixture);
	assert_int_equal(first->status, DB_OK);
	assert_int_equal(second->status, DB_OK);
	EXPECT_SQL("1", "SELECT count(*) FROM users WHERE tenant = %s AND role = 'admin' AND active", fixture.tenant);
}

static void
test_own_account_is_not_taken_away(void **state UNUSED)
{
	const char *boss = make("boss", "admin");

	make("deputy", "admin");
	EXPECT(PATCH(boss, "active", "false", "actor_id", boss), 0, "_result", "own_account");
	EXPECT(PATCH(boss, "role", "viewer", "actor_id", boss), 0, "_result", "own_account");
	EXPECT(DELETE(boss, "actor_id", boss), 0, "_result", "own_account");
	EXPECT(CALL(USER_PASSWORD, "id", boss, "grantable", ALL_ROLES, "password_hash", "x", "actor_id", boss), 0,
	       "_result", "own_account");
	EXPECT(PATCH(boss, "display_name", "Boss", "actor_id", boss), 0, "_result", "ok");
	assert_null(announced("user"));
	assert_string_equal(column_of(boss, "password_hash"), "h-boss");
}

static void
test_higher_roles_are_out_of_reach(void **state UNUSED)
{
	const char *boss = make("boss", "admin"), *ada = make("ada", "viewer");

	make("deputy", "admin");
	EXPECT(CALL(USER_PATCH, "id", boss, "grantable", "viewer,guest", "active", "false"), 0, "_result", "forbidden");
	EXPECT(CALL(USER_DELETE, "id", boss, "grantable", "viewer,guest"), 0, "_result", "forbidden");
	EXPECT(CALL(USER_PASSWORD, "id", boss, "grantable", "viewer,guest", "password_hash", "x"), 0, "_result",
	       "forbidden");
	EXPECT(CALL(USER_PATCH, "id", boss, "grantable", "", "display_name", "x"), 0, "_result", "forbidden");
	assert_string_equal(column_of(boss, "password_hash"), "h-boss");
	EXPECT(CALL(USER_PATCH, "id", ada, "grantable", "viewer,guest", "active", "false", "actor", "neo"), 0, "_result",
	       "ok");
}

static void
test_delete_ends_sessions_and_keys(void **state UNUSED)
{
	const char *id = make("ada", "viewer"), *key = text("agd_sk_v%s", fixture.tenant), *other = make("eve", "viewer");

	make_key(key, id);
	make_key(text("agd_sk_w%s", fixture.tenant), other);
	assert_int_equal(CALL(USER_DELETE, "id", id, "grantable", ALL_ROLES, "tenant", "1")->rows, 0);
	EXPECT(DELETE(id), 0, "_result", "ok");
	assert_string_equal(announced("user"), id);
	assert_string_equal(announced("key"), key);
	EXPECT(CALL(KEY_LOOKUP, "key_id", key), 0, "status", "revoked");
	EXPECT(CALL(KEY_LOOKUP, "key_id", text("agd_sk_w%s", fixture.tenant)), 0, "status", "active");
	assert_int_equal(CALL(USER_GET, "id", id)->rows, 0);
	assert_int_equal(DELETE(id)->rows, 0);
	EXPECT_SQL("key.revoke user.delete",
	           "SELECT string_agg(action, ' ' ORDER BY action) FROM audit_log WHERE tenant = %s AND action IN"
	           " ('user.delete', 'key.revoke')",
	           fixture.tenant);
}

static void
test_password_by_an_admin(void **state UNUSED)
{
	const char *id = make("ada", "viewer");
	struct db_answer *answer =
	    CALL(USER_PASSWORD, "id", id, "grantable", ALL_ROLES, "password_hash", "new", "actor", "neo");

	EXPECT(answer, 0, "_result", "ok");
	assert_string_equal(column_of(id, "password_hash"), "new");
	assert_string_equal(column_of(id, "version"), "2");
	assert_string_equal(announced("user"), id);
	EXPECT_SQL("user.password",
	           "SELECT action FROM audit_log WHERE subject_id = '%s' ORDER BY audit_log.id DESC LIMIT 1", id);
	EXPECT_SQL("0", "SELECT count(*) FROM audit_log a WHERE subject_id = '%s' AND a::text LIKE '%%new%%'", id);
	assert_int_equal(CALL(USER_PASSWORD, "id", new_id(), "grantable", ALL_ROLES, "password_hash", "x")->rows, 0);
}

static void
test_own_password_only_as_it_was_proved(void **state UNUSED)
{
	const char *id = make("ada", "viewer");
	struct db_answer *secret = CALL(USER_SECRET, "id", id);

	EXPECT(secret, 0, "password_hash", "h-ada");
	EXPECT(secret, 0, "version", "1");
	assert_int_equal(CALL(USER_SECRET, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(USER_PASSWORD_OWN, "id", id, "version", "1", "password_hash", "p2", "actor", "ada")->rows, 1);
	assert_string_equal(announced("user"), id);
	/* It was proved before the change. */
	assert_int_equal(CALL(USER_PASSWORD_OWN, "id", id, "version", "1", "password_hash", "p3", "actor", "ada")->rows, 0);
	assert_string_equal(column_of(id, "password_hash"), "p2");
	PATCH(id, "active", "false");
	assert_int_equal(CALL(USER_SECRET, "id", id)->rows, 0);
	assert_int_equal(CALL(USER_PASSWORD_OWN, "id", id, "version", "3", "password_hash", "p4", "actor", "ada")->rows, 0);
}

const struct CMUnitTest user_tests[] = {
    TEST(test_create_get_and_audit),
    TEST(test_names_are_unique_in_a_tenant),
    TEST(test_list_goes_page_by_page_and_filters),
    TEST(test_patch_changes_what_is_given),
    TEST(test_patch_holds_for_the_version_that_was_read),
    TEST(test_deactivation_is_announced),
    TEST(test_last_admin_stays),
    TEST(test_two_admins_do_not_both_go),
    TEST(test_own_account_is_not_taken_away),
    TEST(test_higher_roles_are_out_of_reach),
    TEST(test_delete_ends_sessions_and_keys),
    TEST(test_password_by_an_admin),
    TEST(test_own_password_only_as_it_was_proved),
};
const int user_test_count = ARRAY_LENGTH(user_tests);
