/*
 * cron.h - when a schedule is due: cron expressions of five fields, in a time zone. Pure; nothing is allocated.
 *
 * minute (0-59) hour (0-23) day-of-month (1-31) month (1-12 or jan-dec) day-of-week (0-7 or sun-sat; 0 and 7 are
 * Sunday), each of them *, a number, a range a-b, a step over either (a-b/n or *\/n), or a list of these with commas.
 * Names may be in any case and in ranges. Or one of @hourly @daily @midnight @weekly @monthly @yearly @annually.
 *
 * As in Vixie's cron:
 * - If neither day field begins with *, a day matches that matches either; else it must match both (so that 0 0 *\/2 *
 * 1 is the Mondays with odd dates).
 * - When clocks change, an expression whose hour field begins with * follows the clock: it fires whenever the clock
 *   shows a time that matches, so every 15 minutes stays every 15 minutes; in a repeated hour it fires in both passes,
 *   and what is skipped is not made up for.
 * - With any other hour field, each matching time fires once: in a repeated hour in the first pass, and if the clock
 *   skips it, at the moment right after the gap (several skipped times fire there together, once). So a daily job runs
 *   every day, once.
 */
#ifndef AGENTD_CRON_H
#define AGENTD_CRON_H

#include "base.h"

struct zone;

/* A bit for each value: bit 0 of hours is midnight, bit 1 of days the first. Sunday is bit 0 only. */
struct cron {
	uint64_t minutes;
	uint32_t hours;
	uint32_t days;
	uint16_t months;
	uint8_t weekdays;
	bool either_day;    /* the day of the month or the weekday must match, not both */
	bool follows_clock; /* see above */
};

/*
 * Blanks around and between fields are spaces or tabs. False: *why_r is a static text that says which field is wrong
 * and what was expected. A date that never comes (30 February) is refused, so what is accepted has a next time.
 */
MUST_CHECK bool cron_parse(struct slice text, struct cron *cron_r, const char **why_r);

/*
 * The first time strictly after after_us (both in microseconds since 1970 UTC). False: none is found within the 41
 * years that the rarest date, 29 February on a given weekday, may take; only moments beyond the year 9999 have none.
 * Takes microseconds, also for rare dates.
 */
MUST_CHECK bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after_us, int64_t *next_us_r);

#endif
