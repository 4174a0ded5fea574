/* queries_backup.c - sql/query/backup.sql: what the keeper sees of backups. */
#include "base.h"

#include "queries.h"

static void
add(const char *status, const char *scheduled, const char *age)
{
	SQL("INSERT INTO backups (id, status, scheduled, node, file, encrypted, started_at) VALUES ('%s', '%s', %s, 'n', "
	    "'f', "
	    "false, now() - interval '%s')",
	    new_id(), status, scheduled, age);
}

static void
test_the_last_backup_by_schedule(void **state UNUSED)
{
	struct db_answer *answer = CALL(KEEPER_BACKUPS, (char *)NULL);

	SQL("DELETE FROM backups");
	answer = CALL(KEEPER_BACKUPS, (char *)NULL);
	EXPECT(answer, 0, "last_us", NULL);
	EXPECT(answer, 0, "last_status", NULL);
	EXPECT(answer, 0, "done_us", NULL);
	add("done", "true", "2 hours");
	add("done", "false", "1 hour");
	SQL("UPDATE backups SET verified_at = now() - interval '30 minutes' WHERE NOT scheduled");
	answer = CALL(KEEPER_BACKUPS, (char *)NULL);
	EXPECT(answer, 0, "last_status", "done");
	EXPECT_SQL("7200", "SELECT round((%s - %s) / 1000000.0)", db_answer_cell(answer, 0, "now_us"),
	           db_answer_cell(answer, 0, "last_us"));
	EXPECT_SQL("3600", "SELECT round((%s - %s) / 1000000.0)", db_answer_cell(answer, 0, "now_us"),
	           db_answer_cell(answer, 0, "done_us"));
	EXPECT_SQL("1800", "SELECT round((%s - %s) / 1000000.0)", db_answer_cell(answer, 0, "now_us"),
	           db_answer_cell(answer, 0, "proven_us"));
}

/* While the lock of backups is held somewhere, one that runs is believed to. */
static void
test_one_that_died_has_failed(void **state UNUSED)
{
	SQL("DELETE FROM backups");
	add("running", "true", "1 second");
	EXPECT(CALL(KEEPER_BACKUPS, (char *)NULL), 0, "last_status", "running");
	SQL("UPDATE backups SET started_at = now() - interval '1 hour'");
	SQL("SELECT pg_advisory_lock_shared(107083807650917)");
	EXPECT(CALL(KEEPER_BACKUPS, (char *)NULL), 0, "last_status", "running");
	SQL("SELECT pg_advisory_unlock_shared(107083807650917)");
	EXPECT(CALL(KEEPER_BACKUPS, (char *)NULL), 0, "last_status", "failed");
	EXPECT(CALL(KEEPER_BACKUPS, (char *)NULL), 0, "last_error", "its process ended before it was made");
}

/* In GET /system/status, for the tenant of those who run agentd only. */
static void
test_status_says_when_the_last_one_was_made_and_proven(void **state UNUSED)
{
	struct db_answer *mine, *stranger;

	SQL("DELETE FROM backups");
	add("done", "true", "2 hours");
	add("failed", "true", "1 hour");
	SQL("UPDATE backups SET started_at = '2026-11-23 10:00+00', verified_at = '2026-11-23 11:00+00' WHERE status = "
	    "'done'");
	mine = CALL(SYSTEM_STATUS, "tenant", "1");
	EXPECT_SQL("2026-11-23T10:00:00Z 2026-11-23T11:00:00Z",
	           "SELECT concat_ws(' ', '%s'::json->>'last_at', '%s'::json->>'proven_at')",
	           db_answer_cell(mine, 0, "backups"), db_answer_cell(mine, 0, "backups"));
	EXPECT_SQL("t", "SELECT '%s'::json->>'failed_at' IS NOT NULL", db_answer_cell(mine, 0, "backups"));
	stranger = CALL(SYSTEM_STATUS);
	EXPECT_SQL("", "SELECT concat('%s'::json->>'last_at', '%s'::json->>'failed_at')",
	           db_answer_cell(stranger, 0, "backups"), db_answer_cell(stranger, 0, "backups"));
}

const struct CMUnitTest backup_tests[] = {
    TEST(test_the_last_backup_by_schedule),
    TEST(test_one_that_died_has_failed),
    TEST(test_status_says_when_the_last_one_was_made_and_proven),
};
const int backup_test_count = ARRAY_LENGTH(backup_tests);
