/* queries_audit.c - sql/query/audit.sql: the list, what was refused, and the chain. One chain goes through all tenants.
 */
#include "base.h"

#include "queries.h"
#include "refusals.h"
#include "request.h"

#define HASH(digit) text("%064d", digit)

static void
add_row(const char *actor, const char *action, const char *subject)
{
	SQL("INSERT INTO audit_log (tenant, actor, actor_id, action, subject_type, subject_id, before, after) VALUES (%s, "
	    "'%s',"
	    " 'user:%s', '%s', 'thing', '%s', '{\"a\":1}', '{\"a\":2}')",
	    fixture.tenant, actor, actor, action, subject);
}

static void
test_list_is_newest_first_and_filtered(void **state UNUSED)
{
	struct db_answer *page;

	add_row("neo", "key.create", "k1");
	add_row("trinity", "key.revoke", "k1");
	add_row("neo", "keys", "k2");
	page = CALL(AUDIT_LIST, "limit", "2");
	assert_int_equal(page->rows, 3);
	EXPECT(page, 0, "action", "keys");
	EXPECT(page, 1, "before", "{\"a\": 1}");
	page = CALL(AUDIT_LIST, "limit", "2", "cursor", db_answer_cell(page, 1, "_cursor"));
	assert_int_equal(page->rows, 1);
	EXPECT(page, 0, "action", "key.create");
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "actor", "neo")->rows, 2);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "actor", "user:trinity")->rows, 1);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "action", "key")->rows, 2); /* not `keys` */
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "action", "key.revoke")->rows, 1);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "action", "k_y")->rows, 0);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "subject", "k1")->rows, 2);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "subject_type", "thing")->rows, 3);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "from", "2100-01-01T00:00:00Z")->rows, 0);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "to", "2100-01-01T00:00:00Z")->rows, 3);
	assert_int_equal(CALL(AUDIT_LIST, "limit", "9", "tenant", "1", "subject", "k1")->rows, 0);
}

static void
test_refusals_of_a_batch_are_rows(void **state UNUSED)
{
	struct db_answer *one =
	    ASK(AUDIT_REFUSED, "actor", "nobody", "action", "refused.unauthenticated", "subject_type", "endpoint",
	        "subject_id", "listTasks", "details", "{\"count\":7}", "address", "10.0.0.1");
	struct db_answer *other = ASK(AUDIT_REFUSED, "actor", "eve", "actor_id", "user:e", "action", "refused.forbidden",
	                              "subject_type", "endpoint", "subject_id", "listAudit", "details", "{}");

	queries_wait(one);
	queries_wait(other);
	EXPECT_SQL("refused.forbidden user:e, refused.unauthenticated 10.0.0.1 7",
	           "SELECT string_agg(concat_ws(' ', action, actor_id, address, details ->> 'count'), ', ' ORDER BY action)"
	           " FROM audit_log WHERE tenant = %s",
	           fixture.tenant);
}

/* A request of nobody from 10.0.x.y that got 401. */
static void
refuse_from(struct refusals *refusals, struct worker *worker, int number)
{
	const char *address = text("10.0.%d.%d", number / 256, number % 256);
	struct request request = {.worker = worker,
	                          .is_error = true,
	                          .status = 401,
	                          .error = ERROR_UNAUTHENTICATED,
	                          .refusal = SLICE("who"),
	                          .address = slice_of(address),
	                          .id = SLICE("r-1"),
	                          .suspect = {.kind = PRINCIPAL_KEY, .id = SLICE("k"), .name = SLICE("key")}};

	request.suspect.tenant = strtoll(fixture.tenant, NULL, 10);
	refusals_note(refusals, &request);
}

