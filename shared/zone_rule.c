/*
 * zone_rule.c - see zone_rule.h. Each take_ function takes what it is named for off the front of the text, or leaves it
 * somewhere within and fails.
 */
#include "zone_rule.h"

#include "calendar.h"

enum { HOUR_S = 3600, DAY_S = 86400, RULE_HOURS_MAX = 167, OFFSET_HOURS_MAX = 24 };

static bool
take_char(struct slice *text, char c)
{
	if (text->len == 0 || text->data[0] != c)
		return false;
	text->data++;
	text->len--;
	return true;
}

static bool
take_number(struct slice *text, int low, int high, int *number_r)
{
	int number = 0;
	size_t digits = 0;

	while (digits < text->len && digits < 4 && text->data[digits] >= '0' && text->data[digits] <= '9')
		number = number * 10 + (text->data[digits++] - '0');
	text->data += digits;
	text->len -= digits;
	*number_r = number;
	return digits > 0 && number >= low && number <= high;
}

/* [+-]hh[:mm[:ss]] */
static bool
take_time(struct slice *text, int hours_max, int *seconds_r)
{
	bool negative = take_char(text, '-');
	int hours, minutes = 0, seconds = 0;

	if (!negative)
		(void)take_char(text, '+');
	if (!take_number(text, 0, hours_max, &hours))
		return false;
	if (take_char(text, ':') && !take_number(text, 0, 59, &minutes))
		return false;
	if (take_char(text, ':') && !take_number(text, 0, 59, &seconds))
		return false;
	*seconds_r = hours * HOUR_S + minutes * 60 + seconds;
	if (negative)
		*seconds_r = -*seconds_r;
	return true;
}

static bool
is_letter(char c)
{
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'z';
}

static bool
is_quoted(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-';
}

/* The abbreviation of a clock, which nobody here needs: EST or <+09>. */
static bool
take_name(struct slice *text)
{
	bool quoted = take_char(text, '<');
	size_t len = 0;

	while (len < text->len && (quoted ? is_quoted(text->data[len]) : is_letter(text->data[len])))
		len++;
	text->data += len;
	text->len -= len;
	return len >= 3 && (!quoted || take_char(text, '>'));
}

static bool
take_date(struct slice *text, struct zone_rule_date *date_r)
{
	bool valid;

	if (take_char(text, 'M')) {
		date_r->form = ZONE_RULE_WEEKDAY;
		valid = take_number(text, 1, 12, &date_r->month) && take_char(text, '.') &&
		        take_number(text, 1, 5, &date_r->week) && take_char(text, '.') && take_number(text, 0, 6, &date_r->day);
	} else if (take_char(text, 'J')) {
		date_r->form = ZONE_RULE_JULIAN;
		valid = take_number(text, 1, 365, &date_r->day);
	} else {
		date_r->form = ZONE_RULE_DAY;
		valid = take_number(text, 0, 365, &date_r->day);
	}
	date_r->time_s = 2 * HOUR_S;
	return valid && (!take_char(text, '/') || take_time(text, RULE_HOURS_MAX, &date_r->time_s));
}

bool
zone_rule_parse(struct slice text, struct zone_rule *rule_r)
{
	*rule_r = (struct zone_rule){0};
	/* POSIX counts offsets to the west. */
	if (!take_name(&text) || !take_time(&text, OFFSET_HOURS_MAX, &rule_r->standard_s))
		return false;
	rule_r->standard_s = -rule_r->standard_s;
	if (text.len == 0)
		return true;
	rule_r->has_summer = true;
	rule_r->summer_s = rule_r->standard_s + HOUR_S;
	if (!take_name(&text))
		return false;
	if (text.len > 0 && text.data[0] != ',') {
		if (!take_time(&text, OFFSET_HOURS_MAX, &rule_r->summer_s))
			return false;
		rule_r->summer_s = -rule_r->summer_s;
	}
	return take_char(&text, ',') && take_date(&text, &rule_r->start) && take_char(&text, ',') &&
	       take_date(&text, &rule_r->end) && text.len == 0;
}

static int64_t
weekday_of_month(const struct zone_rule_date *date, int64_t year)
{
	int64_t days = calendar_days(year, date->month, 1);
	int day = (date->day - calendar_date(days).weekday + 7) % 7 + (date->week - 1) * 7;

	if (day >= calendar_month_days(year, date->month))
		day -= 7;
	return days + day;
}

/* When the clock that is offset_s ahead of UTC shows a date of a year. */
static int64_t
moment_of(const struct zone_rule_date *date, int64_t year, int offset_s)
{
	int64_t days = calendar_days(year, 1, 1);

	if (date->form == ZONE_RULE_WEEKDAY)
		days = weekday_of_month(date, year);
	else if (date->form == ZONE_RULE_DAY)
		days += date->day;
	else
		days += date->day - 1 + (date->day > 59 && calendar_month_days(year, 2) == 29);
	return days * DAY_S + date->time_s - offset_s;
}

void
zone_rule_changes(const struct zone_rule *rule, int64_t year, int64_t *start_s_r, int64_t *end_s_r)
{
	*start_s_r = moment_of(&rule->start, year, rule->standard_s);
	*end_s_r = moment_of(&rule->end, year, rule->summer_s);
}
