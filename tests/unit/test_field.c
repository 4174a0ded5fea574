/*
 * test_field.c - what a body or a query string may say: every type, every bound, and all errors at once.
 *
 * A check is written as one text: "pointer code" of each error, separated by commas; "" when all is well.
 */
#include "base.h"

#include "buf.h"
#include "field.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena = ARENA_EMPTY;
static struct field_errors errors;
static struct field_value values[FIELD_COUNT_MAX];
static struct json json;

static int
forget(void **state UNUSED)
{
	arena_reset(&arena);
	return 0;
}

static const char *
errors_text(bool good)
{
	struct buf out = {0};
	const char *text;

	assert_int_equal(good, errors.count == 0);
	for (int i = 0; i < errors.count; i++) {
		assert_true(strlen(errors.list[i].detail) > 3);
		buf_printf(&out, "%s%s %s", i ? ", " : "", errors.list[i].pointer, errors.list[i].code);
	}
	text = arena_string(&arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

static const char *
check_as(const struct field *fields, const char *body, bool open, const char *prefix)
{
	struct json_error error;

	if (!json_parse_payload(&arena, slice_of(body), &json, &error))
		fail_msg("%s: %s", body, error.reason);
	errors = (struct field_errors){.arena = &arena};
	return errors_text(field_check_object(fields, &json, 0, open, prefix, values, &errors));
}

static const char *
check(const struct field *fields, const char *body)
{
	return check_as(fields, body, false, "");
}

static void
test_each_type_takes_its_values(void **state UNUSED)
{
	static const struct {
		enum field_type type;
		const char *good[6];
		const char *wrong[10];
	} types[] = {
	    {FIELD_TEXT, {"\"\"", "\"a\"", "\"\\u00e9\""}, {"1", "true", "[]", "{}"}},
	    {FIELD_INT,
	     {"0", "-1", "9223372036854775807"},
	     {"\"1\"", "true", "[]", "1.5", "1.0", "1e2", "9223372036854775808"}},
	    {FIELD_NUMBER, {"0", "-1.5", "1e2", "7"}, {"\"1\"", "true", "{}", "1e999"}},
	    {FIELD_BOOL, {"true", "false"}, {"0", "1", "\"true\"", "[]"}},
	    {FIELD_UUID,
	     {"\"01890a5d-ac96-774b-bcce-b302099a8057\"", "\"01890A5D-AC96-774B-BCCE-B302099A8057\""},
	     {"1", "\"\"", "\"01890a5dac96774bbcceb302099a8057\"", "\"{01890a5d-ac96-774b-bcce-b302099a8057}\"",
	      "\"01890a5d-ac96-774b-bcce-b302099a805g\""}},
	    {FIELD_TIME,
	     {"\"2026-11-23T01:02:03Z\"", "\"2026-11-23t01:02:03.123456789z\"", "\"2026-11-23T23:59:59+14:00\"",
	      "\"2026-11-23T01:02:03.5-05:30\""},
	     {"20261123", "\"2026-11-23\"", "\"2026-11-23T01:02:03\"", "\"2026-11-23 01:02:03Z\"",
	      "\"2026-13-01T00:00:00Z\"", "\"2026-11-23T24:00:00Z\"", "\"2026-11-23T01:02:03.Z\"",
	      "\"2026-11-23T01:02:03+0500\"", "\"2026-11-23T01:02:03+05:60\""}},
	    {FIELD_JSON, {"1", "\"a\"", "null", "[1,{}]", "{\"a\":1}", "true"}, {NULL}},
	    {FIELD_OBJECT, {"{}", "{\"a\":[1]}"}, {"[]", "\"a\"", "1"}},
	    {FIELD_ARRAY, {"[]", "[\"a\"]"}, {"{}", "\"a\"", "1", "[1]", "[\"a\",null]"}},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		const struct field fields[] = {{.name = "f", .type = types[i].type, .element = FIELD_TEXT}, {0}};
		for (int j = 0; j < 6 && types[i].good[j]; j++) {
			const char *found = check(fields, arena_printf(&arena, "{\"f\":%s}", types[i].good[j]));
			if (*found)
				fail_msg("type %d, %s: %s", types[i].type, types[i].good[j], found);
			assert_int_not_equal(values[0].token, JSON_NONE);
		}
		for (int j = 0; j < 10 && types[i].wrong[j]; j++)
			if (!*check(fields, arena_printf(&arena, "{\"f\":%s}", types[i].wrong[j])))
				fail_msg("type %d takes %s", types[i].type, types[i].wrong[j]);
	}
}

static void
test_values_are_texts_for_sql(void **state UNUSED)
{
	static const struct field fields[] = {
	    {.name = "text", .type = FIELD_TEXT},     {.name = "int", .type = FIELD_INT},
	    {.name = "number", .type = FIELD_NUMBER}, {.name = "bool", .type = FIELD_BOOL},
	    {.name = "any", .type = FIELD_JSON},      {.name = "list", .type = FIELD_ARRAY},
	    {.name = "absent", .type = FIELD_TEXT},   {0}};
	static const char *const expected[] = {"a\n\xc3\xa9\"", "-7", "1.50", "true", "{ \"x\" : 1.0 }", "[ \"b\" ]"};

	assert_string_equal(check(fields, "{\"text\":\"a\\n\\u00e9\\\"\",\"int\":-7,\"number\":1.50,\"bool\":true,"
	                                  "\"any\":{ \"x\" : 1.0 },\"list\":[ \"b\" ]}"),
	                    "");
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
		if (!slice_is(values[i].text, expected[i]))
			fail_msg("%s is %.*s", fields[i].name, SLICE_ARG(values[i].text));
	assert_null(values[6].text.data);
	assert_int_equal(values[6].token, JSON_NONE);
}

static void
test_bounds_of_numbers(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "i", .type = FIELD_INT, .min = 1, .max = 100},
	                                      {.name = "n", .type = FIELD_NUMBER, .min = 500, .max = 1500},
	                                      {.name = "zero", .type = FIELD_INT, .min = 0, .max = 3},
	                                      {0}};

	assert_string_equal(check(fields, "{\"i\":1,\"n\":0.5,\"zero\":0}"), "");
	assert_string_equal(check(fields, "{\"i\":100,\"n\":1.5,\"zero\":3}"), "");
	assert_string_equal(check(fields, "{\"i\":0,\"n\":0.499,\"zero\":-1}"),
	                    "/i out_of_range, /n out_of_range, /zero out_of_range");
	assert_string_equal(check(fields, "{\"i\":101,\"n\":1.501,\"zero\":4}"),
	                    "/i out_of_range, /n out_of_range, /zero out_of_range");
	assert_string_equal(errors.list[0].detail, "must be from 1 to 100");
	assert_string_equal(errors.list[1].detail, "must be from 0.5 to 1.5");
}

