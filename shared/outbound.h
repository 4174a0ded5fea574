/*
 * outbound.h - HTTP requests that agentd makes itself: webhooks, traces. libcurl on the event loop.
 *
 * Everything is asynchronous and belongs to one thread, but for names, which libcurl resolves in threads of its own.
 * Redirects are not followed, proxies of the environment are not used, certificates are always checked. The address
 * rule (address_rule.h) is held against the address that is really connected to, so no name server can change its mind
 * in between. Every call ends within its deadline.
 */
#ifndef AGENTD_OUTBOUND_H
#define AGENTD_OUTBOUND_H

#include "base.h"

struct cidr_list;
struct event_base;
struct outbound;
struct outbound_call;

enum { OUTBOUND_HEADERS_MAX = 16 };

struct outbound_request {
	const char *url;                           /* http or https */
	const char *headers[OUTBOUND_HEADERS_MAX]; /* "Name: value"; the first NULL ends them */
	struct slice body;                         /* POSTed; an absent one: GET */
	int timeout_ms;                            /* for all of it */
	size_t answer_max;                         /* bytes of the answer that are kept; the rest is not waited for */
};

enum outbound_outcome {
	OUTBOUND_ANSWERED,
	OUTBOUND_FAILED,   /* no answer: error says why */
	OUTBOUND_REFUSED,  /* the address is internal: nothing was connected to */
	OUTBOUND_MALFORMED /* the URL cannot be read, or is not http */
};

/* Valid until the callback returns. */
struct outbound_result {
	enum outbound_outcome outcome;
	int status;            /* of the answer */
	struct slice body;     /* its beginning */
	int64_t retry_after_s; /* what it said; 0: nothing */
	int64_t took_us;
	const char *error; /* never NULL */
};

typedef void outbound_done(void *arg, const struct outbound_result *result);

/*
 * Internal addresses are refused unless `allowed` has them (borrowed, NULL: none). Never NULL. The base must outlive
 * it.
 */
struct outbound *outbound_new(struct event_base *base, const struct cidr_list *allowed);
/* What is on its way ends without a callback. Not from within one. */
void outbound_free(struct outbound *outbound);

/*
 * All of the request is copied. done is called once, later, and not after outbound_cancel().
 */
struct outbound_call *outbound_send(struct outbound *outbound, const struct outbound_request *request,
                                    outbound_done *done, void *arg);
void outbound_cancel(struct outbound_call *call);

/* Calls that have not ended. */
int outbound_pending(const struct outbound *outbound);

#endif
