/*
 * limit_private.h - what the files of limit.h share: limit_table.c (the table), limit_rule.c (the strategies), limit.c
 * (counting here), limit_held.c (using what was borrowed). Nobody else includes it.
 */
#ifndef AGENTD_LIMIT_PRIVATE_H
#define AGENTD_LIMIT_PRIVATE_H

#include "limit.h"

/* The parts of a token's time that a token bucket counts in: of a microsecond. */
enum { LIMIT_FRACTION = 4096 };

/* --- limit_table.c --- */

/* What is to become of a slot: a word of 0 is none. */
struct limit_next {
	uint64_t word;
	uint32_t note;
	bool store;
	int64_t idle_us; /* from now on: then forgetting the slot changes nothing */
};

/* From the word and note of a slot, 0 for a new one; may be called again when another process was quicker. */
typedef struct limit_next limit_stepper(void *arg, uint64_t word, uint32_t note);

enum limit_applied {
	LIMIT_APPLIED,
	LIMIT_ABSENT, /* not wanted, and there is no slot of key that is not idle */
	LIMIT_CROWDED /* no slot is free or idle */
};

/* Moves the slot of key one step. free_us_r: of LIMIT_CROWDED, when the first slot is idle. */
enum limit_applied limit_table_apply(struct limit_table *table, uint64_t key, int64_t now_us, bool wanted,
                                     limit_stepper *stepper, void *arg, int64_t *free_us_r);

/* --- limit_rule.c --- */

/* What a strategy says: the next word, to be stored only if the request is admitted, and the answer. */
struct limit_step {
	uint64_t word;
	struct limit_verdict verdict;
};

struct limit_step limit_rule_take(const struct limit_rule *rule, uint64_t word, int64_t now_us);
/* The word without one request. */
uint64_t limit_rule_return(const struct limit_rule *rule, uint64_t word, int64_t now_us);
/* The time in which one token grows, in LIMIT_FRACTION, rounded up. */
int64_t limit_rule_token(const struct limit_rule *rule);
/* The limit as it counts. */
int64_t limit_rule_limit(const struct limit_rule *rule);

int64_t limit_divide_up(int64_t a, int64_t b);

/* Checks the rule; the key of a subject under rules of its kind, never 0. */
uint64_t limit_key(uint64_t subject, const struct limit_rule *rule, bool held);

#endif
