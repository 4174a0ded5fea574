/*
 * test_http_parse.c - the request parser: what it accepts, what it refuses and with which status.
 *
 * Every case is fed whole and byte by byte, each time from a block of exactly the right size that moves, so that a
 * sanitizer sees any read past the end and any pointer that was kept.
 */
#include "base.h"

#include "http_parse.h"
#include "http_parse_cases.h"
#include "buf.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { BODY_MAX = 1024 };

/* A message as it arrives: a block of exactly len bytes, moved at each arrival. */
struct arrival {
	struct http_parser parser;
	char *data;
	size_t len;
	int heads; /* how often HTTP_HEADERS_DONE was told */
};

static enum http_event
arrive(struct arrival *arrival, const char *more, size_t count)
{
	char *moved = mem_alloc(arrival->len + count);
	enum http_event event;

	if (arrival->len)
		memcpy(moved, arrival->data, arrival->len);
	memcpy(moved + arrival->len, more, count);
	free(arrival->data);
	arrival->data = moved;
	arrival->len += count;
	while ((event = http_parse(&arrival->parser, arrival->data, arrival->len)) == HTTP_HEADERS_DONE)
		arrival->heads++;
	return event;
}

/* Feeds text in pieces of that size until the parser needs no more. */
static enum http_event
feed(struct arrival *arrival, struct slice text, size_t piece)
{
	enum http_event event = HTTP_MORE;

	*arrival = (struct arrival){.len = 0};
	http_parse_init(&arrival->parser, BODY_MAX);
	for (size_t at = 0; at < text.len && event == HTTP_MORE; at += piece)
		event = arrive(arrival, text.data + at, MIN(piece, text.len - at));
	return event;
}

/* What a caller sees: method, path, query, version, what to do with the connection, header "x", body, bytes left. */
static void
describe(const struct arrival *arrival, struct buf *out)
{
	const struct http_parser *parser = &arrival->parser;
	struct slice body = http_span_slice(arrival->data, parser->body);
	struct slice x = http_parse_header(parser, arrival->data, "x");

	if (parser->method == HTTP_METHOD_OTHER)
		buf_printf(out, "(%.*s)", SLICE_ARG(http_span_slice(arrival->data, parser->method_text)));
	else
		buf_add_text(out, http_method_name(parser->method));
	buf_printf(out, " %.*s", SLICE_ARG(http_span_slice(arrival->data, parser->path)));
	buf_add_text(out, parser->asterisk ? " asterisk" : "");
	if (parser->query.len)
		buf_printf(out, " ?%.*s", SLICE_ARG(http_span_slice(arrival->data, parser->query)));
	buf_printf(out, " 1.%d %s", parser->minor_version, parser->keep_alive ? "keep" : "close");
	if (x.data)
		buf_printf(out, " x=<%.*s>", SLICE_ARG(x));
	buf_printf(out, "%s%s", parser->expect_continue ? " expect" : "", parser->chunked ? " chunked" : "");
	if (parser->has_body && memchr(body.data, 0, body.len))
		buf_printf(out, " [%zu bytes]", body.len);
	else if (parser->has_body)
		buf_printf(out, " [%.*s]", SLICE_ARG(body));
	if (parser->consumed != arrival->len)
		buf_printf(out, " +%zu", arrival->len - parser->consumed);
}

static void
expect_refused(const char *name, struct slice text, size_t piece, int status)
{
	struct arrival arrival;
	enum http_event event = feed(&arrival, text, piece);

	if (event != HTTP_ERROR || arrival.parser.error_status != status)
		fail_msg("%s, in pieces of %zu: event %d, status %d (%s), not status %d", name, piece, (int)event,
		         arrival.parser.error_status, arrival.parser.error_detail ? arrival.parser.error_detail : "", status);
	assert_non_null(arrival.parser.error_detail);
	assert_true(arrival.parser.error_detail[0] != '\0');
	/* Nothing that follows revives the connection. */
	assert_int_equal(arrive(&arrival, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27), HTTP_ERROR);
	free(arrival.data);
}

static void
expect_accepted(const char *name, struct slice text, size_t piece, const char *want)
{
	struct arrival arrival;
	enum http_event event = feed(&arrival, text, piece);
	struct buf got = {0};

	if (event != HTTP_COMPLETE)
		fail_msg("%s, in pieces of %zu: event %d, %s", name, piece, (int)event,
		         arrival.parser.error_detail ? arrival.parser.error_detail : "no error");
	assert_int_equal(arrival.heads, 1);
	if (want) {
		arrive(&arrival, text.data + arrival.len, text.len - arrival.len);
		describe(&arrival, &got);
		buf_add_byte(&got, '\0');
		if (strcmp(got.data, want) != 0)
			fail_msg("%s, in pieces of %zu: got \"%s\", not \"%s\"", name, piece, got.data, want);
	}
	buf_free(&got);
	free(arrival.data);
}

static void
refuses_malformed_requests(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(bad_cases); i++) {
		const struct request_case *bad = &bad_cases[i];

		expect_refused(bad->name, (struct slice){bad->text, bad->len}, bad->len, bad->status);
		expect_refused(bad->name, (struct slice){bad->text, bad->len}, 1, bad->status);
	}
}

static void
accepts_valid_requests(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(good_cases); i++) {
		const struct request_case *good = &good_cases[i];

		for (size_t piece = 1; piece <= 5; piece++)
			expect_accepted(good->name, (struct slice){good->text, good->len}, piece, good->want);
		expect_accepted(good->name, (struct slice){good->text, good->len}, good->len, good->want);
	}
}

