/* test_proxy.c - the PROXY header, version 2: what is one, what is none, and that it never takes a byte too many. */
#include "base.h"

#include "buf.h"
#include "proxy.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* 192.0.2.7:56324 to 198.51.100.1:443 */
#define ADDRESSES_4 "\xC0\x00\x02\x07\xC6\x33\x64\x01\xDC\x04\x01\xBB"
/* 2001:db8::7 to 2001:db8::1 */
#define ADDRESSES_6 \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xDC\x04\x01\xBB"

static struct buf
header_of(uint8_t command, uint8_t family, size_t length, struct slice rest)
{
	struct buf out = {0};

	buf_add_slice(&out, SLICE(SIGNATURE));
	buf_add_byte(&out, (char)command);
	buf_add_byte(&out, (char)family);
	buf_add_byte(&out, (char)(length >> 8));
	buf_add_byte(&out, (char)length);
	buf_add_slice(&out, rest);
	return out;
}

/* Feeds it as a socket would: never more than was asked for, one byte a time or all of it. */
static enum proxy_outcome
feed(struct slice whole, bool slowly, size_t *taken_r, struct proxy_header *header_r)
{
	size_t have = 0;
	enum proxy_outcome outcome;

	while ((outcome = proxy_parse((struct slice){whole.data, have}, header_r)) == PROXY_MORE) {
		size_t step = slowly ? 1 : header_r->wanted;
		assert_true(header_r->wanted > 0);
		if (have + step > whole.len)
			break;
		have += step;
	}
	*taken_r = have;
	return outcome;
}

static void
expect(uint8_t command, uint8_t family, size_t length, struct slice rest, enum proxy_outcome wanted, const char *source)
{
	struct buf bytes = header_of(command, family, length, rest);
	size_t own = bytes.len, taken;
	struct proxy_header header;
	char text[CIDR_TEXT_SIZE];

	/* What follows may look like anything. */
	buf_add_slice(&bytes, SLICE("\r\n\r\n\0\r\nQUIT\nGET / HTTP/1.1\r\n"));
	for (int slowly = 0; slowly < 2; slowly++) {
		assert_int_equal(feed(buf_slice(&bytes), slowly, &taken, &header), wanted);
		if (wanted == PROXY_DONE) {
			assert_int_equal(taken, own);
			assert_int_equal(header.has_source, source != NULL);
			if (source) {
				cidr_write(&header.source, text);
				assert_string_equal(text, source);
			}
		} else if (wanted == PROXY_BAD) {
			assert_non_null(header.problem);
			assert_true(taken <= own);
		}
	}
	buf_free(&bytes);
}

static void
test_sources(void **state UNUSED)
{
	expect(0x21, 0x11, 12, SLICE(ADDRESSES_4), PROXY_DONE, "192.0.2.7");
	expect(0x21, 0x21, 36, SLICE(ADDRESSES_6), PROXY_DONE, "2001:db8::7");
	/* v4-mapped: the same address as IPv4 */
	expect(0x21, 0x21, 36,
	       SLICE("\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x0A\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x0A\0\0\x01\0\1\0\2"),
	       PROXY_DONE, "10.1.2.3");
}

static void
test_a_proxy_may_speak_for_itself(void **state UNUSED)
{
	expect(0x20, 0x00, 0, SLICE(""), PROXY_DONE, NULL);
	expect(0x20, 0x11, 12, SLICE(ADDRESSES_4), PROXY_DONE, NULL);
	expect(0x20, 0x31, 3, SLICE("abc"), PROXY_DONE, NULL);
	expect(0x21, 0x00, 0, SLICE(""), PROXY_DONE, NULL);
	expect(0x21, 0x00, 5, SLICE("abcde"), PROXY_DONE, NULL);
}

static void
test_additions_must_fit(void **state UNUSED)
{
	expect(0x21, 0x11, 12 + 5, SLICE(ADDRESSES_4 "\x04\0\x02xx"), PROXY_DONE, "192.0.2.7");
	expect(0x21, 0x11, 12 + 3, SLICE(ADDRESSES_4 "\x04\0\0"), PROXY_DONE, "192.0.2.7");
	expect(0x21, 0x11, 12 + 8, SLICE(ADDRESSES_4 "\x04\0\x02xx\x04\0\0"), PROXY_DONE, "192.0.2.7");
	expect(0x21, 0x11, 12 + 1, SLICE(ADDRESSES_4 "\x04"), PROXY_BAD, NULL);
	expect(0x21, 0x11, 12 + 2, SLICE(ADDRESSES_4 "\x04\0"), PROXY_BAD, NULL);
	expect(0x21, 0x11, 12 + 5, SLICE(ADDRESSES_4 "\x04\0\x03xx"), PROXY_BAD, NULL);
	expect(0x21, 0x11, 12 + 5, SLICE(ADDRESSES_4 "\x04\xFF\xFFxx"), PROXY_BAD, NULL);
	expect(0x21, 0x11, 12 + 6, SLICE(ADDRESSES_4 "\x04\0\x02xxx"), PROXY_BAD, NULL);
}