static void
test_bounds_of_texts_are_characters(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "t", .type = FIELD_TEXT, .min = 2, .max = 3}, {0}};
	static const struct field plain[] = {{.name = "t", .type = FIELD_TEXT}, {0}};
	char *large = arena_printf(&arena, "{\"t\":\"%*s\"}", FIELD_TEXT_MAX, "");

	assert_string_equal(check(fields, "{\"t\":\"\\u00e9\\u00e9\"}"), "");
	assert_string_equal(check(fields, "{\"t\":\"\xf0\x9f\x8d\x8b\xf0\x9f\x8d\x8b\xf0\x9f\x8d\x8b\"}"), "");
	assert_string_equal(check(fields, "{\"t\":\"\xc3\xa9\"}"), "/t out_of_range");
	assert_string_equal(check(fields, "{\"t\":\"abcd\"}"), "/t out_of_range");
	assert_string_equal(check(plain, large), "");
	assert_string_equal(check(plain, arena_printf(&arena, "{\"t\":\"%*s\"}", FIELD_TEXT_MAX + 1, "")),
	                    "/t out_of_range");
	assert_string_equal(check(plain, "{\"t\":\"a\\u0000b\"}"), "/t out_of_range"); /* PostgreSQL has no such text */
}

static void
test_bounds_of_arrays(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "a", .type = FIELD_ARRAY, .element = FIELD_TEXT, .min = 1, .max = 2},
	                                      {0}};

	assert_string_equal(check(fields, "{\"a\":[\"x\",\"y\"]}"), "");
	assert_string_equal(check(fields, "{\"a\":[]}"), "/a out_of_range");
	assert_string_equal(check(fields, "{\"a\":[\"x\",\"y\",\"z\"]}"), "/a out_of_range");
	assert_string_equal(check(fields, "{\"a\":[\"x\",\"\"]}"), "/a/1 out_of_range"); /* an empty name is none */
	assert_string_equal(check(fields, "{\"a\":[1,true]}"), "/a/0 wrong_type, /a/1 wrong_type");
}

