/*
 * http_head.c - see http_head.h.
 *
 * What always holds: each line is checked once, when it is complete; headers that decide about framing are judged
 * together, when all of them are known, so their order cannot matter.
 */
#include "base.h"

#include "http_head.h"
#include "http_parse.h"
#include "http_target.h"

/* What http_head_finish() learns from the headers before it decides. */
struct head_facts {
	int hosts;
	int lengths;
	int codings;
	struct slice length;
	struct slice coding;
	bool close;
	bool keep_alive;
	bool expects;
};

static const struct slice method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = {"GET", 3},         [HTTP_HEAD] = {"HEAD", 4},     [HTTP_POST] = {"POST", 4},
    [HTTP_PUT] = {"PUT", 3},         [HTTP_PATCH] = {"PATCH", 5},   [HTTP_DELETE] = {"DELETE", 6},
    [HTTP_OPTIONS] = {"OPTIONS", 7}, [HTTP_METHOD_OTHER] = {"", 0},
};

const char *
http_method_name(enum http_method method)
{
	return method_names[method].data;
}

bool
http_head_refuse(struct http_parser *parser, int status, const char *detail)
{
	parser->error_status = status;
	parser->error_detail = detail;
	return false;
}

static enum http_method
find_method(struct slice text)
{
	enum http_method method = HTTP_GET;

	while (method < HTTP_METHOD_OTHER && !slice_equal(method_names[method], text))
		method++;
	return method;
}

static bool
parse_version(struct http_parser *parser, struct slice text)
{
	static const char expected[] = "The request line must end in HTTP/1.1 or HTTP/1.0, after one space.";

	if (text.len != 8 || memcmp(text.data, "HTTP/", 5) != 0 || !http_class_has(text.data[5], HTTP_CLASS_DIGIT) ||
	    text.data[6] != '.' || !http_class_has(text.data[7], HTTP_CLASS_DIGIT))
		return http_head_refuse(parser, 400, expected);
	if (text.data[5] != '1' || text.data[7] > '1')
		return http_head_refuse(parser, 505, "This HTTP version is not supported; use HTTP/1.1.");
	parser->minor_version = text.data[7] - '0';
	return true;
}

bool
http_head_request_line(struct http_parser *parser, const char *data, size_t at, size_t end)
{
	const char *begin = data + at;
	const char *line_end = data + end;
	const char *method_end = http_class_skip(begin, line_end, HTTP_CLASS_TOKEN);
	const char *target = method_end + 1;
	const char *target_end;
	const char *detail;
	struct http_span span;

	if (method_end == begin || method_end == line_end || *method_end != ' ')
		return http_head_refuse(parser, 400, "The request line must begin with a method and one space.");
	parser->method_text = (struct http_span){(uint32_t)at, (uint32_t)(method_end - begin)};
	parser->method = find_method(http_span_slice(data, parser->method_text));

	target_end = memchr(target, ' ', (size_t)(line_end - target));
	span.at = (uint32_t)(target - data);
	span.len = (uint32_t)((target_end ? target_end : line_end) - target);
	if (span.len > HTTP_TARGET_MAX)
		return http_head_refuse(parser, 414, "The request target is longer than 8192 bytes; shorten it.");
	if (!target_end)
		return http_head_refuse(parser, 400, "The request line has no HTTP version; end it in HTTP/1.1.");
	if (!parse_version(parser, (struct slice){target_end + 1, (size_t)(line_end - target_end - 1)}))
		return false;
	detail = http_target_parse(parser, data, span);
	return detail ? http_head_refuse(parser, 400, detail) : true;
}

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

const char *
http_head_field(const char *data, size_t at, size_t end, struct http_header *field)
{
	const char *name = data + at;
	const char *line_end = data + end;
	const char *colon = http_class_skip(name, line_end, HTTP_CLASS_TOKEN);
	const char *value;

	if (name < line_end && is_blank(*name))
		return "A header line begins with white space; folded headers are not allowed.";
	if (colon == name || colon == line_end || *colon != ':')
		return "A header line must be a name, a colon directly behind it, and a value.";
	for (value = colon + 1; value < line_end && is_blank(*value);)
		value++;
	if (http_class_skip(value, line_end, HTTP_CLASS_FIELD) != line_end)
		return "A header value has a control character.";
	while (line_end > value && is_blank(line_end[-1]))
		line_end--;
	field->name = (struct http_span){(uint32_t)at, (uint32_t)(colon - name)};
	field->value = (struct http_span){(uint32_t)(value - data), (uint32_t)(line_end - value)};
	return NULL;
}

static bool
take_host(struct http_parser *parser, struct head_facts *facts, struct slice value)
{
	if (facts->hosts++)
		return http_head_refuse(parser, 400, "The request has more than one Host header; send exactly one.");
	if (!http_target_host_is_valid(value))
		return http_head_refuse(parser, 400, "The Host header is not a host name or address with an optional port.");
	return true;
}

static bool
take_content_length(struct http_parser *parser, struct head_facts *facts, struct slice value)
{
	facts->length = value;
	return facts->lengths++ == 0 ||
	       http_head_refuse(parser, 400, "The request has more than one Content-Length header; send exactly one.");
}

static bool
take_transfer_encoding(struct http_parser *parser, struct head_facts *facts, struct slice value)
{
	facts->coding = value;
	return facts->codings++ == 0 ||
	       http_head_refuse(parser, 400, "The request has more than one Transfer-Encoding header; send exactly one.");
}

