/*
 * test_cron.c - cron expressions: what is accepted, and when they fire.
 *
 * Many cases are bugs that public schedulers had; their reports are named. Needs the system's tzdata. Random traces
 * begin with a fixed seed.
 */
#include "base.h"

#include "cron.h"
#include "zone.h"
#include "zone_time.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { DAY_S = 86400, SECOND_US = 1000000, RESULTS = 8 };

static struct zone *
open_zone(const char *name)
{
	struct zone *zone = zone_open(slice_of(name));

	if (!zone)
		fail_msg("no zone %s in " ZONE_FOLDER "; install tzdata", name);
	return zone;
}

static struct cron
parse(const char *text)
{
	struct cron cron;
	const char *why;

	if (!cron_parse(slice_of(text), &cron, &why))
		fail_msg("%s: %s", text, why);
	return cron;
}

/* --- the text --- */

static void
test_same(void **state UNUSED)
{
	static const char *const pairs[][2] = {
	    {"@hourly", "0 * * * *"},
	    {"@daily", "0 0 * * *"},
	    {"@midnight", "0 0 * * *"},
	    {"@weekly", "0 0 * * 0"},
	    {"@monthly", "0 0 1 * *"},
	    {"@yearly", "0 0 1 1 *"},
	    {"@annually", "0 0 1 1 *"},
	    {" @Daily\t", "0 0 * * *"},
	    {"  0\t0  *   * * ", "0 0 * * *"},
	    {"0 0 * * 7", "0 0 * * 0"},
	    {"0 0 * * sun", "0 0 * * 0"},
	    {"0 0 * JAN-Mar,dec MON-fri", "0 0 * 1-3,12 1-5"},
	    {"0 0 * * fri-sun", "0 0 * * 0,5,6"},
	    {"0 0 * * 5-7", "0 0 * * 0,5,6"},
	    {"0 0 * * 0-7", "0 0 * * 0-6"},
	    {"*/20 */6 * * *", "0,20,40 */6 * * *"},
	    {"5-59/15 1 * * *", "5,20,35,50 1 * * *"},
	    {"00 08 05 01 *", "0 8 5 1 *"},
	    {"0 0 1-31/10 * *", "0 0 1,11,21,31 * *"},
	    {"0-59 0-23 * * *", "* 0,1,2,3,4,5,6,7,8,9,10-23 * * *"},
	    {"0 0 * jan,jan,1 *", "0 0 * 1 *"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		struct cron a = parse(pairs[i][0]), b = parse(pairs[i][1]);

		if (a.minutes != b.minutes || a.hours != b.hours || a.days != b.days || a.months != b.months ||
		    a.weekdays != b.weekdays || a.either_day != b.either_day)
			fail_msg("%s is not %s", pairs[i][0], pairs[i][1]);
	}
	assert_true(parse("0 */2 * * *").follows_clock);
	assert_false(parse("* 2 * * *").follows_clock);
	assert_false(parse("* 0-23 * * *").follows_clock);
}

static void
test_refused(void **state UNUSED)
{
	static const struct {
		const char *text;
		const char *why; /* a part of what is said */
	} cases[] = {
	    {"", "five fields"},
	    {"   ", "five fields"},
	    {"* * * *", "five fields"},
	    {"0 * * * * *", "five fields"},
	    {"0\n0 * * *", "five fields"},
	    {"60 * * * *", "minute (field 1): expected 0 to 59"},
	    {"-1 * * * *", "minute (field 1): expected *"},
	    {"* 24 * * *", "hour (field 2): expected 0 to 23"},
	    {"* * 0 * *", "day of month (field 3): expected 1 to 31"},
	    {"* * 32 * *", "day of month (field 3): expected 1 to 31"},
	    {"* * * 0 *", "month (field 4): expected 1 to 12"},
	    {"* * * 13 *", "month (field 4): expected 1 to 12"},
	    {"* * * * 8", "day of week (field 5): expected 0 to 7"},
	    {"* * * january *", "month (field 4): expected 1 to 12, or jan to dec"},
	    {"* * * mon *", "month (field 4)"},
	    {"* * * * jan", "day of week (field 5)"},
	    {"mon * * * *", "minute (field 1)"},
	    {"* 17-9 * * *", "hour (field 2): a range goes from the lower"},
	    {"* * * dec-jan *", "month (field 4): a range"},
	    {"*/0 * * * *", "minute (field 1): a step is 1 to 59"},
	    {"*/60 * * * *", "minute (field 1): a step is 1 to 59"},
	    {"*/ * * * *", "minute (field 1): a step"},
	    {"*/-5 * * * *", "minute (field 1): a step"},
	    {"* */24 * * *", "hour (field 2): a step is 1 to 23"},
	    {"5/15 * * * *", "minute (field 1): a step is 1 to 59 and follows * or a range"},
	    {"1, * * * *", "minute (field 1): expected *"},
	    {",1 * * * *", "minute (field 1): expected *"},
	    {"1,,2 * * * *", "minute (field 1): expected *"},
	    {"1- * * * *", "minute (field 1): expected *"},
	    {"1-2-3 * * * *", "minute (field 1): expected *"},
	    {"1.5 * * * *", "minute (field 1): expected *"},
	    {"** * * * *", "minute (field 1): expected *"},
	    {"*/5/5 * * * *", "minute (field 1): expected *"},
	    {"? * * * *", "minute (field 1): expected *"},
	    {"* * L * *", "day of month (field 3)"},
	    {"* * * * 5#2", "day of week (field 5)"},
	    {"99999999999999999999 * * * *", "minute (field 1): expected 0 to 59"},
	    {"*/4294967297 * * * *", "minute (field 1): a step"},
	    {"0 0 30 2 *", "no such date ever comes"},
	    {"0 0 31 2,4,6,9,11 *", "no such date ever comes"},
	    {"0 0 30-31 feb *", "no such date ever comes"},
	    {"0 0 31 4 */2", "no such date ever comes"},
	    {"@reboot", "@hourly"},
	    {"@every 5m", "@hourly"},
	    {"@daily @daily", "@hourly"},
	    {"@", "@hourly"},
	};
	struct cron cron;

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const char *why = NULL;

		if (cron_parse(slice_of(cases[i].text), &cron, &why))
			fail_msg("accepted: %s", cases[i].text);
		if (!why || !strstr(why, cases[i].why))
			fail_msg("%s: %s, not %s", cases[i].text, why, cases[i].why);
	}
	const char *why = NULL;
	assert_false(cron_parse(SLICE_NONE, &cron, &why));
	assert_non_null(why);
	assert_false(cron_parse(SLICE("* * * * *\0"), &cron, &why));
	/* A weekday comes in every month, so the other field may name what never comes. */
	assert_true(cron_parse(SLICE("0 0 30 2 1"), &cron, &why));
	assert_true(cron_parse(SLICE("0 0 31 4,5 *"), &cron, &why));
	assert_true(cron_parse((struct slice){"0 0 * * 1x", 9}, &cron, &why));
}

