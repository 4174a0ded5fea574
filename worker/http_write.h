/*
 * http_write.h - the one HTTP/1.1 response writer.
 *
 * Appends a response to a buf: status line, Date (formatted once a second), headers, body. It cannot write a broken
 * head: a header value with a control character is a broken invariant. Nothing blocks, nothing fails.
 */
#ifndef AGENTD_HTTP_WRITE_H
#define AGENTD_HTTP_WRITE_H

#include "base.h"
#include "buf.h"

/* "HTTP/1.1 404 Not Found\r\n" and Date. Any status from 100 to 599; without a known reason the reason is empty. */
void http_write_status(struct buf *out, int status, int64_t wall_us);
void http_write_header(struct buf *out, const char *name, struct slice value);
void http_write_header_int(struct buf *out, const char *name, int64_t value);
/*
 * What every answer has: browsers must not guess its type, nor tell others where it was; and unless the page brings a
 * policy of its own, nothing in it runs, loads or is framed.
 */
void http_write_guards(struct buf *out, bool own_policy);
/*
 * Content-Length, the empty line and the body. with_body false (HEAD, 304) writes the length of the body but not the
 * body; 1xx and 204 get neither length nor body.
 */
void http_write_body(struct buf *out, int status, struct slice body, bool with_body);
/*
 * An answer whose length is not known: the end of the head, then chunks (RFC 9112 7.1). Without chunks, for HTTP/1.0,
 * the end of the connection is its end.
 */
void http_write_stream(struct buf *out, bool chunked);
/* data must not be empty: that would be the last chunk. */
void http_write_chunk(struct buf *out, struct slice data);
void http_write_last_chunk(struct buf *out);
/* "HTTP/1.1 100 Continue\r\n\r\n" */
void http_write_continue(struct buf *out);

/* "Not Found", or "" for an unknown status. */
const char *http_write_reason(int status);

#endif