/* A list of tokens; empty elements are allowed (RFC 9110 5.6.1). */
static bool
take_connection(struct http_parser *parser, struct head_facts *facts, struct slice value)
{
	const char *end = value.data + value.len;

	for (const char *at = value.data; at < end; at++) {
		struct slice option;

		while (at < end && is_blank(*at))
			at++;
		option.data = at;
		at = http_class_skip(at, end, HTTP_CLASS_TOKEN);
		option.len = (size_t)(at - option.data);
		facts->close |= http_text_is(option, SLICE("close"));
		facts->keep_alive |= http_text_is(option, SLICE("keep-alive"));
		while (at < end && is_blank(*at))
			at++;
		if (at < end && *at != ',')
			return http_head_refuse(parser, 400, "The Connection header is not a list of names separated by commas.");
	}
	return true;
}

static bool
take_expect(struct http_parser *parser, struct head_facts *facts, struct slice value)
{
	facts->expects = true;
	return http_text_is(value, SLICE("100-continue")) ||
	       http_head_refuse(parser, 417, "The only expectation that can be met is 100-continue.");
}

static const struct known_header {
	struct slice lower_name;
	bool (*take)(struct http_parser *parser, struct head_facts *facts, struct slice value);
} known_headers[] = {
    {{"host", 4}, take_host},
    {{"expect", 6}, take_expect},
    {{"connection", 10}, take_connection},
    {{"content-length", 14}, take_content_length},
    {{"transfer-encoding", 17}, take_transfer_encoding},
};

static bool
collect(struct http_parser *parser, const char *data, struct head_facts *facts)
{
	for (int i = 0; i < parser->header_count; i++) {
		struct slice name = http_span_slice(data, parser->headers[i].name);

		for (const struct known_header *known = known_headers; known < known_headers + ARRAY_LENGTH(known_headers);
		     known++) {
			if (name.len != known->lower_name.len || !http_text_is(name, known->lower_name))
				continue;
			if (!known->take(parser, facts, http_span_slice(data, parser->headers[i].value)))
				return false;
			break;
		}
	}
	return true;
}

static bool
decide_coding(struct http_parser *parser, const struct head_facts *facts)
{
	const char *end = facts->coding.data + facts->coding.len;

	if (facts->lengths)
		return http_head_refuse(parser, 400,
		                        "Content-Length and Transfer-Encoding exclude each other; send one of them.");
	if (parser->minor_version == 0)
		return http_head_refuse(parser, 400, "HTTP/1.0 has no Transfer-Encoding; send Content-Length or use HTTP/1.1.");
	parser->chunked = http_text_is(facts->coding, SLICE("chunked"));
	if (parser->chunked)
		return true;
	if (facts->coding.len && http_class_skip(facts->coding.data, end, HTTP_CLASS_TOKEN) == end)
		return http_head_refuse(parser, 501,
		                        "This transfer coding is not implemented; send chunked or Content-Length.");
	return http_head_refuse(parser, 400, "The Transfer-Encoding header must be exactly `chunked`.");
}

static bool
decide_length(struct http_parser *parser, struct slice text)
{
	uint64_t length = 0;

	if (!text.len)
		return http_head_refuse(parser, 400,
		                        "The Content-Length header is empty; send the number of bytes of the body.");
	for (size_t i = 0; i < text.len; i++) {
		if (!http_class_has(text.data[i], HTTP_CLASS_DIGIT))
			return http_head_refuse(parser, 400, "The Content-Length header must consist of digits only.");
	}
	for (size_t i = 0; i < text.len; i++) {
		if (__builtin_mul_overflow(length, 10, &length) ||
		    __builtin_add_overflow(length, (uint64_t)(text.data[i] - '0'), &length))
			return http_head_refuse(parser, 413, "The Content-Length header is larger than any body that is accepted.");
	}
	parser->content_length = length;
	return true;
}

bool
http_head_finish(struct http_parser *parser, const char *data)
{
	struct head_facts facts = {0};

	if (!collect(parser, data, &facts))
		return false;
	if (!facts.hosts && parser->minor_version == 1)
		return http_head_refuse(parser, 400, "The request has no Host header; HTTP/1.1 requires exactly one.");
	if (facts.codings && !decide_coding(parser, &facts))
		return false;
	if (facts.lengths && !decide_length(parser, facts.length))
		return false;
	parser->has_body = parser->chunked || parser->content_length > 0;
	/* HTTP/1.0 has no 100 (RFC 9110 10.1.1), and nobody waits with an empty body. */
	parser->expect_continue = facts.expects && parser->has_body && parser->minor_version == 1;
	parser->keep_alive = !facts.close && (parser->minor_version == 1 || facts.keep_alive);
	return true;
}

struct slice
http_parse_header(const struct http_parser *parser, const char *data, const char *lower_name)
{
	struct slice wanted = slice_of(lower_name);

	for (int i = 0; i < parser->header_count; i++) {
		if (http_text_is(http_span_slice(data, parser->headers[i].name), wanted))
			return http_span_slice(data, parser->headers[i].value);
	}
	return SLICE_NONE;
}

bool
http_parse_header_repeated(const struct http_parser *parser, const char *data, const char *lower_name)
{
	struct slice wanted = slice_of(lower_name);
	int count = 0;

	for (int i = 0; i < parser->header_count; i++)
		count += http_text_is(http_span_slice(data, parser->headers[i].name), wanted);
	return count > 1;
}
