/*
 * http_write.c - see http_write.h.
 *
 * What always holds: nothing reaches a head that could end a line early or begin another; whatever the parser accepts
 * as a header value may be written back.
 */
#include "base.h"

#include "http_write.h"
#include "http_target.h"

enum { DATE_LENGTH = 29, STATUS_MIN = 100, STATUS_MAX = 599 };

/* clang-format off */
static const char *const reasons[STATUS_MAX + 1 - STATUS_MIN] = {
#define REASON(status, text) [(status) - STATUS_MIN] = (text)
	REASON(100, "Continue"),
	REASON(101, "Switching Protocols"),
	REASON(103, "Early Hints"),
	REASON(200, "OK"),
	REASON(201, "Created"),
	REASON(202, "Accepted"),
	REASON(203, "Non-Authoritative Information"),
	REASON(204, "No Content"),
	REASON(205, "Reset Content"),
	REASON(206, "Partial Content"),
	REASON(207, "Multi-Status"),
	REASON(300, "Multiple Choices"),
	REASON(301, "Moved Permanently"),
	REASON(302, "Found"),
	REASON(303, "See Other"),
	REASON(304, "Not Modified"),
	REASON(307, "Temporary Redirect"),
	REASON(308, "Permanent Redirect"),
	REASON(400, "Bad Request"),
	REASON(401, "Unauthorized"),
	REASON(402, "Payment Required"),
	REASON(403, "Forbidden"),
	REASON(404, "Not Found"),
	REASON(405, "Method Not Allowed"),
	REASON(406, "Not Acceptable"),
	REASON(407, "Proxy Authentication Required"),
	REASON(408, "Request Timeout"),
	REASON(409, "Conflict"),
	REASON(410, "Gone"),
	REASON(411, "Length Required"),
	REASON(412, "Precondition Failed"),
	REASON(413, "Content Too Large"),
	REASON(414, "URI Too Long"),
	REASON(415, "Unsupported Media Type"),
	REASON(416, "Range Not Satisfiable"),
	REASON(417, "Expectation Failed"),
	REASON(421, "Misdirected Request"),
	REASON(422, "Unprocessable Content"),
	REASON(423, "Locked"),
	REASON(424, "Failed Dependency"),
	REASON(425, "Too Early"),
	REASON(426, "Upgrade Required"),
	REASON(428, "Precondition Required"),
	REASON(429, "Too Many Requests"),
	REASON(431, "Request Header Fields Too Large"),
	REASON(451, "Unavailable For Legal Reasons"),
	REASON(500, "Internal Server Error"),
	REASON(501, "Not Implemented"),
	REASON(502, "Bad Gateway"),
	REASON(503, "Service Unavailable"),
	REASON(504, "Gateway Timeout"),
	REASON(505, "HTTP Version Not Supported"),
	REASON(507, "Insufficient Storage"),
	REASON(508, "Loop Detected"),
	REASON(511, "Network Authentication Required"),
#undef REASON
};
/* clang-format on */

const char *
http_write_reason(int status)
{
	const char *reason = status >= STATUS_MIN && status <= STATUS_MAX ? reasons[status - STATUS_MIN] : NULL;

	return reason ? reason : "";
}

static void
put_decimal(char *out, int width, int value)
{
	while (width > 0) {
		out[--width] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* IMF-fixdate (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". By hand: strftime() would follow the locale. */
static void
format_date(int64_t seconds, char out[DATE_LENGTH])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t at = (time_t)seconds;
	struct tm parts;

	INVARIANT(gmtime_r(&at, &parts) && parts.tm_year >= -1900 && parts.tm_year < 8100);
	memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_LENGTH);
	memcpy(out, days + 3 * parts.tm_wday, 3);
	put_decimal(out + 5, 2, parts.tm_mday);
	memcpy(out + 8, months + 3 * parts.tm_mon, 3);
	put_decimal(out + 12, 4, parts.tm_year + 1900);
	put_decimal(out + 17, 2, parts.tm_hour);
	put_decimal(out + 20, 2, parts.tm_min);
	put_decimal(out + 23, 2, parts.tm_sec);
}

static void
add_date(struct buf *out, int64_t wall_us)
{
	static _Thread_local int64_t formatted_second = INT64_MIN;
	static _Thread_local char date[DATE_LENGTH];
	int64_t second = wall_us / 1000000 - (wall_us % 1000000 < 0);

	if (second != formatted_second) {
		format_date(second, date);
		formatted_second = second;
	}
	buf_add(out, date, DATE_LENGTH);
}

void
http_write_status(struct buf *out, int status, int64_t wall_us)
{
	INVARIANT(status >= STATUS_MIN && status <= STATUS_MAX);
	buf_reserve(out, 256);
	buf_add_slice(out, SLICE("HTTP/1.1 "));
	buf_add_int(out, status);
	buf_add_byte(out, ' ');
	buf_add_text(out, http_write_reason(status));
	buf_add_slice(out, SLICE("\r\nDate: "));
	add_date(out, wall_us);
	buf_add_slice(out, SLICE("\r\n"));
}

static void
add_name(struct buf *out, const char *name)
{
	size_t len = strlen(name);

	INVARIANT(len > 0 && http_class_skip(name, name + len, HTTP_CLASS_TOKEN) == name + len);
	buf_add(out, name, len);
	buf_add_slice(out, SLICE(": "));
}

void
http_write_header(struct buf *out, const char *name, struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		INVARIANT(http_class_has(value.data[i], HTTP_CLASS_FIELD));
	add_name(out, name);
	buf_add_slice(out, value);
	buf_add_slice(out, SLICE("\r\n"));
}

void
http_write_header_int(struct buf *out, const char *name, int64_t value)
{
	add_name(out, name);
	buf_add_int(out, value);
	buf_add_slice(out, SLICE("\r\n"));
}

void
http_write_guards(struct buf *out, bool own_policy)
{
	buf_add_slice(out, SLICE("X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"));
	if (!own_policy)
		buf_add_slice(out, SLICE("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"));
}

void
http_write_body(struct buf *out, int status, struct slice body, bool with_body)
{
	bool has_length = status >= 200 && status != 204;

	if (has_length)
		http_write_header_int(out, "Content-Length", (int64_t)body.len);
	buf_add_slice(out, SLICE("\r\n"));
	if (has_length && with_body && status != 304)
		buf_add_slice(out, body);
}

void
http_write_stream(struct buf *out, bool chunked)
{
	if (chunked)
		http_write_header(out, "Transfer-Encoding", SLICE("chunked"));
	buf_add_slice(out, SLICE("\r\n"));
}

void
http_write_chunk(struct buf *out, struct slice data)
{
	INVARIANT(data.len > 0);
	buf_printf(out, "%zx\r\n", data.len);
	buf_add_slice(out, data);
	buf_add_slice(out, SLICE("\r\n"));
}

void
http_write_last_chunk(struct buf *out)
{
	buf_add_slice(out, SLICE("0\r\n\r\n"));
}

void
http_write_continue(struct buf *out)
{
	buf_add_slice(out, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
}
