/*
 * http_target.c - see http_target.h and http_parse_decode() in http_parse.h.
 *
 * What always holds: an accepted path begins with a slash, has no empty segment but the last, no dot segment in any
 * spelling, and no escape for NUL, slash or backslash; so decoding it later cannot change where its segments begin.
 */
#include "base.h"

#include "http_target.h"
#include "http_parse.h"

#include <arpa/inet.h>

/* clang-format off */
enum {
	F = HTTP_CLASS_FIELD,
	T = HTTP_CLASS_TOKEN | F,
	P = HTTP_CLASS_PCHAR | HTTP_CLASS_QUERY | F,
	N = HTTP_CLASS_REG_NAME | P,
	A = HTTP_CLASS_TOKEN | N,
	X = HTTP_CLASS_HEX | A,
	D = HTTP_CLASS_DIGIT | X,
	Q = HTTP_CLASS_QUERY | F
};

const uint8_t http_class_of[256] = {
	['\t'] = F, [' '] = F,  ['!'] = A,  ['"'] = F,  ['#'] = T, ['$'] = A,         ['%'] = T,         ['&'] = A,
	['\''] = A, ['('] = N,  [')'] = N,  ['*'] = A,  ['+'] = A, [','] = N,         ['-'] = A,         ['.'] = A,
	['/'] = Q,  [':'] = P,  [';'] = N,  ['<'] = F,  ['='] = N, ['>'] = F,         ['?'] = Q,         ['@'] = P,
	['['] = F,  ['\\'] = F, [']'] = F,  ['^'] = T,  ['_'] = A, ['`'] = T,         ['{'] = F,         ['|'] = T,
	['}'] = F,  ['~'] = A,  ['0' ... '9'] = D,      ['A' ... 'F'] = X,            ['G' ... 'Z'] = A,
	['a' ... 'f'] = X,      ['g' ... 'z'] = A,      [0x80 ... 0xff] = F,
};
/* clang-format on */

static const char bad_escape[] =
    "The request target has a percent sign without two hexadecimal digits, or an escaped NUL.";

bool
http_text_is(struct slice text, struct slice lower)
{
	if (text.len != lower.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.data[i];

		if ((byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte) != lower.data[i])
			return false;
	}
	return true;
}

/* The byte that the escape at `at`, a percent sign, stands for; 0 when it is broken (an escaped NUL is refused too). */
static unsigned
escaped_byte(const char *at, const char *end)
{
	if (end - at < 3 || !http_class_has(at[1], HTTP_CLASS_HEX) || !http_class_has(at[2], HTTP_CLASS_HEX))
		return 0;
	return http_hex_value(at[1]) << 4 | http_hex_value(at[2]);
}

/* True for `.` and `..`, each dot plain or escaped. The escapes are known to be valid. */
static bool
is_dot_segment(const char *at, const char *end)
{
	int dots = 0;

	if (end - at > 6)
		return false;
	for (; at < end; dots++) {
		if (*at != '.' && (*at != '%' || escaped_byte(at, end) != '.'))
			return false;
		at += *at == '%' ? 3 : 1;
	}
	return dots == 1 || dots == 2;
}

/* *at_r stands behind a slash; moves it to the end of the segment, the first byte that cannot belong to one. */
static const char *
check_segment(const char **at_r, const char *end)
{
	const char *begin = *at_r;
	const char *at = http_class_skip(begin, end, HTTP_CLASS_PCHAR);

	for (; at < end && *at == '%'; at = http_class_skip(at + 3, end, HTTP_CLASS_PCHAR)) {
		unsigned byte = escaped_byte(at, end);

		if (!byte)
			return bad_escape;
		if (byte == '/' || byte == '\\')
			return "The path has an escaped slash or backslash, which is not allowed.";
	}
	if (is_dot_segment(begin, at))
		return "The path has a dot segment; send the path without `.` and `..`.";
	if (at == begin && at < end && *at == '/')
		return "The path has an empty segment; send single slashes only.";
	*at_r = at;
	return NULL;
}

