/*
 * limit_held.c - using up what this node has borrowed of a counter that the cluster shares, see limit.h.
 *
 * A slot's word is a flag (refused), the units that are left, and when they end, in 64 us. A unit of a window is good
 * until the window's end. The units of a token bucket stand one behind the other in the bucket's future, a token's time
 * each: the last until the end, the one before it until a token earlier. So each is used no later than at the moment at
 * which its place in the shared bucket begins, and what all nodes admit is what one bucket would. The note is what the
 * shared counter had left when it was last asked.
 *
 * Two grants of a bucket become one whose end is the first one's plus the length of the second: places are only ever
 * moved to an earlier time, which makes them end earlier and never adds any.
 */
#include "limit_private.h"

enum { END_BITS = 42, END_SHIFT = 6 };

struct held {
	bool refused;
	int64_t units;
	int64_t end_us;
};

struct holding {
	const struct limit_rule *rule;
	int64_t now_us;
	const struct limit_grant *grant;
	enum limit_held outcome;
	struct limit_verdict verdict;
};

static uint64_t
pack(bool refused, int64_t units, int64_t end_us)
{
	INVARIANT(end_us >> END_SHIFT < (int64_t)1 << END_BITS);
	return (uint64_t)refused << 63 | (uint64_t)units << END_BITS | (uint64_t)(end_us >> END_SHIFT);
}

static struct held
unpack(uint64_t word)
{
	return (struct held){word >> 63, (int64_t)(word >> END_BITS & LIMIT_GRANT_MAX),
	                     (int64_t)(word & (((uint64_t)1 << END_BITS) - 1)) << END_SHIFT};
}

static bool
is_bucket(const struct limit_rule *rule)
{
	return rule->strategy == LIMIT_TOKEN_BUCKET;
}

/* The units that can still be used. */
static int64_t
usable(const struct held *held, const struct limit_rule *rule, int64_t now_us)
{
	int64_t left_us = held->end_us - now_us;

	if (held->refused || left_us <= 0)
		return 0;
	if (!is_bucket(rule))
		return held->units;
	/* Windows are at most 366 days: left_us * LIMIT_FRACTION fits. */
	return MIN(held->units, left_us * LIMIT_FRACTION / limit_rule_token(rule));
}

static int64_t
reset_us(const struct held *held, const struct limit_rule *rule, int64_t now_us)
{
	return held->end_us - now_us + (rule->strategy == LIMIT_SLIDING_WINDOW ? rule->window_us : 0);
}

static struct limit_next
take(void *arg, uint64_t word, uint32_t note)
{
	struct holding *holding = arg;
	struct held held = unpack(word);
	int64_t units = usable(&held, holding->rule, holding->now_us), left_us = held.end_us - holding->now_us;

	holding->verdict = (struct limit_verdict){.limit = limit_rule_limit(holding->rule)};
	if (held.refused && left_us > 0) {
		holding->outcome = LIMIT_HELD_REFUSED;
		holding->verdict.retry_us = left_us;
		holding->verdict.reset_us = left_us;
		return (struct limit_next){.store = false};
	}
	if (units == 0) {
		holding->outcome = LIMIT_HELD_NONE;
		return (struct limit_next){.store = false};
	}
	holding->outcome = LIMIT_HELD_ADMITTED;
	holding->verdict.admitted = true;
	holding->verdict.end_us = held.end_us;
	holding->verdict.remaining = MIN(units - 1 + (int64_t)note, holding->verdict.limit - 1);
	holding->verdict.reset_us = reset_us(&held, holding->rule, holding->now_us);
	return (struct limit_next){pack(false, units - 1, held.end_us), note, true, left_us};
}

enum limit_held
limit_held_take(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us,
                struct limit_verdict *verdict_r)
{
	struct holding holding = {.rule = rule, .now_us = now_us};
	int64_t free_us;

	if (limit_table_apply(table, limit_key(subject, rule, true), now_us, false, take, &holding, &free_us) !=
	    LIMIT_APPLIED)
		return LIMIT_HELD_NONE;
	*verdict_r = holding.verdict;
	return holding.outcome;
}

static struct limit_next
give_back(void *arg, uint64_t word, uint32_t note)
{
	const struct holding *holding = arg;
	struct held held = unpack(word);
	int64_t apart_us = held.end_us - holding->grant->end_us;
	/* Only to where it came from: a later window, or later places of a bucket, are none of its business. */
	bool same = is_bucket(holding->rule) ? apart_us == 0 : apart_us < holding->rule->window_us / 2;

	if (!same || held.refused || held.end_us <= holding->now_us || held.units >= LIMIT_GRANT_MAX)
		return (struct limit_next){.store = false};
	return (struct limit_next){pack(false, held.units + 1, held.end_us), note, true, held.end_us - holding->now_us};
}

void
limit_held_return(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us,
                  int64_t end_us)
{
	const struct limit_grant grant = {.end_us = end_us};
	struct holding holding = {.rule = rule, .now_us = now_us, .grant = &grant};
	int64_t free_us;

	(void)limit_table_apply(table, limit_key(subject, rule, true), now_us, false, give_back, &holding, &free_us);
}

static struct limit_next
add(void *arg, uint64_t word, uint32_t note)
{
	const struct holding *holding = arg;
	const struct limit_rule *rule = holding->rule;
	struct held held = unpack(word);
	int64_t units = holding->grant->units, end_us = holding->grant->end_us;
	int64_t old = usable(&held, rule, holding->now_us);

	(void)note;
	if (old && is_bucket(rule))
		end_us = MIN(end_us, held.end_us + units * limit_rule_token(rule) / LIMIT_FRACTION);
	else if (old && end_us - held.end_us < rule->window_us / 2)
		end_us = MIN(end_us, held.end_us);
	else
		old = 0; /* nothing is left, or it is of the window before */
	units = MIN(units + old, (int64_t)LIMIT_GRANT_MAX);
	return (struct limit_next){pack(false, units, end_us), (uint32_t)holding->grant->remaining,
	                           end_us > holding->now_us, end_us - holding->now_us};
}

void
limit_held_add(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us,
               const struct limit_grant *grant)
{
	struct holding holding = {.rule = rule, .now_us = now_us, .grant = grant};
	int64_t free_us;

	INVARIANT(grant->units >= 0 && grant->units <= LIMIT_GRANT_MAX);
	/* What finds no slot is not used: the limit holds. */
	(void)limit_table_apply(table, limit_key(subject, rule, true), now_us, true, add, &holding, &free_us);
}

static struct limit_next
refuse(void *arg, uint64_t word, uint32_t note)
{
	const struct holding *holding = arg;
	struct held held = unpack(word);

	(void)note;
	/* Another process was given some meanwhile. */
	if (usable(&held, holding->rule, holding->now_us) > 0)
		return (struct limit_next){.store = false};
	return (struct limit_next){pack(true, 0, holding->grant->end_us), 0, holding->grant->end_us > holding->now_us,
	                           holding->grant->end_us - holding->now_us};
}

void
limit_held_refuse(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us,
                  int64_t end_us)
{
	const struct limit_grant grant = {.end_us = end_us};
	struct holding holding = {.rule = rule, .now_us = now_us, .grant = &grant};
	int64_t free_us;

	(void)limit_table_apply(table, limit_key(subject, rule, true), now_us, true, refuse, &holding, &free_us);
}
