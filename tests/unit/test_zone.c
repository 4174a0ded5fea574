/*
 * test_zone.c - time zones against facts, against glibc at thousands of moments, and against broken files.
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

enum { DAY_S = 86400, TZIF_ROOM = 4096 };

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
	time_t at = (time_t)utc_s;
	struct tm parts;
	struct zone_wall wall;

	assert_non_null(localtime_r(&at, &parts));
	zone_wall_at(zone, utc_s, &wall);
	if (parts.tm_gmtoff != zone_offset_s(zone, utc_s) || parts.tm_year + 1900 != wall.date.year ||
	    parts.tm_mon + 1 != wall.date.month || parts.tm_mday != wall.date.day || parts.tm_hour != wall.hour ||
	    parts.tm_min != wall.minute || parts.tm_sec != wall.second || parts.tm_wday != wall.date.weekday)
		fail_msg("%s at %lld: libc says offset %ld, zone %d", name, (long long)utc_s, parts.tm_gmtoff,
		         zone_offset_s(zone, utc_s));
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

/* --- files made here --- */

struct tzif {
	unsigned char bytes[TZIF_ROOM];
	size_t len;
};

static void
put(struct tzif *tzif, const void *bytes, size_t len)
{
	assert_true(tzif->len + len <= sizeof(tzif->bytes));
	memcpy(tzif->bytes + tzif->len, bytes, len);
	tzif->len += len;
}

static void
put_number(struct tzif *tzif, int64_t number, size_t bytes)
{
	while (bytes-- > 0)
		put(tzif, &(unsigned char){(unsigned char)((uint64_t)number >> bytes * 8)}, 1);
}

static void
put_header(struct tzif *tzif, char version, uint32_t leaps, uint32_t changes, uint32_t types, uint32_t chars)
{
	static const char reserved[15];

	put(tzif, "TZif", 4);
	put(tzif, &version, 1);
	put(tzif, reserved, sizeof(reserved));
	put_number(tzif, 0, 8);
	put_number(tzif, leaps, 4);
	put_number(tzif, changes, 4);
	put_number(tzif, types, 4);
	put_number(tzif, chars, 4);
}

static void
put_type(struct tzif *tzif, int offset_s)
{
	put_number(tzif, offset_s, 4);
	put_number(tzif, 0, 2);
}

/* A slim file: an empty first block, no changes or one, and a footer. */
static void
make_tzif(struct tzif *tzif, char version, const int64_t *change_s, int offset_s, const char *footer)
{
	*tzif = (struct tzif){.len = 0};
	put_header(tzif, version, 0, 0, 1, 4);
	put_type(tzif, 0);
	put(tzif, "XYZ", 4);
	put_header(tzif, version, 0, change_s ? 1 : 0, 2, 4);
	if (change_s) {
		put_number(tzif, *change_s, 8);
		put_number(tzif, 1, 1);
	}
	put_type(tzif, -1234);
	put_type(tzif, offset_s);
	put(tzif, "XYZ", 4);
	put(tzif, "\n", 1);
	put(tzif, footer, strlen(footer));
	put(tzif, "\n", 1);
}

static struct zone *
parse(const struct tzif *tzif)
{
	/* In memory of its own size, so that reading past the end is noticed. */
	char *bytes = mem_alloc(tzif->len + 1);
	struct zone *zone;

	memcpy(bytes, tzif->bytes, tzif->len);
	bytes = mem_grow(bytes, MAX(tzif->len, 1));
	zone = zone_parse((struct slice){bytes, tzif->len});
	free(bytes);
	return zone;
}

static struct zone *
parse_footer(const char *footer)
{
	struct tzif tzif;

	make_tzif(&tzif, '3', NULL, 0, footer);
	return parse(&tzif);
}

