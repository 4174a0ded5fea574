/*
 * test_json_text.c - which texts are JSON, and for those that are not: why and where.
 *
 * Every text is scanned in a heap copy of its exact size, so that the address sanitizer sees a read past its end.
 */
#include "base.h"

#include "buf.h"
#include "json_read.h"
#include "json_text.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static bool
scan(struct slice text, struct json_text *found_r)
{
	char *copy = mem_alloc(text.len);
	bool valid;

	if (text.len)
		memcpy(copy, text.data, text.len);
	valid = json_text_scan((struct slice){copy, text.len}, found_r);
	free(copy);
	return valid;
}

static void
assert_refused(struct slice text, const char *reason, size_t offset)
{
	struct json_text found;

	if (scan(text, &found))
		fail_msg("%.*s was accepted", SLICE_ARG(text));
	assert_string_equal(found.reason, reason);
	assert_int_equal(found.offset, offset);
}

static void
test_valid_texts(void **state UNUSED)
{
	static const char *const texts[] = {
	    "null",
	    " true ",
	    "\r\n\tfalse",
	    "0",
	    " -0 ",
	    "12",
	    "-1.5E+10",
	    "1e5",
	    "0.0e-0",
	    "1e999",
	    "\"\"",
	    " \"a\" ",
	    "[]",
	    "{}",
	    " [ ] ",
	    "[[],{},[[]],\"]\"]",
	    "{\"\":0}",
	    "{\"a\":{\"a\":{\"a\":[{\"a\":1}]}},\"b\":[]}",
	    "\"\x7f\"",
	    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uFFFF\\uabCD\"",
	    "\"\\uD800\\uDC00\\udbff\\udfff\"",
	    "\"\\uD7FF\\uE000\"",
	    "\"\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF\"",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		struct json_text found;

		if (!scan(slice_of(texts[i]), &found))
			fail_msg("%s: %s at %zu", texts[i], found.reason, found.offset);
	}
}

static const char value_expected[] = "A value must be an object, an array, a string, a number, true, false or null.";
static const char nothing_after[] = "Nothing may follow the value.";
static const char ends_in_string[] = "The text ends inside a string.";
static const char not_utf8[] = "The string is not valid UTF-8.";
static const char lone_low[] = "A low surrogate (\\uDC00 to \\uDFFF) must come directly after a high one.";
static const char lone_high[] = "A high surrogate (\\uD800 to \\uDBFF) must be followed by a low one.";
static const char bad_escape[] = "A backslash in a string must be followed by one of \" \\ / b f n r t u.";
static const char four_digits[] = "\\u must be followed by four hexadecimal digits.";
static const char control[] = "A control character in a string must be escaped.";
static const char words[] = "The only words allowed outside a string are true, false and null.";
static const char after_element[] = "An element of an array must be followed by a comma or a closing bracket.";
static const char after_member[] = "A member of an object must be followed by a comma or a closing brace.";

static const struct {
	const char *text, *reason;
	size_t offset;
} refused[] = {
    {"", "The text is empty.", 0},
    {" \n\t\r ", "The text is empty.", 5},
    {"\xEF\xBB\xBF{}", "The text must not start with a byte order mark.", 0},
    {"1 2", nothing_after, 2},
    {"[]]", nothing_after, 2},
    {"{},", nothing_after, 2},
    {"[1] // no", nothing_after, 4},
    {"\xC2\xA0"
     "1",
     value_expected, 0},
    {"'a'", value_expected, 0},
    {"+1", value_expected, 0},
    {".5", value_expected, 0},
    {"NaN", value_expected, 0},
    {"[,1]", value_expected, 1},
    {"[1,,2]", value_expected, 3},
    {"{\"a\":}", value_expected, 5},
    {"nul", words, 0},
    {"[trve]", words, 1},
    {"-", "A minus sign must be followed by a digit.", 1},
    {"-a", "A minus sign must be followed by a digit.", 1},
    {"012", "A number must not have leading zeros.", 0},
    {"[-00]", "A number must not have leading zeros.", 2},
    {"1.", "A decimal point must be followed by a digit.", 2},
    {"1.e5", "A decimal point must be followed by a digit.", 2},
    {"1e", "An exponent must have at least one digit.", 2},
    {"1E+]", "An exponent must have at least one digit.", 3},
    {"0x10", nothing_after, 1},
    {"[1 2]", after_element, 3},
    {"[1}", after_element, 2},
    {"[\"a\":1]", after_element, 4},
    {"{\"a\":1]", after_member, 6},
    {"{\"a\":1 \"b\":2}", after_member, 7},
    {"[1,]", "A comma must be followed by another value.", 3},
    {"{\"a\":1, }", "A comma must be followed by another key.", 8},
    {"{a:1}", "A key must be a string in double quotes.", 1},
    {"{1:1}", "A key must be a string in double quotes.", 1},
    {"{\"a\",1}", "A key must be followed by a colon.", 4},
    {"{\"a\"", "A key must be followed by a colon.", 4},
    {"[", "The text ends where a value is expected.", 1},
    {"[1,", "The text ends where a value is expected.", 3},
    {"{\"a\":", "The text ends where a value is expected.", 5},
    {"{", "The text ends where a key is expected.", 1},
    {"{\"a\":1,", "The text ends where a key is expected.", 7},
    {"[[1]", "The text ends inside an array.", 4},
    {"{\"a\":1", "The text ends inside an object.", 6},
    {"\"", ends_in_string, 1},
    {"\"abc", ends_in_string, 4},
    {"\"abc\\", ends_in_string, 4},
    {"\"abc\\\"", ends_in_string, 6},
    {"\"\\x\"", bad_escape, 1},
    {"\"\\'\"", bad_escape, 1},
    {"\"\\U0041\"", bad_escape, 1},
    {"\"\\u12\"", four_digits, 1},
    {"\"\\u00g0\"", four_digits, 1},
    {"\"\\u004", four_digits, 1},
    {"\"\\uDC00\"", lone_low, 1},
    {"\"\\uD800\"", lone_high, 7},
    {"\"\\uD800x\"", lone_high, 7},
    {"\"\\uD800\\n\"", lone_high, 7},
    {"\"\\uD800\\uD800\"", lone_high, 7},
    {"\"\\uD800\\u00", lone_high, 7},
    {"\"a\nb\"", control, 2},
    {"\"\t\"", control, 1},
    {"\"\x80\"", not_utf8, 1},
    {"\"\xC0\xAF\"", not_utf8, 1},
    {"\"\xC1\xBF\"", not_utf8, 1},
    {"\"\xC3\"", not_utf8, 1},
    {"\"\xC3", not_utf8, 1},
    {"\"\xE0\x9F\xBF\"", not_utf8, 1},
    {"\"\xE2\x82\"", not_utf8, 1},
    {"\"\xED\xA0\x80\"", not_utf8, 1},
    {"\"\xF0\x8F\xBF\xBF\"", not_utf8, 1},
    {"\"\xF4\x90\x80\x80\"", not_utf8, 1},
    {"\"\xF5\x80\x80\x80\"", not_utf8, 1},
    {"\"\xFF\"", not_utf8, 1},
};

