/*
 * test_json_read.c - what the readers make of a parsed text, and that equal keys are refused.
 *
 * Every text is parsed from a heap copy of its exact size, so that the address sanitizer sees a read past its end.
 */
#include "base.h"

#include "buf.h"
#include "json_read.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

struct document {
	struct arena arena;
	struct json json;
	struct json_error error;
	char *text;
};

static bool
try_parse(struct document *document, struct slice text)
{
	*document = (struct document){.text = mem_alloc(text.len)};
	if (text.len)
		memcpy(document->text, text.data, text.len);
	return json_parse(&document->arena, (struct slice){document->text, text.len}, &document->json, &document->error);
}

static void
forget(struct document *document)
{
	arena_reset(&document->arena);
	free(document->text);
}

static void
parse(struct document *document, const char *text)
{
	if (!try_parse(document, slice_of(text)))
		fail_msg("%s: %s at %zu", text, document->error.reason, document->error.offset);
}

static void
assert_slice(struct slice found, const char *expected)
{
	if (!slice_is(found, expected))
		fail_msg("found \"%.*s\", expected \"%s\"", SLICE_ARG(found), expected);
}

static void
assert_refused(struct slice text, const char *reason, size_t offset)
{
	struct document document;

	if (try_parse(&document, text))
		fail_msg("%.*s was accepted", SLICE_ARG(text));
	assert_string_equal(document.error.reason, reason);
	assert_int_equal(document.error.offset, offset);
	forget(&document);
}

static const char twice[] = "An object must not have the same key twice.";

static void
test_equal_keys_are_refused(void **state UNUSED)
{
	static const struct {
		const char *text;
		size_t offset;
	} texts[] = {
	    {"{\"a\":1,\"b\":2,\"a\":3}", 13},
	    {"{\"\":1,\"\":1}", 6},
	    {"{\"abc\":1,\"a\\u0062c\":2}", 9},
	    {"{\"\\uD83D\\uDE00\":1,\"\xF0\x9F\x98\x80\":2}", 18},
	    {"[{\"a\":1},{\"x\":{\"a\":1,\"a\":1}}]", 21},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_refused(slice_of(texts[i].text), twice, texts[i].offset);
}

static void
test_nul_is_refused(void **state UNUSED)
{
	static const char nul[] = "\\u0000 is not allowed, because stored text cannot hold it.";

	assert_refused(SLICE("\"\\u0000\""), nul, 1);
	assert_refused(SLICE("{\"a\\u0000\":1}"), nul, 3);
}

static void
test_a_payload_may_have_both(void **state UNUSED)
{
	static const char *const texts[] = {"\"\\u0000\"", "{\"a\":1,\"a\":2}"};
	struct arena arena = ARENA_EMPTY;
	struct json_error error;
	struct json json;

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_true(json_parse_payload(&arena, slice_of(texts[i]), &json, &error));
	assert_false(json_parse_payload(&arena, SLICE("{\"a\":1,}"), &json, &error));
	arena_reset(&arena);
}

static void
test_errors_reach_the_caller(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;
	struct json_error error;
	struct json json;

	assert_refused(SLICE("[1,]"), "A comma must be followed by another value.", 3);
	assert_false(json_parse(&arena, SLICE_NONE, &json, &error));
	assert_string_equal(error.reason, "The text is empty.");
	assert_int_equal(error.offset, 0);
	assert_null(arena.blocks);
}

static void
test_the_largest_text(void **state UNUSED)
{
	struct document document;
	struct buf buf = {0};
	int seen = 0;

	buf_add_text(&buf, "[0");
	for (int i = 2; i < JSON_TOKENS_MAX; i++)
		buf_add_text(&buf, ",0");
	buf_add_text(&buf, "]");
	assert_true(try_parse(&document, buf_slice(&buf)));
	assert_int_equal(json_size(&document.json, 0), JSON_TOKENS_MAX - 1);
	for (int at = json_first(&document.json, 0); at != JSON_NONE; at = json_next(&document.json, 0, at))
		seen++;
	assert_int_equal(seen, JSON_TOKENS_MAX - 1);
	forget(&document);
	buf_free(&buf);
}

static void
test_equal_keys_only_count_in_one_object(void **state UNUSED)
{
	struct document document;

	parse(&document, "{\"a\":{\"a\":1,\"b\":{\"a\":2}},\"b\":[{\"a\":3},{\"a\":4}],\"A\":5,\"a \":6}");
	forget(&document);
}

/* An object of count members "key0": 0 ...; one more member named extra follows unless it is NULL. Returns where. */
static size_t
add_large_object(struct buf *buf, int count, const char *extra)
{
	size_t offset;

	buf_clear(buf, SIZE_MAX);
	for (int i = 0; i < count; i++)
		buf_printf(buf, "%c\"key%d\":%d", i ? ',' : '{', i, i);
	offset = buf->len + 1;
	if (extra)
		buf_printf(buf, ",\"%s\":0", extra);
	buf_add_byte(buf, '}');
	return offset;
}

static void
test_large_objects(void **state UNUSED)
{
	static const int counts[] = {15, 16, 17, 3000};
	struct buf buf = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
		struct document document;
		int64_t value = -1;
		size_t offset;
		char last[16];

		add_large_object(&buf, counts[i], NULL);
		assert_true(try_parse(&document, buf_slice(&buf)));
		snprintf(last, sizeof(last), "key%d", counts[i] - 1);
		assert_true(json_int(&document.json, json_get(&document.json, 0, last), &value));
		assert_int_equal(value, counts[i] - 1);
		forget(&document);
		offset = add_large_object(&buf, counts[i], "key7");
		assert_refused(buf_slice(&buf), twice, offset);
		offset = add_large_object(&buf, counts[i], "k\\u0065y7");
		assert_refused(buf_slice(&buf), twice, offset);
		offset = add_large_object(&buf, counts[i], "key9\":0,\"key1\":0,\"key9");
		assert_refused(buf_slice(&buf), twice, offset);
	}
	buf_free(&buf);
}

