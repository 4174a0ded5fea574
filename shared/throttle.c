/*
 * throttle.c - see throttle.h. A hash table of buckets of 16 entries under one robust lock in the shared memory.
 *
 * A process that dies while it holds the lock leaves at worst one entry half written, and every half is harmless:
 * delays are cut to the rule's longest when they are read.
 */
#include "throttle.h"
#include "process_lock.h"
#include "shared_memory.h"

enum { SLOTS = 16, SUBJECTS_PER_BUCKET = 8 };

/* Free when both times have passed. */
struct entry {
	uint64_t subject;
	int64_t refused_until_us;
	int64_t quiet_at_us; /* the failures are forgotten from then on */
	int64_t known_until_us;
	int failures;
};

struct shared {
	pthread_mutex_t lock;
	struct entry entries[];
};

/* Private to each process, as in limit.c. */
struct throttle_table {
	struct shared *shared;
	size_t buckets; /* a power of two */
};

struct throttle_table *
throttle_table_new(size_t subjects)
{
	struct throttle_table *table;
	struct shared *shared;
	size_t buckets = 1;
	bool adopted;

	while (buckets * SUBJECTS_PER_BUCKET < subjects)
		buckets *= 2;
	shared = shared_memory_map("throttle 1", sizeof(*shared) + buckets * SLOTS * sizeof(struct entry), &adopted);
	if (!shared)
		return NULL;
	if (!adopted && !process_locks_init(&shared->lock, 1)) {
		shared_memory_unmap(shared);
		return NULL;
	}
	table = mem_alloc(sizeof(*table));
	*table = (struct throttle_table){shared, buckets};
	return table;
}

void
throttle_table_free(struct throttle_table *table)
{
	if (!table)
		return;
	shared_memory_unmap(table->shared);
	free(table);
}

static struct entry *
bucket_of(struct throttle_table *table, uint64_t subject)
{
	return &table->shared->entries[((subject >> 32 ^ subject) & (table->buckets - 1)) * SLOTS];
}

static int64_t
ends_us(const struct entry *entry)
{
	return MAX(entry->quiet_at_us, entry->known_until_us);
}

/* NULL: nothing is known of the subject. */
static struct entry *
find(struct throttle_table *table, uint64_t subject, int64_t now_us)
{
	struct entry *bucket = bucket_of(table, subject);

	for (int i = 0; i < SLOTS; i++) {
		if (bucket[i].subject != subject || ends_us(&bucket[i]) <= now_us)
			continue;
		if (bucket[i].quiet_at_us <= now_us)
			bucket[i].failures = 0;
		return &bucket[i];
	}
	return NULL;
}

/* Less than zero: a gives way before b. */
static int
compare_worth(const struct entry *a, const struct entry *b, int64_t now_us)
{
	bool a_lives = ends_us(a) > now_us, b_lives = ends_us(b) > now_us;

	if (a_lives != b_lives)
		return a_lives - b_lives;
	if (a->failures != b->failures)
		return a->failures < b->failures ? -1 : 1;
	return (ends_us(a) > ends_us(b)) - (ends_us(a) < ends_us(b));
}

static struct entry *
find_or_make(struct throttle_table *table, uint64_t subject, int64_t now_us)
{
	struct entry *found = find(table, subject, now_us), *bucket = bucket_of(table, subject);

	if (found)
		return found;
	found = &bucket[0];
	for (int i = 1; i < SLOTS; i++)
		if (compare_worth(&bucket[i], found, now_us) < 0)
			found = &bucket[i];
	*found = (struct entry){.subject = subject};
	return found;
}

int64_t
throttle_delay_us(const struct throttle_rule *rule, int failures)
{
	int64_t delay_us = rule->first_us;

	if (failures < rule->free)
		return 0;
	for (int i = rule->free; i < failures && delay_us < rule->longest_us; i++)
		delay_us *= 2;
	return MIN(delay_us, rule->longest_us);
}

static int64_t
wait_us(const struct entry *entry, const struct throttle_rule *rule, int64_t now_us)
{
	int64_t wait = entry && entry->failures ? entry->refused_until_us - now_us : 0;

	return MIN(MAX(wait, 0), rule->longest_us);
}

int64_t
throttle_wait_us(struct throttle_table *table, uint64_t subject, const struct throttle_rule *rule, int64_t now_us)
{
	int64_t wait;

	process_lock(&table->shared->lock);
	wait = wait_us(find(table, subject, now_us), rule, now_us);
	process_unlock(&table->shared->lock);
	return wait;
}

int64_t
throttle_try(struct throttle_table *table, uint64_t subject, const struct throttle_rule *rule, int64_t now_us)
{
	struct entry *entry;
	int64_t wait;

	process_lock(&table->shared->lock);
	entry = find(table, subject, now_us);
	wait = wait_us(entry, rule, now_us);
	if (entry && !wait)
		entry->refused_until_us = now_us + throttle_delay_us(rule, entry->failures);
	process_unlock(&table->shared->lock);
	return wait;
}

void
throttle_fail(struct throttle_table *table, uint64_t subject, const struct throttle_rule *rule, int64_t now_us)
{
	struct entry *entry;

	INVARIANT(rule->quiet_us > rule->longest_us);
	process_lock(&table->shared->lock);
	entry = find_or_make(table, subject, now_us);
	entry->failures += entry->failures < INT32_MAX;
	entry->refused_until_us = now_us + throttle_delay_us(rule, entry->failures);
	entry->quiet_at_us = now_us + rule->quiet_us;
	process_unlock(&table->shared->lock);
}

void
throttle_succeed(struct throttle_table *table, uint64_t subject, int64_t now_us, int64_t known_us)
{
	struct entry *entry;

	process_lock(&table->shared->lock);
	entry = find_or_make(table, subject, now_us);
	*entry = (struct entry){.subject = subject, .known_until_us = now_us + known_us};
	process_unlock(&table->shared->lock);
}

bool
throttle_is_known(struct throttle_table *table, uint64_t subject, int64_t now_us)
{
	struct entry *entry;
	bool known;

	process_lock(&table->shared->lock);
	entry = find(table, subject, now_us);
	known = entry && entry->known_until_us > now_us;
	process_unlock(&table->shared->lock);
	return known;
}
