/*
 * calendar.h - days and dates, pure.
 *
 * The Gregorian calendar, also before 1582, for years within 200,000 of now. No time zones: see zone.h.
 */
#ifndef AGENTD_CALENDAR_H
#define AGENTD_CALENDAR_H

#include "base.h"

struct calendar_date {
	int year;
	int month;   /* 1 to 12 */
	int day;     /* 1 to 31 */
	int weekday; /* 0 (Sunday) to 6 */
};

/* Days from 1970-01-01 to a date; month 13 is January of the next year. */
int64_t calendar_days(int64_t year, int month, int day);

/* The date that is days after 1970-01-01. */
struct calendar_date calendar_date(int64_t days);

int calendar_month_days(int64_t year, int month);

/* a / b rounded down, also below 0, where C rounds up; b > 0. */
int64_t calendar_divide(int64_t a, int64_t b);

#endif
