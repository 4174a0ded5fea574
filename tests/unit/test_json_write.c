/* test_json_write.c - what the JSON writer writes, and that a wrong sequence of calls aborts. */
#include "base.h"

#include "json_write.h"

#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
assert_written(struct buf *out, const char *expected)
{
	if (!slice_is(buf_slice(out), expected))
		fail_msg("wrote %.*s, expected %s", SLICE_ARG(buf_slice(out)), expected);
	buf_free(out);
}

static void
test_commas_and_nesting(void **state UNUSED)
{
	struct buf out = {0};
	struct json_writer writer;

	json_write_begin(&writer, &out);
	json_write_object_open(&writer);
	json_write_key(&writer, "list");
	json_write_array_open(&writer);
	json_write_int(&writer, 1);
	json_write_array_open(&writer);
	json_write_array_close(&writer);
	json_write_object_open(&writer);
	json_write_key(&writer, "a");
	json_write_null(&writer);
	json_write_object_close(&writer);
	json_write_bool(&writer, false);
	json_write_array_close(&writer);
	json_write_key(&writer, "empty");
	json_write_object_open(&writer);
	json_write_object_close(&writer);
	json_write_key(&writer, "last");
	json_write_bool(&writer, true);
	json_write_object_close(&writer);
	assert_written(&out, "{\"list\":[1,[],{\"a\":null},false],\"empty\":{},\"last\":true}");
}

/* What an earlier sibling was must not show in a later one. */
static void
test_siblings(void **state UNUSED)
{
	struct buf out = {0};
	struct json_writer writer;

	json_write_begin(&writer, &out);
	json_write_array_open(&writer);
	for (int i = 0; i < 2; i++) {
		json_write_object_open(&writer);
		json_write_member_int(&writer, "a", i);
		json_write_object_close(&writer);
		json_write_array_open(&writer);
		json_write_int(&writer, i);
		json_write_int(&writer, i);
		json_write_array_close(&writer);
	}
	json_write_array_close(&writer);
	assert_written(&out, "[{\"a\":0},[0,0],{\"a\":1},[1,1]]");
}

static void
test_members(void **state UNUSED)
{
	struct buf out = {0};
	struct json_writer writer;

	json_write_begin(&writer, &out);
	json_write_object_open(&writer);
	json_write_member_string(&writer, "slice", SLICE("x"));
	json_write_member_string(&writer, "empty", SLICE(""));
	json_write_member_string(&writer, "absent", SLICE_NONE);
	json_write_member_text(&writer, "te\"xt", "y");
	json_write_member_text(&writer, "no text", NULL);
	json_write_member_int(&writer, "least", INT64_MIN);
	json_write_member_int(&writer, "most", INT64_MAX);
	json_write_member_bool(&writer, "bool", true);
	json_write_member_raw(&writer, "raw", SLICE("{ \"z\": 1e3 }"));
	json_write_member_raw(&writer, "no raw", SLICE_NONE);
	json_write_object_close(&writer);
	assert_written(&out, "{\"slice\":\"x\",\"empty\":\"\",\"absent\":null,\"te\\\"xt\":\"y\",\"no text\":null,"
	                     "\"least\":-9223372036854775808,\"most\":9223372036854775807,\"bool\":true,"
	                     "\"raw\":{ \"z\": 1e3 },\"no raw\":null}");
}

static void
test_appends_to_what_is_there(void **state UNUSED)
{
	struct buf out = {0};
	struct json_writer writer;

	buf_add_text(&out, "data: ");
	json_write_begin(&writer, &out);
	json_write_string(&writer, SLICE("x"));
	assert_written(&out, "data: \"x\"");
}

static void
test_deepest_nesting(void **state UNUSED)
{
	struct buf out = {0}, expected = {0};
	struct json_writer writer;

	json_write_begin(&writer, &out);
	for (int i = 0; i < JSON_WRITE_DEPTH_MAX / 2; i++) {
		json_write_array_open(&writer);
		json_write_int(&writer, i);
		json_write_object_open(&writer);
		json_write_key(&writer, "k");
		buf_printf(&expected, "[%d,{\"k\":", i);
	}
	json_write_null(&writer);
	buf_add_text(&expected, "null");
	for (int i = 0; i < JSON_WRITE_DEPTH_MAX / 2; i++) {
		json_write_object_close(&writer);
		json_write_int(&writer, i);
		json_write_array_close(&writer);
		buf_printf(&expected, "},%d]", i);
	}
	buf_add_byte(&expected, '\0');
	assert_written(&out, expected.data);
	buf_free(&expected);
}