/* Labels: an object whose members are texts. Its text is what was sent. */
static void
test_objects_of_texts(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "l", .type = FIELD_TEXTS, .max = 2}, {0}};

	assert_string_equal(check(fields, "{\"l\":{\"team\": \"a:b\",\"x\":\"\"}}"), "");
	assert_true(slice_is(values[0].text, "{\"team\": \"a:b\",\"x\":\"\"}"));
	assert_string_equal(check(fields, "{\"l\":{}}"), "");
	assert_string_equal(check(fields, "{\"l\":null}"), "");
	assert_string_equal(check(fields, "{\"l\":{\"a\":1,\"b/c\":null}}"), "/l/a wrong_type, /l/b~1c wrong_type");
	assert_string_equal(check(fields, "{\"l\":{\"a\":{},\"b\":[\"x\"]}}"), "/l/a wrong_type, /l/b wrong_type");
	/* A filter is name:text, so a name has no colon. */
	assert_string_equal(check(fields, "{\"l\":{\"a:b\":\"x\",\"\":\"x\"}}"), "/l/a:b wrong_type, /l/ wrong_type");
	assert_string_equal(check(fields, "{\"l\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}"), "/l out_of_range");
	assert_string_equal(check(fields, "{\"l\":[]}"), "/l wrong_type");
	assert_string_equal(check(fields, "{\"l\":\"a\"}"), "/l wrong_type");
}

static void
test_texts_of_an_object_have_bounds(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "l", .type = FIELD_TEXTS}, {0}};
	char name[101 * 2 + 1], value[501 * 2 + 1];

	for (size_t i = 0; i < sizeof(name) - 1; i += 2)
		memcpy(name + i, "\xc3\xa9", 2);
	for (size_t i = 0; i < sizeof(value) - 1; i += 2)
		memcpy(value + i, "\xc3\xa9", 2);
	name[sizeof(name) - 1] = value[sizeof(value) - 1] = '\0';
	assert_string_equal(check(fields, arena_printf(&arena, "{\"l\":{\"%s\":\"%s\"}}", name + 2, value + 2)), "");
	check(fields, arena_printf(&arena, "{\"l\":{\"%s\":\"a\",\"a\":\"%s\"}}", name, value));
	assert_int_equal(errors.count, 2);
}

static void
test_choices(void **state UNUSED)
{
	static const char *const colours[] = {"red", "green", NULL};
	static const struct field fields[] = {{.name = "c", .type = FIELD_TEXT, .choices = colours}, {0}};

	assert_string_equal(check(fields, "{\"c\":\"green\"}"), "");
	assert_string_equal(check(fields, "{\"c\":\"Green\"}"), "/c not_a_choice");
	assert_string_equal(check(fields, "{\"c\":\"gree\"}"), "/c not_a_choice");
	assert_string_equal(check(fields, "{\"c\":\"\"}"), "/c not_a_choice");
	assert_string_equal(errors.list[0].detail, "must be one of red, green");
	assert_string_equal(check(fields, "{\"c\":3}"), "/c wrong_type");
}

static void
test_all_errors_at_once(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "a", .type = FIELD_INT, .required = true},
	                                      {.name = "b", .type = FIELD_TEXT, .required = true, .min = 1},
	                                      {.name = "c", .type = FIELD_BOOL},
	                                      {0}};

	assert_string_equal(check(fields, "{\"b\":\"\",\"c\":7,\"d\":1}"),
	                    "/b out_of_range, /c wrong_type, /d unknown_field, /a required");
	assert_string_equal(check_as(fields, "{\"a\":\"1\",\"b\":null}", false, "/tasks/3"),
	                    "/tasks/3/a wrong_type, /tasks/3/b required");
}

static void
test_pointers_are_escaped(void **state UNUSED)
{
	static const struct field fields[] = {{0}};

	assert_string_equal(check(fields, "{\"a/b~c\":1,\"~1\":2,\"\":3,\"d e\":4}"),
	                    "/a~1b~0c unknown_field, /~01 unknown_field, / unknown_field, /d e unknown_field");
}

