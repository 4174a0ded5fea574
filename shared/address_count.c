/*
 * address_count.c - see address_count.h. The part of an owner is STRIPES small hash tables with linear probing; stripe
 * s of every part is read and written under lock s only.
 *
 * What always holds: an entry is in use if its count is not 0, and no free entry lies between an entry and its home. A
 * worker that dies inside the lock may leave its own part without order; it is not alive then, so nobody reads it, and
 * the next owner clears it.
 */
#include "address_count.h"
#include "process_lock.h"
#include "shared_memory.h"

#include <stdatomic.h>

enum { STRIPES = 64, ENTRIES_MIN = 64, ROOM = 2 };

struct entry {
	uint64_t address;
	int64_t count;
};

/* In shared memory. */
struct part {
	_Atomic bool alive;
	bool used; /* there may be entries of an owner before */
};

struct address_count {
	pthread_mutex_t *locks; /* shared, STRIPES of them */
	struct part *parts;     /* shared, one an owner */
	struct entry *entries;  /* shared, [owner][stripe][size] */
	int owners;
	size_t size; /* entries of a stripe: a power of two */
};

struct address_count *
address_count_new(int owners, size_t connections)
{
	struct address_count *table;
	size_t size = ENTRIES_MIN, head;
	char *shared;
	bool adopted;

	while (size * STRIPES < connections * ROOM)
		size *= 2;
	/* The entries begin on a page of their own, so that what is never used costs nothing. */
	head = (STRIPES * sizeof(pthread_mutex_t) + (size_t)owners * sizeof(struct part) + 4095) / 4096 * 4096;
	shared = shared_memory_map("addresses 1", head + (size_t)owners * STRIPES * size * sizeof(struct entry), &adopted);
	if (!shared)
		return NULL;
	if (!adopted && !process_locks_init((pthread_mutex_t *)(void *)shared, STRIPES)) {
		shared_memory_unmap(shared);
		return NULL;
	}
	table = mem_alloc(sizeof(*table));
	*table = (struct address_count){.locks = (pthread_mutex_t *)(void *)shared,
	                                .parts = (struct part *)(void *)(shared + STRIPES * sizeof(pthread_mutex_t)),
	                                .entries = (struct entry *)(void *)(shared + head),
	                                .owners = owners,
	                                .size = size};
	return table;
}

void
address_count_free(struct address_count *table)
{
	if (!table)
		return;
	shared_memory_unmap(table->locks);
	free(table);
}

static size_t
stripe_of(uint64_t address)
{
	return address % STRIPES;
}

static struct entry *
stripe_entries(const struct address_count *table, int owner, size_t stripe)
{
	return table->entries + ((size_t)owner * STRIPES + stripe) * table->size;
}

static size_t
home_of(const struct address_count *table, uint64_t address)
{
	return address / STRIPES & (table->size - 1);
}

/* The entry of address, or a free one where it would go; NULL: neither. */
static struct entry *
find(const struct address_count *table, int owner, uint64_t address)
{
	struct entry *entries = stripe_entries(table, owner, stripe_of(address));
	size_t home = home_of(table, address);

	for (size_t i = 0; i < table->size; i++) {
		struct entry *entry = &entries[(home + i) & (table->size - 1)];
		if (entry->count == 0 || entry->address == address)
			return entry;
	}
	return NULL;
}

static int64_t
count_all(const struct address_count *table, uint64_t address)
{
	int64_t count = 0;

	for (int owner = 0; owner < table->owners; owner++) {
		const struct entry *entry = atomic_load(&table->parts[owner].alive) ? find(table, owner, address) : NULL;
		count += entry ? entry->count : 0;
	}
	return count;
}

/* Closes the gap: entries behind it that are not at home move up to where a search from their home finds them. */
static void
remove_entry(struct address_count *table, int owner, struct entry *entry)
{
	struct entry *entries = stripe_entries(table, owner, stripe_of(entry->address));
	size_t mask = table->size - 1, gap = (size_t)(entry - entries), at = gap;

	for (size_t i = 1; i < table->size; i++) {
		at = (at + 1) & mask;
		if (entries[at].count == 0)
			break;
		/* It may move if its home does not lie between the gap and itself. */
		if (((at - home_of(table, entries[at].address)) & mask) >= ((at - gap) & mask)) {
			entries[gap] = entries[at];
			gap = at;
		}
	}
	entries[gap] = (struct entry){0, 0};
}

void
address_count_begin(struct address_count *table, int owner)
{
	INVARIANT(owner >= 0 && owner < table->owners);
	/* Pages that nobody has touched cost nothing. */
	if (table->parts[owner].used)
		memset(stripe_entries(table, owner, 0), 0, table->size * STRIPES * sizeof(struct entry));
	table->parts[owner].used = true;
	atomic_store(&table->parts[owner].alive, true);
}

void
address_count_end(struct address_count *table, int owner)
{
	INVARIANT(owner >= 0 && owner < table->owners);
	atomic_store(&table->parts[owner].alive, false);
}

bool
address_count_take(struct address_count *table, int owner, uint64_t address, int64_t most)
{
	struct entry *entry;
	bool taken;

	process_lock(&table->locks[stripe_of(address)]);
	entry = find(table, owner, address);
	taken = entry && count_all(table, address) < most;
	if (taken)
		*entry = (struct entry){address, entry->count + 1};
	process_unlock(&table->locks[stripe_of(address)]);
	return taken;
}

void
address_count_give(struct address_count *table, int owner, uint64_t address)
{
	struct entry *entry;

	process_lock(&table->locks[stripe_of(address)]);
	entry = find(table, owner, address);
	INVARIANT(entry && entry->count > 0);
	if (--entry->count == 0)
		remove_entry(table, owner, entry);
	process_unlock(&table->locks[stripe_of(address)]);
}
