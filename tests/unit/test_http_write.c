/*
 * test_http_write.c - the response writer: the exact bytes of a response, and that it cannot be made to write others.
 *
 * A broken invariant aborts, so these cases run in a child process.
 */
#include "base.h"

#include "http_write.h"

#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void
expect_text(struct buf *out, const char *want)
{
	buf_add_byte(out, '\0');
	assert_string_equal(out->data, want);
	buf_free(out);
}

static void
writes_a_whole_response(void **state UNUSED)
{
	struct buf out = {0};

	http_write_status(&out, 404, INT64_C(784111777999999));
	http_write_header(&out, "Content-Type", SLICE("application/problem+json"));
	http_write_header_int(&out, "Retry-After", 5);
	http_write_body(&out, 404, SLICE("{}"), true);
	expect_text(&out, "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	                  "Content-Type: application/problem+json\r\nRetry-After: 5\r\nContent-Length: 2\r\n\r\n{}");
}

static void
writes_an_answer_in_chunks(void **state UNUSED)
{
	struct buf out = {0};

	http_write_stream(&out, true);
	http_write_chunk(&out, SLICE("0123456789\r\n0123"));
	http_write_chunk(&out, SLICE("x"));
	http_write_last_chunk(&out);
	expect_text(&out, "Transfer-Encoding: chunked\r\n\r\n10\r\n0123456789\r\n0123\r\n1\r\nx\r\n0\r\n\r\n");
	http_write_stream(&out, false);
	expect_text(&out, "\r\n");
}

static const struct {
	int64_t wall_us;
	const char *date;
} dates[] = {
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {999999, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {1000000, "Thu, 01 Jan 1970 00:00:01 GMT"},
    {-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
    {-1000000, "Wed, 31 Dec 1969 23:59:59 GMT"},
    {INT64_C(1709164800000000), "Thu, 29 Feb 2024 00:00:00 GMT"},
    {INT64_C(1709251199999999), "Thu, 29 Feb 2024 23:59:59 GMT"},
    {INT64_C(1893456000000000), "Tue, 01 Jan 2030 00:00:00 GMT"},
    {INT64_C(253402300799000000), "Fri, 31 Dec 9999 23:59:59 GMT"},
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
};

static void
writes_the_date_of_each_second(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(dates); i++) {
		struct buf out = {0}, want = {0};

		http_write_status(&out, 200, dates[i].wall_us);
		buf_printf(&want, "HTTP/1.1 200 OK\r\nDate: %s\r\n%c", dates[i].date, 0);
		expect_text(&out, want.data);
		buf_free(&want);
	}
}

static const struct {
	const char *name;
	int status;
	bool with_body;
	const char *want;
} bodies[] = {
    {"a body", 200, true, "Content-Length: 2\r\n\r\nab"},
    {"HEAD", 200, false, "Content-Length: 2\r\n\r\n"},
    {"no content", 204, true, "\r\n"},
    {"no content, HEAD", 204, false, "\r\n"},
    {"not modified", 304, false, "Content-Length: 2\r\n\r\n"},
    {"not modified never has a body", 304, true, "Content-Length: 2\r\n\r\n"},
    {"switching protocols", 101, true, "\r\n"},
    {"early hints", 103, false, "\r\n"},
    {"an error", 599, true, "Content-Length: 2\r\n\r\nab"},
};

static void
writes_length_and_body_where_they_belong(void **state UNUSED)
{
	struct buf out = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
		http_write_body(&out, bodies[i].status, SLICE("ab"), bodies[i].with_body);
		if (!slice_is(buf_slice(&out), bodies[i].want))
			fail_msg("%s: got \"%.*s\"", bodies[i].name, SLICE_ARG(buf_slice(&out)));
		buf_clear(&out, SIZE_MAX);
	}
	http_write_body(&out, 200, SLICE_NONE, true);
	expect_text(&out, "Content-Length: 0\r\n\r\n");
}

static void
knows_the_reasons(void **state UNUSED)
{
	struct buf out = {0};

	assert_string_equal(http_write_reason(200), "OK");
	assert_string_equal(http_write_reason(100), "Continue");
	assert_string_equal(http_write_reason(431), "Request Header Fields Too Large");
	assert_string_equal(http_write_reason(511), "Network Authentication Required");
	assert_string_equal(http_write_reason(299), "");
	assert_string_equal(http_write_reason(599), "");
	assert_string_equal(http_write_reason(0), "");
	assert_string_equal(http_write_reason(-1), "");
	assert_string_equal(http_write_reason(600), "");
	http_write_status(&out, 299, 0);
	expect_text(&out, "HTTP/1.1 299 \r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
}

static void
writes_numbers_and_continue(void **state UNUSED)
{
	struct buf out = {0};

	http_write_header_int(&out, "A", INT64_MIN);
	http_write_header_int(&out, "B", INT64_MAX);
	http_write_continue(&out);
	expect_text(&out, "A: -9223372036854775808\r\nB: 9223372036854775807\r\nHTTP/1.1 100 Continue\r\n\r\n");
}

/* What a header or a status makes of a child process: true if it aborts. */
static bool
aborts(int status, const char *name, struct slice value)
{
	pid_t child = fork();
	int result;

	assert_true(child >= 0);
	if (child == 0) {
		struct buf out = {0};

		/* The message of the invariant and a core file would only disturb the report. */
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGABRT, SIG_DFL);
		fclose(stderr);
		close(STDERR_FILENO);
		http_write_status(&out, status, 0);
		http_write_header(&out, name, value);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &result, 0), child);
	return WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT;
}

static void
cannot_write_a_broken_head(void **state UNUSED)
{
	assert_false(aborts(200, "X", SLICE("y")));
	assert_false(aborts(200, "X", SLICE_NONE));
	assert_true(aborts(99, "X", SLICE("y")));
	assert_true(aborts(600, "X", SLICE("y")));
	assert_true(aborts(200, "", SLICE("y")));
	assert_true(aborts(200, "X Y", SLICE("y")));
	assert_true(aborts(200, "X:", SLICE("y")));
	assert_true(aborts(200, "X\r\nY", SLICE("y")));
	assert_true(aborts(200, "X", SLICE("y\r\nSet-Cookie: a=b")));
	for (int byte = 0; byte < 256; byte++) {
		char text[] = {'y', (char)byte, 'y'};
		bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7f;

		if (aborts(200, "X", (struct slice){text, sizeof(text)}) != is_control)
			fail_msg("byte %d in a value: %s", byte, is_control ? "written" : "refused");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_a_whole_response),
	    cmocka_unit_test(writes_the_date_of_each_second),
	    cmocka_unit_test(writes_length_and_body_where_they_belong),
	    cmocka_unit_test(knows_the_reasons),
	    cmocka_unit_test(writes_numbers_and_continue),
	    cmocka_unit_test(writes_an_answer_in_chunks),
	    cmocka_unit_test(cannot_write_a_broken_head),
	};

	return cmocka_run_group_tests_name("http_write", tests, NULL, NULL);
}
