/*
 * http_parse.c - see http_parse.h. The state machine: finds lines and chunks; http_head.c and http_target.c judge them.
 *
 * What always holds: data[0..consumed) is finished with; no line feed lies in data[consumed..scanned), so the search
 * for one goes on at scanned. The outcome does not depend on how the bytes were split between calls: every decision is
 * made on a complete line or at a fixed limit.
 */
#include "base.h"

#include "http_parse.h"
#include "http_head.h"
#include "http_target.h"

enum {
	CHUNK_DIGITS_MAX = 8,
	CHUNK_LINE_MAX = CHUNK_DIGITS_MAX + HTTP_CHUNK_EXTENSION_MAX + 2,
	BODY_CEILING = 1 << 30 /* spans have 32 bits */
};

enum state {
	STATE_START,
	STATE_REQUEST_LINE,
	STATE_HEADER_LINE,
	STATE_BODY,
	STATE_LENGTH_BODY,
	STATE_CHUNK_LINE,
	STATE_CHUNK_DATA,
	STATE_CHUNK_END,
	STATE_TRAILER_LINE,
	STATE_COMPLETE,
	STATE_FAILED
};

/* What a step tells the loop: an event for the caller, or to go on with the next step. */
enum step {
	STEP_MORE = HTTP_MORE,
	STEP_HEADERS_DONE = HTTP_HEADERS_DONE,
	STEP_COMPLETE = HTTP_COMPLETE,
	STEP_ERROR = HTTP_ERROR,
	STEP_NEXT,
	STEP_TOO_LONG /* from find_line() only */
};

static enum step
go(struct http_parser *parser, enum state state, enum step step)
{
	parser->state = (int)state;
	return step;
}

static enum step
fail(struct http_parser *parser, int status, const char *detail)
{
	http_head_refuse(parser, status, detail);
	return go(parser, STATE_FAILED, STEP_ERROR);
}

static size_t
body_limit(const struct http_parser *parser)
{
	return MIN(parser->body_max, (size_t)BODY_CEILING);
}

/* Looks for the line that begins at consumed and must end at or before limit; *end_r is behind its CRLF. */
static enum step
find_line(struct http_parser *parser, const char *data, size_t len, size_t limit, size_t *end_r)
{
	size_t stop = MIN(len, limit);
	const char *feed = stop > parser->scanned ? memchr(data + parser->scanned, '\n', stop - parser->scanned) : NULL;

	if (!feed) {
		parser->scanned = stop;
		return stop == limit ? STEP_TOO_LONG : STEP_MORE;
	}
	*end_r = parser->scanned = (size_t)(feed - data) + 1;
	if (*end_r - parser->consumed < 2 || feed[-1] != '\r')
		return fail(parser, 400, "A line ends in a line feed alone; end lines in carriage return and line feed.");
	return STEP_NEXT;
}

/* One empty line before the request line is allowed: old clients send it after a body (RFC 9112 2.2). */
static enum step
step_start(struct http_parser *parser, char *data, size_t len)
{
	if (len == 0 || (len == 1 && data[0] == '\r'))
		return STEP_MORE;
	if (data[0] == '\r' && data[1] == '\n')
		parser->consumed = parser->scanned = 2;
	return go(parser, STATE_REQUEST_LINE, STEP_NEXT);
}

static enum step
step_request_line(struct http_parser *parser, char *data, size_t len)
{
	size_t end = HTTP_HEAD_MAX;
	bool valid;
	enum step found;

	/* What is no HTTP at all, such as a TLS greeting, is answered at once instead of waiting for a line feed. */
	if (len > parser->consumed && !http_class_has(data[parser->consumed], HTTP_CLASS_TOKEN))
		return fail(parser, 400, "The request does not begin with a method; is the client speaking HTTP/1.1?");
	found = find_line(parser, data, len, HTTP_HEAD_MAX, &end);
	if (found == STEP_NEXT)
		end -= 2;
	else if (found != STEP_TOO_LONG)
		return found;
	valid = http_head_request_line(parser, data, parser->consumed, end);
	if (found == STEP_TOO_LONG && (valid || parser->error_status != 414))
		return fail(parser, 431, "The request line is longer than 16384 bytes; shorten it.");
	if (!valid)
		return go(parser, STATE_FAILED, STEP_ERROR);
	parser->consumed = parser->scanned;
	return go(parser, STATE_HEADER_LINE, STEP_NEXT);
}

