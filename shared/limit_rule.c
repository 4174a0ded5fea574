/*
 * limit_rule.c - the three strategies as pure functions of a 64-bit word, see limit_private.h. limit.lua says the same
 * of counters in Redis; a change here is a change there.
 *
 * The strategy and the window are hashed into the subject, so a word is never read by other rules than it was written
 * by: a changed limit goes on with the old count, a changed window or strategy starts a new one.
 *
 * A counter whose memory begins at since_us assumes that before it all was used but an eighth of the limit: what a
 * cluster admits around the loss of its memory stays below 9/8 of the limit.
 */
#include "limit_private.h"

/* What fits into the words: larger limits count as this one. */
enum { COUNT_BITS = 30, COUNT_MAX = (1 << COUNT_BITS) - 1 };

int64_t
limit_divide_up(int64_t a, int64_t b)
{
	return a / b + (a % b > 0);
}

/* How much of the limit counts as used when it is not known what was. */
static int64_t
assumed(int64_t limit)
{
	return limit - MAX(limit / 8, 1);
}

/*
 * Token bucket as GCRA: the word is the theoretical arrival time, when the bucket will be full, in 1/4096 us. A
 * request moves it ahead by the time in which one token grows, rounded up, so the rate is never above the limit.
 */
static struct limit_step
token_bucket(uint64_t word, const struct limit_rule *rule, int64_t limit, int64_t now_us)
{
	int64_t token = limit_divide_up(rule->window_us * LIMIT_FRACTION, limit);
	int64_t most = (limit - 1) * token; /* how far ahead a request may find it */
	int64_t now = now_us * LIMIT_FRACTION;
	int64_t ahead = MAX((int64_t)word - now, 0);
	struct limit_step step = {word, {.limit = limit}};

	if (rule->since_us)
		ahead = MAX(ahead, rule->since_us * LIMIT_FRACTION + assumed(limit) * token - now);
	if (ahead <= most) {
		step.verdict.admitted = true;
		ahead += token;
		step.word = (uint64_t)(now + ahead);
		step.verdict.remaining = limit - limit_divide_up(ahead, token);
	} else {
		step.verdict.retry_us = limit_divide_up(ahead - most, LIMIT_FRACTION);
	}
	step.verdict.reset_us = limit_divide_up(ahead, LIMIT_FRACTION);
	return step;
}

/* A word with a window's number in its upper bits, read at now. */
struct window {
	uint64_t number;
	uint64_t passed;    /* windows since the word's; 0 too if now is older than the word */
	int64_t elapsed_us; /* in the current window; negative if now is older than its start */
};

/* Numbers wrap. now may be a little old: within `behind` windows before the word, the word's window goes on. */
static struct window
window_read(uint64_t word, int shift, uint64_t behind, int64_t window_us, int64_t now_us)
{
	uint64_t mask = UINT64_MAX >> shift;
	struct window window = {(uint64_t)(now_us / window_us) & mask, 0, now_us % window_us};

	if (word) {
		window.passed = (window.number - (word >> shift)) & mask;
		if (window.passed > mask - behind) {
			window.elapsed_us -= (int64_t)(mask - window.passed + 1) * window_us;
			window.number = word >> shift;
			window.passed = 0;
		}
	}
	return window;
}

/* Whether a part of what was admitted from then on is not known. */
static bool
is_unknown(const struct limit_rule *rule, int64_t from_us)
{
	return rule->since_us && rule->since_us > from_us;
}

/* Fixed window: the word is the window's number and, in the low COUNT_BITS, the requests in it. */
static struct limit_step
fixed_window(uint64_t word, const struct limit_rule *rule, int64_t limit, int64_t now_us)
{
	struct window window = window_read(word, COUNT_BITS, 1 << 20, rule->window_us, now_us);
	int64_t count = window.passed ? 0 : (int64_t)(word & COUNT_MAX);
	int64_t left_us = rule->window_us - window.elapsed_us;
	struct limit_step step = {word, {.limit = limit, .reset_us = left_us}};

	if (is_unknown(rule, now_us - window.elapsed_us))
		count = MAX(count, assumed(limit));
	if (count < limit) {
		step.verdict.admitted = true;
		step.verdict.remaining = limit - count - 1;
		step.word = window.number << COUNT_BITS | (uint64_t)(count + 1);
	} else {
		step.verdict.retry_us = left_us;
	}
	return step;
}

