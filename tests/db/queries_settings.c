/* queries_settings.c - sql/query/settings.sql: what holds in place of the environment, changed by one at a time. */
#include "base.h"

#include "queries.h"

static struct db_answer *
change(const char *version, const char *changes)
{
	return CALL(SETTINGS_SET, "version", version, "changes", changes, "actor", "neo", "principal", "user:1", "address",
	            "127.0.0.1", "request_id", "r1");
}

static void
test_settings_are_changed_and_taken_back(void **state UNUSED)
{
	struct db_answer *rows = CALL(SETTINGS_GET);
	const char *version = db_answer_cell(rows, 0, "version"), *seq = SQL("SELECT seq FROM changes_head");

	assert_int_equal(rows->rows, 1);
	EXPECT(rows, 0, "name", NULL);
	assert_int_equal(change(version, "[{\"name\":\"rate_limit\",\"value\":\"5\",\"before\":{\"value\":1000},"
	                                 "\"after\":{\"value\":5}},{\"name\":\"lease_s\",\"value\":\"9\"}]")
	                     ->rows,
	                 1);
	rows = CALL(SETTINGS_GET);
	assert_int_equal(rows->rows, 2);
	EXPECT(rows, 0, "name", "lease_s");
	EXPECT(rows, 1, "value", "5");
	EXPECT(rows, 1, "version", text("%lld", strtoll(version, NULL, 10) + 1));
	EXPECT_SQL(
	    "config.update neo user:1 setting rate_limit 1000 5 127.0.0.1 r1",
	    "SELECT concat_ws(' ', action, actor, actor_id, subject_type, subject_id, before ->> 'value',"
	    " after ->> 'value', address, request_id) FROM audit_log WHERE tenant = %s AND subject_id = 'rate_limit'",
	    fixture.tenant);
	EXPECT_SQL("lease_s rate_limit",
	           "SELECT string_agg(subject, ' ' ORDER BY subject) FROM changes WHERE kind = 'settings'"
	           " AND seq > %s",
	           seq);
	/* Who looked before that is too late. */
	assert_int_equal(change(version, "[{\"name\":\"lease_s\",\"value\":\"10\"}]")->rows, 0);
	version = db_answer_cell(rows, 0, "version");
	EXPECT(change(version, "[{\"name\":\"lease_s\",\"value\":\"10\"},{\"name\":\"rate_limit\",\"value\":null}]"), 0,
	       "version", text("%lld", strtoll(version, NULL, 10) + 1));
	rows = CALL(SETTINGS_GET);
	assert_int_equal(rows->rows, 1);
	EXPECT(rows, 0, "value", "10");
	EXPECT_SQL("4", "SELECT count(*) FROM audit_log WHERE tenant = %s", fixture.tenant);
	SQL("DELETE FROM settings");
}

const struct CMUnitTest setting_tests[] = {
    TEST(test_settings_are_changed_and_taken_back),
};
const int setting_test_count = ARRAY_LENGTH(setting_tests);
