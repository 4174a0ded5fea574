/*
 * fuzz_http.c - the request parser must be bounded, and blind to how the bytes were split.
 *
 * The input is a run of requests on one connection. It is fed whole and then cut in several ways; every way must tell
 * the same story: events, spans, headers, bodies, errors. Each arrival moves the bytes to a block of exactly their
 * size, so that a sanitizer sees a read past the end and a pointer that was kept.
 */
#include "base.h"

#include "buf.h"
#include "http_parse.h"
#include "http_write.h"

enum { BODY_MAX = 200 };

struct connection {
	struct http_parser parser;
	char *data;
	size_t len;
	size_t message; /* where the current message begins */
	struct buf story;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
tell(struct buf *story, struct http_span span)
{
	buf_printf(story, " %u+%u", span.at, span.len);
}

static struct slice
checked_slice(const struct connection *connection, struct http_span span, size_t end)
{
	INVARIANT(span.at <= end && span.len <= end - span.at);
	return http_span_slice(connection->data + connection->message, span);
}

/* Decoding must neither add nor remove segments, nor make one that points elsewhere. */
static void
check_path(struct slice path)
{
	char *decoded = mem_alloc(path.len + 2);
	size_t len, slashes = 0;

	INVARIANT(path.len && path.data[0] == '/');
	for (size_t i = 0; i < path.len; i++)
		slashes += path.data[i] == '/';
	if (http_parse_decode(path, false, decoded, &len)) {
		for (size_t i = 0; i < len; i++)
			slashes -= decoded[i] == '/';
		INVARIANT(slashes == 0);
		decoded[len] = '/';
		decoded[len + 1] = '\0';
		INVARIANT(!strstr(decoded, "/./") && !strstr(decoded, "/../") && !memchr(decoded, '\\', len));
		INVARIANT(len < 2 || !memmem(decoded, len, "//", 2));
	}
	free(decoded);
}

static void
check_head(struct connection *connection)
{
	const struct http_parser *parser = &connection->parser;
	const char *data = connection->data + connection->message;
	struct slice path = checked_slice(connection, parser->path, parser->head_len);
	struct buf head = {0};

	INVARIANT(parser->head_len <= HTTP_HEAD_MAX && parser->head_len <= connection->len - connection->message);
	checked_slice(connection, parser->query, parser->head_len);
	INVARIANT(checked_slice(connection, parser->method_text, parser->head_len).len);
	if (parser->asterisk)
		INVARIANT(slice_is(path, "*") && parser->method == HTTP_OPTIONS);
	else
		check_path(path);
	for (int i = 0; i < parser->header_count; i++) {
		INVARIANT(checked_slice(connection, parser->headers[i].name, parser->head_len).len);
		/* What the parser accepts, the writer may write: it aborts otherwise. */
		http_write_header(&head, "X", checked_slice(connection, parser->headers[i].value, parser->head_len));
	}
	buf_free(&head);
	INVARIANT(parser->minor_version == 0 || http_parse_header(parser, data, "host").len);
	INVARIANT(!http_parse_header_repeated(parser, data, "host"));
	INVARIANT(!http_parse_header_repeated(parser, data, "content-length"));
	INVARIANT(parser->chunked == !!http_parse_header(parser, data, "transfer-encoding").data);
	INVARIANT(!parser->chunked || !http_parse_header(parser, data, "content-length").data);
}

static void
tell_head(struct connection *connection)
{
	const struct http_parser *parser = &connection->parser;
	struct buf *story = &connection->story;

	buf_printf(story, "\nhead %d%d%d%d%d%d%d %d %ju", (int)parser->method, parser->asterisk, parser->minor_version,
	           parser->keep_alive, parser->expect_continue, parser->has_body, parser->chunked, parser->header_count,
	           (uintmax_t)parser->content_length);
	tell(story, parser->method_text);
	tell(story, parser->path);
	tell(story, parser->query);
	for (int i = 0; i < parser->header_count; i++) {
		tell(story, parser->headers[i].name);
		tell(story, parser->headers[i].value);
	}
}

static void
tell_body(struct connection *connection)
{
	const struct http_parser *parser = &connection->parser;

	INVARIANT(parser->consumed <= connection->len - connection->message && parser->body.len <= BODY_MAX);
	buf_printf(&connection->story, "\nbody of %zu:", parser->consumed);
	tell(&connection->story, parser->body);
	buf_add_slice(&connection->story, checked_slice(connection, parser->body, parser->consumed));
}

static void
tell_error(struct connection *connection)
{
	static const int statuses[] = {400, 413, 414, 417, 431, 501, 505};
	const struct http_parser *parser = &connection->parser;
	bool known = false;

	for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++)
		known |= parser->error_status == statuses[i];
	INVARIANT(known && parser->error_detail);
	buf_printf(&connection->story, "\nerror %d %s", parser->error_status, parser->error_detail);
}

