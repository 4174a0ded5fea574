/*
 * test_zone.c - time zones against facts, and against glibc at thousands of moments.
 *
 * Needs the system's tzdata. glibc is asked through TZ and tzset, which only a test may do. Random traces begin with a
 * fixed seed.
 */
#include "base.h"

#include "zone.h"
#include "zone_time.h"

#include <sys/resource.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { DAY_S = 86400 };

static const char *const zone_names[] = {
    "UTC",
    "Asia/Seoul",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Jerusalem",
    "Asia/Gaza",
    "Asia/Beirut",
    "Asia/Manila",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Nuuk",
    "America/St_Johns",
    "America/Havana",
    "America/Juneau",
    "America/Scoresbysund",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Berlin",
    "Europe/Moscow",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
    "Antarctica/Troll",
    "Etc/GMT+12",
};

static struct zone *
open_zone(const char *name)
{
	struct zone *zone = zone_open(slice_of(name));

	if (!zone)
		fail_msg("no zone %s in " ZONE_FOLDER "; install tzdata", name);
	return zone;
}

static int64_t
local_seconds(const struct zone_wall *wall)
{
	return calendar_days(wall->date.year, wall->date.month, wall->date.day) * DAY_S + wall->hour * 3600 +
	       wall->minute * 60 + wall->second;
}

static void
test_calendar(void **state UNUSED)
{
	struct calendar_date before = calendar_date(-800000);

	assert_int_equal(calendar_days(1970, 1, 1), 0);
	assert_int_equal(calendar_days(2000, 3, 1), 11017);
	assert_int_equal(calendar_days(1969, 12, 31), -1);
	assert_int_equal(calendar_days(2026, 13, 1), calendar_days(2027, 1, 1));
	assert_int_equal(calendar_month_days(1900, 2), 28);
	assert_int_equal(calendar_month_days(2000, 2), 29);
	assert_int_equal(calendar_month_days(2026, 12), 31);
	assert_int_equal(calendar_date(0).weekday, 4);
	assert_int_equal(calendar_date(calendar_days(2026, 11, 1)).weekday, 0);
	/* Every day from before year 0 to 2500 follows the day before it. */
	for (int64_t days = -800000 + 1; days < 200000; days++) {
		struct calendar_date date = calendar_date(days);
		bool new_month = date.day == 1;

		assert_int_equal(calendar_days(date.year, date.month, date.day), days);
		assert_int_equal(date.weekday, (before.weekday + 1) % 7);
		assert_true(new_month ? before.day >= 28 && date.month == before.month % 12 + 1
		                      : date.day == before.day + 1 && date.month == before.month);
		assert_true(date.year == before.year + (new_month && date.month == 1));
		before = date;
	}
}

static void
test_names(void **state UNUSED)
{
	static const char *const bad[] = {
	    "",
	    ".",
	    "..",
	    "/etc/passwd",
	    "../../../etc/passwd",
	    "Europe/../../../../etc/passwd",
	    "Europe/../Asia/Seoul",
	    "Asia/./Seoul",
	    "Asia//Seoul",
	    "Europe/London ",
	    " Europe/London",
	    "Europe/London\n",
	    "Europe\\London",
	    "europe/london",
	    "posix/Europe/London",
	    "right/Europe/London",
	    "localtime",
	    "tzdata.zi",
	    "zone.tab",
	    "Europe",
	    "Europe/",
	    "Europe/London/",
	    "Europe/Lundun",
	    "utc",
	    "KST",
	    "Asia/Seo%75l",
	    "서울",
	    "A/very/long/name/that/no/zone/has/and/that/would/not/fit/into/the/path/of/a/file",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_null(zone_open(slice_of(bad[i])));
	assert_null(zone_open(SLICE_NONE));
	assert_null(zone_open(SLICE("Europe/London\0x")));
	assert_null(zone_open((struct slice){"Europe/London", 6}));
	for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++)
		zone_free(open_zone(zone_names[i]));
	zone_free(NULL);
}

