/* payload.c - options into JSON. Whatever is wrong is said here, with the option's name. */
#include "base.h"

#include "payload.h"
#include "command.h"
#include "http.h"
#include "output.h"
#include "private_file.h"

#include <math.h>

static char *
help_of(const struct ctl *ctl)
{
	char *next = NULL;

	INVARIANT(asprintf(&next, "agentctl help %s", ctl->command->name) >= 0);
	return next;
}

static void PRINTF_LIKE(2, 3) say_usage(const struct ctl *ctl, const char *format, ...)
{
	char *why = NULL, *next = help_of(ctl);
	va_list args;

	va_start(args, format);
	INVARIANT(vasprintf(&why, format, args) >= 0);
	va_end(args);
	output_error(CTL_USAGE, "wrong usage.", why, next);
	free(why);
	free(next);
}

static json_t *
parse_json(const char *text, size_t len, const char *what)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);

	if (!value)
		output_error_why(CTL_FAILED, what, "correct it; texts need double quotes: '\"like this\"'",
		                 "line %d, column %d: %s", error.line, error.column, error.text);
	return value;
}

json_t *
payload_file(const char *path)
{
	char *text = NULL, *why = NULL, *what = NULL;
	size_t len = 0;
	json_t *value = NULL;

	if (!private_file_read(path, false, &text, &len, &why) || !text) {
		output_error_why(CTL_FAILED, "cannot read the file.", "name a file that holds JSON, or - for standard input",
		                 "%s: %s", path, why ? why : "there is no such file");
		free(why);
		return NULL;
	}
	INVARIANT(asprintf(&what, "%s is not JSON.", strcmp(path, "-") == 0 ? "standard input" : path) >= 0);
	value = parse_json(text, len, what);
	free(text);
	free(what);
	return value;
}

json_t *
payload_json(const char *given, enum option_id option)
{
	char *what = NULL;
	json_t *value;

	if (*given == '@')
		return payload_file(given + 1);
	INVARIANT(asprintf(&what, "--%s is not JSON.", option_specs[option].name) >= 0);
	value = parse_json(given, strlen(given), what);
	free(what);
	return value;
}

json_t *
payload_tasks(const char *path)
{
	json_t *whole = payload_file(path), *tasks;

	if (!whole)
		return NULL;
	tasks = json_is_object(whole) ? json_object_get(whole, "tasks") : whole;
	if (json_is_array(tasks))
		json_incref(tasks);
	else
		tasks = NULL;
	json_decref(whole);
	if (!tasks)
		output_error_why(CTL_FAILED, "there are no tasks in the file.",
		                 "write [{\"key\": \"a\", \"role\": \"sena\"}, {\"key\": \"b\", \"role\": \"rune\", "
		                 "\"depends_on\": [\"a\"]}]",
		                 "%s is neither an array of tasks nor an object with \"tasks\"", path);
	return tasks;
}

static json_t *
number_value(const struct ctl *ctl, const struct payload_field *field, const char *text)
{
	char *end;
	double value = strtod(text, &end);
	bool bounded = field->low != 0 || field->high != 0;

	if (end == text || *end || !isfinite(value) || (bounded && (value < field->low || value > field->high))) {
		if (bounded)
			say_usage(ctl, "--%s must be %.15g to %.15g, not \"%s\"", option_specs[field->option].name, field->low,
			          field->high, text);
		else
			say_usage(ctl, "--%s must be a number, not \"%s\"", option_specs[field->option].name, text);
		return NULL;
	}
	return value == floor(value) && fabs(value) < 9e15 ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *
labels_value(const struct ctl *ctl, const struct option_words *given)
{
	json_t *labels = json_object();

	for (int i = 0; i < given->count; i++) {
		const char *item = given->items[i], *split = strchr(item, '=');
		char *key = split && split > item ? strndup(item, (size_t)(split - item)) : NULL;
		bool added = key && json_object_set_new(labels, key, json_string(split + 1)) == 0;

		free(key);
		if (!added) {
			json_decref(labels);
			say_usage(ctl, "--label \"%s\" is not KEY=VALUE in UTF-8", item);
			return NULL;
		}
	}
	return labels;
}

static json_t *
texts_value(const struct option_words *given)
{
	json_t *texts = json_array();

	for (int i = 0; i < given->count; i++)
		if (json_array_append_new(texts, json_string(given->items[i])) != 0) {
			json_decref(texts);
			return NULL;
		}
	return texts;
}

/* The option's value as JSON. NULL: said why. */
static json_t *
value_of(const struct ctl *ctl, const struct payload_field *field, enum ctl_exit *code_r)
{
	const struct option_words *given = &ctl->options[field->option];
	const char *last = given->items[given->count - 1];
	json_t *value;

	*code_r = CTL_USAGE;
	switch (field->kind) {
	case PAYLOAD_NUMBER:
		return number_value(ctl, field, last);
	case PAYLOAD_FLAG:
		return json_true();
	case PAYLOAD_JSON:
		*code_r = CTL_FAILED;
		return payload_json(last, field->option);
	case PAYLOAD_LABELS:
		return labels_value(ctl, given);
	case PAYLOAD_TEXTS:
		value = texts_value(given);
		break;
	default:
		value = json_string(last);
	}
	if (!value)
		say_usage(ctl, "--%s must be UTF-8 text", option_specs[field->option].name);
	return value;
}

json_t *
payload_build(const struct ctl *ctl, const struct payload_field *fields, enum ctl_exit *code_r)
{
	json_t *body = json_object();

	*code_r = CTL_USAGE;
	for (const struct payload_field *field = fields; field->key; field++) {
		bool given = ctl->options[field->option].count > 0;
		json_t *value = given ? value_of(ctl, field, code_r) : NULL;

		if (!given && field->required)
			say_usage(ctl, "--%s is missing", option_specs[field->option].name);
		if (given ? !value : field->required) {
			json_decref(body);
			return NULL;
		}
		if (given)
			json_object_set_new(body, field->key, value);
	}
	*code_r = CTL_DONE;
	return body;
}

/* KEY=VALUE of a label is KEY:VALUE in a query. */
static void
add_filter(char **path, const struct payload_field *field, const char *given)
{
	char *value = mem_string(field->kind == PAYLOAD_FLAG ? "true" : given);
	char *split = field->kind == PAYLOAD_LABELS ? strchr(value, '=') : NULL;

	if (split)
		*split = ':';
	http_path_query(path, field->key, value);
	free(value);
}

void
payload_query(const struct ctl *ctl, const struct payload_field *fields, char **path)
{
	for (const struct payload_field *field = fields; field->key; field++) {
		const struct option_words *given = &ctl->options[field->option];

		for (int i = 0; i < given->count; i++)
			add_filter(path, field, given->items[i]);
	}
}
