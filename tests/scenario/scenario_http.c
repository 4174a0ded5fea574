/* scenario_http.c - reading answers; see scenario_http.h. Pure: the sockets are in scenario_exchange.c. */
#include "base.h"
#include "scenario_http.h"

#include "buf.h"

#include <ctype.h>
#include <strings.h>

struct framing {
	bool length_given;
	bool chunked;
	size_t length;
};

/* The line at *rest_r without its CRLF; false when it is not all there. */
static bool
take_line(struct slice *rest, struct slice *line_r)
{
	const char *end = rest->len ? memmem(rest->data, rest->len, "\r\n", 2) : NULL;

	if (!end)
		return false;
	*line_r = (struct slice){rest->data, (size_t)(end - rest->data)};
	rest->data += line_r->len + 2;
	rest->len -= line_r->len + 2;
	return true;
}

static const char *
parse_status_line(struct slice line, struct answer *answer)
{
	static const char begin[] = "HTTP/1.1 ";
	size_t at = sizeof(begin) - 1;

	if (line.len < at + 4 || memcmp(line.data, begin, at) != 0 || line.data[at + 3] != ' ')
		return "the status line is not `HTTP/1.1 NNN reason`";
	answer->status = 0;
	for (size_t end = at + 3; at < end; at++) {
		if (!isdigit((unsigned char)line.data[at]))
			return "the status is not three digits";
		answer->status = answer->status * 10 + (line.data[at] - '0');
	}
	return answer->status < 100 ? "the status is below 100" : NULL;
}

static bool
is_name(struct slice name, const char *wanted)
{
	return name.len == strlen(wanted) && strncasecmp(name.data, wanted, name.len) == 0;
}

static const char *
parse_length(struct slice value, struct framing *framing)
{
	if (framing->length_given)
		return "Content-Length occurs twice";
	framing->length_given = true;
	if (value.len == 0 || value.len > 12)
		return "Content-Length is not a number";
	for (size_t i = 0; i < value.len; i++) {
		if (!isdigit((unsigned char)value.data[i]))
			return "Content-Length is not a number";
		framing->length = framing->length * 10 + (size_t)(value.data[i] - '0');
	}
	return NULL;
}

static const char *
parse_header(struct slice line, struct answer *answer, struct framing *framing)
{
	const char *colon = memchr(line.data, ':', line.len);
	struct answer_header *header = &answer->headers[answer->header_count];

	if (!colon || colon == line.data)
		return "a header line has no name and colon";
	if (answer->header_count == ANSWER_HEADERS_MAX)
		return "there are more than 100 headers";
	header->name = (struct slice){line.data, (size_t)(colon - line.data)};
	header->value = (struct slice){colon + 1, line.len - header->name.len - 1};
	for (size_t i = 0; i < header->name.len; i++)
		if (!isalnum((unsigned char)header->name.data[i]) && !memchr("!#$%&'*+-.^_`|~", header->name.data[i], 15))
			return "a header name has a character that is not allowed";
	for (size_t i = 0; i < header->value.len; i++)
		if ((unsigned char)header->value.data[i] < 0x20 && header->value.data[i] != '\t')
			return "a header value has a control character";
	while (header->value.len && isblank((unsigned char)*header->value.data))
		header->value = (struct slice){header->value.data + 1, header->value.len - 1};
	while (header->value.len && isblank((unsigned char)header->value.data[header->value.len - 1]))
		header->value.len--;
	answer->header_count++;
	if (is_name(header->name, "content-length"))
		return parse_length(header->value, framing);
	if (is_name(header->name, "transfer-encoding")) {
		framing->chunked = true;
		return is_name(header->value, "chunked") ? NULL : "the transfer encoding is not chunked";
	}
	return NULL;
}

