/*
 * limit.h - rate limiting: how many requests a subject may make, exact within a node.
 *
 * Counters live in a shared-memory table that the master maps before it forks; every worker changes a counter with one
 * compare-and-swap, so no request is counted twice or missed. A subject is a 64-bit hash with a secret key
 * (crypto_siphash) of its kind and name: two subjects never share a counter. Nothing blocks. When a bucket of the table
 * is full, the entry that has been idle longest gives way, and only if it is idle: a subject that is being limited is
 * never forgotten.
 */
#ifndef AGENTD_LIMIT_H
#define AGENTD_LIMIT_H

#include "base.h"

enum limit_strategy { LIMIT_TOKEN_BUCKET, LIMIT_FIXED_WINDOW, LIMIT_SLIDING_WINDOW };

struct limit_rule {
	enum limit_strategy strategy;
	int64_t limit;     /* requests per window, > 0; a token bucket's capacity */
	int64_t window_us; /* > 0 */
};

struct limit_verdict {
	bool admitted;
	int64_t limit;
	int64_t remaining; /* how many more now */
	int64_t reset_us;  /* until the full limit is there again */
	int64_t retry_us;  /* when refused: until one request would be admitted */
};

struct limit_table;

/* Maps a table for about `subjects` subjects in shared memory. NULL: errno says why. Called by the master, once. */
MUST_CHECK struct limit_table *limit_table_new(size_t subjects);
void limit_table_free(struct limit_table *table);

/* Counts one request of subject at now_us (clock_mono_us) and says whether it may go on. */
struct limit_verdict limit_take(struct limit_table *table, uint64_t subject, const struct limit_rule *rule,
                                int64_t now_us);

#endif
