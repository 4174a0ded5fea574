/* queries_leader.c - sql/query/leader.sql: who gets the lead and who keeps it. */
#include "base.h"

#include "queries.h"

static void
test_the_session_that_leads_goes_on_leading(void **state UNUSED)
{
	EXPECT(CALL(KEEPER_LEAD, "idle_ms", "600000"), 0, "leads", "t");
	EXPECT(CALL(KEEPER_LEAD, "idle_ms", "600000"), 0, "leads", "t");
	EXPECT_SQL("1",
	           "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint << 32) + objid::bigint"
	           " = 27416758083413068 AND granted AND database = (SELECT oid FROM pg_database WHERE datname ="
	           " current_database())");
	/* Another session does not get it. */
	EXPECT_SQL("f", "SELECT pg_try_advisory_lock(27416758083413068)");
}

static void
test_a_row_is_held_by_one_until_its_time_is_over(void **state UNUSED)
{
	const char *one = new_id(), *two = new_id();

	EXPECT(CALL(KEEPER_LEAD_POOLED, "holder", one, "idle_ms", "3000"), 0, "leads", "t");
	assert_int_equal(CALL(KEEPER_LEAD_POOLED, "holder", two, "idle_ms", "3000")->rows, 0);
	EXPECT(CALL(KEEPER_LEAD_POOLED, "holder", one, "idle_ms", "3000"), 0, "leads", "t");
	SQL("UPDATE keeper_lease SET held_until = held_until - interval '4 s'");
	EXPECT(CALL(KEEPER_LEAD_POOLED, "holder", two, "idle_ms", "3000"), 0, "leads", "t");
	assert_int_equal(CALL(KEEPER_LEAD_POOLED, "holder", one, "idle_ms", "3000")->rows, 0);
}

const struct CMUnitTest leader_tests[] = {
    TEST(test_the_session_that_leads_goes_on_leading),
    TEST(test_a_row_is_held_by_one_until_its_time_is_over),
};
const int leader_test_count = (int)ARRAY_LENGTH(leader_tests);
