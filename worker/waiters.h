/*
 * waiters.h - requests that wait for work: leases and inboxes.
 *
 * A waiter holds no database connection. Waiters for the same thing form a group, first come first served. A group
 * looks when one of its queues is marked on the node's ready board, and once a second anyway (other nodes are not
 * heard). Then the first waiter asks; when it gets something, the next two ask, then four: a burst of work wakes as
 * many as it can feed, and an empty queue costs one statement.
 */
#ifndef AGENTD_WAITERS_H
#define AGENTD_WAITERS_H

#include "db.h"
#include "request.h"

struct waiters;

enum { WAITERS_QUEUES_MAX = 33, WAITERS_POLL_US = 1000000 };

/* What a waiter wants. Everything is borrowed until the request ends. */
struct waiter_wish {
	enum query_id query;
	const struct slice *values;
	struct slice key; /* equal for waiters that want the same of the same tenant */
	struct slice queues[WAITERS_QUEUES_MAX];
	int queue_count;
	int64_t wait_us; /* 0: look once */
	/* Writes the answer from the rows, which may be none. */
	void (*write)(struct request *request, const struct db_result *result);
	/* The client has gone and the rows would be lost: gives them back. May be NULL. */
	void (*undo)(struct request *request, const struct db_result *result);
};

struct waiters *waiters_new(struct worker *worker);
void waiters_free(struct waiters *waiters);
/* Asks, and waits if there is nothing. Always STEP_WAIT: the request is resumed with its answer. */
enum step waiters_begin(struct waiters *waiters, struct request *request, const struct waiter_wish *wish);
/* Deadlines, clients that went away, and the poll. Called by the worker's tick. */
void waiters_tick(struct waiters *waiters, int64_t now_us);
/* Ends all waits with empty answers: the worker drains. */
void waiters_drain(struct waiters *waiters);

#endif