static void
test_footers_as_libc(void **state UNUSED)
{
	static const char *const rules[] = {
	    "KST-9",
	    "EST5EDT,M3.2.0,M11.1.0",
	    "AEST-10AEDT,M10.1.0,M4.1.0/3",
	    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
	    "IST-1GMT0,M10.5.0,M3.5.0/1",
	    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
	    "EET-2EEST,M4.5.5/0,M10.5.4/24",
	    "IST-2IDT,M3.4.4/26,M10.5.0",
	    "NST3:30NDT,M3.2.0/0:01:30,M11.1.0/0:01",
	    "ABC1DEF,J60,J300/23:59:59",
	    "ABC1DEF,59/2,300",
	    "ABC1DEF,J59/24,365/0",
	    "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
	    "ABC+05:30",
	    "ABC-24",
	};
	uint64_t seed = 7;

	for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
		struct zone *zone = parse_footer(rules[i]);

		if (!zone)
			fail_msg("refused: %s", rules[i]);
		setenv("TZ", rules[i], 1);
		tzset();
		for (int n = 0; n < 20000; n++)
			check_against_libc(zone, rules[i], zone_time_random_below(&seed, zone_time_parse("3600-01-01 00:00 Z")));
		zone_free(zone);
	}
	unsetenv("TZ");
	tzset();
}

static void
test_summer_time_all_year(void **state UNUSED)
{
	/* RFC 8536, 3.3.1: eastern summer time for ever. */
	struct zone *zone = parse_footer("XXX3EDT4,0/0,J365/23");
	struct zone *flat = parse_footer("ABC1DEF1,M3.2.0,M11.1.0");
	uint64_t seed = 9;
	int64_t change_s;

	assert_non_null(zone);
	assert_non_null(flat);
	for (int n = 0; n < 5000; n++) {
		int64_t at_s = zone_time_random_below(&seed, zone_time_parse("5000-01-01 00:00 Z"));

		assert_int_equal(zone_offset_s(zone, at_s), -4 * 3600);
		assert_false(zone_next_change(zone, at_s, &change_s));
		assert_int_equal(zone_offset_s(flat, at_s), -3600);
	}
	zone_free(zone);
	zone_free(flat);
}

static void
test_slim_file(void **state UNUSED)
{
	int64_t change_s = zone_time_parse("2007-11-04 06:00 Z");
	struct zone *new_york = open_zone("America/New_York");
	struct zone *slim, *no_footer;
	struct tzif tzif;
	uint64_t seed = 11;

	make_tzif(&tzif, '2', &change_s, -5 * 3600, "EST5EDT,M3.2.0,M11.1.0");
	slim = parse(&tzif);
	assert_non_null(slim);
	make_tzif(&tzif, '2', &change_s, -5 * 3600, "");
	no_footer = parse(&tzif);
	assert_non_null(no_footer);
	assert_int_equal(zone_offset_s(slim, change_s - 1), -1234);
	for (int n = 0; n < 20000; n++) {
		int64_t at_s = change_s + zone_time_random_below(&seed, zone_time_parse("2400-01-01 00:00 Z"));

		assert_int_equal(zone_offset_s(slim, at_s), zone_offset_s(new_york, at_s));
		assert_int_equal(zone_offset_s(no_footer, at_s), -5 * 3600);
	}
	zone_free(slim);
	zone_free(no_footer);
	zone_free(new_york);
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

static void
test_broken_footers(void **state UNUSED)
{
	static const char *const bad[] = {
	    "E5",
	    "EST",
	    "EST5EDT",
	    "EST5EDT,M3.2.0",
	    "EST5EDT,M3.2.0,",
	    "EST25",
	    "EST5:60",
	    "EST5EDT,M13.2.0,0",
	    "EST5EDT,M0.2.0,0",
	    "EST5EDT,M3.6.0,0",
	    "EST5EDT,M3.0.0,0",
	    "EST5EDT,M3.2.7,0",
	    "EST5EDT,J0,0",
	    "EST5EDT,J366,0",
	    "EST5EDT,366,0",
	    "EST5EDT,0,0/168",
	    "EST5EDT,0,0x",
	    "<EST5",
	    "<E>5",
	    "EST5 ",
	    "EST--5",
	    "5EST",
	    ",",
	    "EST5EDT,0,0,0",
	    "EST5EDT4,",
	    "EST99999999999",
	    "EST5EDT,M3.2,M11.1.0",
	    "\n",
	};
	struct tzif tzif;

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct zone *zone = parse_footer(bad[i]);

		if (zone)
			fail_msg("accepted: %s", bad[i]);
	}
	make_tzif(&tzif, '2', NULL, 0, "");
	tzif.bytes[tzif.len - 2] = 'x';
	assert_null(parse(&tzif));
}

