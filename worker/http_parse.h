/*
 * http_parse.h - a strict, incremental HTTP/1.1 request parser: bytes in, one message out.
 *
 * Pure: no I/O, no clock, no memory of its own; fuzzed. Follows RFC 9112 and refuses what RFC 9112 lets a server
 * refuse: CRLF only, exactly one Host, Content-Length digits once, Transfer-Encoding exactly `chunked` once and never
 * with Content-Length or on HTTP/1.0, obs-fold, control characters, bare CR or LF. After an error the connection must
 * be closed: the framing is lost. The caller keeps one contiguous buffer that begins at the message; the buffer may
 * move between calls, so everything found is an offset (struct http_span).
 */
#ifndef AGENTD_HTTP_PARSE_H
#define AGENTD_HTTP_PARSE_H

#include "base.h"

enum {
	HTTP_HEAD_MAX = 16384,
	HTTP_TARGET_MAX = 8192,
	HTTP_HEADERS_MAX = 100,
	HTTP_CHUNK_EXTENSION_MAX = 256,
	HTTP_TRAILER_MAX = 4096
};

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_METHOD_OTHER, /* a valid token that nothing here implements: answer 501 */
	HTTP_METHOD_COUNT
};

struct http_span {
	uint32_t at;
	uint32_t len;
};

struct http_header {
	struct http_span name;  /* as sent; compare without case */
	struct http_span value; /* optional white space trimmed */
};

enum http_event {
	HTTP_MORE,         /* feed more bytes */
	HTTP_HEADERS_DONE, /* told once: the head is complete and valid; call again for the body */
	HTTP_COMPLETE,     /* the whole message is there: body, consumed are set */
	HTTP_ERROR         /* error_status and error_detail say why; answer and close */
};

struct http_parser {
	/* Set by the caller between init and the first call (or at HTTP_HEADERS_DONE, for a limit by endpoint). */
	size_t body_max;

	/* Valid from HTTP_HEADERS_DONE on. */
	enum http_method method;
	struct http_span method_text;
	struct http_span
	    path; /* raw, still percent-encoded but valid: no %00, no encoded slash or backslash, no dot segments */
	struct http_span query; /* raw, without the question mark; len 0 when absent */
	bool asterisk;          /* OPTIONS * */
	int minor_version;      /* HTTP/1.0 or 1.1 */
	bool keep_alive;        /* what the request allows */
	bool expect_continue;   /* send 100 before waiting for the body */
	bool has_body;          /* Content-Length > 0, or chunked */
	bool chunked;
	uint64_t content_length;
	int header_count;
	struct http_header headers[HTTP_HEADERS_MAX];

	/* Valid at HTTP_COMPLETE. A chunked body is decoded in place. */
	struct http_span body;
	size_t consumed; /* bytes of the buffer that belong to this message; what follows is the next one */

	/* Valid at HTTP_ERROR. */
	int error_status;         /* 400, 413, 414, 417, 431, 501 or 505 */
	const char *error_detail; /* static text for the problem document */

	/* Private. */
	int state;
	size_t scanned;
	size_t head_len;
	size_t write_at;
	uint64_t chunk_left;
	uint32_t trailer_len;
};

/* Ready for the first byte of a message. */
void http_parse_init(struct http_parser *parser, size_t body_max);

/*
 * Looks at data[0..len): the buffer from the first byte of this message on, with whatever has arrived. Call again with
 * the longer buffer after HTTP_MORE; a byte is never looked at twice except for the line it belongs to. May rewrite
 * bytes inside a chunked body.
 */
MUST_CHECK enum http_event http_parse(struct http_parser *parser, char *data, size_t len);

/* The value of the first header of that name (lower case), or an absent slice. Valid while data stays. */
struct slice http_parse_header(const struct http_parser *parser, const char *data, const char *lower_name);
/* True if the name occurs more than once. */
bool http_parse_header_repeated(const struct http_parser *parser, const char *data, const char *lower_name);

static inline struct slice
http_span_slice(const char *data, struct http_span span)
{
	return (struct slice){data + span.at, span.len};
}

/*
 * Decodes %XX (and, where plus is true, '+' as a space: query strings) from text into out, which has room for
 * text.len bytes. False for a broken escape, a NUL, or bytes that are not UTF-8. *len_r is the decoded length.
 */
MUST_CHECK bool http_parse_decode(struct slice text, bool plus, char *out, size_t *len_r);

const char *http_method_name(enum http_method method);

#endif
