/*
 * zone.h - named time zones: what a clock on the wall shows at a moment, and at which moments it shows a given time.
 *
 * The data are TZif files (RFC 8536, version 2 or later) of the system's tzdata; after the last change that a file
 * lists, the rule in its footer holds, for ever. UTC needs no file. Unlike libc's, these zones have no state in the
 * process (no TZ, no tzset), so threads may use different ones; a zone never changes after it is made. Only zone_open
 * blocks (it reads one small file). Moments are within 200,000 years of now; there are no leap seconds.
 */
#ifndef AGENTD_ZONE_H
#define AGENTD_ZONE_H

#include "base.h"
#include "calendar.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
enum { ZONE_NAME_MAX = 64 };

struct zone;

/* The time that a clock on the wall shows. */
struct zone_wall {
	struct calendar_date date;
	int hour;   /* 0 to 23 */
	int minute; /* 0 to 59 */
	int second; /* 0 to 59 */
};

enum zone_fit {
	ZONE_UNIQUE,
	ZONE_AMBIGUOUS, /* the clock was put back and shows it twice */
	ZONE_GAP        /* the clock was put forward over it and never shows it */
};

/* In seconds since 1970-01-01 UTC. Unique: both are the same; in a gap: both are the first moment after it. */
struct zone_moments {
	int64_t first_s;
	int64_t second_s;
};

/*
 * Opens the zone of an IANA name such as "Asia/Seoul". NULL: there is no such zone, here at least. A name may come from
 * a request: it must start with a capital and have only [A-Za-z0-9_+/-], so it never leads out of ZONE_FOLDER.
 */
MUST_CHECK struct zone *zone_open(struct slice name);

/* The zone that the bytes of a TZif file describe. NULL: they are not valid, or know leap seconds. */
MUST_CHECK struct zone *zone_parse(struct slice tzif);

void zone_free(struct zone *zone);

/* How far local time is ahead of UTC at a moment. */
int zone_offset_s(const struct zone *zone, int64_t utc_s);

/* Of the moments at which the offset changes, the first after utc_s. False: it never changes again. */
MUST_CHECK bool zone_next_change(const struct zone *zone, int64_t utc_s, int64_t *change_s_r);

/* When the clock shows wall, which must be a time that exists on the calendar; its weekday is not read. */
enum zone_fit zone_resolve(const struct zone *zone, const struct zone_wall *wall, struct zone_moments *moments_r);

/* What the clock shows at a moment. */
void zone_wall_at(const struct zone *zone, int64_t utc_s, struct zone_wall *wall_r);

#endif
