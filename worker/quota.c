/*
 * quota.c - see quota.h: decides a check from what is held here, from the node's own table, or by asking (borrow.c).
 *
 * What a check has taken it gives back when another subject refuses it, or when it has to wait for somebody else's
 * answer: nobody pays for a request that is not made.
 */
#include "quota.h"
#include "borrow.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "metrics.h"
#include "process.h"
#include "request.h"

enum { SETTLE_US = 500000 };

struct quota *
quota_new(struct worker *worker)
{
	struct quota *quota = mem_zero(sizeof(*quota));

	quota->worker = worker;
	quota->board = worker->heritage->board;
	quota->table = worker->heritage->limits;
	quota->cache = worker->cache;
	quota->config = worker->config;
	quota->begun_us = clock_steady_us();
	quota->script.text = limit_script_text;
	snprintf(quota->memory_key, sizeof(quota->memory_key), "%s:limits", quota->config->redis_prefix);
	return quota;
}

void
quota_free(struct quota *quota)
{
	if (!quota)
		return;
	borrow_free_all(quota);
	free(quota);
}

bool
quota_settled(const struct quota *quota)
{
	return !quota->cache || quota->joined || *cache_last_error(quota->cache) ||
	       clock_steady_us() - quota->begun_us > SETTLE_US;
}

/* The time that all nodes have: Redis's as far as it is known, so that their windows begin together. */
static int64_t
cluster_us(const struct quota *quota, int64_t now_us)
{
	return now_us + atomic_load(&quota->board->clock_offset_us);
}

/*
 * This node's part of a limit that nobody counts for the cluster; a quarter of it while Redis counts for others, who
 * have all of it.
 */
static struct limit_rule
own_part(const struct quota *quota, const struct limit_rule *rule)
{
	int64_t parts = MAX(atomic_load(&quota->board->nodes), 1);
	struct limit_rule own = *rule;

	if (!quota->cache)
		return own;
	if (atomic_load(&quota->board->others_with_redis) > 0)
		parts *= 4;
	own.limit = own.limit / parts + (own.limit % parts > 0);
	return own;
}

struct limit_verdict
quota_take_here(struct quota *quota, const struct quota_subject *subject)
{
	/* Redis counts this for nobody. */
	int64_t nodes = quota->cache ? MAX(atomic_load(&quota->board->nodes), 1) : 1;
	struct limit_rule own = subject->rule;

	own.limit = own.limit / nodes + (own.limit % nodes > 0);
	return limit_take(quota->table, subject->hash, &own, cluster_us(quota, clock_mono_us()));
}

/* For a subject that Redis counts as a rule. */
static struct limit_verdict
take_instead(struct quota *quota, const struct quota_subject *subject)
{
	struct limit_rule own = own_part(quota, &subject->rule);
	struct limit_verdict verdict;

	/* What Redis counted until it was last heard of is not in the table. */
	if (quota->cache)
		own.since_us = atomic_load(&quota->board->redis_seen_us);
	verdict = limit_take(quota->table, subject->hash, &own, cluster_us(quota, clock_mono_us()));
	verdict.limit = subject->rule.limit;
	return verdict;
}

/* Undoes what the first `count` subjects were admitted. */
static void
give_back(struct quota *quota, struct quota_check *check, int count)
{
	int64_t now_us = clock_mono_us();

	for (int i = 0; i < count; i++) {
		struct quota_subject *subject = &check->subjects[i];
		struct limit_rule own;

		if (!subject->verdict.admitted)
			continue;
		if (subject->held) {
			limit_held_return(quota->table, subject->hash, &subject->rule, now_us, subject->verdict.end_us);
			continue;
		}
		own = own_part(quota, &subject->rule);
		limit_return(quota->table, subject->hash, &own, cluster_us(quota, now_us));
	}
}

void
quota_give_back(struct quota *quota, struct quota_check *check)
{
	give_back(quota, check, check->count);
}

void
quota_decide(struct quota_check *check)
{
	int tightest = 0;

	for (int i = 1; i < check->count; i++) {
		const struct limit_verdict *verdict = &check->subjects[i].verdict, *least = &check->subjects[tightest].verdict;
		if (least->admitted && (!verdict->admitted || verdict->remaining < least->remaining))
			tightest = i;
	}
	check->tightest = tightest;
	check->decided = true;
}

/* The subjects behind the one that refused were not asked. */
static void
refused_at(struct quota *quota, struct quota_check *check, int index)
{
	give_back(quota, check, index);
	check->tightest = index;
	check->decided = true;
}

void
quota_decide_here(struct quota *quota, struct quota_check *check)
{
	if (quota->cache)
		metrics_add(METRIC_LIMIT_DEGRADED, 0, 1);
	if (quota->cache && !quota->alone_since_us)
		quota->alone_since_us = clock_steady_us();
	for (int i = 0; i < check->count; i++) {
		struct quota_subject *subject = &check->subjects[i];

		subject->held = false;
		subject->verdict = take_instead(quota, subject);
		if (!subject->verdict.admitted) {
			refused_at(quota, check, i);
			return;
		}
	}
	quota_decide(check);
}

/* From what is held. Returns a bit for each subject that nothing is held for. */
static unsigned
take_held(struct quota *quota, struct quota_check *check)
{
	int64_t now_us = clock_mono_us();
	unsigned missing = 0;

	for (int i = 0; i < check->count; i++) {
		struct quota_subject *subject = &check->subjects[i];

		subject->held = true;
		subject->verdict.admitted = false;
		switch (limit_held_take(quota->table, subject->hash, &subject->rule, now_us, &subject->verdict)) {
		case LIMIT_HELD_NONE:
			missing |= 1u << i;
			break;
		case LIMIT_HELD_ADMITTED:
			break;
		case LIMIT_HELD_REFUSED:
			refused_at(quota, check, i);
			return 0;
		}
	}
	if (!missing)
		quota_decide(check);
	return missing;
}

/* For answers to others: then it asks for itself. */
static bool
has_waited_enough(const struct quota *quota, const struct quota_check *check)
{
	return check->waiting_since_us &&
	       clock_steady_us() - check->waiting_since_us >= quota->config->redis_timeout_ms * 1000;
}

bool
quota_take(struct quota *quota, struct quota_check *check)
{
	unsigned missing;

	if (!quota->joined) {
		quota_decide_here(quota, check);
		return true;
	}
	missing = take_held(quota, check);
	if (check->decided)
		return true;
	if (!has_waited_enough(quota, check) && borrow_join(quota, check, missing)) {
		quota_give_back(quota, check);
		return false;
	}
	if (borrow_send(quota, check, missing))
		return false;
	quota_give_back(quota, check);
	quota_decide_here(quota, check);
	return true;
}