/* A flood from everywhere: a bounded number of rows, and one that says how many more there were. */
static void
test_a_flood_of_refusals_is_bounded_and_counted(void **state UNUSED)
{
	struct refusals *refusals = refusals_new(fixture.db);
	struct worker worker = {.now_us = 1};
	int64_t before = strtoll(SQL("SELECT coalesce(max(id), 0) FROM audit_log"), NULL, 10);

	for (int i = 0; i < REFUSALS_MAX + 44; i++)
		refuse_from(refusals, &worker, i);
	refuse_from(refusals, &worker, 7); /* one that has a place is counted there */
	refusals_flush(refusals, INT64_MAX, false);
	db_fixture_wait(&fixture);
	EXPECT_SQL(text("%d", REFUSALS_MAX), "SELECT count(*) FROM audit_log WHERE tenant = %s", fixture.tenant);
	EXPECT_SQL("2", "SELECT details ->> 'count' FROM audit_log WHERE tenant = %s AND address = '10.0.0.7'",
	           fixture.tenant);
	EXPECT_SQL("key:k", "SELECT DISTINCT actor_id FROM audit_log WHERE tenant = %s", fixture.tenant);
	EXPECT_SQL("44", "SELECT details ->> 'count' FROM audit_log WHERE id > %lld AND action = 'refused.not_recorded'",
	           (long long)before);
	refusals_free(refusals);
}

/* Seals all that waits, with hashes that stand for real ones: who computes them is keeper/seal.c. */
static struct db_answer *
seal(const char *n_before, const char *hash_before, int count, const char *rows)
{
	return CALL(AUDIT_SEAL, "head_n", n_before, "head_hash", hash_before, "n",
	            text("%lld", strtoll(n_before, NULL, 10) + count), "hash", HASH(7), "at", "2026-11-23T01:02:03.000004Z",
	            "key", "k", "signature", HASH(8), "rows", rows);
}

static const char *
rows_json(const struct db_answer *found)
{
	const char *list = "";
	int64_t n = strtoll(db_answer_cell(found, 0, "head_n"), NULL, 10);

	for (int i = 0; i < found->rows; i++)
		list = text("%s%s{\"tenant\":%s,\"id\":%s,\"n\":%lld,\"digest\":\"%s\",\"hash\":\"%s\"}", list, i ? "," : "",
		            db_answer_cell(found, i, "tenant"), db_answer_cell(found, i, "id"), (long long)(n + 1 + i), HASH(1),
		            HASH(2));
	return text("[%s]", list);
}

/* What the tests before have written is out of the way. */
static void
seal_all(void)
{
	for (;;) {
		struct db_answer *found = CALL(AUDIT_UNSEALED, "max", "3");

		if (!found->rows)
			return;
		EXPECT(seal(db_answer_cell(found, 0, "head_n"), db_answer_cell(found, 0, "head_hash"), found->rows,
		            rows_json(found)),
		       0, "sealed", text("%d", found->rows));
	}
}

static void
test_rows_are_sealed_in_order_and_once(void **state UNUSED)
{
	struct db_answer *found, *again;
	const char *n, *hash;

	seal_all();
	n = SQL("SELECT n FROM audit_head");
	add_row("neo", "a", "1");
	add_row("neo", "b", "2");
	found = CALL(AUDIT_UNSEALED, "max", "10");
	assert_int_equal(found->rows, 2);
	EXPECT(found, 0, "action", "a");
	EXPECT(found, 0, "head_n", n);
	EXPECT(found, 1, "before", "{\"a\": 1}");
	EXPECT_SQL("t", "SELECT '%s' ~ '^2[0-9]{3}-[0-9-]{5}T[0-9:]{8}[.][0-9]{6}Z$'", db_answer_cell(found, 1, "at"));
	hash = db_answer_cell(found, 0, "head_hash");
	EXPECT(seal(n, hash, 2, rows_json(found)), 0, "sealed", "2");
	/* Another keeper looked at the same time, and comes second. */
	again = seal(n, hash, 2, rows_json(found));
	EXPECT(again, 0, "sealed", "0");
	EXPECT(again, 0, "moved", "f");
	assert_int_equal(CALL(AUDIT_UNSEALED, "max", "10")->rows, 0);
	EXPECT_SQL(text("%lld", strtoll(n, NULL, 10) + 2), "SELECT n FROM audit_head");
}

