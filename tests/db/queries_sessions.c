/* queries_sessions.c - sql/query/sessions.sql and what a login begins: rotation, reuse, retry, and what ends a session.
 */
#include "base.h"

#include "queries.h"

static const char *
hash(int number)
{
	return text("%064d", number);
}

static struct db_answer *
login(const char *user, const char *session, const char *version, int token)
{
	return CALL(USER_LOGGED_IN, "id", user, "version", version, "session", session, "lifetime_s", "3600",
	            "token_lifetime_s", "900", "address", "10.0.0.1", "user_agent", "curl/8", "token_hash", hash(token),
	            "request_id", "r1");
}

/* A user with a session whose newest token is number 1. */
static const char *
begin(const char *name, const char **user_r)
{
	const char *session = new_id();

	*user_r = make_user(name, "operator");
	login(*user_r, session, "1", 1);
	return session;
}

static struct db_answer *
refresh(const char *session, int token, int next)
{
	return CALL(SESSION_REFRESH, "id", session, "hash", hash(token), "new_hash", hash(next), "lifetime_s", "3600",
	            "token_lifetime_s", "900", "address", "10.0.0.2", "request_id", "r2");
}

static void
expect_session(const char *session, const char *columns, const char *expected)
{
	EXPECT_SQL(expected, "SELECT concat_ws(' ', %s) FROM sessions WHERE id = '%s'", columns, session);
}

static const char *
head(void)
{
	return SQL("SELECT seq FROM changes_head");
}

static void
test_login_begins_a_session(void **state UNUSED)
{
	const char *user = make_user("trinity", "admin"), *session = new_id();
	struct db_answer *answer;

	assert_int_equal(CALL(USER_LOGGED_IN, "id", user, "tenant", "1", "version", "1", "session", session)->rows, 0);
	EXPECT_SQL("t", "SELECT last_login IS NULL FROM users WHERE id = '%s'", user);
	answer = login(user, session, "1", 1);
	EXPECT(answer, 0, "changes", head());
	EXPECT_SQL("t", "SELECT extract(epoch FROM now()) - %s BETWEEN 0 AND 60", db_answer_cell(answer, 0, "issued_at"));
	EXPECT_SQL("f", "SELECT last_login IS NULL FROM users WHERE id = '%s'", user);
	expect_session(session,
	               "address, user_agent, expires_at - created_at, tokens_until - created_at, revoked_at IS NULL",
	               "10.0.0.1 curl/8 01:00:00 00:15:00 t");
	EXPECT_SQL("session.begin trinity session 10.0.0.1 r1",
	           "SELECT concat_ws(' ', action, actor, subject_type, address, request_id) FROM audit_log"
	           " WHERE subject_id = '%s'",
	           session);
	SQL("UPDATE users SET active = false WHERE id = '%s'", user);
	assert_int_equal(login(user, new_id(), "1", 1)->rows, 0);
	EXPECT_SQL("1", "SELECT count(*) FROM sessions WHERE user_id = '%s'", user);
}

/* Whoever was changed between the look at the password and the tokens gets none; a hash made anew is no change. */
static void
test_login_of_a_changed_user_fails(void **state UNUSED)
{
	const char *user = make_user("trinity", "admin");

	SQL("UPDATE users SET version = 2 WHERE id = '%s'", user);
	assert_int_equal(login(user, new_id(), "1", 1)->rows, 0);
	SQL("UPDATE users SET active = false WHERE id = '%s'", user);
	assert_int_equal(login(user, new_id(), "2", 1)->rows, 0);
	SQL("UPDATE users SET active = true WHERE id = '%s'", user);
	SQL("UPDATE tenants SET active = false WHERE id = %s", fixture.tenant);
	assert_int_equal(login(user, new_id(), "2", 1)->rows, 0);
	SQL("UPDATE tenants SET active = true WHERE id = %s", fixture.tenant);
	EXPECT_SQL("0", "SELECT count(*) FROM sessions WHERE user_id = '%s'", user);
	EXPECT_SQL("t", "SELECT last_login IS NULL FROM users WHERE id = '%s'", user);
	assert_int_equal(CALL(USER_LOGGED_IN, "id", user, "version", "2", "session", new_id(), "lifetime_s", "60",
	                      "token_lifetime_s", "60", "address", "a", "token_hash", hash(1), "new_hash", "better")
	                     ->rows,
	                 1);
	EXPECT_SQL("2 better", "SELECT version || ' ' || password_hash FROM users WHERE id = '%s'", user);
	assert_int_equal(login(user, new_id(), "2", 2)->rows, 1);
}

