/* test_backup_plan.c - when backups are due, by an interval and by a cron expression in UTC. */
#include "base.h"

#include "backup_plan.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const int64_t second = 1000000;

/* 2026-11-23T10:37:30Z */
enum { NOW_S = 1795430250 };

static int64_t
next_s(const char *text)
{
	struct backup_plan plan;
	const char *why = NULL;

	assert_true(backup_plan_parse(slice_of(text), &plan, &why));
	return backup_plan_next(&plan, NOW_S * second) / second - NOW_S;
}

static void
test_intervals(void **state UNUSED)
{
	assert_int_equal(next_s("1m"), 60);
	assert_int_equal(next_s("90m"), 5400);
	assert_int_equal(next_s("6h"), 21600);
	assert_int_equal(next_s("7d"), 604800);
}

static void
test_cron_is_in_utc(void **state UNUSED)
{
	assert_int_equal(next_s("* * * * *"), 30);
	assert_int_equal(next_s("0 11 * * *"), 22 * 60 + 30);
	assert_int_equal(next_s("15 3 * * *"), (16 * 60 + 37) * 60 + 30);
	assert_int_equal(next_s("@hourly"), 22 * 60 + 30);
}

static void
test_what_is_neither_is_refused(void **state UNUSED)
{
	static const char *const wrong[] = {"",   "6",    "h",       "0h",       "-6h",        "6 h",
	                                    "6s", "1.5h", "999999d", "15 3 * *", "61 * * * *", "@never"};

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		struct backup_plan plan;
		const char *why = NULL;

		assert_false(backup_plan_parse(slice_of(wrong[i]), &plan, &why));
		assert_non_null(why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_intervals),
	    cmocka_unit_test(test_cron_is_in_utc),
	    cmocka_unit_test(test_what_is_neither_is_refused),
	};

	return cmocka_run_group_tests_name("backup plan", tests, NULL, NULL);
}
