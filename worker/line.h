/*
 * line.h - the lines in which waiters stand: one for each queue of a tenant, as long as somebody is in it.
 *
 * Only order and membership: who is asked and what follows is waiters.c's matter. Nothing blocks. A line goes when its
 * last member leaves; whoever looks at one while others may leave is a member of it for that time.
 */
#ifndef AGENTD_LINE_H
#define AGENTD_LINE_H

#include "base.h"
#include "scoreboard.h"

#include <sys/queue.h>
#include <uthash.h>

struct waiter;

/* A waiter's place in one line. */
struct place {
	TAILQ_ENTRY(place) entry;
	struct waiter *waiter;
	struct line *line;
	uint64_t turn; /* who came first has the least */
	uint32_t seen; /* the mark of the queue when this was asked last */
};
TAILQ_HEAD(places, place);

struct line {
	struct places places;
	struct line *next_in_bucket;
	unsigned bucket; /* of the ready board */
	int members;     /* idle and asking */
	int asking;      /* that this line woke */
	int burst;
	uint64_t passed_upto; /* turn of the last one that could not take what is there; 0: none */
	int passed;           /* how many of them since the line was looked at from outside */
	UT_hash_handle hh;
	char key[]; /* "tenant queue" */
};

/* Zeros are no lines. */
struct lines {
	struct line *all;
	struct line *buckets[SCOREBOARD_QUEUES];
};

/* NULL: nobody waits for it. */
struct line *line_find(const struct lines *lines, int64_t tenant, struct slice queue);
/* One member more; the line is made if there is none. */
MUST_CHECK struct line *line_join(struct lines *lines, int64_t tenant, struct slice queue);
/* One member less: the line may be gone afterwards. */
void line_leave(struct lines *lines, struct line *line);
/* By turn: new ones at the end, those that come back from asking near the front. */
void line_insert(struct line *line, struct place *place);
/* The first that has not been asked in vain, or NULL. */
struct place *line_next(const struct line *line);
void lines_free(struct lines *lines);

#endif
