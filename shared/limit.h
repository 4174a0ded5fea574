/*
 * limit.h - rate limiting: how many requests a subject may make.
 *
 * Counters live in a shared-memory table that the master maps before it forks; every worker changes a counter with one
 * compare-and-swap, so no request is counted twice or missed. A subject is a 64-bit hash with a secret key
 * (crypto_siphash) of its kind and name: two subjects never share a counter. Nothing blocks. When a bucket of the table
 * is full, the entry that has been idle longest gives way, and only if it is idle: a subject that is being limited is
 * never forgotten.
 *
 * limit_take() counts here: exact within a node. limit_held_take() uses up what this node has borrowed of a counter
 * that the nodes of a cluster share (worker/quota.h): a grant says how many requests and until when, so that each one
 * counts at a moment at which the shared counter has room for it.
 */
#ifndef AGENTD_LIMIT_H
#define AGENTD_LIMIT_H

#include "base.h"

enum limit_strategy { LIMIT_TOKEN_BUCKET, LIMIT_FIXED_WINDOW, LIMIT_SLIDING_WINDOW };

struct limit_rule {
	enum limit_strategy strategy;
	int64_t limit;     /* requests per window, > 0; a token bucket's capacity */
	int64_t window_us; /* > 0 */
	/*
	 * What was admitted before is not known here (it was counted elsewhere): then all was used but an eighth of the
	 * limit, at least one. 0: everything is known.
	 */
	int64_t since_us;
};

struct limit_verdict {
	bool admitted;
	int64_t limit;
	int64_t remaining; /* how many more now */
	int64_t reset_us;  /* until the full limit is there again */
	int64_t retry_us;  /* when refused: until one request would be admitted */
	int64_t end_us;    /* of limit_held_take(): when what it was taken from ends */
};

struct limit_table;

/* Maps a table for about `subjects` subjects in shared memory. NULL: errno says why. Called by the master, once. */
MUST_CHECK struct limit_table *limit_table_new(size_t subjects);
void limit_table_free(struct limit_table *table);

/* Counts one request of subject at now_us and says whether it may go on. */
struct limit_verdict limit_take(struct limit_table *table, uint64_t subject, const struct limit_rule *rule,
                                int64_t now_us);
/* Takes back what limit_take() admitted: the request is not made after all. */
void limit_return(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us);

enum limit_held {
	LIMIT_HELD_NONE, /* nothing is known or held: ask for more */
	LIMIT_HELD_ADMITTED,
	LIMIT_HELD_REFUSED /* the shared counter had no room; it has none yet */
};

/* What a shared counter granted. */
struct limit_grant {
	int64_t units;     /* requests; at most LIMIT_GRANT_MAX */
	int64_t end_us;    /* a window's: all can be used before it. A bucket's: the last can be, the others a token earlier
	                      each */
	int64_t remaining; /* what the shared counter has left */
};

enum { LIMIT_GRANT_MAX = (1 << 21) - 1 };

/* now_us and end_us are of one clock, clock_mono_us. since_us of the rule is not looked at. */
enum limit_held limit_held_take(struct limit_table *table, uint64_t subject, const struct limit_rule *rule,
                                int64_t now_us, struct limit_verdict *verdict_r);
/* Takes back what was admitted with that end_us, if it is still of use. */
void limit_held_return(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us,
                       int64_t end_us);
void limit_held_add(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us,
                    const struct limit_grant *grant);
/* Until end_us nobody needs to ask. */
void limit_held_refuse(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us,
                       int64_t end_us);

#endif
