/*
 * quota.h - whether a request may go on: counts it for several subjects at once, each with its own limit, all or none.
 *
 * Without Redis it counts in the node's table (shared/limit.h). With Redis the counters are there, one script checks
 * all that a request needs, and what it grants in advance is held in the node's table for all workers, so most requests
 * need no round trip. If Redis does not answer within a command's deadline, the node counts by itself again, with its
 * part of the limit; none of it is ever unlimited:
 * - the cluster never admits more than the limit, by the strategy's own rule, while Redis answers;
 * - without it each node admits the limit divided by the nodes that are alive, rounded up, and one that is cut off from
 *   it while others are not a quarter of that;
 * - around a loss of Redis, of what it knew, and its return, one that counts knows that it does not know what was
 * counted elsewhere, and assumes that all was used but an eighth: in all the cluster admits at most 5/4 of the limit.
 */
#ifndef AGENTD_QUOTA_H
#define AGENTD_QUOTA_H

#include "base.h"
#include "limit.h"

struct quota;
struct request;
struct worker;

enum { QUOTA_SUBJECTS_MAX = 4, QUOTA_NAME_MAX = 128 };

/* One of whom a request counts for. */
struct quota_subject {
	struct limit_rule rule;
	const char *policy; /* what the headers call it */
	const char *whose;  /* and the refusal: " of the tenant" */
	struct slice name;  /* of the counter; tells apart all that are counted apart */
	uint64_t hash;      /* of the name */
	struct limit_verdict verdict;
	bool held; /* verdict was taken from what is held */
};

struct quota_check {
	struct request *request;
	int count;
	int tightest; /* decided: the subject whose verdict matters most */
	bool decided;
	int64_t waiting_since_us; /* for Redis; 0: not yet */
	struct quota_subject subjects[QUOTA_SUBJECTS_MAX];
};

/* One for a worker that has its base, its heritage and its cache. */
struct quota *quota_new(struct worker *worker);
/* After the cache was freed. */
void quota_free(struct quota *quota);
/* The connection to Redis came up or was lost. */
void quota_changed(struct quota *quota, bool up);
void quota_tick(struct quota *quota);
/* It is known whether Redis is there. */
bool quota_settled(const struct quota *quota);

/*
 * Decides the check, which the caller has filled; it and its names live as long as the request. False: it waits, and
 * the request is resumed: decided, or to be asked again.
 */
MUST_CHECK bool quota_take(struct quota *quota, struct quota_check *check);
/* Counts one in this node's table only, with this node's part of the limit. */
struct limit_verdict quota_take_here(struct quota *quota, const struct quota_subject *subject);

#endif
