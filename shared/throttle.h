/*
 * throttle.h - delays that grow with failures: for logins, exact within a node.
 *
 * A subject (a 64-bit hash with a secret key, crypto_siphash) fails freely a few times; then each failure refuses it
 * for twice as long as the one before, up to a longest delay, so nobody is locked out for good. What was refused is not
 * counted and prolongs nothing. A subject without a failure for the quiet time is forgotten.
 *
 * Counters live in shared memory that the master maps before it forks. Calls take a lock for less than a microsecond.
 * The table never grows: when a bucket is full, whoever failed least gives way.
 */
#ifndef AGENTD_THROTTLE_H
#define AGENTD_THROTTLE_H

#include "base.h"

struct throttle_rule {
	int free;           /* failures before the first delay, > 0 */
	int64_t first_us;   /* the first delay, > 0 */
	int64_t longest_us; /* >= first_us */
	int64_t quiet_us;   /* > longest_us */
};

struct throttle_table;

/* Maps a table for about `subjects` subjects in shared memory. NULL: errno says why. Called by the master, once. */
MUST_CHECK struct throttle_table *throttle_table_new(size_t subjects);
void throttle_table_free(struct throttle_table *table);

/* How long the failure of that number (from 1) refuses the subject. Pure. */
int64_t throttle_delay_us(const struct throttle_rule *rule, int failures);

/* How long the subject has to wait at now_us (clock_mono_us); 0: it may try. Changes nothing. */
int64_t throttle_wait_us(struct throttle_table *table, uint64_t subject, const struct throttle_rule *rule,
                         int64_t now_us);
/*
 * The same for who tries now if it may. Once the free failures are used up, others are refused from here on as if this
 * try had failed, so that many at once get no more tries than one after the other.
 */
int64_t throttle_try(struct throttle_table *table, uint64_t subject, const struct throttle_rule *rule, int64_t now_us);
/* The try failed. */
void throttle_fail(struct throttle_table *table, uint64_t subject, const struct throttle_rule *rule, int64_t now_us);
/* The try was right: nothing is held against the subject any more, and for known_us it is known as one that succeeded.
 */
void throttle_succeed(struct throttle_table *table, uint64_t subject, int64_t now_us, int64_t known_us);
/* True if it succeeded within that time, whatever failed since. */
bool throttle_is_known(struct throttle_table *table, uint64_t subject, int64_t now_us);

#endif
