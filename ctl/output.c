/* output.c - values, tables and errors for people and scripts. */
#include "base.h"

#include "duration.h"
#include "json_print.h"
#include "output.h"
#include "text.h"

#include <stdarg.h>
#include <strings.h>

static void
print_part(const char *label, const char *text)
{
	char *safe = text_escape(text, strlen(text));

	fprintf(stderr, "%s%s\n", label, safe);
	free(safe);
}

enum ctl_exit
output_error(enum ctl_exit code, const char *what, const char *why, const char *next)
{
	fflush(stdout);
	print_part("agentctl: ", what);
	if (why)
		print_part("  why:  ", why);
	if (next)
		print_part("  next: ", next);
	return code;
}

enum ctl_exit
output_error_why(enum ctl_exit code, const char *what, const char *next, const char *format, ...)
{
	char *why = NULL;
	va_list args;

	va_start(args, format);
	INVARIANT(vasprintf(&why, format, args) >= 0);
	va_end(args);
	output_error(code, what, why, next);
	free(why);
	return code;
}

void
output_note(const struct ctl *ctl, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	if (ctl->quiet)
		return;
	va_start(args, format);
	INVARIANT(vasprintf(&text, format, args) >= 0);
	va_end(args);
	fflush(stdout);
	print_part("agentctl: ", text);
	free(text);
}

const char *
output_string(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : fallback;
}