static void
test_refresh_rotates(void **state UNUSED)
{
	const char *user, *session = begin("neo", &user);
	struct db_answer *answer;

	CALL(SESSION_LOCK, "id", session);
	db_fixture_advance(&fixture, 60000);
	answer = refresh(session, 1, 2);
	EXPECT(answer, 0, "result", "rotated");
	EXPECT(answer, 0, "username", "neo");
	EXPECT(answer, 0, "role", "operator");
	EXPECT(answer, 0, "changes", head());
	expect_session(session,
	               "encode(token_hash, 'hex') = '0' || repeat('0', 62) || '2', last_used_at > created_at,"
	               " expires_at - last_used_at, tokens_until - last_used_at, address, user_agent",
	               "t t 01:00:00 00:15:00 10.0.0.2 curl/8");
	EXPECT(refresh(session, 2, 3), 0, "result", "rotated");
	assert_int_equal(refresh(new_id(), 1, 2)->rows, 0);
}

static void
test_the_answer_is_given_again_for_ten_seconds(void **state UNUSED)
{
	const char *user, *session = begin("neo", &user);
	struct db_answer *answer;

	refresh(session, 1, 2);
	CALL(SESSION_SEAL, "id", session, "sealed", "answer two");
	db_fixture_advance(&fixture, 9000);
	answer = refresh(session, 1, 3);
	EXPECT(answer, 0, "result", "again");
	EXPECT(answer, 0, "sealed", "answer two");
	/* That did not make a third one. */
	EXPECT(refresh(session, 2, 4), 0, "result", "rotated");
	expect_session(session, "sealed IS NULL", "t");
	/* Two before the newest is too old, however fast. */
	EXPECT(refresh(session, 1, 5), 0, "result", "reused");
}

static void
test_reuse_ends_the_session(void **state UNUSED)
{
	const char *user, *session = begin("neo", &user), *before;

	refresh(session, 1, 2);
	CALL(SESSION_SEAL, "id", session, "sealed", "answer two");
	db_fixture_advance(&fixture, 11000);
	before = head();
	EXPECT(refresh(session, 1, 3), 0, "result", "reused");
	expect_session(session, "revoked_at IS NOT NULL, sealed IS NULL", "t t");
	EXPECT_SQL(text("session %s", session), "SELECT kind || ' ' || subject FROM changes WHERE seq = %s + 1", before);
	EXPECT_SQL("t", "SELECT c.until = s.tokens_until FROM changes c, sessions s WHERE c.seq = %s + 1 AND s.id = '%s'",
	           before, session);
	EXPECT_SQL("session.reuse", "SELECT action FROM audit_log WHERE subject_id = '%s' ORDER BY id DESC LIMIT 1",
	           session);
	EXPECT(refresh(session, 2, 3), 0, "result", "refused");
	EXPECT_SQL("0", "SELECT seq - %s - 1 FROM changes_head", before);
}

static void
test_who_is_not_active_gets_nothing(void **state UNUSED)
{
	const char *user, *session = begin("neo", &user);

	SQL("UPDATE users SET active = false WHERE id = '%s'", user);
	EXPECT(refresh(session, 1, 2), 0, "result", "refused");
	SQL("UPDATE users SET active = true WHERE id = '%s'", user);
	SQL("UPDATE tenants SET active = false WHERE id = %s", fixture.tenant);
	EXPECT(refresh(session, 1, 2), 0, "result", "refused");
	SQL("UPDATE tenants SET active = true WHERE id = %s", fixture.tenant);
	EXPECT(refresh(session, 1, 2), 0, "result", "rotated");
	db_fixture_advance(&fixture, 3601000);
	EXPECT(refresh(session, 2, 3), 0, "result", "refused");
}

