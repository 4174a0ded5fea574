/*
 * limit_model.h - the strategies of limit.h as a textbook has them, for the tests of those who count: numbers as large
 * as they like, one subject, one process; and random traces of requests.
 */
#ifndef AGENTD_LIMIT_MODEL_H
#define AGENTD_LIMIT_MODEL_H

#include "base.h"
#include "limit.h"

enum { SECOND_US = 1000000 };

static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline int64_t
random_below(uint64_t *state, int64_t limit)
{
	return (int64_t)(random_next(state) % (uint64_t)limit);
}

struct model {
	double tokens, refilled_us;
	int64_t window, count, before;
};

/* The model's opinion: more than 0 is room for a request, and by how much of one. */
static inline double
model_room(struct model *model, const struct limit_rule *rule, int64_t now_us)
{
	int64_t window = now_us / rule->window_us;
	double left = 1 - (double)(now_us % rule->window_us) / (double)rule->window_us;

	if (rule->strategy == LIMIT_TOKEN_BUCKET) {
		double grown = ((double)now_us - model->refilled_us) * (double)rule->limit / (double)rule->window_us;

		model->tokens = MIN(model->tokens + grown, (double)rule->limit);
		model->refilled_us = (double)now_us;
		return model->tokens;
	}
	if (window != model->window) {
		model->before = window == model->window + 1 ? model->count : 0;
		model->count = 0;
		model->window = window;
	}
	if (rule->strategy == LIMIT_FIXED_WINDOW)
		return (double)(rule->limit - model->count);
	return (double)(rule->limit - model->count) - (double)model->before * left;
}

static inline void
model_take(struct model *model)
{
	model->tokens -= 1;
	model->count++;
}

static inline void
model_init(struct model *model, const struct limit_rule *rule, int64_t now_us)
{
	*model = (struct model){.tokens = (double)rule->limit, .refilled_us = (double)now_us, .window = -2};
}

static inline int64_t
random_step_us(uint64_t *random, const struct limit_rule *rule)
{
	switch (random_below(random, 60)) {
	case 0: /* many windows at once: the small window numbers come round again */
		return rule->window_us * random_below(random, 35) + random_below(random, 2) * random_below(random, 1000);
	case 1:
		return random_below(random, rule->window_us);
	case 2:
	case 3:
	case 4:
		return random_below(random, 2 * (rule->window_us / rule->limit + 1));
	case 5:
		return random_below(random, 3);
	default:
		return 0;
	}
}

#endif
