/*
 * cron.c - see cron.h. Searches are over local time, a number of seconds that would be UTC if the clock on the wall
 * showed UTC: a day that does not match costs one step, a month one, a matching day at most an hour each.
 */
#include "cron.h"

#include "zone.h"

enum { MINUTE_S = 60, DAY_S = 86400, SECOND_US = 1000000, SEARCH_DAYS = 41 * 366 };

static const int64_t last_s = 253402300799; /* 9999-12-31 23:59:59 */

static bool
day_matches(const struct cron *cron, const struct calendar_date *date)
{
	bool day = cron->days >> date->day & 1;
	bool weekday = cron->weekdays >> date->weekday & 1;

	return cron->either_day ? day || weekday : day && weekday;
}

/* The first matching minute of a day from minute on, or -1. */
static int
minute_from(const struct cron *cron, int minute)
{
	for (int hour = minute / 60; hour < 24; hour++) {
		uint64_t minutes = cron->minutes >> minute % 60;

		if ((cron->hours >> hour & 1) && minutes)
			return hour * 60 + minute % 60 + __builtin_ctzll(minutes);
		minute = 0;
	}
	return -1;
}

/* The first local time that matches, from from_s (a whole minute) on and before limit_s. */
static bool
match_from(const struct cron *cron, int64_t from_s, int64_t limit_s, int64_t *local_s_r)
{
	int64_t days = calendar_divide(from_s, DAY_S);
	int minute = (int)((from_s - days * DAY_S) / MINUTE_S);

	while (days * DAY_S < limit_s) {
		struct calendar_date date = calendar_date(days);
		bool month = cron->months >> date.month & 1;
		int found = month && day_matches(cron, &date) ? minute_from(cron, minute) : -1;

		if (found >= 0) {
			*local_s_r = days * DAY_S + found * MINUTE_S;
			return *local_s_r < limit_s;
		}
		days = month ? days + 1 : calendar_days(date.year, date.month + 1, 1);
		minute = 0;
	}
	return false;
}

static int64_t
minute_at_or_after(int64_t time_s)
{
	return calendar_divide(time_s + MINUTE_S - 1, MINUTE_S) * MINUTE_S;
}

/* Searches each stretch of one offset by itself: what the clock shows in it, each time once. */
static bool
next_shown(const struct cron *cron, const struct zone *zone, int64_t after_s, int64_t limit_s, int64_t *next_s_r)
{
	for (int64_t from_s = after_s + 1; from_s < limit_s;) {
		int offset_s = zone_offset_s(zone, from_s);
		int64_t end_s, local_s;

		if (!zone_next_change(zone, from_s, &end_s) || end_s > limit_s)
			end_s = limit_s;
		if (match_from(cron, minute_at_or_after(from_s + offset_s), end_s + offset_s, &local_s)) {
			*next_s_r = local_s - offset_s;
			return true;
		}
		from_s = end_s;
	}
	return false;
}

/*
 * The moment of a local time (first pass, end of the gap) never falls when the local time rises. So what comes after
 * after_s is later by the clock too, and only what a repeated hour shows again must be passed over.
 */
static bool
next_once(const struct cron *cron, const struct zone *zone, int64_t after_s, int64_t limit_s, int64_t *next_s_r)
{
	int64_t local_s = minute_at_or_after(after_s + zone_offset_s(zone, after_s) + 1);

	for (; match_from(cron, local_s, limit_s, &local_s); local_s += MINUTE_S) {
		int64_t days = calendar_divide(local_s, DAY_S);
		int minute = (int)((local_s - days * DAY_S) / MINUTE_S);
		struct zone_wall wall = {.date = calendar_date(days), .hour = minute / 60, .minute = minute % 60};
		struct zone_moments moments;

		(void)zone_resolve(zone, &wall, &moments);
		if (moments.first_s > after_s) {
			*next_s_r = moments.first_s;
			return true;
		}
	}
	return false;
}

bool
cron_next(const struct cron *cron, const struct zone *zone, int64_t after_us, int64_t *next_us_r)
{
	int64_t after_s = calendar_divide(after_us, SECOND_US);
	int64_t limit_s = MIN(after_s + (int64_t)SEARCH_DAYS * DAY_S, last_s);
	int64_t next_s;

	if (after_s >= last_s || !(cron->follows_clock ? next_shown : next_once)(cron, zone, after_s, limit_s, &next_s) ||
	    next_s > last_s)
		return false;
	*next_us_r = next_s * SECOND_US;
	return true;
}