/* --- cases with names --- */

struct firing {
	const char *zone;
	const char *text;
	const char *after;
	const char *at[RESULTS]; /* the next times, in order */
};

static void
check(const struct firing *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct zone *zone = open_zone(cases[i].zone);
		struct cron cron = parse(cases[i].text);
		int64_t at_us = zone_time_parse(cases[i].after) * SECOND_US;

		assert_non_null(cases[i].at[0]);
		for (int k = 0; k < RESULTS && cases[i].at[k]; k++) {
			char text[ZONE_TIME_SIZE];

			assert_true(cron_next(&cron, zone, at_us, &at_us));
			zone_time_write(zone, at_us / SECOND_US, text);
			if (strcmp(text, cases[i].at[k]) != 0)
				fail_msg("%s, %s after %s: number %d is %s, not %s", cases[i].zone, cases[i].text, cases[i].after,
				         k + 1, text, cases[i].at[k]);
		}
		zone_free(zone);
	}
}

static void
test_plain(void **state UNUSED)
{
	static const struct firing cases[] = {
	    {"UTC", "* * * * *", "2026-12-31 23:58 Z", {"2026-12-31 23:59 +00:00", "2027-01-01 00:00 +00:00"}},
	    {"UTC", "@yearly", "2026-01-01 00:00 Z", {"2027-01-01 00:00 +00:00", "2028-01-01 00:00 +00:00"}},
	    {"UTC", "59 23 31 12 *", "2026-12-31 23:58 Z", {"2026-12-31 23:59 +00:00", "2027-12-31 23:59 +00:00"}},
	    {"UTC", "@weekly", "2026-11-23 00:00 Z", {"2026-11-29 00:00 +00:00", "2026-12-06 00:00 +00:00"}},
	    {"UTC",
	     "0 0 31 * *",
	     "2026-01-31 00:00 Z",
	     {"2026-03-31 00:00 +00:00", "2026-05-31 00:00 +00:00", "2026-07-31 00:00 +00:00", "2026-08-31 00:00 +00:00",
	      "2026-10-31 00:00 +00:00", "2026-12-31 00:00 +00:00", "2027-01-31 00:00 +00:00"}},
	    /* 2100 has no 29 February. */
	    {"UTC",
	     "0 0 29 2 *",
	     "2092-03-01 00:00 Z",
	     {"2096-02-29 00:00 +00:00", "2104-02-29 00:00 +00:00", "2108-02-29 00:00 +00:00"}},
	    {"America/New_York", "0 0 29 2 *", "2096-02-29 05:00 Z", {"2104-02-29 00:00 -05:00"}},
	    {"America/New_York", "0 */2 29 2 *", "2096-03-01 05:00 Z", {"2104-02-29 00:00 -05:00"}},
	    {"Asia/Seoul", "0 9 * * mon-fri", "2026-03-06 00:00 Z", {"2026-03-09 09:00 +09:00", "2026-03-10 09:00 +09:00"}},
	    {"Asia/Seoul", "30 2 * * *", "2026-03-07 00:00 Z", {"2026-03-08 02:30 +09:00", "2026-03-09 02:30 +09:00"}},
	    {"Asia/Kathmandu", "0 0 1 1 *", "2026-01-01 00:00 Z", {"2027-01-01 00:00 +05:45"}},
	    /* Quiet hours and lists. */
	    {"UTC",
	     "5,35 22-23 * * *",
	     "2026-01-01 22:05 Z",
	     {"2026-01-01 22:35 +00:00", "2026-01-01 23:05 +00:00", "2026-01-01 23:35 +00:00", "2026-01-02 22:05 +00:00"}},
	};

	check(cases, ARRAY_LENGTH(cases));
}

