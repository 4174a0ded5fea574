/* test_scenario_json.c - JSON paths and comparisons of the scenario driver: a wrong one would let a broken server pass.
 */
#include "base.h"

#include "scenario_json.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const char document[] =
    "{\"status\": \"pending\", \"n\": 3, \"big\": 9007199254740993, \"half\": 1.5, \"no\": null,"
    " \"text\": \"a\\u00e9\\u4e2d\", \"at\": \"2026-01-02T00:00:00.000001Z\","
    " \"items\": [{\"key\": \"a\", \"v\": [10, 20]}, {\"key\": \"b\", \"v\": []}, 7],"
    " \"own\": {\"length\": 99, \"x-y\": true}, \"obj\": {\"b\": 1, \"a\": [true]}}";

static json_t *
find(const char *path)
{
	const char *why;
	json_t *root = json_text_parse(SLICE(document), &why);
	json_t *value;

	assert_non_null(root);
	assert_null(json_path_error(path));
	value = json_path_get(root, path);
	json_decref(root);
	return value;
}

static void
assert_found(const char *path, const char *expected)
{
	json_t *value = find(path);
	char *text = json_text(value);

	assert_string_equal(text, expected);
	free(text);
	json_decref(value);
}

static bool
holds(const char *path, enum compare compare, const char *right, enum compare_as as)
{
	json_t *value = find(path);
	bool result = json_compare(value, compare, right, as);

	json_decref(value);
	return result;
}

static void
test_paths(UNUSED void **state)
{
	assert_found("$.status", "pending");
	assert_found("$.items[0].v[1]", "20");
	assert_found("$.items[2]", "7");
	assert_found("$.items[key=b].key", "b");
	assert_found("$.items[key=a].v", "[10,20]");
	assert_found("$.items.length", "3");
	assert_found("$.items[1].v.length", "0");
	assert_found("$.text.length", "3");
	assert_found("$.obj.length", "2");
	assert_found("$.own.length", "99");
	assert_found("$.own[x-y]", "true");
	assert_found("$.no", "null");
}

static void
test_absent(UNUSED void **state)
{
	static const char *const paths[] = {"$.x",         "$.status.x",    "$.items[3]", "$.items[key=c]",
	                                    "$.items.key", "$.items[0][0]", "$.n.length", "$.no.x"};

	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
		assert_null(find(paths[i]));
}

static void
test_wrong_paths(UNUSED void **state)
{
	static const char *const paths[] = {"x", "$x", "$.", "$.a..b", "$.a[", "$.a[]", "$.a[0]b"};

	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++)
		assert_non_null(json_path_error(paths[i]));
}

static void
test_equality(UNUSED void **state)
{
	assert_true(holds("$.status", COMPARE_EQUAL, "pending", COMPARE_AS_STRING));
	assert_false(holds("$.status", COMPARE_EQUAL, "pendin", COMPARE_AS_STRING));
	assert_false(holds("$.n", COMPARE_EQUAL, "3", COMPARE_AS_STRING));
	assert_true(holds("$.n", COMPARE_NOT_EQUAL, "3", COMPARE_AS_STRING));
	assert_true(holds("$.n", COMPARE_EQUAL, "3", COMPARE_AS_JSON));
	assert_true(holds("$.n", COMPARE_EQUAL, "3.0", COMPARE_AS_JSON));
	assert_true(holds("$.n", COMPARE_EQUAL, "3", COMPARE_AS_TEXT));
	assert_false(holds("$.big", COMPARE_EQUAL, "9007199254740992", COMPARE_AS_JSON));
	assert_true(holds("$.no", COMPARE_EQUAL, "null", COMPARE_AS_JSON));
	assert_false(holds("$.no", COMPARE_EQUAL, "false", COMPARE_AS_JSON));
	assert_true(holds("$.obj", COMPARE_EQUAL, "{\"a\": [true], \"b\": 1}", COMPARE_AS_JSON));
	assert_false(holds("$.obj", COMPARE_EQUAL, "{\"a\": [true]}", COMPARE_AS_JSON));
}

static void
test_order(UNUSED void **state)
{
	assert_true(holds("$.n", COMPARE_GREATER, "2", COMPARE_AS_JSON));
	assert_false(holds("$.n", COMPARE_GREATER, "3", COMPARE_AS_JSON));
	assert_true(holds("$.n", COMPARE_AT_LEAST, "3", COMPARE_AS_JSON));
	assert_true(holds("$.half", COMPARE_LESS, "2", COMPARE_AS_JSON));
	assert_true(holds("$.n", COMPARE_LESS, "20", COMPARE_AS_TEXT));
	assert_true(holds("$.at", COMPARE_GREATER, "2026-01-02T00:00:00.000000Z", COMPARE_AS_STRING));
	/* What has no order is neither less nor more. */
	assert_false(holds("$.status", COMPARE_GREATER, "1", COMPARE_AS_JSON));
	assert_false(holds("$.status", COMPARE_LESS, "1", COMPARE_AS_JSON));
	assert_false(holds("$.status", COMPARE_AT_MOST, "1", COMPARE_AS_JSON));
}

static void
test_patterns_and_presence(UNUSED void **state)
{
	assert_true(holds("$.status", COMPARE_MATCHES, "^(pending|retrying)$", COMPARE_AS_STRING));
	assert_false(holds("$.status", COMPARE_MATCHES, "^pend$", COMPARE_AS_STRING));
	assert_true(holds("$.status", COMPARE_MATCHES_NOT, "^pend$", COMPARE_AS_STRING));
	assert_true(holds("$.items", COMPARE_MATCHES, "\"key\":\"b\"", COMPARE_AS_STRING));
	assert_true(holds("$.no", COMPARE_EXISTS, "", COMPARE_AS_STRING));
	assert_false(holds("$.no", COMPARE_ABSENT, "", COMPARE_AS_STRING));
	assert_true(holds("$.x", COMPARE_ABSENT, "", COMPARE_AS_STRING));
	/* Nothing is true of what is not there, not even that it differs. */
	assert_false(holds("$.x", COMPARE_NOT_EQUAL, "1", COMPARE_AS_JSON));
	assert_false(holds("$.x", COMPARE_MATCHES_NOT, "1", COMPARE_AS_STRING));
}

static void
test_strict_text(UNUSED void **state)
{
	static const char *const wrong[] = {"", "{", "{\"a\": 1, \"a\": 2}", "1 2", "nul", "{\"a\": 01}"};
	const char *why = NULL;

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		assert_null(json_text_parse(slice_of(wrong[i]), &why));
		assert_non_null(why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths),       cmocka_unit_test(test_absent), cmocka_unit_test(test_wrong_paths),
	    cmocka_unit_test(test_equality),    cmocka_unit_test(test_order),  cmocka_unit_test(test_patterns_and_presence),
	    cmocka_unit_test(test_strict_text),
	};

	return cmocka_run_group_tests_name("scenario_json", tests, NULL, NULL);
}
