/*
 * zone_rule.h - the footer of a TZif file: a TZ string of POSIX (XBD 8.3) with the extensions of RFC 8536, 3.3.1.
 *
 * "EST5EDT,M3.2.0,M11.1.0" says: five hours behind UTC, four from the second Sunday of March to the first of November.
 * Pure; nothing is allocated.
 */
#ifndef AGENTD_ZONE_RULE_H
#define AGENTD_ZONE_RULE_H

#include "base.h"

enum zone_rule_form { ZONE_RULE_JULIAN, ZONE_RULE_DAY, ZONE_RULE_WEEKDAY };

/* One day of each year, and a time of it. */
struct zone_rule_date {
	enum zone_rule_form form;
	int day;    /* JULIAN: 1 to 365, February has 28 days; DAY: 0 to 365, leap days count; WEEKDAY: 0 (Sunday) to 6 */
	int week;   /* WEEKDAY: 1 to 5, where 5 is the last of the month */
	int month;  /* WEEKDAY: 1 to 12 */
	int time_s; /* of the clock before the change, from midnight; may lie days off */
};

struct zone_rule {
	int standard_s; /* ahead of UTC */
	int summer_s;
	bool has_summer;
	struct zone_rule_date start; /* of summer time */
	struct zone_rule_date end;
};

MUST_CHECK bool zone_rule_parse(struct slice text, struct zone_rule *rule_r);

/* The moments of a year, in seconds since 1970 UTC, at which summer time starts and ends. Of rules with summer time. */
void zone_rule_changes(const struct zone_rule *rule, int64_t year, int64_t *start_s_r, int64_t *end_s_r);

#endif