static void
test_types_and_raw_text(void **state UNUSED)
{
	static const struct {
		const char *text, *raw;
		enum json_type type;
		int size;
	} values[] = {
	    {" null ", "null", JSON_NULL, 0},
	    {" true", "true", JSON_BOOL, 0},
	    {"false", "false", JSON_BOOL, 0},
	    {" -12.50e1 ", "-12.50e1", JSON_NUMBER, 0},
	    {" \"a\\n\" ", "\"a\\n\"", JSON_STRING, 0},
	    {" [ 1 , [2, 3] ] ", "[ 1 , [2, 3] ]", JSON_ARRAY, 2},
	    {"{\"a\" : {\"b\":1}, \"c\":2,\"d\":[]} ", "{\"a\" : {\"b\":1}, \"c\":2,\"d\":[]}", JSON_OBJECT, 3},
	    {"[]", "[]", JSON_ARRAY, 0},
	    {"{ }", "{ }", JSON_OBJECT, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		struct document document;

		parse(&document, values[i].text);
		assert_int_equal(json_type(&document.json, 0), values[i].type);
		assert_int_equal(json_size(&document.json, 0), values[i].size);
		assert_slice(json_raw(&document.json, 0), values[i].raw);
		forget(&document);
	}
}

static void
test_iteration(void **state UNUSED)
{
	struct document document;
	const struct json *json = &document.json;
	int key, element;

	parse(&document, "{\"one\":[1,{\"x\":[[]]},[2,3],\"s\"],\"two\":{\"y\":{}},\"three\":null}");
	key = json_first(json, 0);
	assert_slice(json_string(json, key, &document.arena), "one");
	element = json_first(json, json_value(json, key));
	assert_slice(json_raw(json, element), "1");
	element = json_next(json, json_value(json, key), element);
	assert_slice(json_raw(json, element), "{\"x\":[[]]}");
	element = json_next(json, json_value(json, key), element);
	assert_slice(json_raw(json, element), "[2,3]");
	element = json_next(json, json_value(json, key), element);
	assert_slice(json_raw(json, element), "\"s\"");
	assert_int_equal(json_next(json, json_value(json, key), element), JSON_NONE);
	key = json_next(json, 0, key);
	assert_slice(json_string(json, key, &document.arena), "two");
	assert_slice(json_raw(json, json_value(json, key)), "{\"y\":{}}");
	key = json_next(json, 0, key);
	assert_slice(json_string(json, key, &document.arena), "three");
	assert_int_equal(json_type(json, json_value(json, key)), JSON_NULL);
	assert_int_equal(json_next(json, 0, key), JSON_NONE);
	forget(&document);
	parse(&document, "[{},[],\"\"]");
	for (element = json_first(json, 0); element != JSON_NONE; element = json_next(json, 0, element))
		assert_int_equal(json_first(json, element), JSON_NONE);
	forget(&document);
}

static void
test_get(void **state UNUSED)
{
	struct document document;
	const struct json *json = &document.json;

	parse(&document, "{\"a\":{\"b\":\"deep\"},\"b\":1,\"caf\\u00e9\":2,\"\":3,\"\\/\\\"\":4,\"bb\":5}");
	assert_slice(json_raw(json, json_get(json, json_get(json, 0, "a"), "b")), "\"deep\"");
	assert_slice(json_raw(json, json_get(json, 0, "b")), "1");
	assert_slice(json_raw(json, json_get(json, 0, "caf\xC3\xA9")), "2");
	assert_slice(json_raw(json, json_get(json, 0, "")), "3");
	assert_slice(json_raw(json, json_get(json, 0, "/\"")), "4");
	assert_int_equal(json_get(json, 0, "deep"), JSON_NONE);
	assert_int_equal(json_get(json, 0, "caf\\u00e9"), JSON_NONE);
	assert_int_equal(json_get(json, json_get(json, 0, "b"), "b"), JSON_NONE);
	forget(&document);
	parse(&document, "[\"a\",1]");
	assert_int_equal(json_get(json, 0, "a"), JSON_NONE);
	forget(&document);
}

static void
test_strings(void **state UNUSED)
{
	static const struct {
		const char *text, *value;
	} strings[] = {
	    {"\"\"", ""},
	    {"\"plain \xC3\xA9 text\"", "plain \xC3\xA9 text"},
	    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
	    {"\"\\u0041\\u00e9\\u20AC\\uFFFD\"", "A\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBD"},
	    {"\"<\\uD83D\\uDE00\\uDBFF\\uDFFF>\"", "<\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF>"},
	    {"\"\\\\u0041\"", "\\u0041"},
	    {"\"\\u005cn\"", "\\n"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(strings); i++) {
		struct document document;

		parse(&document, strings[i].text);
		assert_slice(json_string(&document.json, 0, &document.arena), strings[i].value);
		forget(&document);
	}
}

static void
test_strings_are_borrowed_when_they_can(void **state UNUSED)
{
	struct document document;
	struct arena empty = ARENA_EMPTY;

	parse(&document, "[\"plain\",\"esc\\naped\",7]");
	assert_ptr_equal(json_string(&document.json, 1, &empty).data, document.text + 2);
	assert_null(empty.blocks);
	assert_slice(json_string(&document.json, 2, &document.arena), "esc\naped");
	assert_null(json_string(&document.json, 3, &empty).data);
	forget(&document);
}

static void
test_integers(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool fits;
		int64_t value;
	} numbers[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"-7", true, -7},
	    {"9223372036854775807", true, INT64_MAX},
	    {"-9223372036854775808", true, INT64_MIN},
	    {"9223372036854775808", false, 0},
	    {"-9223372036854775809", false, 0},
	    {"18446744073709551616", false, 0},
	    {"100000000000000000000000000000", false, 0},
	    {"1.0", false, 0},
	    {"1e2", false, 0},
	    {"1E2", false, 0},
	    {"\"1\"", false, 0},
	    {"true", false, 0},
	    {"[1]", false, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		struct document document;
		int64_t value = 42;

		parse(&document, numbers[i].text);
		assert_int_equal(json_int(&document.json, 0, &value), numbers[i].fits);
		assert_true(value == (numbers[i].fits ? numbers[i].value : 42));
		forget(&document);
	}
}

static void
test_doubles(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool fits;
		double value;
	} numbers[] = {
	    {"0.1", true, 0.1},
	    {"-2.5e3", true, -2500},
	    {"1e-999", true, 0},
	    {"1.7976931348623157e308", true, 1.7976931348623157e308},
	    {"0.1000000000000000055511151231257827021181583404541015625000000000000000000000000000000000001", true, 0.1},
	    {"1e309", false, 0},
	    {"-1e99999999999999999999", false, 0},
	    {"\"1\"", false, 0},
	    {"null", false, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		struct document document;
		double value = 42;

		parse(&document, numbers[i].text);
		assert_int_equal(json_double(&document.json, 0, &value), numbers[i].fits);
		assert_true(value == (numbers[i].fits ? numbers[i].value : 42));
		forget(&document);
	}
}

static void
test_bools(void **state UNUSED)
{
	struct document document;
	bool value = false;

	parse(&document, "[true,false,null,0,\"true\"]");
	assert_true(json_bool(&document.json, 1, &value));
	assert_true(value);
	assert_true(json_bool(&document.json, 2, &value));
	assert_false(value);
	for (int at = 3; at <= 5; at++)
		assert_false(json_bool(&document.json, at, &value));
	forget(&document);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_equal_keys_are_refused),
	    cmocka_unit_test(test_nul_is_refused),
	    cmocka_unit_test(test_a_payload_may_have_both),
	    cmocka_unit_test(test_errors_reach_the_caller),
	    cmocka_unit_test(test_the_largest_text),
	    cmocka_unit_test(test_equal_keys_only_count_in_one_object),
	    cmocka_unit_test(test_large_objects),
	    cmocka_unit_test(test_types_and_raw_text),
	    cmocka_unit_test(test_iteration),
	    cmocka_unit_test(test_get),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_strings_are_borrowed_when_they_can),
	    cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_doubles),
	    cmocka_unit_test(test_bools),
	};

	return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
