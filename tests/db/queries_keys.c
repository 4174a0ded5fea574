/* queries_keys.c - sql/query/keys.sql and reach.sql: the life of API keys, who sees them, and what is told of changes.
 */
#include "base.h"

#include "queries.h"

static struct db_answer *
make_key(const char *key_id, const char *owner_id)
{
	return CALL(KEY_CREATE, "key_id", key_id, "hash",
	            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "name", "laptop", "type", "secret",
	            "role", "viewer", "actor_id", owner_id, "actor", "neo", "rate_limit", "70", "expires_in_days", "30",
	            "scopes", "[\"default\", \"task:execute@role=sena\"]", "allowed_ips", "[\"10.0.0.0/8\", \"::1\"]",
	            "allowed_origins", "[]", "address", "127.0.0.1", "request_id", "r7");
}

static void
test_key_is_created_and_audited(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");
	struct db_answer *answer = make_key("agd_sk_a1", owner);

	EXPECT(answer, 0, "rate_limit", "70");
	EXPECT(answer, 0, "status", "active");
	EXPECT_SQL("t", "SELECT expires_at - created_at BETWEEN interval '29 days' AND interval '31 days' FROM api_keys"
	                " WHERE key_id = 'agd_sk_a1'");
	EXPECT_SQL("key.create neo key agd_sk_a1 127.0.0.1 r7",
	           "SELECT concat_ws(' ', action, actor, subject_type, subject_id, address, request_id) FROM audit_log"
	           " WHERE tenant = %s",
	           fixture.tenant);
	EXPECT_SQL("0", "SELECT count(*) FROM audit_log a WHERE a::text LIKE '%%00112233%%'");
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
	EXPECT(known, 0, "owner_role", "operator");
	EXPECT(known, 0, "scopes", "default\ntask:execute@role=sena");
	EXPECT(known, 0, "allowed_ips", "10.0.0.0/8\n::1");
	EXPECT(known, 0, "allowed_origins", NULL);
	EXPECT(again, 0, "key_id", "agd_sk_e1");
	assert_int_equal(unknown->status, DB_OK);
	assert_int_equal(unknown->rows, 0);
	SQL("UPDATE users SET active = false WHERE id = '%s'", owner);
	EXPECT(CALL(KEY_LOOKUP, "key_id", "agd_sk_e1"), 0, "status", "suspended");
	SQL("UPDATE users SET active = true WHERE id = '%s'", owner);
	SQL("UPDATE users SET role = 'guest' WHERE id = '%s'", owner);
	EXPECT(CALL(KEY_LOOKUP, "key_id", "agd_sk_e1"), 0, "owner_role", "guest");
	SQL("UPDATE api_keys SET owner_id = '%s' WHERE key_id = 'agd_sk_e1'", new_id());
	EXPECT(CALL(KEY_LOOKUP, "key_id", "agd_sk_e1"), 0, "status", "suspended"); /* its owner is gone */
	SQL("UPDATE api_keys SET owner_id = '%s' WHERE key_id = 'agd_sk_e1'", owner);
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

/* A key's own statement, as its owner (owner_id), a manager ("true") or a key that may only do with itself. */
#define CHANGE(query, key_id_, actor_id_, all_)                                                               \
	CALL(query, "key_id", key_id_, "all_keys", all_, "actor_id", actor_id_, "actor", "neo", "address", "::1", \
	     "request_id", "r8")

static const char *
announced(void)
{
	return SQL(
	    "SELECT coalesce(string_agg(kind || ' ' || subject || ' ' || (until IS NOT NULL), ', ' ORDER BY seq), '')"
	    " FROM changes WHERE tenant = %s",
	    fixture.tenant);
}

static void
test_key_suspension_comes_and_goes(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator"), *boss = make_user("morpheus", "admin");

	make_key("agd_sk_g1", owner);
	EXPECT(CHANGE(KEY_SUSPEND, "agd_sk_g1", owner, "false"), 0, "status", "suspended");
	EXPECT(CHANGE(KEY_SUSPEND, "agd_sk_g1", owner, "false"), 0, "status", "suspended");
	EXPECT(CHANGE(KEY_REACTIVATE, "agd_sk_g1", owner, "false"), 0, "status", "active");
	EXPECT(CHANGE(KEY_REACTIVATE, "agd_sk_g1", owner, "false"), 0, "status", "active");
	assert_string_equal(announced(), "key agd_sk_g1 true, key agd_sk_g1 true");
	EXPECT_SQL("2", "SELECT count(*) FROM audit_log WHERE tenant = %s AND action IN ('key.suspend', 'key.reactivate')",
	           fixture.tenant);

	/* What a manager suspended only a manager reactivates, even if its owner had suspended it first. */
	EXPECT(CHANGE(KEY_SUSPEND, "agd_sk_g1", owner, "false"), 0, "status", "suspended");
	EXPECT(CHANGE(KEY_SUSPEND, "agd_sk_g1", boss, "true"), 0, "status", "suspended");
	EXPECT(CHANGE(KEY_SUSPEND, "agd_sk_g1", owner, "false"), 0, "status", "suspended");
	assert_non_null(db_answer_cell(CHANGE(KEY_REACTIVATE, "agd_sk_g1", owner, "false"), 0, "_refused"));
	EXPECT_SQL("suspended", "SELECT status FROM api_keys WHERE key_id = 'agd_sk_g1'");
	EXPECT(CHANGE(KEY_REACTIVATE, "agd_sk_g1", boss, "true"), 0, "status", "active");
}

static void
test_key_revoked_or_expired_stays_so(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");

	make_key("agd_sk_h1", owner);
	make_key("agd_sk_h2", owner);
	CHANGE(KEY_REVOKE, "agd_sk_h1", owner, "false");
	EXPECT(CHANGE(KEY_REVOKE, "agd_sk_h1", owner, "false"), 0, "status", "revoked");
	assert_string_equal(announced(), "key agd_sk_h1 true");
	SQL("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_id = 'agd_sk_h2'");
	for (int i = 1; i <= 2; i++) {
		const char *id = text("agd_sk_h%d", i);
		assert_non_null(db_answer_cell(CHANGE(KEY_SUSPEND, id, owner, "true"), 0, "_refused"));
		assert_non_null(db_answer_cell(CHANGE(KEY_REACTIVATE, id, owner, "true"), 0, "_refused"));
		assert_non_null(db_answer_cell(CALL(KEY_ROTATE, "key_id", id, "new_key_id", "agd_sk_no", "hash", "00",
		                                    "overlap_s", "5", "all_keys", "true", "actor", "neo"),
		                               0, "_refused"));
	}
	assert_string_equal(announced(), "key agd_sk_h1 true");
	EXPECT_SQL("0", "SELECT count(*) FROM api_keys WHERE key_id = 'agd_sk_no'");
}

static struct db_answer *
rotate(const char *key_id, const char *new_key_id, const char *overlap_s)
{
	return CALL(KEY_ROTATE, "key_id", key_id, "new_key_id", new_key_id, "hash",
	            "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "overlap_s", overlap_s, "all_keys",
	            "true", "actor", "neo", "address", "::1", "request_id", "r9");
}

static void
test_key_rotated_lives_for_the_overlap(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");
	struct db_answer *made;

	make_key("agd_sk_i1", owner);
	SQL("UPDATE api_keys SET created_at = created_at - interval '10 days' WHERE key_id = 'agd_sk_i1'");
	made = rotate("agd_sk_i1", "agd_sk_i2", "60");
	EXPECT(made, 0, "_refused", NULL);
	EXPECT(made, 0, "rotated_from", "agd_sk_i1");
	/* The same properties; the length of life of the old one, which had 40 days. */
	EXPECT_SQL("t",
	           "SELECT (n.name, n.type, n.role, n.scopes::text, n.owner_id, n.owner, n.rate_limit, n.allowed_ips::text,"
	           " n.allowed_origins::text, n.status) = (o.name, o.type, o.role, o.scopes::text, o.owner_id, o.owner,"
	           " o.rate_limit, o.allowed_ips::text, o.allowed_origins::text, o.status) AND n.hash <> o.hash"
	           " FROM api_keys n, api_keys o WHERE n.key_id = 'agd_sk_i2' AND o.key_id = 'agd_sk_i1'");
	EXPECT_SQL("t", "SELECT expires_at - created_at BETWEEN interval '39 days' AND interval '41 days' FROM api_keys"
	                " WHERE key_id = 'agd_sk_i2'");
	EXPECT_SQL("t", "SELECT expires_at - now() BETWEEN interval '50 s' AND interval '60 s' AND rotated_to = 'agd_sk_i2'"
	                " FROM api_keys WHERE key_id = 'agd_sk_i1'");
	assert_string_equal(announced(), "key agd_sk_i1 true");
	EXPECT_SQL("key.create agd_sk_i2 agd_sk_i1, key.rotate agd_sk_i1 agd_sk_i2",
	           "SELECT string_agg(concat_ws(' ', action, subject_id, coalesce(after->>'rotated_to', "
	           "after->>'rotated_from')), ', '"
	           " ORDER BY action) FROM audit_log WHERE tenant = %s AND (before->>'rotated_to') IS NULL"
	           " AND (action = 'key.rotate' OR subject_id = 'agd_sk_i2')",
	           fixture.tenant);
	/* Once: who rotates again is told what took its place. */
	assert_non_null(strstr(db_answer_cell(rotate("agd_sk_i1", "agd_sk_i3", "60"), 0, "_refused"), "agd_sk_i2"));
	/* The overlap never prolongs a life, and without one the old key ends at once. */
	SQL("UPDATE api_keys SET expires_at = now() + interval '20 s' WHERE key_id = 'agd_sk_i2'");
	rotate("agd_sk_i2", "agd_sk_i4", "3600");
	EXPECT_SQL("t", "SELECT expires_at <= now() + interval '20 s' FROM api_keys WHERE key_id = 'agd_sk_i2'");
	rotate("agd_sk_i4", "agd_sk_i5", "0");
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_i4", "all_keys", "true"), 0, "status", "expired");
	EXPECT(CALL(KEY_GET, "key_id", "agd_sk_i4", "all_keys", "true"), 0, "rotated_to", "agd_sk_i5");
}

static void
test_key_deleted_is_gone_and_told(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator");

	make_key("agd_sk_j1", owner);
	assert_int_equal(CHANGE(KEY_DELETE, "agd_sk_j1", owner, "false")->rows, 1);
	assert_int_equal(CHANGE(KEY_DELETE, "agd_sk_j1", owner, "false")->rows, 0);
	assert_int_equal(CALL(KEY_LOOKUP, "key_id", "agd_sk_j1")->rows, 0);
	assert_string_equal(announced(), "key agd_sk_j1 true");
	EXPECT_SQL("key.delete agd_sk_j1",
	           "SELECT action || ' ' || subject_id FROM audit_log WHERE tenant = %s"
	           " ORDER BY id DESC LIMIT 1",
	           fixture.tenant);
}

/* Another user, another tenant, and a key of the same owner change and see nothing; a key sees itself. */
static void
test_key_of_others_is_not_there(void **state UNUSED)
{
	const char *owner = make_user("neo", "operator"), *other = make_user("cypher", "operator");
	const struct {
		const char *tenant, *all, *actor_id, *only;
	} cases[] = {{fixture.tenant, "false", other, NULL},
	             {fixture.tenant, "false", NULL, NULL},
	             {fixture.tenant, "false", owner, "agd_sk_k2"},
	             {"1", "true", owner, NULL}};

	make_key("agd_sk_k1", owner);
	make_key("agd_sk_k2", owner);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
#define TRY(query)                                                                                           \
	assert_int_equal(CALL(query, "tenant", cases[i].tenant, "key_id", "agd_sk_k1", "all_keys", cases[i].all, \
	                      "actor_id", cases[i].actor_id, "only_key", cases[i].only)                          \
	                     ->rows,                                                                             \
	                 0)
		TRY(KEY_GET);
		TRY(KEY_REVOKE);
		TRY(KEY_SUSPEND);
		TRY(KEY_REACTIVATE);
		TRY(KEY_DELETE);
		TRY(KEY_ROTATE);
		TRY(REACH_KEY);
	}
	assert_string_equal(announced(), "");
	EXPECT(CALL(KEY_LIST, "all_keys", "false", "actor_id", owner, "only_key", "agd_sk_k2", "limit", "9"), 0, "key_id",
	       "agd_sk_k2");
	assert_int_equal(
	    CALL(KEY_LIST, "all_keys", "false", "actor_id", owner, "only_key", "agd_sk_k2", "limit", "9")->rows, 1);
	EXPECT(CALL(REACH_KEY, "key_id", "agd_sk_k1", "all_keys", "true"), 0, "scopes", "default\ntask:execute@role=sena");
}