static void
test_day_fields(void **state UNUSED)
{
	static const struct firing cases[] = {
	    /* Either: the 1st, the 15th, and every Friday (POSIX; robfig/cron 70, croner 53, cron-parser 173). */
	    {"UTC",
	     "0 0 1,15 * fri",
	     "2026-01-01 00:00 Z",
	     {"2026-01-02 00:00 +00:00", "2026-01-09 00:00 +00:00", "2026-01-15 00:00 +00:00", "2026-01-16 00:00 +00:00"}},
	    {"UTC", "0 4 29 2 0", "2026-02-08 04:00 Z", {"2026-02-15 04:00 +00:00", "2026-02-22 04:00 +00:00"}},
	    {"UTC", "0 0 30 2 1", "2026-02-23 00:00 Z", {"2027-02-01 00:00 +00:00"}},
	    /* Both, where a field begins with * (qwen-code 7452, cronie 215). */
	    {"UTC",
	     "0 0 */2 * 1",
	     "2025-01-01 00:00 Z",
	     {"2025-01-13 00:00 +00:00", "2025-01-27 00:00 +00:00", "2025-02-03 00:00 +00:00"}},
	    {"UTC", "0 0 * * */2", "2026-01-01 12:00 Z", {"2026-01-03 00:00 +00:00", "2026-01-04 00:00 +00:00"}},
	    {"UTC", "0 0 13 * */5", "2026-01-01 00:00 Z", {"2026-02-13 00:00 +00:00", "2026-03-13 00:00 +00:00"}},
	    /* The rarest dates there are: 29 February on one weekday, 40 years apart around 2100. */
	    {"UTC", "0 0 29 2 */7", "2060-02-29 00:00 Z", {"2088-02-29 00:00 +00:00", "2128-02-29 00:00 +00:00"}},
	};

	check(cases, ARRAY_LENGTH(cases));
}