static void
test_refused_texts(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		assert_refused(slice_of(refused[i].text), refused[i].reason, refused[i].offset);
}

static void
test_zero_bytes(void **state UNUSED)
{
	assert_refused(SLICE("[1]\0"), nothing_after, 3);
	assert_refused(SLICE("\0"), value_expected, 0);
	assert_refused(SLICE("\"a\0b\""), control, 2);
}

static void
add_nested(struct buf *buf, int depth)
{
	buf_clear(buf, SIZE_MAX);
	for (int i = 0; i < depth; i++)
		buf_add_text(buf, i % 2 ? "[" : "{\"k\":");
	if (depth % 2)
		buf_add_text(buf, "0");
	for (int i = depth - 1; i >= 0; i--)
		buf_add_text(buf, i % 2 ? "]" : "}");
}

static void
test_depth(void **state UNUSED)
{
	static const char too_deep[] = "Arrays and objects must not be nested deeper than 64 levels.";
	struct json_text found;
	struct buf buf = {0};

	add_nested(&buf, JSON_DEPTH_MAX);
	assert_true(scan(buf_slice(&buf), &found));
	add_nested(&buf, JSON_DEPTH_MAX + 1);
	assert_refused(buf_slice(&buf), too_deep, JSON_DEPTH_MAX / 2 * 6);
	buf_clear(&buf, SIZE_MAX);
	for (int i = 0; i < 100000; i++)
		buf_add_byte(&buf, '[');
	assert_refused(buf_slice(&buf), too_deep, JSON_DEPTH_MAX);
	buf_free(&buf);
}

static void
test_token_limit(void **state UNUSED)
{
	struct json_text found;
	struct buf buf = {0};

	buf_add_text(&buf, "[0");
	for (int i = 2; i < JSON_TOKENS_MAX; i++)
		buf_add_text(&buf, ",0");
	buf_add_text(&buf, "]");
	assert_true(scan(buf_slice(&buf), &found));
	assert_int_equal(found.tokens, JSON_TOKENS_MAX);
	buf.len--;
	buf_add_text(&buf, ",0]");
	assert_refused(buf_slice(&buf), "The text has more than 100000 keys and values.", buf.len);
	buf_free(&buf);
}

static void
test_what_is_found(void **state UNUSED)
{
	struct json_text found;

	assert_true(scan(SLICE("{\"a\":[1,\"b\"],\"c\":{}}"), &found));
	assert_int_equal(found.tokens, 7);
	assert_false(found.escapes);
	assert_true(scan(SLICE("[[\"\\n\"]]"), &found));
	assert_int_equal(found.tokens, 3);
	assert_true(found.escapes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid_texts), cmocka_unit_test(test_refused_texts), cmocka_unit_test(test_zero_bytes),
	    cmocka_unit_test(test_depth),       cmocka_unit_test(test_token_limit),   cmocka_unit_test(test_what_is_found),
	};

	return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}
