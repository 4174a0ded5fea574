/*
 * limit_table.c - a hash table in shared memory, of buckets of 16 slots; a slot is a key, one 64-bit word that holds
 * the whole state of what is counted, a note that goes with it, and the time from which it is idle: forgetting it then
 * changes nothing.
 *
 * Counting is lock-free: read the word, compute the next one (a stepper), compare-and-swap. Giving a slot to a key is
 * rare and done under a robust lock in the shared memory, because two workers that each swapped themselves a slot for
 * the same new key would count it twice; the lock is held for some 50 ns, and the kernel releases it if its owner dies.
 * What always holds:
 * - a word is 0 only while its slot is free or changes hands, and only the owner of the lock changes a word from 0;
 * - who takes raises idle_at before the word, who evicts reads the word before idle_at: a slot that looks idle is, or
 *   the swap of its word fails;
 * - a slot's key is compared after its word was read, so the word that is swapped is that key's.
 * A note is for display: it may be one step older or newer than its word.
 *
 * Buckets are many enough that on average two to four of the 16 slots are in use with `subjects` subjects: fewer than
 * two buckets in a million are then full. If one is full of active keys, a further one is refused until the
 * first of them is idle: a stranger waits, but nobody gets past his limit by crowding others out.
 */
#include "limit_private.h"
#include "process_lock.h"
#include "shared_memory.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>

enum { SLOTS = 16, LOCKS = 64, SUBJECTS_PER_BUCKET = 4 };

struct bucket {
	alignas(64) _Atomic uint64_t key[SLOTS]; /* 0: never used */
	_Atomic uint64_t word[SLOTS];
	_Atomic int64_t idle_at[SLOTS]; /* microseconds */
	_Atomic uint32_t note[SLOTS];
};

struct shared {
	pthread_mutex_t locks[LOCKS]; /* of the buckets with that number modulo LOCKS */
	struct bucket buckets[];
};

/* Private to each process: a worker that writes where it should not cannot mislead the others about the size. */
struct limit_table {
	struct shared *shared;
	size_t buckets; /* a power of two */
};

/* One call on its way. */
struct applying {
	uint64_t key;
	int64_t now_us;
	limit_stepper *stepper;
	void *arg;
};

struct limit_table *
limit_table_new(size_t subjects)
{
	struct limit_table *table;
	struct shared *shared;
	size_t buckets = 1;
	bool adopted;

	if (subjects > SIZE_MAX / sizeof(struct bucket) / 2) {
		errno = ENOMEM;
		return NULL;
	}
	while (buckets * SUBJECTS_PER_BUCKET < subjects)
		buckets *= 2;
	shared = shared_memory_map("limits 1", sizeof(*shared) + buckets * sizeof(struct bucket), &adopted);
	if (!shared)
		return NULL;
	if (!adopted && !process_locks_init(shared->locks, LOCKS)) {
		shared_memory_unmap(shared);
		return NULL;
	}
	table = mem_alloc(sizeof(*table));
	*table = (struct limit_table){shared, buckets};
	return table;
}

void
limit_table_free(struct limit_table *table)
{
	if (!table)
		return;
	shared_memory_unmap(table->shared);
	free(table);
}

static int
find_slot(struct bucket *bucket, uint64_t key)
{
	for (int i = 0; i < SLOTS; i++)
		if (atomic_load(&bucket->key[i]) == key)
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

/* Steps an active slot. False: the slot is not, or no longer, an active one of the key. */
static bool
step_active(struct bucket *bucket, int slot, const struct applying *applying)
{
	uint64_t word = atomic_load(&bucket->word[slot]);
	struct limit_next next;

	do {
		if (word == 0 || atomic_load(&bucket->idle_at[slot]) <= applying->now_us ||
		    atomic_load(&bucket->key[slot]) != applying->key)
			return false;
		next = applying->stepper(applying->arg, word, atomic_load(&bucket->note[slot]));
		if (!next.store)
			break;
		raise_to(&bucket->idle_at[slot], applying->now_us + next.idle_us);
	} while (!atomic_compare_exchange_weak(&bucket->word[slot], &word, next.word));
	if (next.store)
		atomic_store(&bucket->note[slot], next.note);
	/* A word may come again after the slot was idle: then this counted for another key, who loses one, not here. */
	return atomic_load(&bucket->key[slot]) == applying->key;
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

static int64_t
first_idle(struct bucket *bucket)
{
	int64_t first = INT64_MAX;

	for (int i = 0; i < SLOTS; i++)
		first = MIN(first, atomic_load(&bucket->idle_at[i]));
	return first;
}

enum claimed { CLAIMED, CLAIM_AGAIN, CLAIM_CROWDED };

/* Gives the key a slot and makes its first step there. */
static enum claimed
claim_locked(struct bucket *bucket, const struct applying *applying)
{
	int slot = find_slot(bucket, applying->key);
	struct limit_next next = applying->stepper(applying->arg, 0, 0);
	uint64_t word = 0;

	if (!next.store)
		return CLAIMED;
	if (slot >= 0) {
		word = atomic_load(&bucket->word[slot]);
		if (word && atomic_load(&bucket->idle_at[slot]) > applying->now_us)
			return CLAIM_AGAIN;
	} else {
		slot = find_idle(bucket, applying->now_us, &word);
		if (slot < 0)
			return CLAIM_CROWDED;
	}
	if (word && !atomic_compare_exchange_strong(&bucket->word[slot], &word, 0))
		return CLAIM_AGAIN;
	/* Nobody else writes this slot now; dying anywhere here leaves it free. */
	atomic_store(&bucket->key[slot], applying->key);
	atomic_store(&bucket->note[slot], next.note);
	atomic_store(&bucket->idle_at[slot], applying->now_us + next.idle_us);
	atomic_store(&bucket->word[slot], next.word);
	return CLAIMED;
}

static enum claimed
claim(struct limit_table *table, size_t number, const struct applying *applying)
{
	pthread_mutex_t *lock = &table->shared->locks[number % LOCKS];
	enum claimed claimed;

	process_lock(lock);
	claimed = claim_locked(&table->shared->buckets[number], applying);
	process_unlock(lock);
	return claimed;
}

enum limit_applied
limit_table_apply(struct limit_table *table, uint64_t key, int64_t now_us, bool wanted, limit_stepper *stepper,
                  void *arg, int64_t *free_us_r)
{
	const struct applying applying = {key, now_us, stepper, arg};
	size_t number = (key >> 32 ^ key) & (table->buckets - 1);
	struct bucket *bucket = &table->shared->buckets[number];

	for (;;) {
		int slot = find_slot(bucket, key);
		enum claimed claimed;

		if (slot >= 0 && step_active(bucket, slot, &applying))
			return LIMIT_APPLIED;
		if (!wanted)
			return LIMIT_ABSENT;
		claimed = claim(table, number, &applying);
		if (claimed == CLAIMED)
			return LIMIT_APPLIED;
		if (claimed == CLAIM_CROWDED) {
			*free_us_r = first_idle(bucket);
			return LIMIT_CROWDED;
		}
	}
}