static void
test_names_of_any_length_and_number(void **state UNUSED)
{
	static const struct field fields[] = {{0}};
	struct buf body = {0};

	buf_add_byte(&body, '{');
	for (int i = 0; i < 200; i++) /* the longest escapes in the longest names */
		buf_printf(&body, "%s\"%0300d\":1", i ? "," : "", i);
	buf_add_byte(&body, '}');
	buf_add_byte(&body, '\0');
	for (char *at = body.data; (at = strstr(at, "000")); at += 3)
		memcpy(at, "~/~", 3);
	(void)check(fields, body.data);
	buf_free(&body);
	assert_int_equal(errors.count, FIELD_ERRORS_MAX);
	assert_in_range(strlen(errors.list[0].pointer), 150, 201);
}

static void
test_duplicates_and_unknown_fields(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "a", .type = FIELD_INT}, {.name = "j", .type = FIELD_JSON}, {0}};

	assert_string_equal(check(fields, "{\"a\":1,\"a\":1}"), "/a duplicate_field");
	assert_string_equal(check(fields, "{\"a\":1,\"\\u0061\":2}"), "/a duplicate_field");
	assert_string_equal(check(fields, "{\"a\":null,\"a\":2}"), "/a duplicate_field");
	assert_string_equal(check(fields, "{\"j\":{\"x\":1,\"x\":2}}"), ""); /* somebody else's JSON */
	assert_string_equal(check(fields, "{\"A\":1}"), "/A unknown_field");
	assert_string_equal(check(fields, "{\"a\\u0000\":1}"), "/a unknown_field");
	assert_string_equal(check_as(fields, "{\"b\":1,\"a\":3}", true, ""), "");
	assert_true(slice_is(values[0].text, "3"));
}

static void
test_nested_objects_and_arrays(void **state UNUSED)
{
	static const struct field inner[] = {{.name = "key", .type = FIELD_TEXT, .required = true, .min = 1},
	                                     {.name = "n", .type = FIELD_INT, .min = 1, .max = 9},
	                                     {0}};
	static const struct field fields[] = {{.name = "one", .type = FIELD_OBJECT, .fields = inner},
	                                      {.name = "all", .type = FIELD_ARRAY, .fields = inner, .max = 3},
	                                      {0}};

	assert_string_equal(check(fields, "{\"one\":{\"key\":\"a\"},\"all\":[{\"key\":\"b\",\"n\":9},{\"key\":\"c\"}]}"),
	                    "");
	assert_string_equal(check(fields, "{\"one\":{\"n\":0,\"x\":1},\"all\":[{\"key\":\"\"},7,{\"n\":\"1\"}]}"),
	                    "/one/n out_of_range, /one/x unknown_field, /one/key required, /all/0/key out_of_range, "
	                    "/all/1 wrong_type, /all/2/n wrong_type, /all/2/key required");
	assert_string_equal(check(fields, "{\"one\":{\"key\":\"a\",\"key\":\"b\"}}"), "/one/key duplicate_field");
	assert_string_equal(check(fields, "{\"one\":[]}"), "/one wrong_type");
}

static void
test_null_means_absent_except_for_json(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "t", .type = FIELD_TEXT, .min = 1},
	                                      {.name = "n", .type = FIELD_INT, .fallback = "5"},
	                                      {.name = "o", .type = FIELD_OBJECT},
	                                      {.name = "j", .type = FIELD_JSON, .required = true},
	                                      {0}};
	static const struct field required[] = {{.name = "t", .type = FIELD_TEXT, .required = true}, {0}};

	assert_string_equal(check(fields, "{\"t\":null,\"n\":null,\"o\":null,\"j\":null}"), "");
	assert_null(values[0].text.data);
	assert_true(slice_is(values[1].text, "5"));
	assert_true(slice_is(values[3].text, "null"));
	assert_string_equal(check(required, "{\"t\":null}"), "/t required");
	assert_string_equal(errors.list[0].detail, "must not be null");
}

