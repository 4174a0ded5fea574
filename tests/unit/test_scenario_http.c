/*
 * test_scenario_http.c - the answers that the scenario driver accepts: all valid framings, in pieces too, and none that
 * a strict client would refuse.
 */
#include "base.h"

#include "scenario_http.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena;
static struct answer answer;

static int
clean_up(UNUSED void **state)
{
	arena_reset(&arena);
	return 0;
}

static enum answer_state
parse(struct slice bytes, bool no_body, bool closed)
{
	const char *why;

	return answer_parse(bytes, no_body, closed, &arena, &answer, &why);
}

/* bytes are one whole answer with this body; every shorter piece of it is not yet one. */
static void
assert_answer(const char *bytes, bool no_body, int status, const char *body)
{
	size_t size = strlen(bytes);

	for (size_t i = 0; i < size; i++)
		assert_int_equal(parse((struct slice){bytes, i}, no_body, false), ANSWER_MORE);
	assert_int_equal(parse((struct slice){bytes, size}, no_body, false), ANSWER_DONE);
	assert_int_equal(answer.status, status);
	assert_true(slice_is(answer.body, body));
	assert_int_equal(answer.bytes.len, size);
}

static void
assert_broken(const char *bytes)
{
	if (parse(slice_of(bytes), false, true) != ANSWER_BROKEN)
		fail_msg("accepted: %s", bytes);
}

static void
test_framing(UNUSED void **state)
{
	assert_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello");
	assert_answer("HTTP/1.1 200 \r\ncontent-length:0\r\n\r\n", false, 200, "");
	assert_answer("HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", false, 204, "");
	assert_answer("HTTP/1.1 100 Continue\r\n\r\n", false, 100, "");
	assert_answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, 304, "");
	assert_answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, 200, "");
	assert_answer(
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\nb;x=1\r\npedia in \r\n\r\n0\r\nT: r\r\n\r\n",
	    false, 200, "Wikipedia in \r\n");
}

static void
test_pipelined(UNUSED void **state)
{
	static const char bytes[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 400 Bad\r\n";

	assert_int_equal(parse(SLICE(bytes), false, false), ANSWER_DONE);
	assert_true(slice_is(answer.body, "ok"));
	assert_memory_equal(bytes + answer.bytes.len, "HTTP/1.1 400", 12);
}

static void
test_body_to_the_end(UNUSED void **state)
{
	struct slice bytes = SLICE("HTTP/1.1 200 OK\r\n\r\nall of it");

	assert_int_equal(parse(bytes, false, false), ANSWER_MORE);
	assert_int_equal(parse(bytes, false, true), ANSWER_DONE);
	assert_true(slice_is(answer.body, "all of it"));
	/* But a length that is not reached stays unreached. */
	assert_int_equal(parse(SLICE("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), false, true), ANSWER_MORE);
}

static void
test_headers(UNUSED void **state)
{
	assert_answer("HTTP/1.1 200 OK\r\nAllow: GET\r\nX-Empty:\r\nallow: \t HEAD  \r\nContent-Length: 0\r\n\r\n", false,
	              200, "");
	assert_true(slice_is(answer_header(&answer, SLICE("ALLOW"), &arena), "GET, HEAD"));
	assert_true(slice_is(answer_header(&answer, SLICE("x-empty"), &arena), ""));
	assert_null(answer_header(&answer, SLICE("Allo"), &arena).data);
}

static void
test_broken(UNUSED void **state)
{
	assert_broken("HTTP/1.0 200 OK\r\n\r\n");
	assert_broken("HTTP/1.1 200\r\n\r\n");
	assert_broken("HTTP/1.1 2x0 OK\r\n\r\n");
	assert_broken("HTTP/1.1 099 Low\r\n\r\n");
	assert_broken("HTTP/1.1  200 OK\r\n\r\n");
	assert_broken("HTTP/1.1 200 OK\r\nNo colon\r\n\r\n");
	assert_broken("HTTP/1.1 200 OK\r\n: no name\r\n\r\n");
	assert_broken("HTTP/1.1 200 OK\r\nBad name: x\r\n\r\n");
	assert_broken("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n");
	assert_broken("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx");
	assert_broken("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n");
	assert_broken("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx");
	assert_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n");
	assert_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n");
	assert_broken("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz");
	assert_broken("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_framing, clean_up),         cmocka_unit_test_teardown(test_pipelined, clean_up),
	    cmocka_unit_test_teardown(test_body_to_the_end, clean_up), cmocka_unit_test_teardown(test_headers, clean_up),
	    cmocka_unit_test_teardown(test_broken, clean_up),
	};

	return cmocka_run_group_tests_name("scenario_http", tests, NULL, NULL);
}