/* Parses what is there, one message after another, until bytes are missing or the connection is lost. */
static bool
parse_arrived(struct connection *connection)
{
	struct http_parser *parser = &connection->parser;

	for (;;) {
		switch (http_parse(parser, connection->data + connection->message, connection->len - connection->message)) {
		case HTTP_MORE:
			return true;
		case HTTP_HEADERS_DONE:
			check_head(connection);
			tell_head(connection);
			parser->body_max = BODY_MAX;
			break;
		case HTTP_COMPLETE:
			tell_body(connection);
			INVARIANT(parser->consumed > 0);
			connection->message += parser->consumed;
			http_parse_init(parser, 0);
			break;
		case HTTP_ERROR:
			tell_error(connection);
			return false;
		}
	}
}

static bool
arrive(struct connection *connection, const uint8_t *more, size_t count)
{
	char *moved = mem_alloc(connection->len + count);

	if (connection->len)
		memcpy(moved, connection->data, connection->len);
	memcpy(moved + connection->len, more, count);
	free(connection->data);
	connection->data = moved;
	connection->len += count;
	return parse_arrived(connection);
}

/* The ways to cut: true if a piece ends before data[at]. */
static bool
cut_nowhere(const uint8_t *data UNUSED, size_t at UNUSED)
{
	return false;
}

static bool
cut_everywhere(const uint8_t *data UNUSED, size_t at)
{
	return at < 1024 || at % 61 == 0;
}

static bool
cut_behind_carriage_return(const uint8_t *data, size_t at)
{
	return data[at - 1] == '\r';
}

static bool
cut_behind_line_feed(const uint8_t *data, size_t at)
{
	return data[at - 1] == '\n';
}

static bool
cut_before_line_end(const uint8_t *data, size_t at)
{
	return data[at] == '\r' || data[at] == '\n';
}

static bool
cut_around_delimiters(const uint8_t *data, size_t at)
{
	return memchr(" :;%/?,", data[at], 7) || memchr(" :;%/?,", data[at - 1], 7);
}

/* Somewhere that the input itself decides, so that the fuzzer can look for a place. */
static bool
cut_by_content(const uint8_t *data, size_t at)
{
	return (data[at - 1] * (size_t)31 + data[at] * (size_t)17 + at) % 11 == 0;
}

static bool (*const cuts[])(const uint8_t *data, size_t at) = {
    cut_nowhere,           cut_everywhere, cut_behind_carriage_return, cut_behind_line_feed, cut_before_line_end,
    cut_around_delimiters, cut_by_content,
};

static struct buf
story_of(const uint8_t *data, size_t size, bool (*cut)(const uint8_t *data, size_t at))
{
	struct connection connection = {.len = 0};
	size_t begin = 0;
	bool alive = true;

	http_parse_init(&connection.parser, 0);
	for (size_t at = 1; at <= size && alive; at++) {
		if (at < size && !cut(data, at))
			continue;
		alive = arrive(&connection, data + begin, at - begin);
		begin = at;
	}
	free(connection.data);
	return connection.story;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = story_of(data, size, cuts[0]);

	for (size_t i = 1; i < ARRAY_LENGTH(cuts); i++) {
		struct buf pieces = story_of(data, size, cuts[i]);

		INVARIANT(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
		buf_free(&pieces);
	}
	buf_free(&whole);
	return 0;
}