static void
test_clock_put_forward(void **state UNUSED)
{
	static const struct firing cases[] = {
	    /* robfig/cron 541, node-cron 563, rundeck 6879: what is skipped fires right after the gap. */
	    {"America/New_York",
	     "30 2 * * *",
	     "2026-03-07 12:00 -05:00",
	     {"2026-03-08 03:00 -04:00", "2026-03-09 02:30 -04:00"}},
	    {"America/New_York",
	     "*/15 2 * * *",
	     "2026-03-07 12:00 -05:00",
	     {"2026-03-08 03:00 -04:00", "2026-03-09 02:00 -04:00", "2026-03-09 02:15 -04:00"}},
	    {"America/New_York",
	     "0 2,3 * * *",
	     "2026-03-07 12:00 -05:00",
	     {"2026-03-08 03:00 -04:00", "2026-03-09 02:00 -04:00", "2026-03-09 03:00 -04:00"}},
	    {"America/New_York",
	     "30 1-3 * * *",
	     "2026-03-08 00:00 -05:00",
	     {"2026-03-08 01:30 -05:00", "2026-03-08 03:00 -04:00", "2026-03-08 03:30 -04:00"}},
	    /* node-cron 638: every 15 minutes stays every 15 minutes, and hourly stays hourly. */
	    {"America/New_York",
	     "*/15 * * * *",
	     "2026-03-08 01:30 -05:00",
	     {"2026-03-08 01:45 -05:00", "2026-03-08 03:00 -04:00", "2026-03-08 03:15 -04:00"}},
	    {"America/New_York",
	     "30 * * * *",
	     "2026-03-08 00:30 -05:00",
	     {"2026-03-08 01:30 -05:00", "2026-03-08 03:30 -04:00", "2026-03-08 04:30 -04:00"}},
	    {"America/New_York",
	     "0 */2 * * *",
	     "2026-03-07 23:00 -05:00",
	     {"2026-03-08 00:00 -05:00", "2026-03-08 04:00 -04:00"}},
	    {"Europe/London", "30 1 * * *", "2026-03-28 12:00 Z", {"2026-03-29 02:00 +01:00", "2026-03-30 01:30 +01:00"}},
	    /* croner 142. */
	    {"Europe/Berlin",
	     "30 2 * * *",
	     "2023-03-25 12:00 +01:00",
	     {"2023-03-26 03:00 +02:00", "2023-03-27 02:30 +02:00"}},
	    /* Half an hour only. */
	    {"Australia/Lord_Howe",
	     "15 2 * * *",
	     "2026-10-03 12:00 +10:30",
	     {"2026-10-04 02:30 +11:00", "2026-10-05 02:15 +11:00"}},
	    {"Australia/Lord_Howe",
	     "*/20 * * * *",
	     "2026-10-04 01:20 +10:30",
	     {"2026-10-04 01:40 +10:30", "2026-10-04 02:40 +11:00", "2026-10-04 03:00 +11:00"}},
	    /* Midnight skipped: node-cron 118, cron-parser 25 and 100, nats-server 8543, croner 132, cron-utils 332. */
	    {"America/Sao_Paulo",
	     "0 0 * * *",
	     "2018-11-03 00:00 -03:00",
	     {"2018-11-04 01:00 -02:00", "2018-11-05 00:00 -02:00"}},
	    {"America/Sao_Paulo",
	     "0 1 4 11 *",
	     "2018-11-03 23:00 -03:00",
	     {"2018-11-04 01:00 -02:00", "2019-11-04 01:00 -03:00"}},
	    {"America/Sao_Paulo", "0 1 * * 0", "2018-11-03 23:00 -03:00", {"2018-11-04 01:00 -02:00"}},
	    {"America/Sao_Paulo", "0 12 11,26 * *", "2014-10-12 00:00 -03:00", {"2014-10-26 12:00 -02:00"}},
	    {"America/Sao_Paulo", "0 0 10 * *", "2014-10-13 12:00 -03:00", {"2014-11-10 00:00 -02:00"}},
	    {"America/Santiago",
	     "0 0 * * *",
	     "2022-09-10 12:00 -04:00",
	     {"2022-09-11 01:00 -03:00", "2022-09-12 00:00 -03:00"}},
	    {"America/Santiago", "0 6 * * *", "2018-08-12 01:59 -03:00", {"2018-08-12 06:00 -03:00"}},
	    /* A day that was not there: 30 December 2011. Its run and the next day's fall together. */
	    {"Pacific/Apia",
	     "0 0 * * *",
	     "2011-12-29 00:00 -10:00",
	     {"2011-12-31 00:00 +14:00", "2012-01-01 00:00 +14:00"}},
	    {"Pacific/Apia",
	     "0 12 30 12 *",
	     "2011-12-01 00:00 -10:00",
	     {"2011-12-31 00:00 +14:00", "2012-12-30 12:00 +14:00"}},
	    {"Pacific/Apia",
	     "0 9 * * fri",
	     "2011-12-24 00:00 -10:00",
	     {"2011-12-31 00:00 +14:00", "2012-01-06 09:00 +14:00"}},
	    /* After Ramadan, and after the last change that the zone's file lists. */
	    {"Africa/Casablanca",
	     "30 2 * * *",
	     "2024-04-13 12:00 +00:00",
	     {"2024-04-14 03:00 +01:00", "2024-04-15 02:30 +01:00"}},
	    {"America/New_York",
	     "30 2 * * *",
	     "2060-03-13 12:00 -05:00",
	     {"2060-03-14 03:00 -04:00", "2060-03-15 02:30 -04:00"}},
	    {"Europe/London", "30 1 * * *", "2460-03-27 12:00 Z", {"2460-03-28 02:00 +01:00", "2460-03-29 01:30 +01:00"}},
	    /* APScheduler 529: midnight of the days around a change. */
	    {"America/Chicago",
	     "0 0 * * 1-5",
	     "2021-03-12 00:00 -06:00",
	     {"2021-03-15 00:00 -05:00", "2021-03-16 00:00 -05:00"}},
	};

	check(cases, ARRAY_LENGTH(cases));
}

