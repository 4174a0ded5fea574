/* test_forwarded.c - X-Forwarded-For and -Proto: believed from the right, as far as trusted proxies wrote them. */
#include "base.h"

#include "buf.h"
#include "forwarded.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct cidr_list trusted;
static struct buf head;
static struct http_parser parser;

static int
set_up(void **state UNUSED)
{
	struct slice bad;

	return cidr_list_parse(SLICE("10.0.0.0/8,fd00::/8"), &trusted, &bad) ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	cidr_list_free(&trusted);
	buf_free(&head);
	return 0;
}

static void
parse(const char *headers)
{
	buf_clear(&head, SIZE_MAX);
	buf_printf(&head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
	http_parse_init(&parser, 0);
	assert_int_equal(http_parse(&parser, head.data, head.len), HTTP_HEADERS_DONE);
}

static void
expect(const char *peer, const char *headers, const char *wanted)
{
	struct cidr address, client;
	char text[CIDR_TEXT_SIZE];

	assert_true(cidr_parse_address(slice_of(peer), &address));
	parse(headers);
	client = forwarded_for(&trusted, &address, &parser, head.data);
	cidr_write(&client, text);
	if (strcmp(text, wanted) != 0)
		fail_msg("from %s with %.60s: %s, not %s", peer, headers, text, wanted);
}

static void
test_strangers_are_not_believed(void **state UNUSED)
{
	expect("192.0.2.1", "X-Forwarded-For: 1.2.3.4\r\n", "192.0.2.1");
	expect("192.0.2.1", "X-Forwarded-For: 10.0.0.1\r\n", "192.0.2.1");
	expect("2001:db8::1", "X-Forwarded-For: 1.2.3.4\r\n", "2001:db8::1");
}

static void
test_the_last_word_is_the_proxys(void **state UNUSED)
{
	expect("10.0.0.1", "", "10.0.0.1");
	expect("10.0.0.1", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4");
	expect("fd00::1", "x-forwarded-FOR: 1.2.3.4\r\n", "1.2.3.4");
	expect("::ffff:10.0.0.1", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4");
	/* What the client wrote itself stands further left. */
	expect("10.0.0.1", "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", "1.2.3.4");
	expect("10.0.0.1", "X-Forwarded-For: 10.6.6.6, 1.2.3.4\r\n", "1.2.3.4");
	expect("10.0.0.1", "X-Forwarded-For: 6.6.6.6,1.2.3.4 ,10.0.0.2\t, 10.9.9.9\r\n", "1.2.3.4");
	expect("10.0.0.1", "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7");
	/* All of them are proxies: the first. */
	expect("10.0.0.1", "X-Forwarded-For: 10.0.0.3,10.0.0.2\r\n", "10.0.0.3");
}

static void
test_repeated_headers_are_one_list(void **state UNUSED)
{
	expect("10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4");
	expect("10.0.0.1", "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nA: b\r\nX-Forwarded-For: 10.0.0.2\r\n", "1.2.3.4");
}

static void
test_forms_of_an_address(void **state UNUSED)
{
	expect("10.0.0.1", "X-Forwarded-For: 1.2.3.4:5678\r\n", "1.2.3.4");
	expect("10.0.0.1", "X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7");
	expect("10.0.0.1", "X-Forwarded-For: [2001:db8::7]:80\r\n", "2001:db8::7");
	expect("10.0.0.1", "X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4");
	expect("10.0.0.1", "X-Forwarded-For: 1.2.3.4, [fd00::9]:443\r\n", "1.2.3.4");
}

/* The walk ends with the last address that was believed. */
static void
test_what_is_no_address(void **state UNUSED)
{
	static const char *const bad[] = {
	    "unknown",       "_hidden",    "",         ",",        "1.2.3",           "1.2.3.4.5", "1.2.3.4:", "1.2.3.4:x",
	    "1.2.3.4:99999", "1.2.3.4/8",  "01.2.3.4", "[1::2",    "1::2]",           "[1::2]x",   "[1::2]:",  "[]",
	    "[]:80",         "[",          "]",        "[1.2.3.4", "1.2.3.4;5.6.7.8", "a b",       ":",        "::1%lo",
	    "\"1.2.3.4\"",   "for=1.2.3.4"};

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		char headers[128];
		snprintf(headers, sizeof(headers), "X-Forwarded-For: 6.6.6.6, %s\r\n", bad[i]);
		expect("10.0.0.1", headers, "10.0.0.1");
		snprintf(headers, sizeof(headers), "X-Forwarded-For: %s, 10.0.0.7\r\n", bad[i]);
		expect("10.0.0.1", headers, "10.0.0.7");
	}
}

static void
test_hops_are_bounded(void **state UNUSED)
{
	struct buf headers = {0};

	buf_add_text(&headers, "X-Forwarded-For: 1.2.3.4");
	for (int i = 1; i < FORWARDED_HOPS_MAX; i++)
		buf_printf(&headers, ",10.0.1.%d", i);
	buf_add(&headers, "\r\n", 3);
	expect("10.0.0.1", headers.data, "1.2.3.4");
	buf_clear(&headers, SIZE_MAX);
	buf_add_text(&headers, "X-Forwarded-For: 1.2.3.4");
	for (int i = 0; i < FORWARDED_HOPS_MAX; i++)
		buf_printf(&headers, ",10.0.1.%d", i);
	buf_add(&headers, "\r\n", 3);
	expect("10.0.0.1", headers.data, "10.0.1.0");
	buf_free(&headers);
}

static bool
secure(const char *peer, const char *headers)
{
	struct cidr address;

	assert_true(cidr_parse_address(slice_of(peer), &address));
	parse(headers);
	return forwarded_secure(&trusted, &address, &parser, head.data);
}

static void
test_scheme(void **state UNUSED)
{
	assert_true(secure("10.0.0.1", "X-Forwarded-Proto: https\r\n"));
	assert_true(secure("10.0.0.1", "X-Forwarded-Proto: http, HTTPS\r\n"));
	assert_false(secure("10.0.0.1", "X-Forwarded-Proto: https, http\r\n"));
	assert_false(secure("10.0.0.1", "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n"));
	assert_false(secure("10.0.0.1", ""));
	assert_false(secure("192.0.2.1", "X-Forwarded-Proto: https\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_strangers_are_not_believed),
	    cmocka_unit_test(test_the_last_word_is_the_proxys),
	    cmocka_unit_test(test_repeated_headers_are_one_list),
	    cmocka_unit_test(test_forms_of_an_address),
	    cmocka_unit_test(test_what_is_no_address),
	    cmocka_unit_test(test_hops_are_bounded),
	    cmocka_unit_test(test_scheme),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
