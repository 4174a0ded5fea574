/*
 * limit.c - see limit.h. A hash table of buckets of 16 slots; a slot is a subject, one 64-bit word that holds the whole
 * state of its counter, and the time from which it is idle: the full limit is back and forgetting it changes nothing.
 *
 * Counting is lock-free: read the word, compute the next one (a pure function per strategy), compare-and-swap. Giving
 * a slot to a subject is rare and done under a robust lock in the shared memory, because two workers that each swapped
 * themselves a slot for the same new subject would count it twice; the lock is held for some 50 ns, and the kernel
 * releases it if its owner dies. What always holds:
 * - a word is 0 only while its slot is free or changes hands, and only the owner of the lock changes a word from 0;
 * - who takes raises idle_at before the word, who evicts reads the word before idle_at: a slot that looks idle is, or
 *   the swap of its word fails;
 * - a slot's subject is compared after its word was read, so the word that is swapped is that subject's.
 *
 * Buckets are many enough that on average two to four of the 16 slots are in use with `subjects` subjects: fewer than
 * two buckets in a million are then full. If one is full of active subjects, a further subject is refused until the
 * first of them is idle: a stranger waits, but nobody gets past his limit by crowding others out.
 *
 * The strategy and the window are hashed into the subject, so a word is never read by other rules than it was written
 * by: a changed limit goes on with the old count, a changed window or strategy starts a new one.
 */
#include "limit.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { SLOTS = 16, LOCKS = 64, SUBJECTS_PER_BUCKET = 4 };
/* What fits into the words: larger limits count as this one. */
enum { COUNT_BITS = 30, COUNT_MAX = (1 << COUNT_BITS) - 1 };

static const int64_t window_max_us = (int64_t)366 * 86400 * 1000000;

struct bucket {
	alignas(64) _Atomic uint64_t subject[SLOTS]; /* 0: never used */
	_Atomic uint64_t word[SLOTS];
	_Atomic int64_t idle_at[SLOTS]; /* microseconds */
};

struct shared {
	pthread_mutex_t locks[LOCKS]; /* of the buckets with that number modulo LOCKS */
	struct bucket buckets[];
};

/* Private to each process: a worker that writes where it should not cannot mislead the others about the size. */
struct limit_table {
	struct shared *shared;
	size_t size;
	size_t buckets; /* a power of two */
};

/* What a strategy says: the next word, to be stored only if the request is admitted, and the answer. */
struct step {
	uint64_t word;
	struct limit_verdict verdict;
};

static int64_t
divide_up(int64_t a, int64_t b)
{
	return a / b + (a % b > 0);
}

/*
 * Token bucket as GCRA: the word is the theoretical arrival time, when the bucket will be full, in 1/4096 us. A
 * request moves it ahead by the time in which one token grows, rounded up, so the rate is never above the limit.
 */
