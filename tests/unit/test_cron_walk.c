/*
 * test_cron_walk.c - random cron expressions: a walk that looks at every minute finds the same times, and what is no
 * expression does no harm.
 *
 * Needs the system's tzdata. Random traces begin with a fixed seed.
 */
#include "base.h"

#include "cron.h"
#include "zone.h"
#include "zone_time.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { DAY_S = 86400, SECOND_US = 1000000, TEXT_ROOM = 256 };

static struct zone *
open_zone(const char *name)
{
	struct zone *zone = zone_open(slice_of(name));

	if (!zone)
		fail_msg("no zone %s in " ZONE_FOLDER "; install tzdata", name);
	return zone;
}

/* --- random expressions --- */

struct random_field {
	bool has[64];
	bool star;
	char text[TEXT_ROOM];
};

/* Writes an expression for one field, and the set that it means, each by itself. */
static void
random_field(uint64_t *seed, int low, int high, struct random_field *field_r)
{
	int first = low + (int)zone_time_random_below(seed, high - low + 1);
	int last = first + (int)zone_time_random_below(seed, high - first + 1);
	int step = 1 + (int)zone_time_random_below(seed, high - low > 20 ? 20 : high);
	int64_t kind = zone_time_random_below(seed, 6);

	*field_r = (struct random_field){.star = kind < 3};
	if (kind < 2) {
		first = low;
		last = high;
		step = 1;
		snprintf(field_r->text, TEXT_ROOM, "*");
	} else if (kind == 2) {
		first = low;
		last = high;
		snprintf(field_r->text, TEXT_ROOM, "*/%d", step);
	} else if (kind == 3) {
		last = first;
		snprintf(field_r->text, TEXT_ROOM, "%d", first);
	} else if (kind == 4) {
		snprintf(field_r->text, TEXT_ROOM, "%d-%d/%d", first, last, step);
	} else {
		int other = low + (int)zone_time_random_below(seed, high - low + 1);

		step = 1;
		field_r->has[other] = true;
		snprintf(field_r->text, TEXT_ROOM, "%d-%d,%d", first, last, other);
	}
	for (int value = first; value <= last; value += step)
		field_r->has[value] = true;
}

struct expression {
	struct random_field minute, hour, day, month, weekday;
	char text[5 * TEXT_ROOM];
};

static void
random_expression(uint64_t *seed, struct expression *expression_r)
{
	static const struct random_field any = {.has = {[0 ... 63] = true}, .star = true, .text = "*"};

	*expression_r = (struct expression){.day = any, .month = any, .weekday = any};
	random_field(seed, 0, 59, &expression_r->minute);
	/* Near changes, small hours matter most. */
	random_field(seed, 0, zone_time_random_below(seed, 3) ? 3 : 23, &expression_r->hour);
	if (expression_r->hour.star)
		random_field(seed, 0, 23, &expression_r->hour);
	if (zone_time_random_below(seed, 4) == 0)
		random_field(seed, 1, 31, &expression_r->day);
	if (zone_time_random_below(seed, 4) == 0)
		random_field(seed, 0, 6, &expression_r->weekday);
	if (zone_time_random_below(seed, 8) == 0)
		random_field(seed, 1, 12, &expression_r->month);
	snprintf(expression_r->text, sizeof(expression_r->text), "%s %s %s %s %s", expression_r->minute.text,
	         expression_r->hour.text, expression_r->day.text, expression_r->month.text, expression_r->weekday.text);
}