/* Joins the chunks at rest. The trailer is skipped. */
static enum answer_state
parse_chunks(struct slice *rest, struct arena *arena, struct answer *answer, const char **why_r)
{
	struct buf body = {0};
	struct slice line = {0};
	enum answer_state state = ANSWER_MORE;

	while (state == ANSWER_MORE && take_line(rest, &line)) {
		char *end = NULL;
		/* The line ends with CR, so strtoull() stops in it. */
		size_t size = line.len && isxdigit((unsigned char)*line.data) ? strtoull(line.data, &end, 16) : SIZE_MAX;

		*why_r = "a chunk has no valid size";
		if (size > (1u << 30) || (*end != '\r' && *end != ';')) {
			state = ANSWER_BROKEN;
		} else if (size == 0) {
			while (take_line(rest, &line) && line.len)
				continue;
			state = line.data && !line.len ? ANSWER_DONE : ANSWER_MORE;
			break;
		} else if (rest->len < size + 2) {
			break;
		} else {
			buf_add(&body, rest->data, size);
			*why_r = "a chunk does not end with CRLF";
			state = memcmp(rest->data + size, "\r\n", 2) ? ANSWER_BROKEN : ANSWER_MORE;
			*rest = (struct slice){rest->data + size + 2, rest->len - size - 2};
		}
	}
	if (state == ANSWER_DONE)
		answer->body = (struct slice){arena_string(arena, buf_slice(&body)), body.len};
	buf_free(&body);
	return state;
}

static enum answer_state
parse_body(struct slice *rest, const struct framing *framing, bool no_body, bool closed, struct arena *arena,
           struct answer *answer, const char **why_r)
{
	bool never = answer->status < 200 || answer->status == 204;

	*why_r = "it has Content-Length and Transfer-Encoding";
	if (framing->chunked && framing->length_given)
		return ANSWER_BROKEN;
	*why_r = "this status has no body, so it must have no Content-Length and no Transfer-Encoding";
	if (never && (framing->chunked || framing->length_given))
		return ANSWER_BROKEN;
	answer->body = (struct slice){rest->data, 0};
	if (never || no_body || answer->status == 304)
		return ANSWER_DONE;
	if (framing->chunked)
		return parse_chunks(rest, arena, answer, why_r);
	if (!framing->length_given && !closed)
		return ANSWER_MORE;
	if (framing->length_given && rest->len < framing->length)
		return ANSWER_MORE;
	answer->body.len = framing->length_given ? framing->length : rest->len;
	*rest = (struct slice){rest->data + answer->body.len, rest->len - answer->body.len};
	return ANSWER_DONE;
}

enum answer_state
answer_parse(struct slice bytes, bool no_body, bool closed, struct arena *arena, struct answer *answer,
             const char **why_r)
{
	struct framing framing = {0};
	struct slice rest = bytes, line;
	enum answer_state state;

	*why_r = NULL;
	answer->header_count = 0;
	if (!take_line(&rest, &line))
		return ANSWER_MORE;
	*why_r = parse_status_line(line, answer);
	while (!*why_r) {
		if (!take_line(&rest, &line))
			return ANSWER_MORE;
		if (line.len == 0)
			break;
		*why_r = parse_header(line, answer, &framing);
	}
	if (*why_r)
		return ANSWER_BROKEN;
	state = parse_body(&rest, &framing, no_body, closed, arena, answer, why_r);
	answer->bytes = (struct slice){bytes.data, bytes.len - rest.len};
	return state;
}

struct slice
answer_header(const struct answer *answer, struct slice name, struct arena *arena)
{
	struct slice value = SLICE_NONE;

	for (int i = 0; i < answer->header_count; i++) {
		const struct answer_header *header = &answer->headers[i];

		if (header->name.len != name.len || strncasecmp(header->name.data, name.data, name.len) != 0)
			continue;
		if (value.data)
			value = slice_of(arena_printf(arena, "%.*s, %.*s", SLICE_ARG(value), SLICE_ARG(header->value)));
		else
			value = header->value;
	}
	return value;
}
