/*
 * zone_time.h - moments as text, libc's opinion, and random numbers, for tests of zones and schedules.
 *
 * "2026-03-08 03:00 -04:00" is local time and how far it is ahead of UTC; "2026-03-08 07:00 Z" is the same. Written
 * that way, an expected moment says both what the clock shows and which of two passes of an hour it is in.
 */
#ifndef AGENTD_ZONE_TIME_H
#define AGENTD_ZONE_TIME_H

#include "base.h"
#include "calendar.h"
#include "zone.h"

enum { ZONE_TIME_SIZE = 64 };

/* Aborts on text that is no moment: it is the test that is wrong. */
static inline int64_t
zone_time_parse(const char *text)
{
	int year, month, day, hour, minute, hours = 0, minutes = 0;
	char sign = '+';
	int got = sscanf(text, "%d-%d-%d %d:%d %c%d:%d", &year, &month, &day, &hour, &minute, &sign, &hours, &minutes);

	INVARIANT(got == 8 || (got == 6 && sign == 'Z'));
	return calendar_days(year, month, day) * 86400 + hour * 3600 + minute * 60 -
	       (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

/* The same the other way, as the clock of a zone shows it. */
static inline void
zone_time_write(const struct zone *zone, int64_t utc_s, char out[ZONE_TIME_SIZE])
{
	struct zone_wall wall;
	int offset_s = zone_offset_s(zone, utc_s);

	zone_wall_at(zone, utc_s, &wall);
	snprintf(out, ZONE_TIME_SIZE, "%04d-%02d-%02d %02d:%02d %c%02d:%02d", wall.date.year, wall.date.month,
	         wall.date.day, wall.hour, wall.minute, offset_s < 0 ? '-' : '+', abs(offset_s) / 3600,
	         abs(offset_s) / 60 % 60);
}

/* Whether localtime_r, with what tzset was told, shows the same as the zone. */
static inline bool
zone_time_is_libcs(const struct zone *zone, int64_t utc_s)
{
	time_t at = (time_t)utc_s;
	struct tm parts;
	struct zone_wall wall;

	zone_wall_at(zone, utc_s, &wall);
	return localtime_r(&at, &parts) && parts.tm_gmtoff == zone_offset_s(zone, utc_s) &&
	       parts.tm_year + 1900 == wall.date.year && parts.tm_mon + 1 == wall.date.month &&
	       parts.tm_mday == wall.date.day && parts.tm_hour == wall.hour && parts.tm_min == wall.minute &&
	       parts.tm_sec == wall.second && parts.tm_wday == wall.date.weekday;
}

static inline uint64_t
zone_time_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline int64_t
zone_time_random_below(uint64_t *state, int64_t limit)
{
	return (int64_t)(zone_time_random(state) % (uint64_t)limit);
}

#endif