static void
keeps_its_limits(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(repeat_cases); i++) {
		const struct repeat_case *repeat = &repeat_cases[i];
		struct buf text = {0};
		const size_t pieces[] = {1, 1000, SIZE_MAX / 2};

		buf_add_text(&text, repeat->prefix);
		for (int n = 0; n < repeat->count; n++)
			buf_add_text(&text, repeat->unit);
		buf_add_text(&text, repeat->suffix);
		for (size_t p = 0; p < ARRAY_LENGTH(pieces); p++) {
			if (repeat->status)
				expect_refused(repeat->name, buf_slice(&text), pieces[p], repeat->status);
			else
				expect_accepted(repeat->name, buf_slice(&text), pieces[p], NULL);
		}
		buf_free(&text);
	}
}

static void
waits_for_every_missing_byte(void **state UNUSED)
{
	static const char text[] = POST("Transfer-Encoding: chunked", "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n");
	struct arrival arrival;

	for (size_t len = 1; len < sizeof(text) - 1; len++) {
		assert_int_equal(feed(&arrival, (struct slice){text, len}, len), HTTP_MORE);
		free(arrival.data);
	}
	http_parse_init(&arrival.parser, BODY_MAX);
	assert_int_equal(http_parse(&arrival.parser, NULL, 0), HTTP_MORE);
}

static void
parses_one_message_after_another(void **state UNUSED)
{
	static char text[] = CHUNKED("1\r\na\r\n0\r\n\r\n") GET("/b HTTP/1.1") "\r\n" POST("Content-Length: 1", "c");
	static const char *const paths[] = {"/", "/b", "/"};
	static const char *const bodies[] = {"a", "", "c"};
	struct http_parser parser;
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
		http_parse_init(&parser, BODY_MAX);
		assert_int_equal(http_parse(&parser, text + at, sizeof(text) - 1 - at), HTTP_HEADERS_DONE);
		assert_int_equal(http_parse(&parser, text + at, sizeof(text) - 1 - at), HTTP_COMPLETE);
		assert_true(slice_is(http_span_slice(text + at, parser.path), paths[i]));
		assert_true(slice_is(http_span_slice(text + at, parser.body), bodies[i]));
		at += parser.consumed;
	}
	assert_int_equal(at, sizeof(text) - 1);
}

static void
takes_a_new_body_limit_at_the_end_of_the_head(void **state UNUSED)
{
	static const char *const requests[] = {POST("Content-Length: 5", "hello"), CHUNKED("5\r\nhello\r\n0\r\n\r\n")};
	struct http_parser parser;

	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
		for (size_t limit = 4; limit <= 5; limit++) {
			char *text = mem_string(requests[i]);

			http_parse_init(&parser, limit == 4 ? 1000 : 0);
			assert_int_equal(http_parse(&parser, text, strlen(text)), HTTP_HEADERS_DONE);
			parser.body_max = limit;
			assert_int_equal(http_parse(&parser, text, strlen(text)), limit == 4 ? HTTP_ERROR : HTTP_COMPLETE);
			assert_int_equal(parser.error_status, limit == 4 ? 413 : 0);
			free(text);
		}
	}
}

static void
finds_headers_without_regard_to_case(void **state UNUSED)
{
	static char text[] = WITH("X-Request-ID: 1\r\nAccept: b\r\nx-request-id: 2\r\nX^: 3");
	struct http_parser parser;

	http_parse_init(&parser, BODY_MAX);
	assert_int_equal(http_parse(&parser, text, sizeof(text) - 1), HTTP_HEADERS_DONE);
	assert_int_equal(parser.header_count, 5);
	assert_true(slice_is(http_parse_header(&parser, text, "x-request-id"), "1"));
	assert_true(slice_is(http_parse_header(&parser, text, "accept"), "b"));
	assert_null(http_parse_header(&parser, text, "x-request").data);
	assert_null(http_parse_header(&parser, text, "x~").data);
	assert_true(http_parse_header_repeated(&parser, text, "x-request-id"));
	assert_false(http_parse_header_repeated(&parser, text, "accept"));
	assert_false(http_parse_header_repeated(&parser, text, "absent"));
}

static void
decodes_escapes_to_utf8(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(decode_cases); i++) {
		const struct decode_case *this = &decode_cases[i];
		char *out = mem_alloc(this->text.len);
		size_t len = 0;
		bool decoded = http_parse_decode(this->text, this->plus, out, &len);

		if (decoded != !!this->want || (decoded && !slice_is((struct slice){out, len}, this->want)))
			fail_msg("%s: %s, %zu bytes", this->name, decoded ? "decoded" : "refused", len);
		free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refuses_malformed_requests),
	    cmocka_unit_test(accepts_valid_requests),
	    cmocka_unit_test(keeps_its_limits),
	    cmocka_unit_test(waits_for_every_missing_byte),
	    cmocka_unit_test(parses_one_message_after_another),
	    cmocka_unit_test(takes_a_new_body_limit_at_the_end_of_the_head),
	    cmocka_unit_test(finds_headers_without_regard_to_case),
	    cmocka_unit_test(decodes_escapes_to_utf8),
	};

	return cmocka_run_group_tests_name("http_parse", tests, NULL, NULL);
}
