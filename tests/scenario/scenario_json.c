/* scenario_json.c - see scenario_json.h. */
#include "base.h"
#include "scenario_json.h"

#include "buf.h"

#include <ctype.h>
#include <regex.h>

static const char *const compare_names[COMPARE_COUNT] = {
    [COMPARE_EQUAL] = "==",      [COMPARE_NOT_EQUAL] = "!=",  [COMPARE_LESS] = "<",    [COMPARE_GREATER] = ">",
    [COMPARE_AT_MOST] = "<=",    [COMPARE_AT_LEAST] = ">=",   [COMPARE_MATCHES] = "~", [COMPARE_MATCHES_NOT] = "!~",
    [COMPARE_EXISTS] = "exists", [COMPARE_ABSENT] = "absent",
};

const char *
compare_name(enum compare compare)
{
	return compare < COMPARE_COUNT ? compare_names[compare] : NULL;
}

json_t *
json_text_parse(struct slice text, const char **why_r)
{
	static json_error_t error;
	json_t *value = json_loadb(text.data ? text.data : "", text.len,
	                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	*why_r = value ? NULL : error.text;
	return value;
}

/* One step of a path: the text between dots or inside brackets. at moves behind it. */
static const char *
next_step(const char **at, struct slice *step_r, bool *bracket_r)
{
	const char *begin = *at + 1;
	const char *end;

	*bracket_r = **at == '[';
	if (**at != '.' && **at != '[')
		return "after $ come .name, [0], [name] or [name=value]";
	end = begin + strcspn(begin, *bracket_r ? "]" : ".[");
	if (*bracket_r && !*end)
		return "a [ is never closed";
	if (end == begin)
		return "there is a step without a name";
	*step_r = (struct slice){begin, (size_t)(end - begin)};
	*at = end + (*bracket_r ? 1 : 0);
	return NULL;
}

const char *
json_path_error(const char *path)
{
	const char *why = NULL;
	struct slice step;
	bool bracket;

	if (*path++ != '$')
		return "a path begins with $";
	while (*path && !why)
		why = next_step(&path, &step, &bracket);
	return why;
}

char *
json_text(const json_t *value)
{
	if (!value)
		return mem_string("nothing");
	if (json_is_string(value))
		return mem_string(json_string_value(value));
	return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

/* The first element of an array whose member name reads as value. Borrowed. */
static json_t *
select_element(const json_t *array, struct slice name, struct slice value)
{
	size_t index;
	json_t *element;

	json_array_foreach(array, index, element)
	{
		json_t *member = json_object_getn(element, name.data, name.len);
		char *text = member ? json_text(member) : NULL;
		bool same = text && slice_equal(slice_of(text), value);

		free(text);
		if (same)
			return element;
	}
	return NULL;
}

static json_t *
step_into(json_t *value, struct slice step, bool bracket)
{
	const char *equals = bracket ? memchr(step.data, '=', step.len) : NULL;

	if (equals) {
		struct slice name = {step.data, (size_t)(equals - step.data)};

		return select_element(value, name, (struct slice){equals + 1, step.len - name.len - 1});
	}
	if (bracket && json_is_array(value) && isdigit((unsigned char)*step.data))
		return json_array_get(value, (size_t)strtoull(step.data, NULL, 10));
	return json_object_getn(value, step.data, step.len);
}

static json_t *
count_of(const json_t *value)
{
	json_int_t count = 0;

	if (json_is_array(value))
		return json_integer((json_int_t)json_array_size(value));
	if (json_is_object(value))
		return json_integer((json_int_t)json_object_size(value));
	if (!json_is_string(value))
		return NULL;
	for (const char *at = json_string_value(value); *at; at++)
		count += ((unsigned char)*at & 0xC0) != 0x80;
	return json_integer(count);
}

json_t *
json_path_get(json_t *root, const char *path)
{
	json_t *value = root;
	struct slice step;
	bool bracket;

	path++;
	while (value && *path && !next_step(&path, &step, &bracket)) {
		json_t *next = step_into(value, step, bracket);

		if (!next && !*path && !bracket && slice_is(step, "length"))
			return count_of(value);
		value = next;
	}
	return json_incref(value);
}

static bool
matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool found;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0)
		return false;
	found = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return found;
}

static bool
read_number(const char *text, double *number_r)
{
	char *end;

	*number_r = strtod(text, &end);
	return end != text && !*end;
}

/* -1, 0, 1; 2 when the two have no order, which makes them unequal too. */
static int
order_of_texts(const char *left, const char *right, bool numbers)
{
	double a, b;

	if (numbers && read_number(left, &a) && read_number(right, &b))
		return (a > b) - (a < b);
	return (strcmp(left, right) > 0) - (strcmp(left, right) < 0);
}

static int
order_of_json(const json_t *left, const json_t *right)
{
	if (json_is_integer(left) && json_is_integer(right)) {
		json_int_t a = json_integer_value(left), b = json_integer_value(right);

		return (a > b) - (a < b);
	}
	if (json_is_number(left) && json_is_number(right)) {
		double a = json_number_value(left), b = json_number_value(right);

		return (a > b) - (a < b);
	}
	return json_equal(left, right) ? 0 : 2;
}

static int
order(const json_t *seen, const char *right, enum compare_as as)
{
	const char *why;
	json_t *value;
	char *text;
	int result;

	if (as == COMPARE_AS_STRING)
		return json_is_string(seen) ? order_of_texts(json_string_value(seen), right, false) : 2;
	if (as == COMPARE_AS_JSON) {
		value = json_text_parse(slice_of(right), &why);
		result = value ? order_of_json(seen, value) : 2;
		json_decref(value);
		return result;
	}
	text = json_text(seen);
	result = order_of_texts(text, right, true);
	free(text);
	return result;
}

bool
json_compare(const json_t *seen, enum compare compare, const char *right, enum compare_as as)
{
	char *text;
	bool found;
	int sign;

	if (!seen || compare == COMPARE_EXISTS || compare == COMPARE_ABSENT)
		return compare == (seen ? COMPARE_EXISTS : COMPARE_ABSENT);
	if (compare == COMPARE_MATCHES || compare == COMPARE_MATCHES_NOT) {
		text = json_text(seen);
		found = matches(text, right);
		free(text);
		return found == (compare == COMPARE_MATCHES);
	}
	sign = order(seen, right, as);
	switch (compare) {
	case COMPARE_EQUAL:
		return sign == 0;
	case COMPARE_NOT_EQUAL:
		return sign != 0;
	case COMPARE_LESS:
		return sign == -1;
	case COMPARE_GREATER:
		return sign == 1;
	case COMPARE_AT_MOST:
		return sign == -1 || sign == 0;
	default:
		return sign == 1 || sign == 0;
	}
}

const char *
json_compare_error(enum compare compare, const char *right, enum compare_as as)
{
	const char *why = NULL;
	regex_t regex;

	if (compare == COMPARE_MATCHES || compare == COMPARE_MATCHES_NOT) {
		if (regcomp(&regex, right, REG_EXTENDED | REG_NOSUB | REG_NEWLINE) != 0)
			return "this is not a valid POSIX extended regular expression";
		regfree(&regex);
	} else if (as == COMPARE_AS_JSON) {
		json_decref(json_text_parse(slice_of(right), &why));
		return why ? "a string must be in quotes; bare are numbers, true, false, null and JSON" : NULL;
	}
	return NULL;
}
