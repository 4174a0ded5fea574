/* limit.c - counting requests here, see limit.h: a slot's word is the whole state of a strategy (limit_rule.c). */
#include "limit_private.h"

static const int64_t window_max_us = (int64_t)366 * 86400 * 1000000;

/* Multiplications by odd numbers keep subjects apart that differ in one thing only. */
uint64_t
limit_key(uint64_t subject, const struct limit_rule *rule, bool held)
{
	uint64_t kind = (uint64_t)rule->window_us * 8 + (uint64_t)rule->strategy * 2 + held;
	uint64_t key = subject ^ kind * 0x9e3779b97f4a7c15;

	INVARIANT(rule->limit > 0 && rule->window_us > 0 && rule->window_us <= window_max_us);
	/* What is borrowed was borrowed under one limit; what is counted goes on under another. */
	if (held)
		key ^= (uint64_t)rule->limit * 0xd6e8feb86659fd93;
	return key ? key : 1;
}

struct taking {
	const struct limit_rule *rule;
	int64_t now_us;
	struct limit_verdict verdict;
};

static struct limit_next
take(void *arg, uint64_t word, uint32_t note)
{
	struct taking *taking = arg;
	struct limit_step step = limit_rule_take(taking->rule, word, taking->now_us);

	taking->verdict = step.verdict;
	/* A refused stranger needs a slot as little as one whose word would not change. */
	return (struct limit_next){step.word, note, step.verdict.admitted, step.verdict.reset_us};
}

struct limit_verdict
limit_take(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us)
{
	struct taking taking = {rule, now_us, {0}};
	uint64_t key = limit_key(subject, rule, false);
	int64_t free_us;

	INVARIANT(now_us >= 0);
	if (limit_table_apply(table, key, now_us, true, take, &taking, &free_us) != LIMIT_CROWDED)
		return taking.verdict;
	free_us = MAX(free_us - now_us, 1);
	return (struct limit_verdict){false, limit_rule_limit(rule), 0, free_us, free_us};
}

static struct limit_next
give_back(void *arg, uint64_t word, uint32_t note)
{
	const struct taking *taking = arg;
	uint64_t less = word ? limit_rule_return(taking->rule, word, taking->now_us) : 0;

	return (struct limit_next){less, note, less && less != word, 0};
}

void
limit_return(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us)
{
	struct taking taking = {rule, now_us, {0}};
	int64_t free_us;

	/* Where there is no slot any more, there is nothing to give back to. */
	(void)limit_table_apply(table, limit_key(subject, rule, false), now_us, false, give_back, &taking, &free_us);
}
