/*
 * json_read.h - strict JSON in: RFC 8259 and nothing else.
 *
 * json_parse() refuses what a careful receiver must refuse: bytes that are not UTF-8, a byte order mark, nesting deeper
 * than JSON_DEPTH_MAX, two equal keys in one object (compared after unescaping), lone surrogates, \u0000, anything
 * after the value. A value is addressed by the index of its token; the root is 0. Numbers keep their text. All
 * functions are pure and never block; memory comes from the caller's arena, and the text must outlive the document.
 */
#ifndef AGENTD_JSON_READ_H
#define AGENTD_JSON_READ_H

#include "arena.h"
#include "base.h"

enum { JSON_DEPTH_MAX = 64, JSON_TOKENS_MAX = 100000, JSON_NONE = -1 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_token; /* private to json_read.c */

struct json {
	struct slice text;
	struct json_token *tokens; /* in document order; owned by the arena */
	int count;
};

struct json_error {
	const char *reason; /* static text, a full sentence without the position */
	size_t offset;      /* byte offset in the text where it was noticed */
};

/* Parses text into *json_r. False: *error_r says why and where; json_r is not to be used. */
MUST_CHECK bool json_parse(struct arena *arena, struct slice text, struct json *json_r, struct json_error *error_r);
/*
 * The same, but equal keys and \u0000 are let through, as RFC 8259 does: for bodies that carry somebody else's JSON.
 * Who reads such a document by key has to refuse equal keys (worker/field.h does), and json_string() may hold a NUL.
 */
MUST_CHECK bool json_parse_payload(struct arena *arena, struct slice text, struct json *json_r,
                                   struct json_error *error_r);

enum json_type json_type(const struct json *json, int at);
/* The exact source text of the value: quotes included for strings. */
struct slice json_raw(const struct json *json, int at);
/* Members of an object, elements of an array, 0 for the rest. */
int json_size(const struct json *json, int at);

/* The value of key in the object at, or JSON_NONE. key is compared unescaped. */
int json_get(const struct json *json, int at, const char *key);
/* Iteration: the first element of an array or the first KEY of an object; JSON_NONE when empty. */
int json_first(const struct json *json, int at);
/* From an element to the next element, or from a key to the next key; JSON_NONE at the end. */
int json_next(const struct json *json, int parent, int at);
/* The value that belongs to a key token. */
int json_value(const struct json *json, int key);

/* A string unescaped: borrowed from the text when it has no escape, else a copy in the arena. Not terminated. */
struct slice json_string(const struct json *json, int at, struct arena *arena);
/* False when it is not an integer (no fraction, no exponent) or does not fit. */
MUST_CHECK bool json_int(const struct json *json, int at, int64_t *value_r);
/* False when it is not a number or not finite as a double. */
MUST_CHECK bool json_double(const struct json *json, int at, double *value_r);
/* False when it is not true or false. */
MUST_CHECK bool json_bool(const struct json *json, int at, bool *value_r);

#endif
