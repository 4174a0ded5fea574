/*
 * calendar.c - see calendar.h. Years are counted from March here, so that the leap day is the last of its year; 719468
 * days lie between 0000-03-01 and 1970-01-01, 146097 in 400 years, and (153 m + 2) / 5 in the m months from March.
 */
#include "calendar.h"

enum { EPOCH_DAYS = 719468, CYCLE_DAYS = 146097, CYCLE_YEARS = 400 };

int64_t
calendar_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t
calendar_days(int64_t year, int month, int day)
{
	int64_t march_year = month > 2 ? year : year - 1;
	int march_month = month > 2 ? month - 3 : month + 9;
	int64_t leap_days =
	    calendar_divide(march_year, 4) - calendar_divide(march_year, 100) + calendar_divide(march_year, 400);

	return march_year * 365 + leap_days + (153 * march_month + 2) / 5 + day - 1 - EPOCH_DAYS;
}

struct calendar_date
calendar_date(int64_t days)
{
	int64_t from_march = days + EPOCH_DAYS;
	int64_t cycle = calendar_divide(from_march, CYCLE_DAYS);
	int64_t day = from_march - cycle * CYCLE_DAYS;
	/* Without the leap days before it, which come every 1461, not every 36524, and again every 146097 days. */
	int64_t year = (day - day / 1460 + day / 36524 - day / (CYCLE_DAYS - 1)) / 365;
	int64_t month;

	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	return (struct calendar_date){
	    .year = (int)(cycle * CYCLE_YEARS + year + (month >= 10)),
	    .month = (int)(month < 10 ? month + 3 : month - 9),
	    .day = (int)(day - (153 * month + 2) / 5 + 1),
	    .weekday = (int)(days + 4 - calendar_divide(days + 4, 7) * 7),
	};
}

int
calendar_month_days(int64_t year, int month)
{
	return (int)(calendar_days(year, month + 1, 1) - calendar_days(year, month, 1));
}
