/*
 * field.h - fields: one table describes what a body, a query string or a message has in it.
 *
 * The same rows check the JSON, bind the SQL and make the OpenAPI document, so that they cannot disagree. A field list
 * ends with a row of zeros. Checking collects every error, as RFC 6901 pointers with a stable code. Pure; memory comes
 * from the request's arena.
 */
#ifndef AGENTD_FIELD_H
#define AGENTD_FIELD_H

#include "arena.h"
#include "base.h"
#include "json_read.h"

enum field_type {
	FIELD_TEXT,   /* min, max: characters */
	FIELD_INT,    /* min, max: the value */
	FIELD_NUMBER, /* min, max: the value in thousandths */
	FIELD_BOOL,
	FIELD_UUID,
	FIELD_TIME,   /* RFC 3339 with a zone */
	FIELD_JSON,   /* anything; kept as it was sent */
	FIELD_OBJECT, /* fields: its members; without fields any object */
	FIELD_TEXTS,  /* an object whose members are texts; max: members */
	FIELD_ARRAY   /* min, max: elements; fields: of each; without fields of type element */
};

struct field {
	const char *name;
	enum field_type type;
	bool required;
	int64_t min;
	int64_t max;                /* 0: FIELD_MAX_DEFAULT for texts and arrays, none for numbers */
	const char *const *choices; /* of a text; ends with NULL */
	const struct field *fields;
	enum field_type element;
	bool no_at; /* a text, or texts of an array, that must not begin with '@': that is how an agent's own queue is
	               written */
	const char *fallback; /* value when absent, as text for SQL */
	const char *doc;
};

enum { FIELD_TEXT_MAX = 4096, FIELD_ARRAY_MAX = 1000, FIELD_ERRORS_MAX = 50, FIELD_COUNT_MAX = 24 };

struct field_value {
	struct slice text; /* for SQL: unescaped text, number as sent, raw JSON; absent: NULL */
	int token;         /* JSON_NONE when absent */
};

struct field_error {
	const char *pointer;
	const char *code;
	const char *detail;
};

struct field_errors {
	struct arena *arena;
	struct field_error list[FIELD_ERRORS_MAX];
	int count;
};

int field_count(const struct field *fields);
/* Index by name or -1. */
int field_find(const struct field *fields, struct slice name);

/*
 * Checks the object at against fields; values_r has room for field_count() entries. open: unknown members are let
 * through. False if anything was wrong, and errors says what; prefix is the pointer of the object ("" for the body).
 */
MUST_CHECK bool field_check_object(const struct field *fields, const struct json *json, int at, bool open,
                                   const char *prefix, struct field_value *values_r, struct field_errors *errors);

/* The same for one text from a query string. */
MUST_CHECK bool field_check_text(const struct field *field, struct slice text, struct field_value *value_r,
                                 struct field_errors *errors);

void field_error_add(struct field_errors *errors, const char *pointer, const char *code, const char *detail);

/* Fills the fallbacks of fields that are absent. */
void field_fallbacks(const struct field *fields, struct field_value *values);

#endif