static void
test_a_row_that_has_gone_seals_nothing(void **state UNUSED)
{
	struct db_answer *found, *answer;

	seal_all();
	add_row("neo", "a", "1");
	add_row("neo", "b", "2");
	found = CALL(AUDIT_UNSEALED, "max", "10");
	SQL("BEGIN; ALTER TABLE audit_log DISABLE TRIGGER USER; DELETE FROM audit_log WHERE n IS NULL AND action = 'a';"
	    " ALTER TABLE audit_log ENABLE TRIGGER USER; COMMIT");
	answer = ASK(AUDIT_SEAL, "head_n", db_answer_cell(found, 0, "head_n"), "head_hash",
	             db_answer_cell(found, 0, "head_hash"), "n",
	             text("%lld", strtoll(db_answer_cell(found, 0, "head_n"), NULL, 10) + 2), "hash", HASH(7), "at",
	             "2026-11-23T01:02:03Z", "key", "k", "signature", HASH(8), "rows", rows_json(found));
	db_fixture_wait(&fixture);
	assert_int_equal(answer->status, DB_FAILED);
	EXPECT_SQL(db_answer_cell(found, 0, "head_n"), "SELECT n FROM audit_head");
	EXPECT_SQL("1", "SELECT count(*) FROM audit_log WHERE n IS NULL");
}

/* A second connection that holds a transaction open: its row, and what is younger, waits. */
static void
test_what_runs_still_is_not_passed_by(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *found;

	seal_all();
	db_fixture_sql_on(&fixture, other, "BEGIN");
	db_fixture_sql_on(&fixture, other,
	                  text("INSERT INTO audit_log (tenant, actor, action, subject_type, subject_id)"
	                       " VALUES (%s, 'slow', 'old', 't', 's')",
	                       fixture.tenant));
	add_row("neo", "young", "1");
	assert_int_equal(CALL(AUDIT_UNSEALED, "max", "10")->rows, 0);
	db_fixture_sql_on(&fixture, other, "COMMIT");
	database_close(other);
	found = CALL(AUDIT_UNSEALED, "max", "10");
	assert_int_equal(found->rows, 2);
	EXPECT(found, 0, "action", "old");
	EXPECT(found, 1, "action", "young");
}

/* After a restore into another server, numbers of transactions are from another world: they wait for nothing. */
static void
test_rows_of_another_server_are_sealed(void **state UNUSED)
{
	seal_all();
	SQL("INSERT INTO audit_log (tenant, actor, action, subject_type, subject_id, xid) VALUES (%s, 'neo', 'restored', "
	    "'t', 's',"
	    " '900000000000')",
	    fixture.tenant);
	EXPECT(CALL(AUDIT_UNSEALED, "max", "10"), 0, "action", "restored");
	seal_all();
}

static void
test_the_head_is_kept_now_and_then(void **state UNUSED)
{
	struct db_answer *kept;

	add_row("neo", "a", "1");
	seal_all();
	SQL("DELETE FROM audit_checkpoints");
	kept = CALL(AUDIT_KEEP, "checkpoint_s", "60");
	assert_int_equal(kept->rows, 1);
	EXPECT(kept, 0, "n", SQL("SELECT n FROM audit_head"));
	EXPECT(kept, 0, "at", "2026-11-23T01:02:03.000004Z");
	EXPECT(kept, 0, "signature", HASH(8));
	assert_int_equal(CALL(AUDIT_KEEP, "checkpoint_s", "60")->rows, 0); /* nothing new */
	add_row("neo", "b", "2");
	seal_all();
	SQL("UPDATE audit_checkpoints SET at = now()");
	assert_int_equal(CALL(AUDIT_KEEP, "checkpoint_s", "60")->rows, 0); /* too soon */
	SQL("UPDATE audit_checkpoints SET at = now() - interval '61 seconds'");
	assert_int_equal(CALL(AUDIT_KEEP, "checkpoint_s", "60")->rows, 1);
}

static void
test_the_chain_shows_a_tenant_its_own(void **state UNUSED)
{
	const char *before;
	struct db_answer *part;

	seal_all();
	before = SQL("SELECT n FROM audit_head");
	SQL("INSERT INTO audit_log (tenant, actor, action, subject_type, subject_id) VALUES (1, 'smith', 'hidden', 't', "
	    "'s')");
	add_row("neo", "mine", "1");
	seal_all();
	part = CALL(AUDIT_CHAIN, "cursor", before, "limit", "10", "whole", "false");
	assert_int_equal(part->rows, before[0] == '0' ? 3 : 4);
	EXPECT(part, part->rows - 3, "kind", "digest");
	EXPECT(part, part->rows - 3, "actor", NULL);
	EXPECT(part, part->rows - 3, "hash", NULL);
	EXPECT(part, part->rows - 3, "digest", HASH(1));
	EXPECT(part, part->rows - 2, "kind", "row");
	EXPECT(part, part->rows - 2, "action", "mine");
	EXPECT(part, part->rows - 1, "kind", "head");
	EXPECT(part, part->rows - 1, "at", "2026-11-23T01:02:03.000004Z");
	part = CALL(AUDIT_CHAIN, "cursor", before, "limit", "1", "whole", "true");
	EXPECT(part, part->rows - 1, "action", "hidden"); /* and no head: there is more */
}