/* A process that may open no file still has UTC, and only that. */
static void
test_utc_without_files(void **state UNUSED)
{
	struct rlimit before, none;
	struct zone *utc, *etc_utc, *seoul;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	utc = zone_open(SLICE("UTC"));
	etc_utc = zone_open(SLICE("Etc/UTC"));
	seoul = zone_open(SLICE("Asia/Seoul"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(utc);
	assert_non_null(etc_utc);
	assert_null(seoul);
	assert_int_equal(zone_offset_s(utc, zone_time_parse("2060-07-01 00:00 Z")), 0);
	zone_free(utc);
	zone_free(etc_utc);
}

static void
test_random_names(void **state UNUSED)
{
	static const char bytes[] = "AEUacorsi/._-+09 \0%\\\n";
	uint64_t seed = 20260308;

	for (int i = 0; i < 20000; i++) {
		char name[80];
		size_t len = (size_t)zone_time_random_below(&seed, sizeof(name));
		struct zone *zone;

		for (size_t k = 0; k < len; k++)
			name[k] = bytes[zone_time_random_below(&seed, sizeof(bytes))];
		zone = zone_open((struct slice){name, len});
		/* A few short names of this alphabet may be zones; anything with a dot is not. */
		assert_true(!zone || !memchr(name, '.', len));
		zone_free(zone);
	}
}

static void
test_offsets(void **state UNUSED)
{
	static const struct {
		const char *zone;
		const char *moment; /* its offset is what is expected */
	} facts[] = {
	    {"UTC", "2026-01-01 00:00 +00:00"},
	    {"Asia/Seoul", "2026-07-01 00:00 +09:00"},
	    {"Asia/Seoul", "1988-07-01 00:00 +10:00"},
	    {"Asia/Seoul", "2500-07-01 00:00 +09:00"},
	    {"America/New_York", "2026-03-08 01:59 -05:00"},
	    {"America/New_York", "2026-03-08 03:00 -04:00"},
	    {"America/New_York", "2026-11-01 01:59 -04:00"},
	    {"America/New_York", "2026-11-01 01:00 -05:00"},
	    {"America/New_York", "2060-07-01 00:00 -04:00"},
	    {"America/New_York", "2060-03-14 01:59 -05:00"},
	    {"America/New_York", "2060-03-14 03:00 -04:00"},
	    {"America/New_York", "9999-12-31 00:00 -05:00"},
	    {"Europe/London", "2026-03-29 00:59 +00:00"},
	    {"Europe/London", "2026-03-29 02:00 +01:00"},
	    {"Europe/London", "1970-01-01 01:00 +01:00"},
	    {"Australia/Lord_Howe", "2026-01-01 00:00 +11:00"},
	    {"Australia/Lord_Howe", "2026-07-01 00:00 +10:30"},
	    {"America/Sao_Paulo", "2018-11-03 23:59 -03:00"},
	    {"America/Sao_Paulo", "2018-11-04 01:00 -02:00"},
	    {"America/Sao_Paulo", "2060-12-01 00:00 -03:00"},
	    {"Africa/Casablanca", "2024-03-20 00:00 +00:00"},
	    {"Africa/Casablanca", "2024-06-20 00:00 +01:00"},
	    {"Pacific/Apia", "2011-12-29 23:59 -10:00"},
	    {"Pacific/Apia", "2011-12-31 00:00 +14:00"},
	    {"Asia/Kathmandu", "2026-01-01 00:00 +05:45"},
	    {"America/Nuuk", "2060-07-01 00:00 -01:00"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(facts); i++) {
		struct zone *zone = open_zone(facts[i].zone);
		char text[ZONE_TIME_SIZE];

		zone_time_write(zone, zone_time_parse(facts[i].moment), text);
		assert_string_equal(text, facts[i].moment);
		zone_free(zone);
	}
}

static void
test_resolve(void **state UNUSED)
{
	static const struct {
		const char *zone;
		const char *wall;
		enum zone_fit fit;
		const char *first;
		const char *second;
	} cases[] = {
	    {"America/New_York", "2026-03-08 02:30 Z", ZONE_GAP, "2026-03-08 03:00 -04:00", NULL},
	    {"America/New_York", "2026-03-08 03:00 Z", ZONE_UNIQUE, "2026-03-08 03:00 -04:00", NULL},
	    {"America/New_York", "2026-11-01 01:00 Z", ZONE_AMBIGUOUS, "2026-11-01 01:00 -04:00",
	     "2026-11-01 01:00 -05:00"},
	    {"America/New_York", "2026-11-01 02:00 Z", ZONE_UNIQUE, "2026-11-01 02:00 -05:00", NULL},
	    {"America/New_York", "2460-11-07 01:30 Z", ZONE_AMBIGUOUS, "2460-11-07 01:30 -04:00",
	     "2460-11-07 01:30 -05:00"},
	    {"America/New_York", "4460-03-14 02:30 Z", ZONE_GAP, "4460-03-14 03:00 -04:00", NULL},
	    {"Europe/London", "2026-10-25 01:59 Z", ZONE_AMBIGUOUS, "2026-10-25 01:59 +01:00", "2026-10-25 01:59 +00:00"},
	    {"Australia/Lord_Howe", "2026-10-04 02:00 Z", ZONE_GAP, "2026-10-04 02:30 +11:00", NULL},
	    {"Australia/Lord_Howe", "2026-10-04 02:30 Z", ZONE_UNIQUE, "2026-10-04 02:30 +11:00", NULL},
	    {"Australia/Lord_Howe", "2026-04-05 01:45 Z", ZONE_AMBIGUOUS, "2026-04-05 01:45 +11:00",
	     "2026-04-05 01:45 +10:30"},
	    {"America/Sao_Paulo", "2018-11-04 00:00 Z", ZONE_GAP, "2018-11-04 01:00 -02:00", NULL},
	    {"America/Sao_Paulo", "2018-02-17 23:30 Z", ZONE_AMBIGUOUS, "2018-02-17 23:30 -02:00",
	     "2018-02-17 23:30 -03:00"},
	    {"Pacific/Apia", "2011-12-30 12:00 Z", ZONE_GAP, "2011-12-31 00:00 +14:00", NULL},
	    {"Asia/Seoul", "2026-03-08 02:30 Z", ZONE_UNIQUE, "2026-03-08 02:30 +09:00", NULL},
	    {"UTC", "2026-03-08 02:30 Z", ZONE_UNIQUE, "2026-03-08 02:30 +00:00", NULL},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct zone *zone = open_zone(cases[i].zone);
		struct zone *utc = open_zone("UTC");
		struct zone_wall wall;
		struct zone_moments moments;
		char text[ZONE_TIME_SIZE];

		zone_wall_at(utc, zone_time_parse(cases[i].wall), &wall);
		assert_int_equal(zone_resolve(zone, &wall, &moments), cases[i].fit);
		zone_time_write(zone, moments.first_s, text);
		assert_string_equal(text, cases[i].first);
		zone_time_write(zone, moments.second_s, text);
		assert_string_equal(text, cases[i].second ? cases[i].second : cases[i].first);
		zone_free(zone);
		zone_free(utc);
	}
}

/* Every local time near a moment: shown moments are found again, and what is in a gap is skipped there. */
static void
check_resolve_near(const struct zone *zone, int64_t utc_s)
{
	struct zone *utc = open_zone("UTC");

	for (int64_t at_s = utc_s - 2 * 3600; at_s < utc_s + 2 * 3600; at_s += 379) {
		struct zone_wall wall, before, after;
		struct zone_moments moments;

		zone_wall_at(zone, at_s, &wall);
		assert_int_not_equal(zone_resolve(zone, &wall, &moments), ZONE_GAP);
		assert_true(moments.first_s == at_s || moments.second_s == at_s);
		assert_true(moments.first_s <= moments.second_s);

		zone_wall_at(utc, at_s + zone_offset_s(zone, utc_s - 1), &wall);
		if (zone_resolve(zone, &wall, &moments) == ZONE_GAP) {
			zone_wall_at(zone, moments.first_s - 1, &before);
			zone_wall_at(zone, moments.first_s, &after);
			assert_true(local_seconds(&before) < local_seconds(&wall));
			assert_true(local_seconds(&after) > local_seconds(&wall));
		}
	}
	zone_free(utc);
}

static void
test_resolve_all_changes(void **state UNUSED)
{
	int changes = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++) {
		struct zone *zone = open_zone(zone_names[i]);
		int64_t at_s = -((int64_t)1 << 40), before_s = at_s;

		while (zone_next_change(zone, at_s, &at_s) && at_s < zone_time_parse("2100-01-01 00:00 Z")) {
			assert_true(at_s > before_s);
			assert_int_not_equal(zone_offset_s(zone, at_s - 1), zone_offset_s(zone, at_s));
			assert_int_equal(zone_offset_s(zone, at_s - 1), zone_offset_s(zone, before_s));
			check_resolve_near(zone, at_s);
			before_s = at_s;
			changes++;
		}
		zone_free(zone);
	}
	assert_true(changes > 4000);
}

/* --- glibc --- */

static void
use_libc_zone(const char *name)
{
	char text[80];

	snprintf(text, sizeof(text), ":%s", name);
	setenv("TZ", text, 1);
	unsetenv("TZDIR");
	tzset();
}

static void
check_against_libc(const struct zone *zone, const char *name, int64_t utc_s)
{
	if (!zone_time_is_libcs(zone, utc_s))
		fail_msg("%s at %lld: libc does not agree with offset %d", name, (long long)utc_s, zone_offset_s(zone, utc_s));
}

static void
test_libc_agrees(void **state UNUSED)
{
	int64_t from_s = zone_time_parse("1850-01-01 00:00 Z"), until_s = zone_time_parse("2900-01-01 00:00 Z");
	int64_t recent_s = zone_time_parse("1990-01-01 00:00 Z"), soon_s = zone_time_parse("2080-01-01 00:00 Z");
	uint64_t seed = 20261101;

	for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++) {
		struct zone *zone = open_zone(zone_names[i]);
		int64_t at_s = from_s;

		use_libc_zone(zone_names[i]);
		for (int n = 0; n < 4000; n++) {
			check_against_libc(zone, zone_names[i], from_s + zone_time_random_below(&seed, until_s - from_s));
			check_against_libc(zone, zone_names[i], recent_s + zone_time_random_below(&seed, soon_s - recent_s));
		}
		while (zone_next_change(zone, at_s, &at_s) && at_s < until_s) {
			check_against_libc(zone, zone_names[i], at_s - 1);
			check_against_libc(zone, zone_names[i], at_s);
		}
		zone_free(zone);
	}
	unsetenv("TZ");
	tzset();
}

static void
test_calendar_cycle(void **state UNUSED)
{
	int64_t cycle_s = (int64_t)146097 * DAY_S, from_s = zone_time_parse("2100-01-01 00:00 Z");
	uint64_t seed = 13;

	for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++) {
		struct zone *zone = open_zone(zone_names[i]);

		for (int n = 0; n < 2000; n++) {
			int64_t at_s = from_s + zone_time_random_below(&seed, cycle_s), next_s, later_s;
			int64_t shift_s = cycle_s * (1 + n % 4);
			bool changes = zone_next_change(zone, at_s, &next_s);

			assert_int_equal(zone_offset_s(zone, at_s), zone_offset_s(zone, at_s + shift_s));
			assert_int_equal(changes, zone_next_change(zone, at_s + shift_s, &later_s));
			assert_true(!changes || later_s == next_s + shift_s);
		}
		(void)zone_offset_s(zone, INT64_MAX);
		(void)zone_offset_s(zone, INT64_MIN);
		zone_free(zone);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calendar),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_utc_without_files),
	    cmocka_unit_test(test_random_names),
	    cmocka_unit_test(test_offsets),
	    cmocka_unit_test(test_resolve),
	    cmocka_unit_test(test_resolve_all_changes),
	    cmocka_unit_test(test_libc_agrees),
	    cmocka_unit_test(test_calendar_cycle),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