static void
test_reach_knows_role_and_holder(void **state UNUSED)
{
	const char *id = make_task("sena", "5"), *message = new_id(), *step = new_id(), *epoch;
	struct db_answer *leased = lease_one("sena");

	assert_string_equal(db_answer_cell(leased, 0, "id"), id);
	epoch = db_answer_cell(leased, 0, "epoch");
	EXPECT(CALL(REACH_TASK, "id", id, "epoch", epoch), 0, "role", "sena");
	EXPECT_SQL(db_answer_cell(CALL(REACH_TASK, "id", id, "epoch", epoch), 0, "agent"),
	           "SELECT leased_by FROM tasks WHERE id = '%s'", id);
	EXPECT(CALL(REACH_TASK, "id", id, "epoch", "99"), 0, "agent", NULL);
	assert_int_equal(CALL(REACH_TASK, "tenant", "1", "id", id, "epoch", epoch)->rows, 0);
	EXPECT(CALL(REACH_HOLDER, "task_id", id, "epoch", epoch), 0, "role", "sena");
	assert_int_equal(CALL(REACH_HOLDER, "tenant", "1", "task_id", id, "epoch", epoch)->rows, 0);
	SQL("INSERT INTO subtasks (tenant, id, task_id, description) VALUES (%s, '%s', '%s', 'd')", fixture.tenant, step,
	    id);
	EXPECT(CALL(REACH_SUBTASK, "id", step, "epoch", epoch), 0, "role", "sena");
	assert_int_equal(CALL(REACH_SUBTASK, "id", id, "epoch", epoch)->rows, 0);
	/* The holder of a lease that is over is still known by its epoch. */
	ask_settle(id, epoch, "release", NULL, NULL);
	db_fixture_wait(&fixture);
	lease_one("sena");
	assert_non_null(db_answer_cell(CALL(REACH_TASK, "id", id, "epoch", epoch), 0, "agent"));
	SQL("INSERT INTO messages (tenant, id, from_agent_id, to_agent_id, message_type, content, status, received_by)"
	    " VALUES (%s, '%s', 'a', 'b', 'note', '{}', 'received', 'b')",
	    fixture.tenant, message);
	EXPECT(CALL(REACH_MESSAGE, "id", message), 0, "agent", "b");
	assert_int_equal(CALL(REACH_MESSAGE, "tenant", "1", "id", message)->rows, 0);
}

const struct CMUnitTest key_tests[] = {
    TEST(test_key_is_created_and_audited),        TEST(test_key_is_seen_by_its_owner_and_by_managers),
    TEST(test_key_list_goes_page_by_page),        TEST(test_key_revoked_is_revoked_and_expired_is_expired),
    TEST(test_key_lookup_finds_each_of_a_batch),  TEST(test_key_used_adds_up_over_a_batch),
    TEST(test_key_suspension_comes_and_goes),     TEST(test_key_revoked_or_expired_stays_so),
    TEST(test_key_rotated_lives_for_the_overlap), TEST(test_key_deleted_is_gone_and_told),
    TEST(test_key_of_others_is_not_there),        TEST(test_reach_knows_role_and_holder),
};
const int key_test_count = ARRAY_LENGTH(key_tests);
