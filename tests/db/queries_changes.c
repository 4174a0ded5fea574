/* queries_changes.c - sql/query/changes.sql: what processes read of the changes, and what is forgotten of them. */
#include "base.h"

#include "queries.h"

static const char *
head(void)
{
	return SQL("SELECT seq FROM changes_head");
}

static void
announce(const char *kind, const char *subject, const char *at, const char *until)
{
	SQL("SELECT agentd_announce(%s, '%s', '%s', now() + interval '%s', now() + interval '%s')", fixture.tenant, kind,
	    subject, at, until);
}

static struct db_answer *
look(const char *after, const char *load)
{
	return CALL(CHANGES_AFTER, "after", after, "load", load);
}

static void
test_changes_come_in_order_after_a_number(void **state UNUSED)
{
	const char *before = head();
	struct db_answer *answer = look(before, "false");

	/* Nothing new: one row all the same. */
	assert_int_equal(answer->rows, 1);
	EXPECT(answer, 0, "head", before);
	EXPECT(answer, 0, "seq", NULL);
	announce("key", "agd_sk_1", "0", "0");
	announce("session", "s", "0", "1 hour");
	answer = look(before, "false");
	assert_int_equal(answer->rows, 2);
	EXPECT(answer, 0, "kind", "key");
	EXPECT(answer, 0, "subject", "agd_sk_1");
	EXPECT(answer, 0, "refused", "f");
	EXPECT(answer, 1, "kind", "session");
	EXPECT(answer, 1, "tenant", fixture.tenant);
	EXPECT(answer, 1, "head", head());
	EXPECT(answer, 1, "seq", head());
	EXPECT_SQL("3600000000", "SELECT %s - %s", db_answer_cell(answer, 1, "until_us"),
	           db_answer_cell(answer, 1, "at_us"));
	SQL("SELECT agentd_announce(1, 'user', '%s', now(), NULL)", new_id());
	EXPECT(look(head(), "false"), 0, "seq", NULL);
	SQL("SELECT agentd_announce(1, 'user', '%s', now(), 'infinity')", new_id());
	EXPECT(look(SQL("SELECT %s - 1", head()), "false"), 0, "until_us", NULL);
}

static void
test_load_reads_what_is_still_relevant(void **state UNUSED)
{
	const char *before = head(), *always = new_id();
	struct db_answer *answer;

	announce("key", "k", "0", "1 day");
	announce("settings", "rate_limit", "0", "1 day");
	announce("session", "over", "-3 hours", "-2 hours");
	announce("session", "lives", "0", "1 hour");
	SQL("SELECT agentd_announce(%s, 'user', '%s', now(), NULL)", fixture.tenant, always);
	announce("all", "restore", "0", "8 days");
	answer = look(before, "true");
	assert_int_equal(answer->rows, 3);
	EXPECT(answer, 0, "subject", "lives");
	EXPECT(answer, 1, "subject", always);
	EXPECT(answer, 1, "until_us", NULL);
	EXPECT(answer, 2, "kind", "all");
}

static void
test_tenants_say_what_holds_now(void **state UNUSED)
{
	const char *before = head();

	SQL("UPDATE tenants SET active = true");
	announce("tenant", fixture.tenant, "0", "1 hour");
	EXPECT(look(before, "false"), 0, "refused", "f");
	SQL("UPDATE tenants SET active = false WHERE id = %s", fixture.tenant);
	EXPECT(look(before, "false"), 0, "refused", "t");
	/* A load finds it without any announcement. */
	EXPECT_SQL("0", "SELECT count(*) FROM changes WHERE seq = 0");
	EXPECT(look("0", "true"), 0, "seq", "0");
	EXPECT(look("0", "true"), 0, "subject", fixture.tenant);
	EXPECT(look("0", "true"), 0, "refused", "t");
	announce("tenant", "999999", "0", "1 hour");
	EXPECT(look(SQL("SELECT %s - 1", head()), "false"), 0, "refused", "t");
	SQL("UPDATE tenants SET active = true WHERE id = %s", fixture.tenant);
}

static void
test_a_page_is_a_thousand(void **state UNUSED)
{
	const char *before = head();
	struct db_answer *answer;

	SQL("SELECT count(agentd_announce(1, 'key', 'k' || n, now(), now())) FROM generate_series(1, 1001) n");
	answer = look(before, "false");
	assert_int_equal(answer->rows, 1000);
	EXPECT(answer, 999, "seq", SQL("SELECT %s - 1", head()));
	EXPECT(answer, 999, "head", head());
}

static void
test_forget_takes_what_concerns_nobody(void **state UNUSED)
{
	SQL("DELETE FROM changes");
	announce("session", "over", "-3 hours", "-61 minutes");
	announce("session", "just over", "-3 hours", "-59 minutes");
	announce("key", "old", "-61 minutes", "1 day");
	announce("key", "new", "-59 minutes", "1 day");
	SQL("SELECT agentd_announce(1, 'session', 'older than tokens', now() - interval '9 days', NULL)");
	SQL("SELECT agentd_announce(1, 'session', 'not older', now() - interval '7 days', NULL)");
	CALL(KEEPER_FORGET_CHANGES);
	EXPECT_SQL("just over,new,not older", "SELECT string_agg(subject, ',' ORDER BY seq) FROM changes");
}

const struct CMUnitTest change_tests[] = {
    TEST(test_changes_come_in_order_after_a_number), TEST(test_load_reads_what_is_still_relevant),
    TEST(test_tenants_say_what_holds_now),           TEST(test_a_page_is_a_thousand),
    TEST(test_forget_takes_what_concerns_nobody),
};
const int change_test_count = ARRAY_LENGTH(change_tests);
