/*
 * borrow.c - see borrow.h. A borrow is one run of limit.lua; what it grants beyond the request that asked is held in
 * the node's table for the others.
 *
 * Times of an answer count from when the question was sent, which is before Redis looked at its clock: what is held
 * ends here no later than there. A subject is asked for once at a time in a worker; who comes meanwhile waits for that
 * answer and then looks again.
 */
#include "borrow.h"
#include "clock.h"
#include "config.h"
#include "log.h"
#include "process.h"
#include "request.h"
#include "uuid.h"

#include <uthash.h>

enum {
	LARGE = 100,           /* limits below this are counted one by one */
	LEAST_US = 5000,       /* what grows in so much time is the least that is taken in advance */
	OFFSET_STEP_US = 2000, /* a smaller change of Redis's clock is taken for the way there and back */
	AWAY_US = 1000000,     /* who counted alone for longer says so */
	REJOIN_US = 1000000,
	WORDS_MAX = 1 + QUOTA_SUBJECTS_MAX + LIMIT_SCRIPT_WORDS + QUOTA_SUBJECTS_MAX * LIMIT_SCRIPT_COUNTER_WORDS
};

struct flight {
	uint64_t hash;
	struct borrow *borrow;
	UT_hash_handle hh;
};

struct waiting {
	struct quota_check *check;
	struct waiting *next;
};

struct borrow {
	LIST_ENTRY(borrow) entry;
	struct quota *quota;
	struct quota_check *check;
	unsigned missing;
	int64_t sent_us;
	struct waiting *waiting;
	int waiting_count;
	int counters; /* that it asks for */
	int flight_count;
	struct flight flights[QUOTA_SUBJECTS_MAX];
};

static struct flight *
find_flight(struct quota *quota, uint64_t hash)
{
	struct flight *flight;

	HASH_FIND(hh, quota->flights, &hash, sizeof(hash), flight);
	return flight;
}

static void
wait_from_now(struct quota_check *check)
{
	if (!check->waiting_since_us)
		check->waiting_since_us = clock_steady_us();
}

bool
borrow_join(struct quota *quota, struct quota_check *check, unsigned missing)
{
	for (int i = 0; i < check->count; i++) {
		struct flight *flight = missing & 1u << i ? find_flight(quota, check->subjects[i].hash) : NULL;
		struct waiting *waiting;

		if (!flight)
			continue;
		waiting = arena_alloc(&check->request->arena, sizeof(*waiting));
		*waiting = (struct waiting){check, flight->borrow->waiting};
		flight->borrow->waiting = waiting;
		flight->borrow->waiting_count++;
		wait_from_now(check);
		return true;
	}
	return false;
}

static struct slice
number(struct arena *arena, int64_t value)
{
	return slice_of(arena_printf(arena, "%lld", (long long)value));
}

/* Whoever has waited for this subject asks for all who did. */
static int64_t
wanted(const struct quota *quota, const struct quota_subject *subject)
{
	if (quota->crowd > 1)
		for (int i = 0; i < QUOTA_SUBJECTS_MAX; i++)
			if (quota->crowd_hashes[i] == subject->hash)
				return quota->crowd;
	return 1;
}

static int
head_words(const struct quota *quota, bool connected, struct arena *arena, struct slice *words)
{
	bool away = quota->alone_since_us && clock_steady_us() - quota->alone_since_us > AWAY_US;
	char *name = arena_alloc(arena, UUID_TEXT_SIZE);

	uuid_new(name);
	words[0] = slice_of(quota->memory);
	words[1] = slice_of(name);
	words[2] = away && connected ? SLICE("1") : SLICE("0");
	words[3] = connected ? SLICE("1") : SLICE("0");
	/* Redis knows nothing of a clock that a test moves. */
	words[4] = *quota->config->test_clock ? number(arena, clock_wall_us()) : SLICE("0");
	return LIMIT_SCRIPT_WORDS;
}

static int
counter_words(const struct quota *quota, const struct quota_subject *subject, struct arena *arena, struct slice *words)
{
	const struct limit_rule *rule = &subject->rule;
	int64_t nodes = MAX(atomic_load(&quota->board->nodes), 1);
	bool large = rule->limit >= LARGE;

	words[0] = number(arena, rule->strategy);
	words[1] = number(arena, rule->limit);
	words[2] = number(arena, rule->window_us);
	words[3] = number(arena, wanted(quota, subject));
	words[4] = number(arena, large ? 2 * nodes : 0);
	words[5] = number(arena, (int64_t)((double)rule->limit * LEAST_US / (double)rule->window_us) / nodes);
	return LIMIT_SCRIPT_COUNTER_WORDS;
}