/* The sum was computed apart from proxy.c, by the definition of CRC-32C. */
static void
test_a_checksum_must_be_right(void **state UNUSED)
{
	expect(0x21, 0x11, 12 + 7, SLICE(ADDRESSES_4 "\x03\0\x04\x54\x8e\x28\xff"), PROXY_DONE, "192.0.2.7");
	expect(0x21, 0x11, 12 + 7, SLICE(ADDRESSES_4 "\x03\0\x04\0\0\0\0"), PROXY_BAD, NULL);
	expect(0x21, 0x11, 12 + 5, SLICE(ADDRESSES_4 "\x03\0\x02xx"), PROXY_BAD, NULL);
	expect(0x21, 0x11, 12 + 14, SLICE(ADDRESSES_4 "\x03\0\x04\x54\x8e\x28\xff\x03\0\x04\x54\x8e\x28\xff"), PROXY_BAD,
	       NULL);
}

static void
test_what_is_refused(void **state UNUSED)
{
	static const uint8_t commands[] = {0x00, 0x01, 0x10, 0x11, 0x22, 0x2F, 0x30, 0x31, 0xFF};
	static const uint8_t families[] = {0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x31, 0x32, 0x41, 0xFF};

	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		expect(commands[i], 0x11, 12, SLICE(ADDRESSES_4), PROXY_BAD, NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++)
		expect(0x21, families[i], 36, SLICE(ADDRESSES_6), PROXY_BAD, NULL);
	expect(0x21, 0x11, 11, SLICE("12345678901"), PROXY_BAD, NULL);
	expect(0x21, 0x11, 0, SLICE(""), PROXY_BAD, NULL);
	expect(0x21, 0x21, 12, SLICE(ADDRESSES_4), PROXY_BAD, NULL);
	/* Longer than any honest one: refused before any of it is read. */
	expect(0x21, 0x11, PROXY_SIZE_MAX - PROXY_HEAD_SIZE + 1, SLICE(""), PROXY_BAD, NULL);
	expect(0x20, 0x00, 65535, SLICE(""), PROXY_BAD, NULL);
}

/* Refused at the first byte that is wrong, so nothing waits for bytes that will not come. */
static void
test_other_beginnings(void **state UNUSED)
{
	static const struct slice beginnings[] = {SLICE("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
	                                          SLICE("GET / HTTP/1.1\r\n"),
	                                          SLICE("\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03"),
	                                          SLICE("\r\n\r\n\0\r\nQUIT\r"),
	                                          SLICE("\r\n\r\n\r\n"),
	                                          SLICE("\0")};
	struct proxy_header header;
	size_t taken;

	for (size_t i = 0; i < ARRAY_LENGTH(beginnings); i++) {
		assert_int_equal(feed(beginnings[i], true, &taken, &header), PROXY_BAD);
		assert_true(taken <= 12);
	}
	assert_int_equal(proxy_parse(SLICE("P"), &header), PROXY_BAD);
	assert_non_null(strstr(header.problem, "version 1"));
	assert_int_equal(proxy_parse(SLICE(""), &header), PROXY_MORE);
	assert_int_equal(header.wanted, PROXY_HEAD_SIZE);
}

static void
test_the_longest(void **state UNUSED)
{
	size_t length = PROXY_SIZE_MAX - PROXY_HEAD_SIZE, filling = length - 12 - 3;
	struct buf rest = {0};

	buf_add_slice(&rest, SLICE(ADDRESSES_4));
	buf_add_byte(&rest, 0x04);
	buf_add_byte(&rest, (char)(filling >> 8));
	buf_add_byte(&rest, (char)filling);
	for (size_t i = 0; i < filling; i++)
		buf_add_byte(&rest, 'x');
	expect(0x21, 0x11, length, buf_slice(&rest), PROXY_DONE, "192.0.2.7");
	buf_free(&rest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sources),
	    cmocka_unit_test(test_a_proxy_may_speak_for_itself),
	    cmocka_unit_test(test_additions_must_fit),
	    cmocka_unit_test(test_a_checksum_must_be_right),
	    cmocka_unit_test(test_what_is_refused),
	    cmocka_unit_test(test_other_beginnings),
	    cmocka_unit_test(test_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
