/*
 * json_read.c - see json_read.h. Four steps: a strict scan (json_text.c) decides whether the text is JSON and counts
 * the tokens; jsmn cuts it into exactly that many; the tokens are linked; the keys of each object are compared.
 *
 * Only text that the scan accepted reaches jsmn, so what jsmn tolerates does not matter, and the functions that read
 * values need not check the grammar. Time is linear in the text, but for the sorting of large objects' keys. Numbers
 * are read in the C locale, which the process never leaves.
 */
#include "json_read.h"

#include "json_text.h"

#include <math.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS /* without them jsmn looks for each parent by a backward search: quadratic */
#include <jsmn.h>

struct json_token {
	int start; /* offsets of the raw text, quotes included */
	int end;
	int size;
	int after; /* the first token that is not inside this one; for a key: nor inside its value */
	enum json_type type;
	bool escaped; /* a string with a backslash */
};

/* In its strict mode jsmn takes no bare number or word that nothing follows; such a text has only this token. */
static void
tokenize_scalar(struct slice text, jsmntok_t *token)
{
	int start = 0;

	while (json_text_is_space(text.data[start]))
		start++;
	*token = (jsmntok_t){JSMN_PRIMITIVE, start, (int)text.len, 0, -1};
}

static void
tokenize(struct slice text, jsmntok_t *tokens, int count)
{
	jsmn_parser parser;
	int found;

	jsmn_init(&parser);
	found = jsmn_parse(&parser, text.data, text.len, tokens, (unsigned)count);
	if (found < 0 && count == 1)
		tokenize_scalar(text, tokens);
	else
		INVARIANT(found == count);
}

