/*
 * scenario_json.h - looking into an answer: JSON paths and comparisons.
 *
 * A path is $ followed by .name, [0], [name] or [name=value]; the last takes the first element of an array whose member
 * `name` reads as `value`. A final .length counts the elements of an array, the members of an object or the characters
 * of a string, unless the object has a member of that name. Pure.
 */
#ifndef AGENTD_SCENARIO_JSON_H
#define AGENTD_SCENARIO_JSON_H

#include "base.h"

#include <jansson.h>

enum compare {
	COMPARE_EQUAL,
	COMPARE_NOT_EQUAL,
	COMPARE_LESS,
	COMPARE_GREATER,
	COMPARE_AT_MOST,
	COMPARE_AT_LEAST,
	COMPARE_MATCHES,
	COMPARE_MATCHES_NOT,
	COMPARE_EXISTS,
	COMPARE_ABSENT,
	COMPARE_COUNT
};

/* How the right side was written. */
enum compare_as {
	COMPARE_AS_STRING, /* in quotes: only a JSON string is equal to it */
	COMPARE_AS_JSON,   /* a bare literal: 3, true, null, {...} */
	COMPARE_AS_TEXT    /* from a variable, or not against JSON: what both read as; numbers as numbers */
};

/* The operator as scripts write it, or NULL after the last. */
const char *compare_name(enum compare compare);

/* Parses one JSON value strictly (no duplicate keys, nothing after it). NULL: *why_r says why; owned by the caller. */
MUST_CHECK json_t *json_text_parse(struct slice text, const char **why_r);
/* Why the path cannot be read, or NULL when it can. */
const char *json_path_error(const char *path);
/* The value at path, or NULL where there is none; a reference that the caller drops. The path was checked. */
MUST_CHECK json_t *json_path_get(json_t *root, const char *path);

/* The text of a string, the compact JSON of anything else, "nothing" for NULL; freed with free(). */
MUST_CHECK char *json_text(const json_t *value);

/* Whether `seen compare right` holds. seen NULL is absent: only COMPARE_ABSENT holds then. */
MUST_CHECK bool json_compare(const json_t *seen, enum compare compare, const char *right, enum compare_as as);
/* Why right cannot stand after this operator, or NULL. */
const char *json_compare_error(enum compare compare, const char *right, enum compare_as as);

#endif
