/*
 * scenario_http.h - the HTTP client of the driver: exact bytes out, strictly framed answers in.
 *
 * It is no library on purpose: scenarios must send what no client would send and notice every byte that does not belong
 * to an answer. answer_parse() is pure; an exchange is one connection to 127.0.0.1 on a non-blocking socket and every
 * function that waits ends at its deadline (clock_mono_us()).
 */
#ifndef AGENTD_SCENARIO_HTTP_H
#define AGENTD_SCENARIO_HTTP_H

#include "arena.h"
#include "base.h"
#include "buf.h"

struct failure;

enum { ANSWER_HEADERS_MAX = 100 };

struct answer_header {
	struct slice name;
	struct slice value; /* blanks around it dropped */
};

struct answer {
	int status;
	int header_count;
	struct answer_header headers[ANSWER_HEADERS_MAX];
	struct slice body;  /* chunks already joined */
	struct slice bytes; /* all of it, as it came */
};

enum answer_state { ANSWER_MORE, ANSWER_DONE, ANSWER_BROKEN };

/*
 * Reads the answer that bytes begin with. no_body: it answers HEAD. closed: no more bytes will come. On ANSWER_DONE the
 * slices of *answer point into bytes (a chunked body into the arena) and answer->bytes says how many belong to it; on
 * ANSWER_BROKEN *why_r is a static text.
 */
MUST_CHECK enum answer_state answer_parse(struct slice bytes, bool no_body, bool closed, struct arena *arena,
                                          struct answer *answer, const char **why_r);
/* The values of all headers of that name, compared without case, joined with ", ". Absent: SLICE_NONE. */
struct slice answer_header(const struct answer *answer, struct slice name, struct arena *arena);

struct exchange {
	int fd;         /* -1: not open */
	struct buf out; /* what to send; sent of it has gone */
	size_t sent;
	struct buf in; /* what came and was not taken yet */
	bool closed;   /* the server will send no more */
	bool no_body;  /* answers have no body: the bytes began with HEAD */
};

/* Connects and begins to send out, which the caller has filled. */
MUST_CHECK bool exchange_open(struct exchange *exchange, int port, struct failure *failure);
/* Adds bytes to what is sent. */
void exchange_send(struct exchange *exchange, struct slice bytes);
/* Tells the server that nothing more will be sent, after all of out has gone. */
MUST_CHECK bool exchange_finish(struct exchange *exchange, int64_t deadline, struct failure *failure);
/* Waits for one whole answer and takes it; *answer points into the arena. */
MUST_CHECK bool exchange_answer(struct exchange *exchange, int64_t deadline, struct arena *arena, struct answer *answer,
                                struct failure *failure);
/* Waits until what came begins with these bytes; takes nothing. */
MUST_CHECK bool exchange_begins(struct exchange *exchange, struct slice bytes, int64_t deadline,
                                struct failure *failure);
/* Waits until the server closes the connection; any byte before that is a failure. */
MUST_CHECK bool exchange_closed(struct exchange *exchange, int64_t deadline, struct failure *failure);
/* Frees and closes; an exchange of zeros with fd -1 is fine. */
void exchange_close(struct exchange *exchange);

/* A port of 127.0.0.1 that was free a moment ago, or 0. */
int exchange_free_port(void);

#endif