static void
test_escapes(void **state UNUSED)
{
	static const struct {
		struct slice text;
		const char *quoted;
	} strings[] = {
	    {SLICE(""), "\"\""},
	    {SLICE("plain / <text> 'here' \x7f"), "\"plain / <text> 'here' \x7f\""},
	    {SLICE("a\"b\\c"), "\"a\\\"b\\\\c\""},
	    {SLICE("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
	    {SLICE("\0\x01\x1b\x1f"), "\"\\u0000\\u0001\\u001b\\u001f\""},
	    {SLICE("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"), "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\""},
	    {SLICE("\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA"), "\"\xE2\x80\xA7\\u2028\\u2029\xE2\x80\xAA\""},
	};
	struct buf out = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(strings); i++) {
		json_write_quoted(&out, strings[i].text);
		assert_written(&out, strings[i].quoted);
	}
}

#define REPLACED "\xEF\xBF\xBD"

static void
test_bytes_that_are_not_utf8(void **state UNUSED)
{
	static const struct {
		const char *text, *quoted;
	} strings[] = {
	    {"a\x80z", "\"a" REPLACED "z\""},
	    {"\xC3", "\"" REPLACED "\""},
	    {"\xC3(", "\"" REPLACED "(\""},
	    {"\xC0\xAF", "\"" REPLACED REPLACED "\""},
	    {"\xED\xA0\x80", "\"" REPLACED REPLACED REPLACED "\""},
	    {"\xE2\x80", "\"" REPLACED REPLACED "\""},
	    {"\xF4\x90\x80\x80", "\"" REPLACED REPLACED REPLACED REPLACED "\""},
	    {"\xFF\"", "\"" REPLACED "\\\"\""},
	};
	struct buf out = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(strings); i++) {
		json_write_quoted(&out, slice_of(strings[i].text));
		assert_written(&out, strings[i].quoted);
	}
}

static void
write_double(struct buf *out, double value)
{
	struct json_writer writer;

	json_write_begin(&writer, out);
	json_write_double(&writer, value);
}

static void
test_doubles_are_short(void **state UNUSED)
{
	static const struct {
		double value;
		const char *text;
	} doubles[] = {
	    {0, "0"},
	    {-0.0, "-0"},
	    {1, "1"},
	    {-12.5, "-12.5"},
	    {0.1, "0.1"},
	    {1e21, "1e+21"},
	    {1.0 / 3, "0.3333333333333333"},
	    {0.1 + 0.2, "0.30000000000000004"},
	    {5e-324, "4.94065645841247e-324"},
	    {DBL_MAX, "1.7976931348623157e+308"},
	    {NAN, "null"},
	    {INFINITY, "null"},
	    {-INFINITY, "null"},
	};
	struct buf out = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(doubles); i++) {
		write_double(&out, doubles[i].value);
		assert_written(&out, doubles[i].text);
	}
}

static void
test_doubles_read_back(void **state UNUSED)
{
	uint64_t bits = 0x9E3779B97F4A7C15;
	struct buf out = {0};

	for (int i = 0; i < 2000; i++) {
		double value;

		bits = bits * 6364136223846793005 + 1442695040888963407;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		buf_clear(&out, SIZE_MAX);
		write_double(&out, value);
		buf_add_byte(&out, '\0');
		assert_true(strtod(out.data, NULL) == value);
	}
	buf_free(&out);
}

static void
value_without_key(struct json_writer *writer)
{
	json_write_object_open(writer);
	json_write_int(writer, 1);
}

static void
key_in_array(struct json_writer *writer)
{
	json_write_array_open(writer);
	json_write_key(writer, "k");
}

static void
key_outside(struct json_writer *writer)
{
	json_write_key(writer, "k");
}

static void
key_after_key(struct json_writer *writer)
{
	json_write_object_open(writer);
	json_write_key(writer, "k");
	json_write_key(writer, "k");
}

static void
close_without_open(struct json_writer *writer)
{
	json_write_array_close(writer);
}

static void
close_of_the_other_kind(struct json_writer *writer)
{
	json_write_array_open(writer);
	json_write_object_close(writer);
}

static void
close_after_key(struct json_writer *writer)
{
	json_write_object_open(writer);
	json_write_key(writer, "k");
	json_write_object_close(writer);
}

static void
too_deep(struct json_writer *writer)
{
	for (int i = 0; i <= JSON_WRITE_DEPTH_MAX; i++)
		json_write_array_open(writer);
}

/* The child makes the wrong calls; it must die by abort(). Its last words are not for the test's output. */
static bool
aborts(void (*misuse)(struct json_writer *))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct buf out = {0};
		struct json_writer writer;
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		signal(SIGABRT, SIG_DFL);
		if (null < 0 || dup2(null, STDERR_FILENO) < 0)
			_exit(1);
		json_write_begin(&writer, &out);
		misuse(&writer);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void
test_wrong_sequences_abort(void **state UNUSED)
{
	assert_true(aborts(value_without_key));
	assert_true(aborts(key_in_array));
	assert_true(aborts(key_outside));
	assert_true(aborts(key_after_key));
	assert_true(aborts(close_without_open));
	assert_true(aborts(close_of_the_other_kind));
	assert_true(aborts(close_after_key));
	assert_true(aborts(too_deep));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_commas_and_nesting),
	    cmocka_unit_test(test_siblings),
	    cmocka_unit_test(test_members),
	    cmocka_unit_test(test_appends_to_what_is_there),
	    cmocka_unit_test(test_deepest_nesting),
	    cmocka_unit_test(test_escapes),
	    cmocka_unit_test(test_bytes_that_are_not_utf8),
	    cmocka_unit_test(test_doubles_are_short),
	    cmocka_unit_test(test_doubles_read_back),
	    cmocka_unit_test(test_wrong_sequences_abort),
	};

	return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