static enum step
step_header_line(struct http_parser *parser, char *data, size_t len)
{
	size_t end;
	const char *detail;
	enum step found = find_line(parser, data, len, HTTP_HEAD_MAX, &end);

	if (found == STEP_TOO_LONG)
		return fail(parser, 431, "The request line and the headers are longer than 16384 bytes; send less.");
	if (found != STEP_NEXT)
		return found;
	if (end - parser->consumed == 2) {
		parser->consumed = parser->head_len = end;
		if (!http_head_finish(parser, data))
			return go(parser, STATE_FAILED, STEP_ERROR);
		return go(parser, STATE_BODY, STEP_HEADERS_DONE);
	}
	if (parser->header_count == HTTP_HEADERS_MAX)
		return fail(parser, 431, "The request has more than 100 headers; send fewer.");
	detail = http_head_field(data, parser->consumed, end - 2, &parser->headers[parser->header_count]);
	if (detail)
		return fail(parser, 400, detail);
	parser->header_count++;
	parser->consumed = end;
	return STEP_NEXT;
}

static enum step
complete(struct http_parser *parser, size_t body_at, size_t body_len)
{
	parser->body = (struct http_span){(uint32_t)body_at, (uint32_t)body_len};
	return go(parser, STATE_COMPLETE, STEP_COMPLETE);
}

static enum step
too_large(struct http_parser *parser)
{
	return fail(parser, 413,
	            "The request body, with its chunk lines if any, is larger than this endpoint accepts; send less.");
}

static enum step
step_body(struct http_parser *parser, char *data UNUSED, size_t len UNUSED)
{
	if (parser->chunked)
		return go(parser, STATE_CHUNK_LINE, STEP_NEXT);
	if (parser->content_length > body_limit(parser))
		return too_large(parser);
	return go(parser, STATE_LENGTH_BODY, STEP_NEXT);
}

static enum step
step_length_body(struct http_parser *parser, char *data UNUSED, size_t len)
{
	if (len - parser->head_len < parser->content_length)
		return STEP_MORE;
	parser->consumed += (size_t)parser->content_length;
	return complete(parser, parser->head_len, (size_t)parser->content_length);
}

/* A token or a quoted string; NULL if there is neither. */
static const char *
skip_extension_value(const char *at, const char *end)
{
	const char *begin = at;

	if (at == end || *at != '"') {
		at = http_class_skip(at, end, HTTP_CLASS_TOKEN);
		return at > begin ? at : NULL;
	}
	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\\')
			at++;
		if (at == end || !http_class_has(*at, HTTP_CLASS_FIELD))
			return NULL;
	}
	return at < end ? at + 1 : NULL;
}

/* Chunk extensions (RFC 9112 7.1.1) without white space: `;name` and `;name=value`, any number of them. */
static bool
extensions_are_valid(const char *at, const char *end)
{
	if (end - at > HTTP_CHUNK_EXTENSION_MAX)
		return false;
	while (at && at < end) {
		const char *name = at + 1;

		if (*at != ';')
			return false;
		at = http_class_skip(name, end, HTTP_CLASS_TOKEN);
		if (at == name)
			return false;
		if (at < end && *at == '=')
			at = skip_extension_value(at + 1, end);
	}
	return at;
}

/* Parses the line of a chunk, data[consumed..end), without its CRLF; *size_r is what it announces. */
static bool
parse_chunk_line(const struct http_parser *parser, const char *data, size_t end, uint64_t *size_r)
{
	const char *begin = data + parser->consumed;
	const char *at = http_class_skip(begin, data + end, HTTP_CLASS_HEX);

	if (at == begin || at - begin > CHUNK_DIGITS_MAX)
		return false;
	*size_r = 0;
	for (const char *digit = begin; digit < at; digit++)
		*size_r = *size_r << 4 | http_hex_value(*digit);
	return extensions_are_valid(at, data + end);
}