static const char *
check_query(const char *at, const char *end)
{
	at = http_class_skip(at, end, HTTP_CLASS_QUERY);
	for (; at < end && *at == '%'; at = http_class_skip(at + 3, end, HTTP_CLASS_QUERY)) {
		if (!escaped_byte(at, end))
			return bad_escape;
	}
	return at == end ? NULL : "The query has a byte that must be percent-encoded, or a fragment.";
}

const char *
http_target_parse(struct http_parser *parser, const char *data, struct http_span target)
{
	const char *begin = data + target.at;
	const char *end = begin + target.len;
	const char *at = begin;
	const char *detail;

	parser->path = target;
	parser->query = (struct http_span){target.at + target.len, 0};
	if (target.len == 1 && *begin == '*' && parser->method == HTTP_OPTIONS) {
		parser->asterisk = true;
		return NULL;
	}
	if (target.len == 0 || *begin != '/')
		return "The request target must be a path that begins with a slash (or `*` for OPTIONS).";
	while (at < end && *at == '/') {
		at++;
		if ((detail = check_segment(&at, end)))
			return detail;
	}
	parser->path.len = (uint32_t)(at - begin);
	if (at == end)
		return NULL;
	if (*at != '?')
		return "The path has a byte that must be percent-encoded, or a fragment.";
	parser->query = (struct http_span){(uint32_t)(at + 1 - data), (uint32_t)(end - at - 1)};
	return check_query(at + 1, end);
}

/* `:` and 1 to 5 digits up to 65535, or nothing. */
static bool
port_is_valid(const char *at, const char *end)
{
	unsigned port = 0;

	if (at == end)
		return true;
	if (*at++ != ':' || at == end || end - at > 5)
		return false;
	for (; at < end; at++) {
		if (!http_class_has(*at, HTTP_CLASS_DIGIT))
			return false;
		port = port * 10 + (unsigned)(*at - '0');
	}
	return port <= 65535;
}

static bool
bracketed_host_is_valid(struct slice host)
{
	const char *close = memchr(host.data, ']', host.len);
	size_t len = close ? (size_t)(close - host.data - 1) : 0;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (!close || len >= sizeof(text))
		return false;
	memcpy(text, host.data + 1, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1 && port_is_valid(close + 1, host.data + host.len);
}

bool
http_target_host_is_valid(struct slice host)
{
	const char *end = host.data + host.len;
	const char *at;

	if (host.len && host.data[0] == '[')
		return bracketed_host_is_valid(host);
	at = http_class_skip(host.data, end, HTTP_CLASS_REG_NAME);
	for (; at < end && *at == '%'; at = http_class_skip(at + 3, end, HTTP_CLASS_REG_NAME)) {
		if (!escaped_byte(at, end))
			return false;
	}
	return at > host.data && port_is_valid(at, end);
}

/* The length of the UTF-8 sequence at `at` (RFC 3629: shortest form, no surrogates, at most U+10FFFF); 0 if broken. */
static size_t
utf8_length(const uint8_t *at, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;

	if (len > left)
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < len; i++) {
		if (at[i] < low || at[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return len;
}

bool
http_parse_decode(struct slice text, bool plus, char *out, size_t *len_r)
{
	const char *end = text.len ? text.data + text.len : text.data;
	size_t len = 0;
	size_t step;

	for (const char *at = text.data; at < end; at++) {
		unsigned byte = *at == '%' ? escaped_byte(at, end) : *at == '+' && plus ? ' ' : (uint8_t)*at;

		if (!byte)
			return false;
		if (*at == '%')
			at += 2;
		out[len++] = (char)byte;
	}
	for (size_t i = 0; i < len; i += step) {
		step = utf8_length((const uint8_t *)out + i, len - i);
		if (!step)
			return false;
	}
	*len_r = len;
	return true;
}