static void
test_change_of_a_user_ends_the_sessions(void **state UNUSED)
{
	const char *user, *other, *session = begin("neo", &user), *kept = begin("trinity", &other), *second = new_id();

	login(user, second, "1", 7);
	SQL("SELECT agentd_announce(%s, 'user', '%s', now(), NULL)", fixture.tenant, user);
	EXPECT(refresh(session, 1, 2), 0, "result", "refused");
	EXPECT(refresh(second, 7, 8), 0, "result", "refused");
	EXPECT(refresh(kept, 1, 2), 0, "result", "rotated");
	/* Another login is another session. */
	second = new_id();
	login(user, second, "1", 9);
	EXPECT(refresh(second, 9, 10), 0, "result", "rotated");
	SQL("DELETE FROM users WHERE id = '%s'", user);
	assert_int_equal(refresh(second, 10, 11)->rows, 0);
}

static void
test_list_has_the_own_sessions_that_live(void **state UNUSED)
{
	const char *user, *other, *first = begin("neo", &user), *second = new_id(), *ended = new_id();
	struct db_answer *answer;

	begin("trinity", &other);
	login(user, second, "1", 2);
	login(user, ended, "1", 3);
	CALL(SESSION_END, "id", ended, "actor_id", user, "actor", "neo");
	answer = CALL(SESSION_LIST, "actor_id", user, "session", first, "limit", "10");
	assert_int_equal(answer->rows, 2);
	EXPECT(answer, 0, "id", second);
	EXPECT(answer, 0, "current", "f");
	EXPECT(answer, 1, "id", first);
	EXPECT(answer, 1, "current", "t");
	answer = CALL(SESSION_LIST, "actor_id", user, "limit", "1", "cursor", second);
	assert_int_equal(answer->rows, 1);
	EXPECT(answer, 0, "current", "f");
	db_fixture_advance(&fixture, 3601000);
	assert_int_equal(CALL(SESSION_LIST, "actor_id", user, "limit", "10")->rows, 0);
}

static void
test_end_is_for_the_owner_and_once(void **state UNUSED)
{
	const char *user, *other, *session = begin("neo", &user), *before = head();

	begin("trinity", &other);
	assert_int_equal(CALL(SESSION_END, "id", session, "actor_id", other, "actor", "trinity")->rows, 0);
	assert_int_equal(CALL(SESSION_END, "id", session, "actor_id", user, "tenant", "1", "actor", "neo")->rows, 0);
	EXPECT_SQL(before, "SELECT seq FROM changes_head");
	EXPECT(CALL(SESSION_END, "id", session, "actor_id", user, "actor", "neo"), 0, "id", session);
	EXPECT_SQL(text("session %s", session), "SELECT kind || ' ' || subject FROM changes WHERE seq = %s + 1", before);
	EXPECT_SQL("session.end neo",
	           "SELECT action || ' ' || actor FROM audit_log WHERE subject_id = '%s' ORDER BY id DESC LIMIT 1",
	           session);
	assert_int_equal(CALL(SESSION_END, "id", session, "actor_id", user, "actor", "neo")->rows, 0);
	EXPECT(refresh(session, 1, 2), 0, "result", "refused");
}

static void
test_sessions_that_are_over_are_forgotten(void **state UNUSED)
{
	const char *user, *session = begin("neo", &user);

	db_fixture_advance(&fixture, 3600000 + 86390000);
	CALL(KEEPER_FORGET_SESSIONS);
	expect_session(session, "1", "1");
	db_fixture_advance(&fixture, 20000);
	CALL(KEEPER_FORGET_SESSIONS);
	EXPECT_SQL("0", "SELECT count(*) FROM sessions WHERE id = '%s'", session);
}

const struct CMUnitTest session_tests[] = {
    TEST(test_login_begins_a_session),
    TEST(test_login_of_a_changed_user_fails),
    TEST(test_refresh_rotates),
    TEST(test_the_answer_is_given_again_for_ten_seconds),
    TEST(test_reuse_ends_the_session),
    TEST(test_who_is_not_active_gets_nothing),
    TEST(test_change_of_a_user_ends_the_sessions),
    TEST(test_list_has_the_own_sessions_that_live),
    TEST(test_end_is_for_the_owner_and_once),
    TEST(test_sessions_that_are_over_are_forgotten),
};
const int session_test_count = ARRAY_LENGTH(session_tests);