/* a * b / c, rounded down; a * b may exceed 64 bits. */
static int64_t
scale(int64_t a, int64_t b, int64_t c)
{
	return (int64_t)((__int128)a * b / c);
}

/* How far into a window `before`, the count of the window before it, must have faded so that at most room is left. */
static int64_t
faded_us(int64_t before, int64_t room, int64_t window_us)
{
	return before > room ? window_us - scale(room, window_us, before) : 0;
}

/*
 * Sliding window: the word is the window's number (4 bits), the requests in the window before and those in this one.
 * The estimate is count + before * (the part of the window before that a window ending now covers), rounded up.
 */
static struct limit_step
sliding_window(uint64_t word, const struct limit_rule *rule, int64_t limit, int64_t now_us)
{
	int64_t window_us = rule->window_us;
	struct window window = window_read(word, 2 * COUNT_BITS, 6, window_us, now_us);
	int64_t count = (int64_t)(word & COUNT_MAX), before = (int64_t)(word >> COUNT_BITS & COUNT_MAX);
	int64_t elapsed_us = MAX(window.elapsed_us, 0), used;
	struct limit_step step = {word, {.limit = limit}};

	if (window.passed) {
		before = window.passed == 1 ? count : 0;
		count = 0;
	}
	if (is_unknown(rule, now_us - window.elapsed_us))
		count = MAX(count, assumed(limit));
	else if (is_unknown(rule, now_us - window.elapsed_us - window_us))
		before = MAX(before, limit);
	used = count + before - scale(before, elapsed_us, window_us);
	if (used < limit) {
		step.verdict.admitted = true;
		step.verdict.remaining = limit - used - 1;
		count++;
		step.word = window.number << 2 * COUNT_BITS | (uint64_t)before << COUNT_BITS | (uint64_t)count;
	} else if (count < limit) {
		step.verdict.retry_us = faded_us(before, limit - 1 - count, window_us) - window.elapsed_us;
	} else {
		step.verdict.retry_us = window_us + faded_us(count, limit - 1, window_us) - window.elapsed_us;
	}
	step.verdict.reset_us = (count ? 2 : 1) * window_us - window.elapsed_us;
	return step;
}

int64_t
limit_rule_limit(const struct limit_rule *rule)
{
	return MIN(rule->limit, COUNT_MAX);
}

int64_t
limit_rule_token(const struct limit_rule *rule)
{
	return limit_divide_up(rule->window_us * LIMIT_FRACTION, limit_rule_limit(rule));
}

struct limit_step
limit_rule_take(const struct limit_rule *rule, uint64_t word, int64_t now_us)
{
	static struct limit_step (*const strategies[])(uint64_t, const struct limit_rule *, int64_t, int64_t) = {
	    [LIMIT_TOKEN_BUCKET] = token_bucket,
	    [LIMIT_FIXED_WINDOW] = fixed_window,
	    [LIMIT_SLIDING_WINDOW] = sliding_window,
	};

	return strategies[rule->strategy](word, rule, limit_rule_limit(rule), now_us);
}

uint64_t
limit_rule_return(const struct limit_rule *rule, uint64_t word, int64_t now_us)
{
	bool fixed = rule->strategy == LIMIT_FIXED_WINDOW;
	struct window window;

	if (rule->strategy == LIMIT_TOKEN_BUCKET)
		return word - (uint64_t)MIN(limit_rule_token(rule), (int64_t)word - 1);
	window = window_read(word, fixed ? COUNT_BITS : 2 * COUNT_BITS, fixed ? 1 << 20 : 6, rule->window_us, now_us);
	/* A window that has passed takes nothing back: it is no longer what is counted. */
	return window.passed == 0 && (word & COUNT_MAX) > 0 ? word - 1 : word;
}