static struct slice
counter_key(const struct quota *quota, const struct quota_subject *subject, struct arena *arena)
{
	static const char letters[] = "bfs";

	return slice_of(arena_printf(arena, "%s:limit:%c%lld:%.*s", quota->config->redis_prefix,
	                             letters[subject->rule.strategy], (long long)subject->rule.window_us,
	                             SLICE_ARG(subject->name)));
}

static void answered(void *arg, const struct cache_result *result);

static void
take_off(struct borrow *borrow)
{
	struct quota *quota = borrow->quota;

	for (int i = 0; i < borrow->flight_count; i++)
		HASH_DEL(quota->flights, &borrow->flights[i]);
	LIST_REMOVE(borrow, entry);
}

static bool
send_script(struct borrow *borrow)
{
	struct quota *quota = borrow->quota;
	struct quota_check *check = borrow->check;
	struct arena *arena = &check->request->arena;
	struct slice words[WORDS_MAX];
	int count = 0, keys;

	words[count++] = slice_of(quota->memory_key);
	for (int i = 0; i < check->count; i++)
		if (borrow->missing & 1u << i)
			words[count++] = counter_key(quota, &check->subjects[i], arena);
	keys = count;
	count += head_words(quota, false, arena, words + count);
	for (int i = 0; i < check->count; i++)
		if (borrow->missing & 1u << i)
			count += counter_words(quota, &check->subjects[i], arena, words + count);
	borrow->sent_us = clock_mono_us();
	return cache_run(quota->cache, &quota->script, words, keys, count, answered, borrow);
}

bool
borrow_send(struct quota *quota, struct quota_check *check, unsigned missing)
{
	struct borrow *borrow = mem_zero(sizeof(*borrow));

	borrow->quota = quota;
	borrow->check = check;
	borrow->missing = missing;
	if (!send_script(borrow)) {
		free(borrow);
		return false;
	}
	wait_from_now(check);
	LIST_INSERT_HEAD(&quota->borrows, borrow, entry);
	for (int i = 0; i < check->count; i++) {
		struct flight *flight = &borrow->flights[borrow->flight_count];

		if (!(missing & 1u << i))
			continue;
		borrow->counters++;
		/* Who has waited long enough does not wait for another's answer. */
		if (find_flight(quota, check->subjects[i].hash))
			continue;
		flight->hash = check->subjects[i].hash;
		flight->borrow = borrow;
		HASH_ADD(hh, quota->flights, hash, sizeof(flight->hash), flight);
		borrow->flight_count++;
	}
	return true;
}

/* --- answers --- */

static void
note_contact(struct quota *quota, int64_t redis_us, int64_t sent_us)
{
	struct scoreboard *board = quota->board;
	int64_t offset_us = atomic_load(&board->clock_offset_us), now_us = clock_mono_us();

	/* Redis looked at its clock between the two. */
	if (offset_us > redis_us - sent_us + OFFSET_STEP_US || offset_us < redis_us - now_us - OFFSET_STEP_US) {
		offset_us = redis_us - (sent_us + now_us) / 2;
		atomic_store(&board->clock_offset_us, offset_us);
	}
	atomic_store(&board->redis_seen_us, now_us + offset_us);
}

/* What every good answer begins with. */
static void
read_head(struct quota *quota, const struct cache_result *result, int64_t sent_us)
{
	struct slice memory = cache_text(result, 2);

	snprintf(quota->memory, sizeof(quota->memory), "%.*s", (int)MIN(memory.len, sizeof(quota->memory) - 1),
	         memory.data);
	note_contact(quota, cache_int(result, 1), sent_us);
	quota->alone_since_us = 0;
}

/* Numbers of one counter of an answer. */
struct answer {
	int64_t granted, left, end_us, retry_us, reset_us;
};

static struct answer
read_answer(const struct cache_result *result, int index)
{
	int at = LIMIT_SCRIPT_HEAD + index * LIMIT_SCRIPT_ANSWERS;

	return (struct answer){cache_int(result, at), cache_int(result, at + 1), cache_int(result, at + 2),
	                       cache_int(result, at + 3), cache_int(result, at + 4)};
}

static void
use_answer(const struct borrow *borrow, struct quota_subject *subject, const struct answer *answer)
{
	struct quota *quota = borrow->quota;
	int64_t now_us = clock_mono_us(), retry_us = answer->retry_us;
	struct limit_grant grant = {answer->granted - 1, borrow->sent_us + answer->end_us, MAX(answer->left, 0)};

	subject->held = false;
	subject->verdict = (struct limit_verdict){answer->granted > 0,
	                                          subject->rule.limit,
	                                          MAX(answer->granted - 1, 0) + grant.remaining,
	                                          answer->reset_us,
	                                          0,
	                                          0};
	if (grant.units > 0)
		limit_held_add(quota->table, subject->hash, &subject->rule, now_us, &grant);
	if (answer->granted > 0 || answer->left > 0)
		return;
	/* Asking for every single token as it grows would be a round trip for each. */
	retry_us = MAX(retry_us, MIN((int64_t)LEAST_US, subject->rule.window_us / 500));
	subject->verdict.retry_us = MAX(answer->retry_us, 1);
	limit_held_refuse(quota->table, subject->hash, &subject->rule, now_us, borrow->sent_us + retry_us);
}

