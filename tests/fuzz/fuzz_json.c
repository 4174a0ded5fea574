/*
 * fuzz_json.c - the JSON reader and writer against arbitrary bytes.
 *
 * Always: the bytes as a string can be quoted, and the quoted string is JSON. When the bytes are JSON: every value can
 * be read, every key finds its value, and the text written from the values parses to the same values.
 */
#include "base.h"

#include "json_read.h"
#include "json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_number(struct json_writer *writer, const struct json *json, int at)
{
	int64_t integer;
	double number;

	/* The integer of "-0" is 0, so only its double keeps the sign. */
	if (json_int(json, at, &integer) && integer != 0)
		json_write_int(writer, integer);
	else if (json_double(json, at, &number))
		json_write_double(writer, number);
	else
		json_write_raw(writer, json_raw(json, at));
}

static void write_value(struct json_writer *writer, const struct json *json, int at, struct arena *arena);

static void
write_array(struct json_writer *writer, const struct json *json, int at, struct arena *arena)
{
	int seen = 0;

	json_write_array_open(writer);
	for (int i = json_first(json, at); i != JSON_NONE; i = json_next(json, at, i), seen++)
		write_value(writer, json, i, arena);
	json_write_array_close(writer);
	INVARIANT(seen == json_size(json, at));
}

static void
write_object(struct json_writer *writer, const struct json *json, int at, struct arena *arena)
{
	enum { LOOKUPS_MAX = 8 }; /* a lookup is linear, and the fuzzer likes many keys */
	int seen = 0;

	json_write_object_open(writer);
	for (int i = json_first(json, at); i != JSON_NONE; i = json_next(json, at, i), seen++) {
		const char *key = arena_string(arena, json_string(json, i, arena));

		INVARIANT(seen >= LOOKUPS_MAX || json_get(json, at, key) == json_value(json, i));
		json_write_key(writer, key);
		write_value(writer, json, json_value(json, i), arena);
	}
	json_write_object_close(writer);
	INVARIANT(seen == json_size(json, at));
}

/* Recursion ends at JSON_DEPTH_MAX. */
static void
write_value(struct json_writer *writer, const struct json *json, int at, struct arena *arena)
{
	bool truth;

	switch (json_type(json, at)) {
	case JSON_NULL:
		json_write_null(writer);
		break;
	case JSON_BOOL:
		INVARIANT(json_bool(json, at, &truth));
		json_write_bool(writer, truth);
		break;
	case JSON_NUMBER:
		write_number(writer, json, at);
		break;
	case JSON_STRING:
		json_write_string(writer, json_string(json, at, arena));
		break;
	case JSON_ARRAY:
		write_array(writer, json, at, arena);
		break;
	case JSON_OBJECT:
		write_object(writer, json, at, arena);
		break;
	}
}

static void
write_document(const struct json *json, struct buf *out, struct arena *arena)
{
	struct json_writer writer;

	json_write_begin(&writer, out);
	write_value(&writer, json, 0, arena);
}

static void
check_quoting(struct slice text, struct arena *arena)
{
	struct buf quoted = {0};
	struct json_error error;
	struct json json;

	json_write_quoted(&quoted, text);
	/* A zero byte is written as \u0000, which the reader refuses on purpose. */
	if (!memchr(text.data, '\0', text.len)) {
		INVARIANT(json_parse(arena, buf_slice(&quoted), &json, &error));
		INVARIANT(json_type(&json, 0) == JSON_STRING && json.count == 1);
	}
	buf_free(&quoted);
}

static void
check_round_trip(const struct json *json, struct arena *arena)
{
	struct buf first = {0}, second = {0};
	struct json_error error;
	struct json again;

	write_document(json, &first, arena);
	INVARIANT(json_parse(arena, buf_slice(&first), &again, &error));
	INVARIANT(again.count == json->count);
	write_document(&again, &second, arena);
	INVARIANT(slice_equal(buf_slice(&first), buf_slice(&second)));
	for (int i = 0; i < json->count; i++) {
		INVARIANT(json_type(json, i) == json_type(&again, i));
		INVARIANT(slice_equal(json_string(json, i, arena), json_string(&again, i, arena)));
	}
	buf_free(&first);
	buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {size ? (const char *)data : "", size};
	struct arena arena = ARENA_EMPTY;
	struct json_error error = {NULL, 0};
	struct json json;

	check_quoting(text, &arena);
	if (json_parse(&arena, text, &json, &error))
		check_round_trip(&json, &arena);
	else
		INVARIANT(error.reason && error.offset <= size);
	arena_reset(&arena);
	return 0;
}
