/*
 * borrow.h - what quota.c and borrow.c share: asking Redis for requests, once for all that wait for the same subject.
 * Nobody else includes it.
 */
#ifndef AGENTD_BORROW_H
#define AGENTD_BORROW_H

#include "cache.h"
#include "limit_script.h"
#include "quota.h"

#include <sys/queue.h>

struct borrow;
struct config;
struct flight;
struct scoreboard;

struct quota {
	struct worker *worker;
	struct scoreboard *board;
	struct limit_table *table;
	struct cache *cache; /* NULL: no Redis is wanted */
	const struct config *config;
	struct cache_script script;
	char memory_key[48];
	char memory[40]; /* the name of Redis's memory, when it is known */
	bool joined;     /* Redis counts */
	bool joining;
	int64_t join_sent_us;
	int64_t begun_us;
	int64_t alone_since_us; /* since when requests have been counted here that Redis would have; 0: they have not */
	int64_t retry_us;       /* when to join again, after it was refused */
	struct flight *flights; /* subjects that Redis is being asked for */
	LIST_HEAD(, borrow) borrows; /* on their way */
	/* While those who waited are asked again: how many are left, and for which subjects they waited. */
	int crowd;
	uint64_t crowd_hashes[QUOTA_SUBJECTS_MAX];
};

/* Waits for an answer that is on its way for one of the missing subjects, if there is one. */
MUST_CHECK bool borrow_join(struct quota *quota, struct quota_check *check, unsigned missing);
/* Asks for the missing subjects. False: nothing was sent. */
MUST_CHECK bool borrow_send(struct quota *quota, struct quota_check *check, unsigned missing);
void borrow_free_all(struct quota *quota);

/* quota.c: gives back what the check has; decides it by its verdicts; decides it by counting in this node's table. */
void quota_give_back(struct quota *quota, struct quota_check *check);
void quota_decide(struct quota_check *check);
void quota_decide_here(struct quota *quota, struct quota_check *check);

#endif