static enum json_type
type_of(char first)
{
	switch (first) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

/* Makes our tokens of jsmn's. Parents come before their children, so the way back finds where each one ends. */
static void
link_tokens(struct json *json, const jsmntok_t *from, bool escapes)
{
	for (int i = 0; i < json->count; i++) {
		struct json_token *token = &json->tokens[i];
		int quote = from[i].type == JSMN_STRING;

		token->start = from[i].start - quote;
		token->end = from[i].end + quote;
		token->size = quote ? 0 : from[i].size;
		token->after = i + 1;
		token->type = type_of(json->text.data[token->start]);
		token->escaped =
		    quote && escapes && memchr(json->text.data + token->start, '\\', (size_t)(token->end - token->start));
	}
	for (int i = json->count - 1; i > 0; i--) {
		struct json_token *parent = &json->tokens[from[i].parent];

		parent->after = MAX(parent->after, json->tokens[i].after);
	}
}

struct key {
	struct slice name;
	int at;
};

static int
compare_keys(const void *left, const void *right)
{
	const struct key *a = left, *b = right;
	int order;

	if (a->name.len != b->name.len)
		return a->name.len < b->name.len ? -1 : 1;
	order = memcmp(a->name.data, b->name.data, a->name.len);
	return order ? order : a->at - b->at;
}

/* The first key that stands twice among a few keys, or JSON_NONE. */
static int
find_equal(const struct key *keys, int count)
{
	for (int i = 1; i < count; i++)
		for (int j = 0; j < i; j++)
			if (slice_equal(keys[i].name, keys[j].name))
				return keys[i].at;
	return JSON_NONE;
}

/* The same among many: sorting cannot be made slow by hostile keys, as a hash could. */
static int
find_equal_sorted(struct key *keys, int count)
{
	int found = JSON_NONE;

	qsort(keys, (size_t)count, sizeof(*keys), compare_keys);
	for (int i = 1; i < count; i++)
		if (slice_equal(keys[i].name, keys[i - 1].name) && (found == JSON_NONE || keys[i].at < found))
			found = keys[i].at;
	return found;
}

static int
find_duplicate(const struct json *json, int object, struct arena *scratch)
{
	struct key few[16], *keys = few;
	int count = json->tokens[object].size, filled = 0;

	if (count > (int)ARRAY_LENGTH(few))
		keys = arena_alloc(scratch, (size_t)count * sizeof(*keys));
	for (int at = json_first(json, object); at != JSON_NONE; at = json_next(json, object, at))
		keys[filled++] = (struct key){json_string(json, at, scratch), at};
	return keys == few ? find_equal(keys, count) : find_equal_sorted(keys, count);
}

/* The first key in the document that repeats one of its object, or JSON_NONE. */
static int
find_any_duplicate(const struct json *json, struct arena *scratch)
{
	int found = JSON_NONE;

	for (int i = 0; i < json->count && found == JSON_NONE; i++)
		if (json->tokens[i].type == JSON_OBJECT && json->tokens[i].size > 1)
			found = find_duplicate(json, i, scratch);
	return found;
}

/* Scan and tokens; *nul_r is the offset of the first \u0000, if any. */
static bool
parse(struct arena *arena, struct slice text, struct json *json_r, size_t *nul_r, struct json_error *error_r)
{
	struct arena scratch = ARENA_EMPTY;
	struct json_text found;
	size_t count;
	jsmntok_t *cut;

	if (!json_text_scan(text, &found)) {
		*error_r = (struct json_error){found.reason, found.offset};
		return false;
	}
	count = (size_t)found.tokens;
	cut = arena_alloc(&scratch, count * sizeof(*cut));
	tokenize(text, cut, found.tokens);
	*json_r = (struct json){text, arena_alloc(arena, count * sizeof(*json_r->tokens)), found.tokens};
	link_tokens(json_r, cut, found.escapes);
	arena_reset(&scratch);
	*nul_r = found.nul;
	return true;
}

bool
json_parse_payload(struct arena *arena, struct slice text, struct json *json_r, struct json_error *error_r)
{
	size_t nul;

	return parse(arena, text, json_r, &nul, error_r);
}

bool
json_parse(struct arena *arena, struct slice text, struct json *json_r, struct json_error *error_r)
{
	struct arena scratch = ARENA_EMPTY;
	size_t nul;
	int duplicate;

	if (!parse(arena, text, json_r, &nul, error_r))
		return false;
	if (nul != JSON_TEXT_NO_NUL) {
		*error_r = (struct json_error){"\\u0000 is not allowed, because stored text cannot hold it.", nul};
		return false;
	}
	duplicate = find_any_duplicate(json_r, &scratch);
	if (duplicate != JSON_NONE)
		*error_r =
		    (struct json_error){"An object must not have the same key twice.", (size_t)json_r->tokens[duplicate].start};
	arena_reset(&scratch);
	return duplicate == JSON_NONE;
}

static const struct json_token *
get_token(const struct json *json, int at)
{
	INVARIANT(at >= 0 && at < json->count);
	return &json->tokens[at];
}

enum json_type
json_type(const struct json *json, int at)
{
	return get_token(json, at)->type;
}

struct slice
json_raw(const struct json *json, int at)
{
	const struct json_token *token = get_token(json, at);

	return (struct slice){json->text.data + token->start, (size_t)(token->end - token->start)};
}

int
json_size(const struct json *json, int at)
{
	return get_token(json, at)->size;
}

int
json_first(const struct json *json, int at)
{
	return get_token(json, at)->size ? at + 1 : JSON_NONE;
}

int
json_next(const struct json *json, int parent, int at)
{
	int after = get_token(json, at)->after;

	return after < get_token(json, parent)->after ? after : JSON_NONE;
}

int
json_value(const struct json *json, int key)
{
	INVARIANT(get_token(json, key)->after > key + 1);
	return key + 1;
}

/* The text between the quotes, or absent when the token is no string. */
static struct slice
inside_quotes(const struct json *json, int at)
{
	struct slice raw = json_raw(json, at);

	return json_type(json, at) == JSON_STRING ? (struct slice){raw.data + 1, raw.len - 2} : SLICE_NONE;
}

struct slice
json_string(const struct json *json, int at, struct arena *arena)
{
	struct slice text = inside_quotes(json, at);
	char *copy;

	if (!get_token(json, at)->escaped)
		return text;
	copy = arena_alloc(arena, text.len);
	return (struct slice){copy, json_text_unescape(text, copy)};
}

int
json_get(const struct json *json, int at, const char *key)
{
	struct slice name = slice_of(key);
	struct arena scratch = ARENA_EMPTY; /* stays empty unless some key has an escape */
	int found;

	if (json_type(json, at) != JSON_OBJECT)
		return JSON_NONE;
	for (found = json_first(json, at); found != JSON_NONE; found = json_next(json, at, found))
		if (slice_equal(json_string(json, found, &scratch), name))
			break;
	arena_reset(&scratch);
	return found == JSON_NONE ? JSON_NONE : json_value(json, found);
}

bool
json_int(const struct json *json, int at, int64_t *value_r)
{
	struct slice raw = json_raw(json, at);
	bool negative = raw.data[0] == '-';
	int64_t value = 0; /* counts downwards, because INT64_MIN has no positive twin */

	if (json_type(json, at) != JSON_NUMBER)
		return false;
	for (size_t i = negative; i < raw.len; i++) {
		if (raw.data[i] < '0' || raw.data[i] > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, raw.data[i] - '0', &value))
			return false;
	}
	if (!negative && value == INT64_MIN)
		return false;
	*value_r = negative ? value : -value;
	return true;
}

bool
json_double(const struct json *json, int at, double *value_r)
{
	struct slice raw = json_raw(json, at);
	char few[64], *text = few;
	double value;

	if (json_type(json, at) != JSON_NUMBER)
		return false;
	/* strtod() needs a terminated text, and all digits to round correctly. */
	if (raw.len >= sizeof(few))
		text = mem_alloc(raw.len + 1);
	memcpy(text, raw.data, raw.len);
	text[raw.len] = '\0';
	value = strtod(text, NULL);
	if (text != few)
		free(text);
	if (!isfinite(value))
		return false;
	*value_r = value;
	return true;
}

bool
json_bool(const struct json *json, int at, bool *value_r)
{
	if (json_type(json, at) != JSON_BOOL)
		return false;
	*value_r = json_raw(json, at).data[0] == 't';
	return true;
}