/* Redis has spoken. Who was refused gives back what he took elsewhere. */
static void
apply(const struct borrow *borrow, const struct cache_result *result)
{
	struct quota_check *check = borrow->check;
	bool refused = cache_int(result, 0) != 0;
	int index = 0;

	/* What was taken from what is held goes back before verdicts are written over. */
	if (refused)
		quota_give_back(borrow->quota, check);
	for (int i = 0; i < check->count; i++) {
		struct answer answer;

		if (!(borrow->missing & 1u << i))
			continue;
		answer = read_answer(result, index++);
		use_answer(borrow, &check->subjects[i], &answer);
		/* It had room, but nobody is admitted: it is not the one to tell of. */
		if (refused && answer.left > 0) {
			check->subjects[i].verdict.admitted = true;
			check->subjects[i].verdict.remaining = answer.left;
		}
	}
	quota_decide(check);
}

static bool
is_good(const struct borrow *borrow, const struct cache_result *result)
{
	return result->status == CACHE_OK &&
	       cache_count(result) == LIMIT_SCRIPT_HEAD + borrow->counters * LIMIT_SCRIPT_ANSWERS;
}

static void
leave(struct quota *quota, const struct cache_result *result)
{
	if (!quota->joined)
		return;
	quota->joined = false;
	quota->retry_us = clock_steady_us() + REJOIN_US;
	log_warning("limits", "Redis does not count: each node counts its part of every limit",
	            LOG_TEXT("reason", result->status == CACHE_OK ? "an answer of the wrong form" : result->message));
}

/* Those who waited look again; the first who still finds nothing asks for all. */
static void
resume_waiting(struct quota *quota, struct borrow *borrow)
{
	struct waiting *waiting = borrow->waiting;

	memset(quota->crowd_hashes, 0, sizeof(quota->crowd_hashes));
	for (int i = 0; i < borrow->flight_count; i++)
		quota->crowd_hashes[i] = borrow->flights[i].hash;
	quota->crowd = borrow->waiting_count;
	while (waiting) {
		struct waiting *next = waiting->next;

		request_resume(waiting->check->request, STEP_NEXT);
		quota->crowd--;
		waiting = next;
	}
}

static void
answered(void *arg, const struct cache_result *result)
{
	struct borrow *borrow = arg;
	struct quota *quota = borrow->quota;

	take_off(borrow);
	if (is_good(borrow, result)) {
		read_head(quota, result, borrow->sent_us);
		apply(borrow, result);
	} else {
		leave(quota, result);
		quota_give_back(quota, borrow->check);
		quota_decide_here(quota, borrow->check);
	}
	request_resume(borrow->check->request, STEP_NEXT);
	resume_waiting(quota, borrow);
	free(borrow);
}

/* --- joining --- */

static void
join_answered(void *arg, const struct cache_result *result)
{
	struct quota *quota = arg;

	quota->joining = false;
	if (result->status == CACHE_OK && cache_count(result) == LIMIT_SCRIPT_HEAD) {
		quota->joined = true;
		read_head(quota, result, quota->join_sent_us);
		return;
	}
	quota->retry_us = clock_steady_us() + REJOIN_US;
	log_warning("limits", "Redis cannot count", LOG_TEXT("reason", result->message));
}

static void
join(struct quota *quota)
{
	struct arena arena = ARENA_EMPTY;
	struct slice words[1 + LIMIT_SCRIPT_WORDS];

	words[0] = slice_of(quota->memory_key);
	head_words(quota, true, &arena, words + 1);
	quota->join_sent_us = clock_mono_us();
	quota->joining = cache_run(quota->cache, &quota->script, words, 1, (int)ARRAY_LENGTH(words), join_answered, quota);
	arena_reset(&arena);
}

void
quota_changed(struct quota *quota, bool up)
{
	quota->joined = false;
	if (up && !quota->joining)
		join(quota);
}

void
quota_tick(struct quota *quota)
{
	if (cache_up(quota->cache) && !quota->joined && !quota->joining && clock_steady_us() >= quota->retry_us)
		join(quota);
}

void
borrow_free_all(struct quota *quota)
{
	struct borrow *borrow;

	while ((borrow = LIST_FIRST(&quota->borrows))) {
		take_off(borrow);
		free(borrow);
	}
}
