/*
 * follow.h - requests that follow the events: streams and long-polls, from any place in the order.
 *
 * Who follows holds no database connection. All followers of a tenant (or of one workflow) that have read as far as can
 * be read stand together: one small statement for all of them looks when the tenant's queue "events" is marked on the
 * node's ready board, at most every 20 ms, and once a second for what other nodes wrote. Who is behind reads for
 * itself, a bounded piece at a time, and joins the others when it has come as far. A stream whose client does not keep
 * up is left alone until all that was written to it is gone, and then goes on from its own place: memory is bounded and
 * nothing is left out. conn.c closes one that cannot be written to in time.
 *
 * Order and completeness come from the query: it reads only what is below the oldest transaction still running. What is
 * written and not readable yet is looked for again after 5, 20 and then every 100 ms.
 */
#ifndef AGENTD_FOLLOW_H
#define AGENTD_FOLLOW_H

#include "events.h"
#include "request.h"

struct follow;
struct follower;

/* What a follower wants. Everything is borrowed until the request ends. */
struct follow_wish {
	struct events_place from;
	bool latest;              /* instead of from: only what comes from now on */
	struct slice workflow_id; /* absent: all of the tenant */
	struct events_filter filter;
	bool stream;     /* else one page */
	int64_t wait_us; /* of a page that is empty */
	int limit;       /* events on a page */
};

struct follow *follow_new(struct worker *worker);
void follow_free(struct follow *follow);
/* STEP_WAIT: the request is resumed with its answer, or when its stream has ended. STEP_DONE: it is over already. */
enum step follow_begin(struct follow *follow, struct request *request, const struct follow_wish *wish);
/* The answer to a cursor behind what is kept. STEP_DONE. */
enum step follow_refuse(struct request *request);
/* The client has gone: the request ends at the next tick. */
void follow_client_gone(struct follower *follower);
/* Who follows may not any more: a stream ends with a last comment, a page with 401. */
void follow_end(struct follower *follower);
/* The stream's bytes are all out: it may take more. */
void follow_written(struct follower *follower);
/* The ready board was marked. Called by wakeup.c. */
void follow_wake(struct follow *follow);
/* Deadlines and heartbeats. Called by the worker's tick. */
void follow_tick(struct follow *follow, int64_t now_us);
/* Ends pages with what they have and streams with a last comment: the worker drains. */
void follow_drain(struct follow *follow);

#endif