/* Pieces in any order, or an expression with a few bytes changed. */
static size_t
random_text(uint64_t *seed, char text[5 * TEXT_ROOM])
{
	static const char *const pieces[] = {"*",   "*/", " ",   " ",   " ",  "\t",    ",",   "-",   "/",   "0",
	                                     "1",   "7",  "31",  "59",  "60", "99999", "jan", "DEC", "sun", "fri",
	                                     "* *", "@",  "@da", "ily", "\n", "\xff",  "?",   "L",   "*/5", "1-5"};
	struct expression expression;
	size_t len = 0;

	if (zone_time_random_below(seed, 2)) {
		random_expression(seed, &expression);
		len = strlen(expression.text);
		memcpy(text, expression.text, len);
		for (int64_t hits = zone_time_random_below(seed, 4); hits > 0; hits--)
			text[zone_time_random_below(seed, (int64_t)len)] = "*/,- 0179x\0\xff"[zone_time_random_below(seed, 12)];
		return len;
	}
	for (int64_t left = zone_time_random_below(seed, 14); left > 0; left--) {
		const char *piece = pieces[zone_time_random_below(seed, ARRAY_LENGTH(pieces))];

		memcpy(text + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return len;
}

static void
test_random_text(void **state UNUSED)
{
	struct zone *zone = open_zone("Europe/London");
	uint64_t seed = 1;
	int accepted = 0, refused = 0;

	for (int n = 0; n < 100000; n++) {
		char text[5 * TEXT_ROOM];
		size_t len = random_text(&seed, text);
		char *exact = mem_alloc(MAX(len, 1)); /* of its own size, so that reading past the end is noticed */
		struct cron cron;
		const char *why = NULL;
		int64_t next_us;

		memcpy(exact, text, len);
		if (cron_parse((struct slice){exact, len}, &cron, &why)) {
			accepted++;
			assert_true(cron_next(&cron, zone, 0, &next_us));
			assert_true(next_us > 0);
		} else {
			refused++;
			assert_non_null(why);
		}
		free(exact);
	}
	assert_true(accepted > 10000 && refused > 10000);
	zone_free(zone);
}

/* --- against a walk that looks at every minute --- */

static bool
matches(const struct expression *e, const struct zone_wall *wall)
{
	bool day = e->day.has[wall->date.day], weekday = e->weekday.has[wall->date.weekday];
	bool both = e->day.star || e->weekday.star;

	return e->minute.has[wall->minute] && e->hour.has[wall->hour] && e->month.has[wall->date.month] &&
	       (both ? day && weekday : day || weekday);
}

static int64_t
local_minute(const struct zone_wall *wall)
{
	return calendar_days(wall->date.year, wall->date.month, wall->date.day) * 1440 + wall->hour * 60 + wall->minute;
}

/* What has been seen of a walk: the highest time that the clock showed, in minutes. */
struct walk {
	const struct expression *expression;
	const struct zone *zone;
	const struct zone *utc;
	int64_t highest;
};

/* The rules once more, as one looks at a clock: does it fire at this minute? */
static bool
fires(struct walk *walk, int64_t utc_s)
{
	struct zone_wall wall;
	int64_t shown;
	bool fire = false;

	zone_wall_at(walk->zone, utc_s, &wall);
	shown = local_minute(&wall);
	if (walk->expression->hour.star)
		return matches(walk->expression, &wall);
	for (int64_t minute = walk->highest + 1; minute <= shown && !fire; minute++) {
		zone_wall_at(walk->utc, minute * 60, &wall);
		fire = matches(walk->expression, &wall);
	}
	walk->highest = MAX(walk->highest, shown);
	return fire;
}

static int
check_walk(const struct zone *zone, const struct zone *utc, const struct expression *e, int64_t from_s, int64_t until_s)
{
	struct walk walk = {.expression = e, .zone = zone, .utc = utc};
	struct cron cron;
	struct zone_wall wall;
	const char *why;
	int64_t next_us = INT64_MIN;
	int fired = 0;

	if (!cron_parse(slice_of(e->text), &cron, &why)) {
		assert_non_null(strstr(why, "no such date"));
		return 0;
	}
	/* Two days before, to know what the clock showed. */
	zone_wall_at(zone, from_s - 2 * DAY_S, &wall);
	walk.highest = local_minute(&wall);
	for (int64_t utc_s = from_s - 2 * DAY_S + 60; utc_s <= until_s; utc_s += 60) {
		bool fire = fires(&walk, utc_s);

		if (utc_s <= from_s)
			continue;
		if (next_us == INT64_MIN)
			assert_true(cron_next(&cron, zone, from_s * SECOND_US, &next_us));
		if (fire != (next_us == utc_s * SECOND_US)) {
			char text[ZONE_TIME_SIZE], next[ZONE_TIME_SIZE];

			zone_time_write(zone, utc_s, text);
			zone_time_write(zone, next_us / SECOND_US, next);
			fail_msg("%s: at %s the walk %s, but cron_next says %s", e->text, text, fire ? "fires" : "does not fire",
			         next);
		}
		if (fire) {
			int64_t before_us = next_us;

			assert_true(cron_next(&cron, zone, before_us, &next_us));
			assert_true(next_us > before_us);
			fired++;
		}
	}
	return fired;
}

static const char *const walked_zones[] = {
    "UTC",
    "America/New_York",
    "Europe/London",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Seoul",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Santiago",
    "America/Havana",
    "Asia/Gaza",
    "America/Nuuk",
    "Antarctica/Troll",
    "Asia/Tehran",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
    "Africa/Cairo",
};

static void
test_walk_over_changes(void **state UNUSED)
{
	struct zone *utc = open_zone("UTC");
	uint64_t seed = 20261123;
	int changes = 0, fired = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(walked_zones); i++) {
		struct zone *zone = open_zone(walked_zones[i]);
		int64_t at_s = zone_time_parse("1985-01-01 00:00 Z");

		while (zone_next_change(zone, at_s, &at_s) && at_s < zone_time_parse("2065-01-01 00:00 Z")) {
			struct expression expression;

			random_expression(&seed, &expression);
			fired += check_walk(zone, utc, &expression, at_s - at_s % 60 - DAY_S, at_s + 2 * DAY_S);
			changes++;
		}
		zone_free(zone);
	}
	assert_true(changes > 1500);
	assert_true(fired > 10000);
	zone_free(utc);
}

static void
test_walk_over_years(void **state UNUSED)
{
	static const char *const starts[] = {"2011-06-01 00:00 Z", "2026-01-01 00:00 Z", "2059-01-01 00:00 Z"};
	struct zone *utc = open_zone("UTC");
	uint64_t seed = 20270101;
	int fired = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(walked_zones); i++) {
		struct zone *zone = open_zone(walked_zones[i]);
		int64_t from_s = zone_time_parse(starts[i % ARRAY_LENGTH(starts)]);
		struct expression expression;

		random_expression(&seed, &expression);
		fired += check_walk(zone, utc, &expression, from_s, from_s + (int64_t)400 * DAY_S);
		zone_free(zone);
	}
	assert_true(fired > 1000);
	zone_free(utc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_text),
	    cmocka_unit_test(test_walk_over_changes),
	    cmocka_unit_test(test_walk_over_years),
	};

	return cmocka_run_group_tests_name("cron_walk", tests, NULL, NULL);
}
