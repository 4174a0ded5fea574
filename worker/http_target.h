/*
 * http_target.h - the character classes of HTTP and URI syntax, and the checks of a request target and a Host value.
 *
 * Shared by the files of the parser and the writer only. Pure and free of locale; nothing is copied or changed.
 */
#ifndef AGENTD_HTTP_TARGET_H
#define AGENTD_HTTP_TARGET_H

#include "base.h"

struct http_parser;
struct http_span;

/* One bit a class; a byte may be in several. The percent sign is in neither of the URI classes: check the escape. */
enum http_class {
	HTTP_CLASS_TOKEN = 1,     /* RFC 9110 tchar: methods, field names, options */
	HTTP_CLASS_FIELD = 2,     /* field values: HTAB, visible ASCII, space, obs-text */
	HTTP_CLASS_PCHAR = 4,     /* RFC 3986 pchar without escapes */
	HTTP_CLASS_QUERY = 8,     /* pchar without escapes, slash, question mark */
	HTTP_CLASS_REG_NAME = 16, /* RFC 3986 reg-name without escapes */
	HTTP_CLASS_DIGIT = 32,
	HTTP_CLASS_HEX = 64
};

extern const uint8_t http_class_of[256];

static inline bool
http_class_has(char byte, enum http_class wanted)
{
	return http_class_of[(uint8_t)byte] & wanted;
}

/* The first byte in [at, end) that is not of the class; end when all are. */
static inline const char *
http_class_skip(const char *at, const char *end, enum http_class wanted)
{
	while (at < end && http_class_has(*at, wanted))
		at++;
	return at;
}

/* The value of a byte of HTTP_CLASS_HEX. */
static inline unsigned
http_hex_value(char digit)
{
	return ((unsigned)digit & 15) + 9 * ((unsigned)(uint8_t)digit >> 6);
}

/* ASCII only: equal but for case. lower is in lower case. */
bool http_text_is(struct slice text, struct slice lower);

/*
 * Accepts origin-form, and `*` for OPTIONS; sets path, query and asterisk from parser->method and target. NULL when it
 * is valid, else static text that says what is wrong.
 */
MUST_CHECK const char *http_target_parse(struct http_parser *parser, const char *data, struct http_span target);

/* A name, an IPv4 address or an IPv6 address in brackets, and a port if any: `example.com:8080`. Never empty. */
MUST_CHECK bool http_target_host_is_valid(struct slice host);

#endif