const char *
output_colour(const char *word)
{
	static const struct {
		const char *word, *colour;
	} colours[] = {
	    {"completed", "\033[32m"},      {"approved", "\033[32m"},      {"final_approved", "\033[32m"},
	    {"healthy", "\033[32m"},        {"online", "\033[32m"},        {"active", "\033[32m"},
	    {"running", "\033[36m"},        {"processing", "\033[36m"},    {"retrying", "\033[33m"},
	    {"needs_revision", "\033[33m"}, {"review_needed", "\033[33m"}, {"warning", "\033[33m"},
	    {"medium", "\033[33m"},         {"failed", "\033[31m"},        {"dead", "\033[31m"},
	    {"rejected", "\033[31m"},       {"critical", "\033[31m"},      {"high", "\033[31m"},
	    {"error", "\033[31m"},          {"cancelled", "\033[90m"},     {"blocked", "\033[90m"},
	    {"pending", "\033[90m"},        {"low", "\033[90m"},           {"info", "\033[90m"},
	    {"recovered", "\033[32m"},      {"given_up", "\033[31m"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(colours); i++)
		if (strcasecmp(colours[i].word, word) == 0)
			return colours[i].colour;
	return "";
}

bool
output_json(const struct ctl *ctl, const json_t *value)
{
	if (ctl->format != CTL_JSON && ctl->format != CTL_JSONL)
		return false;
	if (ctl->format == CTL_JSON)
		json_print_pretty(stdout, value);
	else
		json_print_line(stdout, value);
	fputc('\n', stdout);
	return true;
}

/* "3/4 75 %" out of a workflow's progress. */
static char *
progress_text(const json_t *value)
{
	char *text = NULL;

	INVARIANT(asprintf(&text, "%lld/%lld", (long long)json_number_value(json_object_get(value, "completed")),
	                   (long long)json_number_value(json_object_get(value, "total"))) >= 0);
	return text;
}

static char *
time_text(const char *text)
{
	char *copy = text_escape(text, strlen(text));
	char *point = strchr(copy, '.');

	/* Microseconds are for machines. */
	if (point && copy[strlen(copy) - 1] == 'Z') {
		point[0] = 'Z';
		point[1] = '\0';
	}
	return copy;
}

char *
output_cell(const json_t *object, const struct output_field *field)
{
	const json_t *value = json_object_get(object, field->key);
	char spent[DURATION_TEXT_SIZE], *raw, *safe;

	if (!value || json_is_null(value))
		return mem_string("-");
	if (field->kind == OUTPUT_PROGRESS && json_is_object(value))
		return progress_text(value);
	if (field->kind == OUTPUT_MS && json_is_number(value)) {
		duration_format((int64_t)json_number_value(value), spent);
		return mem_string(spent);
	}
	if (field->kind == OUTPUT_TIME && json_is_string(value))
		return time_text(json_string_value(value));
	if (json_is_string(value))
		return text_escape(json_string_value(value), json_string_length(value));
	raw = json_print_text(value);
	safe = text_escape(raw, strlen(raw));
	free(raw);
	return safe;
}

static void
print_cell(const struct ctl *ctl, const char *text, enum output_kind kind, int width)
{
	const char *colour = ctl->colour && kind == OUTPUT_STATUS ? output_colour(text) : "";

	fputs(colour, stdout);
	text_write_fitted(stdout, text, width);
	if (*colour)
		fputs(OUTPUT_PLAIN, stdout);
}

enum { COLUMNS_MAX = 24 };

/* The fields that this format shows, and how wide each is over all rows. */
static int
measure(const struct ctl *ctl, const json_t *rows, const struct output_field *fields,
        const struct output_field *shown_r[COLUMNS_MAX], int width_r[COLUMNS_MAX])
{
	int count = 0;

	for (const struct output_field *field = fields; field->title; field++) {
		int width = text_width(field->title);

		if (field->wide && ctl->format != CTL_WIDE)
			continue;
		INVARIANT(count < COLUMNS_MAX);
		for (size_t i = 0; i < json_array_size(rows); i++) {
			char *cell = output_cell(json_array_get(rows, i), field);

			width = MAX(width, text_width(cell));
			free(cell);
		}
		if (field->max_width && ctl->format != CTL_WIDE)
			width = MIN(width, field->max_width);
		shown_r[count] = field;
		width_r[count++] = width;
	}
	return count;
}

void
output_table(const struct ctl *ctl, const json_t *rows, const struct output_field *fields, int indent)
{
	const struct output_field *shown[COLUMNS_MAX];
	int width[COLUMNS_MAX];
	int count = measure(ctl, rows, fields, shown, width);

	for (size_t row = 0; row <= json_array_size(rows); row++) {
		printf("%*s%s", indent, "", row == 0 && ctl->colour ? OUTPUT_BOLD : "");
		for (int i = 0; i < count; i++) {
			char *cell = row == 0 ? mem_string(shown[i]->title) : output_cell(json_array_get(rows, row - 1), shown[i]);
			bool last = i == count - 1;

			/* The last column is not padded, only cut. */
			print_cell(ctl, cell, row == 0 ? OUTPUT_TEXT : shown[i]->kind,
			           last && text_width(cell) <= width[i] ? 0 : width[i]);
			fputs(last ? "" : "  ", stdout);
			free(cell);
		}
		printf("%s\n", row == 0 && ctl->colour ? OUTPUT_PLAIN : "");
	}
}

static void
print_name(const json_t *object, const char *id_key)
{
	char *safe = text_escape(output_string(object, id_key, "-"), strlen(output_string(object, id_key, "-")));

	puts(safe);
	free(safe);
}

void
output_list(const struct ctl *ctl, const json_t *list, const struct output_field *fields, const char *id_key)
{
	const json_t *items = json_object_get(list, "items");
	json_t *item;
	size_t i;

	if (ctl->format == CTL_JSON) {
		output_json(ctl, list);
	} else if (ctl->format == CTL_JSONL) {
		json_array_foreach(items, i, item) output_json(ctl, item);
	} else if (ctl->format == CTL_NAME) {
		json_array_foreach(items, i, item) print_name(item, id_key);
	} else if (json_array_size(items) == 0) {
		output_note(ctl, "the list is empty.");
	} else {
		output_table(ctl, items, fields, 0);
	}
}

void
output_object(const struct ctl *ctl, const json_t *object, const struct output_field *fields, const char *id_key)
{
	int width = 0;

	if (output_json(ctl, object))
		return;
	if (ctl->format == CTL_NAME) {
		print_name(object, id_key);
		return;
	}
	for (const struct output_field *field = fields; field->title; field++)
		width = MAX(width, text_width(field->title));
	for (const struct output_field *field = fields; field->title; field++) {
		char *cell = output_cell(object, field);

		if (strcmp(cell, "-") != 0) {
			text_write_fitted(stdout, field->title, width + 2);
			print_cell(ctl, cell, field->kind, 0);
			fputc('\n', stdout);
		}
		free(cell);
	}
}