static void
test_clock_put_back(void **state UNUSED)
{
	static const struct firing cases[] = {
	    /* node-cron 563: once, in the first pass. */
	    {"America/New_York",
	     "30 1 * * *",
	     "2026-10-31 12:00 -04:00",
	     {"2026-11-01 01:30 -04:00", "2026-11-02 01:30 -05:00"}},
	    {"America/New_York", "30 1 * * *", "2026-11-01 01:10 -05:00", {"2026-11-02 01:30 -05:00"}},
	    {"America/New_York",
	     "*/30 0-2 * * *",
	     "2026-11-01 00:30 -04:00",
	     {"2026-11-01 01:00 -04:00", "2026-11-01 01:30 -04:00", "2026-11-01 02:00 -05:00", "2026-11-01 02:30 -05:00"}},
	    /* node-cron 120 and 881, cron-plus 108, laragon 898: nothing stops for an hour. */
	    {"America/New_York",
	     "*/15 * * * *",
	     "2026-11-01 01:30 -04:00",
	     {"2026-11-01 01:45 -04:00", "2026-11-01 01:00 -05:00", "2026-11-01 01:15 -05:00", "2026-11-01 01:30 -05:00",
	      "2026-11-01 01:45 -05:00", "2026-11-01 02:00 -05:00"}},
	    {"Australia/Melbourne",
	     "*/30 * * * *",
	     "2024-04-07 02:00 +11:00",
	     {"2024-04-07 02:30 +11:00", "2024-04-07 02:00 +10:00", "2024-04-07 02:30 +10:00", "2024-04-07 03:00 +10:00"}},
	    /* APScheduler 1021, 980. */
	    {"Europe/Helsinki",
	     "30 * * * *",
	     "2017-10-29 03:15 +03:00",
	     {"2017-10-29 03:30 +03:00", "2017-10-29 03:30 +02:00", "2017-10-29 04:30 +02:00"}},
	    {"Europe/London",
	     "0 */2 * * *",
	     "2024-10-27 01:00 +01:00",
	     {"2024-10-27 02:00 +00:00", "2024-10-27 04:00 +00:00"}},
	    {"Europe/Berlin",
	     "0 */2 * * *",
	     "2026-10-25 00:30 +02:00",
	     {"2026-10-25 02:00 +02:00", "2026-10-25 02:00 +01:00", "2026-10-25 04:00 +01:00"}},
	    {"Europe/London", "30 1 * * *", "2026-10-25 00:00 Z", {"2026-10-25 01:30 +01:00", "2026-10-26 01:30 +00:00"}},
	    /* Half an hour only (eliza 11100). */
	    {"Australia/Lord_Howe",
	     "45 1 * * *",
	     "2026-04-04 12:00 +11:00",
	     {"2026-04-05 01:45 +11:00", "2026-04-06 01:45 +10:30"}},
	    {"Australia/Lord_Howe",
	     "*/15 * * * *",
	     "2026-04-05 01:30 +11:00",
	     {"2026-04-05 01:45 +11:00", "2026-04-05 01:30 +10:30", "2026-04-05 01:45 +10:30", "2026-04-05 02:00 +10:30"}},
	    /* Back over midnight, so that a day begins twice (croniter 87). */
	    {"America/Sao_Paulo",
	     "0 0 * * *",
	     "2018-02-17 00:05 -02:00",
	     {"2018-02-18 00:00 -03:00", "2018-02-19 00:00 -03:00"}},
	    {"America/Sao_Paulo",
	     "30 23 * * *",
	     "2018-02-17 12:00 -02:00",
	     {"2018-02-17 23:30 -02:00", "2018-02-18 23:30 -03:00"}},
	    {"America/Havana",
	     "15 0 * * *",
	     "2024-11-02 12:00 -04:00",
	     {"2024-11-03 00:15 -04:00", "2024-11-04 00:15 -05:00"}},
	    {"Africa/Casablanca",
	     "30 2 * * *",
	     "2024-03-09 12:00 +01:00",
	     {"2024-03-10 02:30 +01:00", "2024-03-11 02:30 +00:00"}},
	    {"America/New_York",
	     "30 1 * * *",
	     "2060-11-06 12:00 -04:00",
	     {"2060-11-07 01:30 -04:00", "2060-11-08 01:30 -05:00"}},
	};

	check(cases, ARRAY_LENGTH(cases));
}

