/*
 * waiters.h - requests that wait for work: leases and inboxes.
 *
 * A waiter holds no database connection and costs nothing while nothing happens. It stands in one line for each queue
 * that it waits for, first come first served. When a queue is marked on the node's ready board, the first of its line
 * asks; when that one gets something, the next two ask, then four: a burst of work wakes as many as it can feed, and an
 * empty queue costs one statement. One who cannot take what is there keeps its turn, and the next are asked. Once a
 * second, or more rarely when it takes long, one statement of the worker asks which queues have work at all: for marks
 * that were lost, and for other nodes that are not heard.
 */
#ifndef AGENTD_WAITERS_H
#define AGENTD_WAITERS_H

#include "db.h"
#include "request.h"

struct floors;
struct waiters;

enum { WAITERS_QUEUES_MAX = 33, WAITERS_POLL_US = 1000000 };

/* What a waiter wants. Everything is borrowed until the request ends. */
struct waiter_wish {
	enum query_id query;
	const struct slice *values;
	/* Called before each look, may change query, values and personal. May be NULL. */
	void (*choose)(struct request *request, struct waiter_wish *wish);
	struct slice queues[WAITERS_QUEUES_MAX]; /* each once */
	int queue_count;
	bool look_closer; /* set before choose() when there was more than the query could see */
	bool personal;   /* that there is nothing for this one says nothing about the others in line */
	int64_t wait_us; /* 0: look once */
	/* Called when a look is over, before anything else. May be NULL. */
	void (*note)(struct request *request, const struct waiter_wish *wish);
	/* Writes the answer from the rows, which may be none. */
	void (*write)(struct request *request, const struct db_result *result);
	/* The client has gone and the rows would be lost: gives them back. May be NULL. */
	void (*undo)(struct request *request, const struct db_result *result);
};

struct waiters *waiters_new(struct worker *worker);
void waiters_free(struct waiters *waiters);
/* Asks, and waits if there is nothing. Always STEP_WAIT: the request is resumed with its answer. */
enum step waiters_begin(struct waiters *waiters, struct request *request, const struct waiter_wish *wish);
/* The client of a waiting request has gone: it leaves its lines now and ends at the next tick. */
void waiters_client_gone(struct waiter *waiter);
/* The wait is over before its time: it ends with an empty answer at the next tick, or with what is on its way. */
void waiters_end(struct waiter *waiter);
/* The ready board was marked. Called by wakeup.c. */
void waiters_wake(struct waiters *waiters);
/* Where leases of slow queues begin to look: kept here, because the poll needs it too. */
struct floors *waiters_floors(struct waiters *waiters);
/* Deadlines, the poll and the floors. Called by the worker's tick. */
void waiters_tick(struct waiters *waiters, int64_t now_us);
/* Ends all waits with empty answers: the worker drains. */
void waiters_drain(struct waiters *waiters);

#endif