static void
test_retention_drops_the_beginning_and_leaves_an_anchor(void **state UNUSED)
{
	struct db_answer *old, *part;
	const char *first;

	seal_all();
	EXPECT_SQL("t", "SELECT count(*) > 3 FROM audit_log");
	assert_int_equal(CALL(AUDIT_OLD, "retention_days", "3650", "max", "1000")->rows, 0);
	/* The third row is old by its time, but behind a young one. */
	first = SQL("SELECT min(n) FROM audit_log");
	SQL("BEGIN; ALTER TABLE audit_log DISABLE TRIGGER USER; UPDATE audit_log SET at = now() - interval '20 years'"
	    " WHERE n IN (%s, %s + 2); ALTER TABLE audit_log ENABLE TRIGGER USER; COMMIT",
	    first, first);
	old = CALL(AUDIT_OLD, "retention_days", "3650", "max", "1000");
	EXPECT(old, 0, "n", first);
	EXPECT(CALL(AUDIT_DROP, "n", first, "hash", db_answer_cell(old, 0, "hash"), "at", "2026-11-23T01:02:03Z", "key",
	            "k", "signature", HASH(9)),
	       0, "dropped", "1");
	EXPECT_SQL(text("%lld", strtoll(first, NULL, 10) + 1), "SELECT min(n) FROM audit_log");
	part = CALL(AUDIT_CHAIN, "cursor", "0", "limit", "1", "whole", "true");
	EXPECT(part, 0, "kind", "anchor");
	EXPECT(part, 0, "n", first);
	EXPECT(part, 0, "signature", HASH(9));
	/* Another keeper had the same idea. */
	EXPECT(
	    CALL(AUDIT_DROP, "n", first, "hash", HASH(2), "at", "2026-11-23T01:02:03Z", "key", "k", "signature", HASH(9)),
	    0, "dropped", "0");
}

static void
expect_refused(const char *sql)
{
	EXPECT_SQL("insufficient_privilege",
	           "DO $$ BEGIN %s; RAISE EXCEPTION 'it was let through'; EXCEPTION WHEN insufficient_privilege THEN"
	           " PERFORM set_config('agentd.seen', 'insufficient_privilege', false); END $$;"
	           " SELECT current_setting('agentd.seen')",
	           sql);
	SQL("SELECT set_config('agentd.seen', '', false)");
}

static void
test_nobody_changes_or_deletes(void **state UNUSED)
{
	add_row("neo", "a", "1");
	expect_refused("DELETE FROM audit_log WHERE n IS NULL");
	expect_refused("UPDATE audit_log SET actor = 'x' WHERE n IS NULL");
	expect_refused("TRUNCATE audit_log");
	/* Sealing changes nothing else. */
	expect_refused("UPDATE audit_log SET n = 1000000, actor = 'x' WHERE n IS NULL");
	seal_all();
	expect_refused("DELETE FROM audit_log WHERE n = (SELECT max(n) FROM audit_log)");
	expect_refused("UPDATE audit_log SET hash = digest WHERE n = (SELECT max(n) FROM audit_log)");
}

const struct CMUnitTest audit_tests[] = {
    TEST(test_list_is_newest_first_and_filtered),
    TEST(test_refusals_of_a_batch_are_rows),
    TEST(test_a_flood_of_refusals_is_bounded_and_counted),
    TEST(test_rows_are_sealed_in_order_and_once),
    TEST(test_a_row_that_has_gone_seals_nothing),
    TEST(test_what_runs_still_is_not_passed_by),
    TEST(test_rows_of_another_server_are_sealed),
    TEST(test_the_head_is_kept_now_and_then),
    TEST(test_the_chain_shows_a_tenant_its_own),
    TEST(test_retention_drops_the_beginning_and_leaves_an_anchor),
    TEST(test_nobody_changes_or_deletes),
};
const int audit_test_count = ARRAY_LENGTH(audit_tests);
