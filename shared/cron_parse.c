/*
 * cron_parse.c - cron_parse of cron.h: text to sets of bits. One table says what the five fields take, and what to tell
 * people who wrote something else.
 */
#include "cron.h"

#include <strings.h>

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

enum problem { NO_PROBLEM, BAD_ITEM, BAD_VALUE, BAD_ORDER, BAD_STEP, PROBLEMS };

struct field {
	int low;
	int high;          /* of a value */
	int star_high;     /* of * */
	const char *names; /* of three letters each, one after the other, from low on */
	const char *why[PROBLEMS];
};

#define WHYS(name, values, range, step, steps)                                                     \
	{                                                                                              \
		[BAD_ITEM] = name ": expected *, a value, a range such as " range ", a step such as " step \
		                  ", or a list of these with commas",                                      \
		[BAD_VALUE] = name ": expected " values,                                                   \
		[BAD_ORDER] = name ": a range goes from the lower to the higher value, such as " range,    \
		[BAD_STEP] = name ": a step is " steps " and follows * or a range, such as " step,         \
	}

static const struct field fields[FIELDS] = {
    [MINUTE] = {0, 59, 59, "", WHYS("minute (field 1)", "0 to 59", "0-30", "*/15", "1 to 59")},
    [HOUR] = {0, 23, 23, "", WHYS("hour (field 2)", "0 to 23", "9-17", "*/2", "1 to 23")},
    [DAY] = {1, 31, 31, "", WHYS("day of month (field 3)", "1 to 31", "1-7", "*/10", "1 to 31")},
    [MONTH] = {1, 12, 12, "janfebmaraprmayjunjulaugsepoctnovdec",
               WHYS("month (field 4)", "1 to 12, or jan to dec", "jun-aug", "*/3", "1 to 12")},
    [WEEKDAY] = {0, 7, 6, "sunmontuewedthufrisat",
                 WHYS("day of week (field 5)", "0 to 7 (0 and 7 are Sunday), or sun to sat", "mon-fri", "*/2",
                      "1 to 7")},
};