static void
test_fallbacks_stand_in_for_what_is_absent(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "a", .type = FIELD_INT, .fallback = "50"},
	                                      {.name = "b", .type = FIELD_TEXT, .fallback = ""},
	                                      {.name = "c", .type = FIELD_TEXT},
	                                      {0}};

	assert_string_equal(check(fields, "{}"), "");
	assert_true(slice_is(values[0].text, "50"));
	assert_int_equal(values[0].token, JSON_NONE);
	assert_non_null(values[1].text.data);
	assert_null(values[2].text.data);
	assert_string_equal(check(fields, "{\"a\":1,\"b\":\"x\"}"), "");
	assert_true(slice_is(values[0].text, "1"));
	assert_true(slice_is(values[1].text, "x"));
}

static void
test_find_and_count(void **state UNUSED)
{
	static const struct field fields[] = {{.name = "ab"}, {.name = "a"}, {0}};

	assert_int_equal(field_count(fields), 2);
	assert_int_equal(field_count(NULL), 0);
	assert_int_equal(field_find(fields, SLICE("a")), 1);
	assert_int_equal(field_find(fields, SLICE("abc")), -1);
	assert_int_equal(field_find(fields, SLICE("")), -1);
	assert_int_equal(field_find(NULL, SLICE("a")), -1);
}

/* A query string has only texts. */
static const char *
check_text(const struct field *field, const char *text)
{
	errors = (struct field_errors){.arena = &arena};
	return errors_text(field_check_text(field, slice_of(text), &values[0], &errors));
}

static void
test_texts_of_a_query_string(void **state UNUSED)
{
	static const char *const states[] = {"sent", "received", NULL};
	static const struct field limit = {.name = "limit", .type = FIELD_INT, .min = 1, .max = 500};
	static const struct field wait = {.name = "wait_s", .type = FIELD_NUMBER, .min = 0, .max = 60000};
	static const struct field flag = {.name = "flag", .type = FIELD_BOOL};
	static const struct field status = {.name = "status", .type = FIELD_TEXT, .choices = states};
	static const struct field name = {.name = "name", .type = FIELD_TEXT, .min = 1, .max = 3};
	static const struct field id = {.name = "id", .type = FIELD_UUID};
	static const struct {
		const struct field *field;
		const char *good[3];
		const char *wrong[10];
	} cases[] = {
	    {&limit, {"1", "500"}, {"0", "501", "", "1.5", "x", "\"1\"", "0x10", "+1", " 1", "1 "}},
	    {&wait, {"0", "0.25", "60"}, {"60.001", "-1", "nan", "inf", "true", "1,5"}},
	    {&flag, {"true", "false"}, {"1", "yes", "TRUE", ""}},
	    {&status, {"sent"}, {"", "Sent", "sent,received"}},
	    {&name, {"a", "\xc3\xa9\xc3\xa9\xc3\xa9", "1"}, {"", "abcd"}},
	    {&id, {"01890a5d-ac96-774b-bcce-b302099a8057"}, {"", "1", "01890a5d-ac96-774b-bcce-b302099a8057 "}},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		for (int j = 0; j < 3 && cases[i].good[j]; j++) {
			if (*check_text(cases[i].field, cases[i].good[j]))
				fail_msg("%s does not take '%s'", cases[i].field->name, cases[i].good[j]);
			assert_true(slice_is(values[0].text, cases[i].good[j]));
		}
		for (int j = 0; j < 10 && cases[i].wrong[j]; j++) {
			if (!*check_text(cases[i].field, cases[i].wrong[j]))
				fail_msg("%s takes '%s'", cases[i].field->name, cases[i].wrong[j]);
			assert_string_equal(errors.list[0].pointer, cases[i].field->name);
		}
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_each_type_takes_its_values),
	    TEST(test_values_are_texts_for_sql),
	    TEST(test_bounds_of_numbers),
	    TEST(test_bounds_of_texts_are_characters),
	    TEST(test_bounds_of_arrays),
	    TEST(test_objects_of_texts),
	    TEST(test_texts_of_an_object_have_bounds),
	    TEST(test_choices),
	    TEST(test_all_errors_at_once),
	    TEST(test_pointers_are_escaped),
	    TEST(test_names_of_any_length_and_number),
	    TEST(test_duplicates_and_unknown_fields),
	    TEST(test_nested_objects_and_arrays),
	    TEST(test_null_means_absent_except_for_json),
	    TEST(test_fallbacks_stand_in_for_what_is_absent),
	    TEST(test_find_and_count),
	    TEST(test_texts_of_a_query_string),
	};

	return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