static void
test_microseconds_and_ends(void **state UNUSED)
{
	struct zone *utc = open_zone("UTC"), *apia = open_zone("Pacific/Apia"), *new_york = open_zone("America/New_York");
	struct cron cron = parse("* * * * *"), leap = parse("0 0 29 2 */7");
	struct cron hourly = parse("@hourly"), evening = parse("0 22 * * *");
	int64_t at_us = zone_time_parse("2026-01-01 00:00 Z") * SECOND_US, next_us = 0;
	int64_t last_us = zone_time_parse("9999-12-31 23:58 Z") * SECOND_US;

	assert_true(cron_next(&cron, utc, at_us - 1, &next_us));
	assert_int_equal(next_us, at_us);
	assert_true(cron_next(&cron, utc, at_us, &next_us));
	assert_int_equal(next_us, at_us + 60 * (int64_t)SECOND_US);
	assert_true(cron_next(&cron, utc, at_us + 1, &next_us));
	assert_int_equal(next_us, at_us + 60 * (int64_t)SECOND_US);
	assert_true(cron_next(&cron, utc, -1, &next_us));
	assert_int_equal(next_us, 0);
	assert_true(cron_next(&cron, utc, -60 * (int64_t)SECOND_US, &next_us));
	assert_int_equal(next_us, 0);

	assert_true(cron_next(&cron, utc, last_us, &next_us));
	assert_false(cron_next(&cron, utc, next_us, &next_us));
	assert_false(cron_next(&leap, apia, last_us - (int64_t)365 * DAY_S * SECOND_US, &next_us));
	/* What the clocks of New York show before the year 10000 may be in it. */
	assert_false(cron_next(&hourly, new_york, last_us, &next_us));
	assert_false(cron_next(&evening, new_york, last_us, &next_us));
	assert_true(cron_next(&evening, new_york, last_us - (int64_t)DAY_S * SECOND_US, &next_us));
	assert_int_equal(next_us / SECOND_US, zone_time_parse("9999-12-30 22:00 -05:00"));
	assert_false(cron_next(&cron, apia, INT64_MAX, &next_us));
	assert_true(cron_next(&cron, apia, INT64_MIN, &next_us));
	assert_true(cron_next(&leap, apia, INT64_MIN, &next_us));
	zone_free(utc);
	zone_free(apia);
	zone_free(new_york);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_day_fields),
	    cmocka_unit_test(test_clock_put_forward),
	    cmocka_unit_test(test_clock_put_back),
	    cmocka_unit_test(test_microseconds_and_ends),
	};

	return cmocka_run_group_tests_name("cron", tests, NULL, NULL);
}