static const struct macro {
	const char *name;
	const char *text;
} macros[] = {
    {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
    {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
};

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
is_letter(char c)
{
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'z';
}

/* -1: there is none. Numbers too large for any field stop at 1000. */
static int
take_number(struct slice *text)
{
	int number = -1;

	while (text->len > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
		number = MIN(MAX(number, 0) * 10 + (text->data[0] - '0'), 1000);
		text->data++;
		text->len--;
	}
	return number;
}

static enum problem
take_name(const struct field *field, struct slice *text, int *value_r)
{
	size_t len = 0;

	while (len < text->len && is_letter(text->data[len]))
		len++;
	for (size_t at = 0; len == 3 && field->names[at]; at += 3) {
		if (strncasecmp(field->names + at, text->data, 3) == 0) {
			*value_r = field->low + (int)(at / 3);
			text->data += 3;
			text->len -= 3;
			return NO_PROBLEM;
		}
	}
	return BAD_VALUE;
}

static enum problem
take_value(const struct field *field, struct slice *text, int *value_r)
{
	if (text->len > 0 && is_letter(text->data[0]))
		return take_name(field, text, value_r);
	*value_r = take_number(text);
	if (*value_r < 0)
		return BAD_ITEM;
	return *value_r >= field->low && *value_r <= field->high ? NO_PROBLEM : BAD_VALUE;
}

/* * or a value or a-b. */
static enum problem
take_span(const struct field *field, struct slice *text, int *first_r, int *last_r, bool *steps_r)
{
	enum problem problem;

	*first_r = field->low;
	*last_r = field->star_high;
	*steps_r = true;
	if (take_char(text, '*'))
		return NO_PROBLEM;
	problem = take_value(field, text, first_r);
	*last_r = *first_r;
	if (problem != NO_PROBLEM)
		return problem;
	*steps_r = take_char(text, '-');
	if (!*steps_r)
		return NO_PROBLEM;
	problem = take_value(field, text, last_r);
	if (problem != NO_PROBLEM)
		return problem;
	/* fri-sun: a week may also end on its Sunday. */
	if (field == &fields[WEEKDAY] && *last_r == 0 && *first_r > 0)
		*last_r = 7;
	return *first_r <= *last_r ? NO_PROBLEM : BAD_ORDER;
}

static enum problem
take_item(const struct field *field, struct slice *text, uint64_t *bits)
{
	int first, last, step = 1;
	bool steps;
	enum problem problem = take_span(field, text, &first, &last, &steps);

	if (problem != NO_PROBLEM)
		return problem;
	if (take_char(text, '/')) {
		step = take_number(text);
		if (!steps || step < 1 || step > field->high)
			return BAD_STEP;
	}
	for (int value = first; value <= last; value += step)
		*bits |= (uint64_t)1 << value;
	return NO_PROBLEM;
}

static enum problem
read_field(const struct field *field, struct slice text, uint64_t *bits_r)
{
	*bits_r = 0;
	do {
		enum problem problem = take_item(field, &text, bits_r);

		if (problem != NO_PROBLEM)
			return problem;
	} while (take_char(&text, ','));
	if (field == &fields[WEEKDAY])
		*bits_r = (*bits_r | *bits_r >> 7) & 0x7f;
	return text.len == 0 ? NO_PROBLEM : BAD_ITEM;
}

/* The next run of bytes that are no blanks; empty at the end. */
static struct slice
take_word(struct slice *text)
{
	struct slice word;

	while (take_char(text, ' ') || take_char(text, '\t'))
		;
	word = (struct slice){text->data, 0};
	while (word.len < text->len && text->data[word.len] != ' ' && text->data[word.len] != '\t')
		word.len++;
	text->data += word.len;
	text->len -= word.len;
	return word;
}

/* Fails when there are fewer or more than five. */
static bool
split(struct slice text, struct slice words_r[FIELDS])
{
	for (int i = 0; i < FIELDS; i++) {
		words_r[i] = take_word(&text);
		if (words_r[i].len == 0)
			return false;
	}
	return take_word(&text).len == 0;
}

/* Some month has a day that is in the set. */
static bool
ever_comes(const struct cron *cron)
{
	static const int month_days[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	for (int month = 1; month <= 12; month++) {
		uint64_t days = ((uint64_t)1 << (month_days[month] + 1)) - 1;

		if ((cron->months >> month & 1) && (cron->either_day || (cron->days & days)))
			return true;
	}
	return false;
}

static bool
parse_fields(struct slice text, struct cron *cron_r, const char **why_r)
{
	struct slice words[FIELDS];
	uint64_t bits[FIELDS];

	if (!split(text, words)) {
		*why_r = "expected five fields (minute, hour, day of month, month, day of week) with blanks between them, "
		         "such as 30 6 * * mon-fri, or a word such as @daily";
		return false;
	}
	for (int i = 0; i < FIELDS; i++) {
		enum problem problem = read_field(&fields[i], words[i], &bits[i]);

		if (problem != NO_PROBLEM) {
			*why_r = fields[i].why[problem];
			return false;
		}
	}
	*cron_r = (struct cron){.minutes = bits[MINUTE],
	                        .hours = (uint32_t)bits[HOUR],
	                        .days = (uint32_t)bits[DAY],
	                        .months = (uint16_t)bits[MONTH],
	                        .weekdays = (uint8_t)bits[WEEKDAY],
	                        .either_day = words[DAY].data[0] != '*' && words[WEEKDAY].data[0] != '*',
	                        .follows_clock = words[HOUR].data[0] == '*'};
	*why_r = "day of month (field 3) and month (field 4): no such date ever comes";
	return ever_comes(cron_r);
}

bool
cron_parse(struct slice text, struct cron *cron_r, const char **why_r)
{
	struct slice rest = text.len > 0 ? text : SLICE(""); /* no arithmetic on NULL */
	struct slice all = rest;
	struct slice word = take_word(&rest);

	if (word.len == 0 || word.data[0] != '@')
		return parse_fields(all, cron_r, why_r);
	for (size_t i = 0; i < ARRAY_LENGTH(macros); i++) {
		if (word.len == strlen(macros[i].name) && strncasecmp(word.data, macros[i].name, word.len) == 0 &&
		    take_word(&rest).len == 0)
			return parse_fields(slice_of(macros[i].text), cron_r, why_r);
	}
	*why_r =
	    "of words with @ there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually, each alone";
	return false;
}
