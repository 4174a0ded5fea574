/*
 * output.h - how agentctl shows things: values in the chosen format, tables, and errors in three parts.
 *
 * All text that is shown here is escaped first (text.h). Errors and notes go to standard error.
 */
#ifndef AGENTCTL_OUTPUT_H
#define AGENTCTL_OUTPUT_H

#include "ctl.h"

enum output_kind { OUTPUT_TEXT, OUTPUT_STATUS, OUTPUT_TIME, OUTPUT_MS, OUTPUT_PROGRESS };

/* A column of a list or a line of a detail view. A table ends with a row of zeros. */
struct output_field {
	const char *title;
	const char *key; /* of the JSON object */
	enum output_kind kind;
	bool wide;     /* only with -o wide, and in detail views */
	int max_width; /* 0: none; ignored with -o wide */
};

/* What happened, why, and the next command; why and next may be NULL. Returns code. */
enum ctl_exit output_error(enum ctl_exit code, const char *what, const char *why, const char *next);
/* The same with a formatted reason. */
enum ctl_exit output_error_why(enum ctl_exit code, const char *what, const char *next, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* One line on standard error; not with --quiet. */
void output_note(const struct ctl *ctl, const char *format, ...) PRINTF_LIKE(2, 3);

/* For json and jsonl: prints value and returns true. */
bool output_json(const struct ctl *ctl, const json_t *value);
/* {"items": [...], "next_cursor"} in the chosen format; id_key names the member for -o name. */
void output_list(const struct ctl *ctl, const json_t *list, const struct output_field *fields, const char *id_key);
/* One object in the chosen format. */
void output_object(const struct ctl *ctl, const json_t *object, const struct output_field *fields, const char *id_key);
/* An array of objects as a table; indent columns before each line. */
void output_table(const struct ctl *ctl, const json_t *rows, const struct output_field *fields, int indent);

/* The text of a member for people, escaped, never NULL; free() it. */
MUST_CHECK char *output_cell(const json_t *object, const struct output_field *field);
/* A member that is a string, or fallback. Borrowed and not escaped. */
const char *output_string(const json_t *object, const char *key, const char *fallback);
/* The escape sequence that begins the colour of a status or a severity; "" when it has none. */
const char *output_colour(const char *word);
#define OUTPUT_PLAIN "\033[0m"
#define OUTPUT_BOLD "\033[1m"

#endif