static enum step
step_chunk_line(struct http_parser *parser, char *data, size_t len)
{
	size_t end;
	enum step found = find_line(parser, data, len, parser->consumed + CHUNK_LINE_MAX, &end);

	if (found == STEP_MORE || found == STEP_ERROR)
		return found;
	if (found == STEP_TOO_LONG || !parse_chunk_line(parser, data, end - 2, &parser->chunk_left))
		return fail(parser, 400, "A chunk must begin with a line of 1 to 8 hexadecimal digits and short extensions.");
	if (!parser->body.at) {
		parser->body.at = (uint32_t)end;
		parser->write_at = end;
	}
	/* The buffer keeps chunk lines until the message is complete: tiny chunks must not fill memory either. */
	if (parser->write_at - parser->body.at + parser->chunk_left > body_limit(parser) ||
	    end - parser->head_len > 2 * body_limit(parser) + HTTP_HEAD_MAX)
		return too_large(parser);
	parser->consumed = end;
	return go(parser, parser->chunk_left ? STATE_CHUNK_DATA : STATE_TRAILER_LINE, STEP_NEXT);
}

static enum step
step_chunk_data(struct http_parser *parser, char *data, size_t len)
{
	size_t count = MIN(len - parser->consumed, (size_t)parser->chunk_left);

	if (parser->write_at != parser->consumed)
		memmove(data + parser->write_at, data + parser->consumed, count);
	parser->write_at += count;
	parser->consumed += count;
	parser->chunk_left -= count;
	return parser->chunk_left ? STEP_MORE : go(parser, STATE_CHUNK_END, STEP_NEXT);
}

static enum step
step_chunk_end(struct http_parser *parser, char *data, size_t len)
{
	if (len - parser->consumed < 2)
		return STEP_MORE;
	if (memcmp(data + parser->consumed, "\r\n", 2) != 0)
		return fail(parser, 400, "A chunk is longer than its line announced.");
	parser->consumed += 2;
	parser->scanned = parser->consumed;
	return go(parser, STATE_CHUNK_LINE, STEP_NEXT);
}

static enum step
step_trailer_line(struct http_parser *parser, char *data, size_t len)
{
	size_t end;
	const char *detail;
	struct http_header discarded;
	enum step found = find_line(parser, data, len, parser->consumed + HTTP_TRAILER_MAX - parser->trailer_len, &end);

	if (found == STEP_TOO_LONG)
		return fail(parser, 431, "The trailers are longer than 4096 bytes; send none, they are not used.");
	if (found != STEP_NEXT)
		return found;
	if (end - parser->consumed == 2) {
		parser->consumed = end;
		return complete(parser, parser->body.at, parser->write_at - parser->body.at);
	}
	detail = http_head_field(data, parser->consumed, end - 2, &discarded);
	if (detail)
		return fail(parser, 400, detail);
	parser->trailer_len += (uint32_t)(end - parser->consumed);
	parser->consumed = end;
	return STEP_NEXT;
}

static enum step
step_complete(struct http_parser *parser UNUSED, char *data UNUSED, size_t len UNUSED)
{
	return STEP_COMPLETE;
}

static enum step
step_failed(struct http_parser *parser UNUSED, char *data UNUSED, size_t len UNUSED)
{
	return STEP_ERROR;
}

static enum step (*const steps[])(struct http_parser *parser, char *data, size_t len) = {
    [STATE_START] = step_start,
    [STATE_REQUEST_LINE] = step_request_line,
    [STATE_HEADER_LINE] = step_header_line,
    [STATE_BODY] = step_body,
    [STATE_LENGTH_BODY] = step_length_body,
    [STATE_CHUNK_LINE] = step_chunk_line,
    [STATE_CHUNK_DATA] = step_chunk_data,
    [STATE_CHUNK_END] = step_chunk_end,
    [STATE_TRAILER_LINE] = step_trailer_line,
    [STATE_COMPLETE] = step_complete,
    [STATE_FAILED] = step_failed,
};

void
http_parse_init(struct http_parser *parser, size_t body_max)
{
	/* All but the header table, which is most of the struct. */
	memset(parser, 0, offsetof(struct http_parser, headers));
	memset(&parser->body, 0, sizeof(*parser) - offsetof(struct http_parser, body));
	parser->body_max = body_max;
}

enum http_event
http_parse(struct http_parser *parser, char *data, size_t len)
{
	enum step step;

	INVARIANT(len >= parser->consumed);
	do
		step = steps[parser->state](parser, data, len);
	while (step == STEP_NEXT);
	return (enum http_event)step;
}