static struct step
token_bucket(uint64_t word, int64_t limit, int64_t window_us, int64_t now_us)
{
	enum { FRACTION = 4096 };
	int64_t token = divide_up(window_us * FRACTION, limit);
	int64_t most = (limit - 1) * token; /* how far ahead a request may find it */
	int64_t now = now_us * FRACTION;
	int64_t ahead = MAX((int64_t)word - now, 0);
	struct step step = {word, {.limit = limit}};

	if (ahead <= most) {
		step.verdict.admitted = true;
		ahead += token;
		step.word = (uint64_t)(now + ahead);
		step.verdict.remaining = limit - divide_up(ahead, token);
	} else {
		step.verdict.retry_us = divide_up(ahead - most, FRACTION);
	}
	step.verdict.reset_us = divide_up(ahead, FRACTION);
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

/* Fixed window: the word is the window's number and, in the low COUNT_BITS, the requests in it. */
static struct step
fixed_window(uint64_t word, int64_t limit, int64_t window_us, int64_t now_us)
{
	struct window window = window_read(word, COUNT_BITS, 1 << 20, window_us, now_us);
	int64_t count = window.passed ? 0 : (int64_t)(word & COUNT_MAX);
	int64_t left_us = window_us - window.elapsed_us;
	struct step step = {word, {.limit = limit, .reset_us = left_us}};

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
static struct step
sliding_window(uint64_t word, int64_t limit, int64_t window_us, int64_t now_us)
{
	struct window window = window_read(word, 2 * COUNT_BITS, 6, window_us, now_us);
	int64_t count = (int64_t)(word & COUNT_MAX), before = (int64_t)(word >> COUNT_BITS & COUNT_MAX);
	int64_t elapsed_us = MAX(window.elapsed_us, 0), used;
	struct step step = {word, {.limit = limit}};

	if (window.passed) {
		before = window.passed == 1 ? count : 0;
		count = 0;
	}
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

static struct step
next_step(const struct limit_rule *rule, uint64_t word, int64_t now_us)
{
	static struct step (*const strategies[])(uint64_t, int64_t, int64_t, int64_t) = {
	    [LIMIT_TOKEN_BUCKET] = token_bucket,
	    [LIMIT_FIXED_WINDOW] = fixed_window,
	    [LIMIT_SLIDING_WINDOW] = sliding_window,
	};

	return strategies[rule->strategy](word, MIN(rule->limit, COUNT_MAX), rule->window_us, now_us);
}

static bool
locks_init(struct shared *shared)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (!error)
		error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < LOCKS && !error; i++)
		error = pthread_mutex_init(&shared->locks[i], &attributes);
	pthread_mutexattr_destroy(&attributes);
	errno = error;
	return !error;
}

struct limit_table *
limit_table_new(size_t subjects)
{
	struct limit_table *table;
	struct shared *shared;
	size_t buckets = 1, size;

	if (subjects > SIZE_MAX / sizeof(struct bucket) / 2) {
		errno = ENOMEM;
		return NULL;
	}
	while (buckets * SUBJECTS_PER_BUCKET < subjects)
		buckets *= 2;
	size = sizeof(*shared) + buckets * sizeof(struct bucket);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return NULL;
	if (!locks_init(shared)) {
		munmap(shared, size);
		return NULL;
	}
	table = mem_alloc(sizeof(*table));
	*table = (struct limit_table){shared, size, buckets};
	return table;
}

void
limit_table_free(struct limit_table *table)
{
	if (!table)
		return;
	munmap(table->shared, table->size);
	free(table);
}

/* The subject under this kind of rule; never 0. A multiplication by an odd number keeps subjects apart. */
static uint64_t
key_of(uint64_t subject, const struct limit_rule *rule)
{
	uint64_t kind = (uint64_t)rule->window_us * 4 + (uint64_t)rule->strategy;
	uint64_t key = subject ^ kind * 0x9e3779b97f4a7c15;

	return key ? key : 1;
}

static int
find_slot(struct bucket *bucket, uint64_t key)
{
	for (int i = 0; i < SLOTS; i++)
		if (atomic_load(&bucket->subject[i]) == key)
			return i;
	return -1;
}

static void
raise_to(_Atomic int64_t *value, int64_t least)
{
	int64_t old = atomic_load(value);

	while (old < least && !atomic_compare_exchange_weak(value, &old, least))
		continue;
}

/* Counts in an active slot. False: the slot is not, or no longer, an active one of key. */
static bool
count_in(struct bucket *bucket, int slot, uint64_t key, const struct limit_rule *rule, int64_t now_us,
         struct limit_verdict *verdict_r)
{
	uint64_t word = atomic_load(&bucket->word[slot]);
	struct step step;

	do {
		if (word == 0 || atomic_load(&bucket->idle_at[slot]) <= now_us || atomic_load(&bucket->subject[slot]) != key)
			return false;
		step = next_step(rule, word, now_us);
		if (!step.verdict.admitted)
			break;
		raise_to(&bucket->idle_at[slot], now_us + step.verdict.reset_us);
	} while (!atomic_compare_exchange_weak(&bucket->word[slot], &word, step.word));
	*verdict_r = step.verdict;
	/* A word may come again after the slot was idle: then this counted for another subject, who loses one, not here. */
	return atomic_load(&bucket->subject[slot]) == key;
}

/* The slot that has been free or idle longest, or -1; *word_r is what to swap it from. The lock is held. */
static int
find_idle(struct bucket *bucket, int64_t now_us, uint64_t *word_r)
{
	int64_t oldest = INT64_MAX;
	int found = -1;

	for (int i = 0; i < SLOTS; i++) {
		uint64_t word = atomic_load(&bucket->word[i]);
		int64_t idle_at = word ? atomic_load(&bucket->idle_at[i]) : INT64_MIN;

		if (idle_at <= now_us && (found < 0 || idle_at < oldest)) {
			found = i;
			oldest = idle_at;
			*word_r = word;
		}
	}
	return found;
}

static struct limit_verdict
refuse_stranger(struct bucket *bucket, const struct limit_rule *rule, int64_t now_us)
{
	int64_t first = INT64_MAX;

	for (int i = 0; i < SLOTS; i++)
		first = MIN(first, atomic_load(&bucket->idle_at[i]));
	first = MAX(first - now_us, 1);
	return (struct limit_verdict){false, MIN(rule->limit, COUNT_MAX), 0, first, first};
}

/* Gives key a slot and counts its first request there. False: another process was quicker; look again. */
static bool
claim_locked(struct bucket *bucket, uint64_t key, const struct limit_rule *rule, int64_t now_us,
             struct limit_verdict *verdict_r)
{
	int slot = find_slot(bucket, key);
	struct step step = next_step(rule, 0, now_us);
	uint64_t word = 0;

	if (slot >= 0) {
		word = atomic_load(&bucket->word[slot]);
		if (word && atomic_load(&bucket->idle_at[slot]) > now_us)
			return false;
	} else {
		slot = find_idle(bucket, now_us, &word);
		if (slot < 0) {
			*verdict_r = refuse_stranger(bucket, rule, now_us);
			return true;
		}
	}
	if (word && !atomic_compare_exchange_strong(&bucket->word[slot], &word, 0))
		return false;
	/* Nobody else writes this slot now; dying anywhere here leaves it free. */
	atomic_store(&bucket->subject[slot], key);
	atomic_store(&bucket->idle_at[slot], now_us + step.verdict.reset_us);
	atomic_store(&bucket->word[slot], step.word);
	*verdict_r = step.verdict;
	return true;
}

static bool
claim(struct limit_table *table, size_t number, uint64_t key, const struct limit_rule *rule, int64_t now_us,
      struct limit_verdict *verdict_r)
{
	pthread_mutex_t *lock = &table->shared->locks[number % LOCKS];
	int error = pthread_mutex_lock(lock);
	bool done;

	if (error == EOWNERDEAD)
		error = pthread_mutex_consistent(lock);
	INVARIANT(!error);
	done = claim_locked(&table->shared->buckets[number], key, rule, now_us, verdict_r);
	pthread_mutex_unlock(lock);
	return done;
}

struct limit_verdict
limit_take(struct limit_table *table, uint64_t subject, const struct limit_rule *rule, int64_t now_us)
{
	uint64_t key = key_of(subject, rule);
	size_t number = (key >> 32 ^ key) & (table->buckets - 1);
	struct bucket *bucket = &table->shared->buckets[number];
	struct limit_verdict verdict;

	INVARIANT(rule->limit > 0 && rule->window_us > 0 && rule->window_us <= window_max_us && now_us >= 0);
	for (;;) {
		int slot = find_slot(bucket, key);

		if (slot >= 0 && count_in(bucket, slot, key, rule, now_us, &verdict))
			return verdict;
		if (claim(table, number, key, rule, now_us, &verdict))
			return verdict;
	}
}
