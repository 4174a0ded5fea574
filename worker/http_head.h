/*
 * http_head.h - the lines of a request head: syntax of each, and what the head as a whole means.
 *
 * Used by http_parse.c only. Pure.
 */
#ifndef AGENTD_HTTP_HEAD_H
#define AGENTD_HTTP_HEAD_H

#include "base.h"

struct http_parser;
struct http_header;

/* Remembers why the message is refused. Always false, so that a check can end in `return http_head_refuse(...)`. */
bool http_head_refuse(struct http_parser *parser, int status, const char *detail);

/* Parses data[at..end), a request line without its CRLF, into the parser. */
MUST_CHECK bool http_head_request_line(struct http_parser *parser, const char *data, size_t at, size_t end);

/* Parses data[at..end), a header or trailer line without its CRLF. NULL when valid, else what is wrong. */
MUST_CHECK const char *http_head_field(const char *data, size_t at, size_t end, struct http_header *field);

/* Judges the complete head: Host, framing, Connection, Expect. Sets all that is valid from HTTP_HEADERS_DONE on. */
MUST_CHECK bool http_head_finish(struct http_parser *parser, const char *data);

#endif