static void
test_broken_files(void **state UNUSED)
{
	int64_t change_s = 0;
	struct tzif tzif;
	struct zone *zone;

	make_tzif(&tzif, '2', &change_s, 3600, "ABC1DEF,M3.2.0,M11.1.0");
	zone = parse(&tzif);
	assert_non_null(zone);
	zone_free(zone);
	for (size_t len = tzif.len; tzif.len-- > 0;) {
		assert_null(parse(&tzif));
		assert_true(len > tzif.len);
	}

	make_tzif(&tzif, '\0', &change_s, 3600, "UTC0"); /* version 1 */
	assert_null(parse(&tzif));
	make_tzif(&tzif, '2', &change_s, 27 * 3600, "UTC0");
	assert_null(parse(&tzif));
	make_tzif(&tzif, '2', &change_s, INT32_MIN, "UTC0");
	assert_null(parse(&tzif));
	change_s = INT64_MIN;
	make_tzif(&tzif, '2', &change_s, 3600, "UTC0");
	assert_null(parse(&tzif));

	/* Leap seconds, no type, and changes that do not rise. */
	tzif = (struct tzif){.len = 0};
	put_header(&tzif, '2', 0, 0, 0, 0);
	put_header(&tzif, '2', 1, 0, 1, 0);
	put_type(&tzif, 0);
	put_number(&tzif, 78796800, 8);
	put_number(&tzif, 1, 4);
	put(&tzif, "\n\n", 2);
	assert_null(parse(&tzif));
	tzif = (struct tzif){.len = 0};
	put_header(&tzif, '2', 0, 0, 0, 0);
	put_header(&tzif, '2', 0, 0, 0, 0);
	put(&tzif, "\n\n", 2);
	assert_null(parse(&tzif));
	tzif = (struct tzif){.len = 0};
	put_header(&tzif, '2', 0, 0, 0, 0);
	put_header(&tzif, '2', 0, 2, 1, 0);
	put_number(&tzif, 5, 8);
	put_number(&tzif, 5, 8);
	put_number(&tzif, 0, 2);
	put_type(&tzif, 0);
	put(&tzif, "\n\n", 2);
	assert_null(parse(&tzif));
}

/* Never a crash, whatever a file holds, and what is accepted can be asked. */
static void
test_random_files(void **state UNUSED)
{
	uint64_t seed = 17;
	int accepted = 0;

	for (int n = 0; n < 20000; n++) {
		int64_t change_s = (int64_t)(zone_time_random(&seed) >> zone_time_random_below(&seed, 64)) - 1000;
		struct tzif tzif;
		struct zone *zone;

		make_tzif(&tzif, '3', n % 3 ? &change_s : NULL, 3600, "ABC1DEF,M3.2.0/-167,J365/167");
		for (int64_t hits = zone_time_random_below(&seed, 4); hits > 0; hits--)
			tzif.bytes[zone_time_random_below(&seed, (int64_t)tzif.len)] = (unsigned char)zone_time_random(&seed);
		zone = parse(&tzif);
		if (!zone)
			continue;
		accepted++;
		for (int k = 0; k < 10; k++) {
			int64_t at_s = (int64_t)zone_time_random(&seed) >> (22 + zone_time_random_below(&seed, 30));
			struct zone_wall wall;
			struct zone_moments moments;

			zone_wall_at(zone, at_s, &wall);
			assert_int_not_equal(zone_resolve(zone, &wall, &moments), ZONE_GAP);
			assert_true(moments.first_s <= at_s && at_s <= moments.second_s);
		}
		zone_free(zone);
	}
	assert_true(accepted > 1000);
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
	    cmocka_unit_test(test_footers_as_libc),
	    cmocka_unit_test(test_summer_time_all_year),
	    cmocka_unit_test(test_slim_file),
	    cmocka_unit_test(test_calendar_cycle),
	    cmocka_unit_test(test_broken_footers),
	    cmocka_unit_test(test_broken_files),
	    cmocka_unit_test(test_random_files),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
