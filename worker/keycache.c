/* keycache.c - see keycache.h. */
#include "keycache.h"
#include "aside.h"
#include "changes.h"
#include "cidr.h"
#include "clock.h"
#include "db.h"
#include "request.h"
#include "scope.h"

#include <uthash.h>

struct waiting {
	struct request *request;
	struct waiting *next;
};

struct item {
	char key_id[APIKEY_ID_SIZE];
	struct key_entry entry;
	int64_t fetched_us; /* 0: not to be believed */
	bool fetching;
	bool outdated;     /* voided while it was being fetched */
	int64_t voided_us; /* the last time */
	struct waiting *waiting;
	struct slice value; /* the parameter of the look-up */
	struct key_cache *cache;
	int64_t used;
	int64_t failed;
	UT_hash_handle hh;
};

struct key_cache {
	struct db *db;
	struct item *items;
};

struct key_cache *
key_cache_new(struct db *db)
{
	struct key_cache *cache = mem_zero(sizeof(*cache));

	cache->db = db;
	return cache;
}

static void
empty(struct key_entry *entry)
{
	free(entry->owner);
	free(entry->name);
	free(entry->scopes);
	free(entry->addresses);
	free(entry->origins);
	memset(entry, 0, sizeof(*entry));
}

static void
drop(struct key_cache *cache, struct item *item)
{
	HASH_DEL(cache->items, item);
	empty(&item->entry);
	free(item);
}

void
key_cache_free(struct key_cache *cache)
{
	struct item *item, *next;

	HASH_ITER(hh, cache->items, item, next)
	drop(cache, item);
	free(cache);
}

/* Drops the oldest entries that nothing waits for; uthash keeps the order of insertion. */
static void
make_room(struct key_cache *cache)
{
	struct item *item, *next;

	HASH_ITER(hh, cache->items, item, next)
	{
		if (HASH_COUNT(cache->items) < KEY_CACHE_MAX)
			return;
		if (!item->fetching && !item->used && !item->failed)
			drop(cache, item);
	}
}

static struct item *
find_or_add(struct key_cache *cache, const char *key_id)
{
	struct item *item;

	HASH_FIND_STR(cache->items, key_id, item);
	if (item)
		return item;
	make_room(cache);
	item = mem_zero(sizeof(*item));
	snprintf(item->key_id, sizeof(item->key_id), "%s", key_id);
	item->cache = cache;
	item->value = (struct slice){item->key_id, strlen(item->key_id)};
	HASH_ADD_STR(cache->items, key_id, item);
	return item;
}

const struct key_entry *
key_cache_get(struct key_cache *cache, const char *key_id)
{
	struct item *item;

	HASH_FIND_STR(cache->items, key_id, item);
	if (!item || !item->fetched_us || clock_mono_us() - item->fetched_us > KEY_CACHE_US)
		return NULL;
	return &item->entry;
}

static void
copy(char *out, size_t size, struct slice text)
{
	snprintf(out, size, "%.*s", (int)MIN(text.len, size - 1), text.data ? text.data : "");
}

static char *
text_of(const struct db_result *result, const char *column)
{
	struct slice text = db_get(result, 0, column);
	char *copied = mem_alloc(text.len + 1);

	if (text.len)
		memcpy(copied, text.data, text.len);
	copied[text.len] = '\0';
	return copied;
}

/* What does not parse, as a newer version might write it, admits nothing. */
static void
fill_addresses(struct key_entry *entry, struct slice lines)
{
	while (lines.len) {
		struct slice line = scope_line(&lines);

		entry->addresses = mem_grow(entry->addresses, (size_t)(entry->address_count + 1) * sizeof(*entry->addresses));
		if (!cidr_parse(line, &entry->addresses[entry->address_count]))
			entry->addresses[entry->address_count] = (struct cidr){.bits = 128};
		entry->address_count++;
	}
}

/* The scopes, as far as the role of the key and the role that its owner has now go. */
static void
fill_permissions(struct key_entry *entry, struct slice owner_role, bool public)
{
	struct arena arena = ARENA_EMPTY;
	struct scopes scopes;
	uint32_t most = perm_of_role(slice_of(entry->role)) & (entry->owner_id[0] ? perm_of_role(owner_role) : UINT32_MAX) &
	                (public ? SCOPE_PUBLIC_PERMS : UINT32_MAX);

	scopes_parse(&arena, slice_of(entry->scopes), &scopes);
	entry->perms = (scopes.full | 1u << PERM_ANY) & most;
	entry->limited = scopes.limited & most;
	arena_reset(&arena);
}

static int
hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void
fill(struct key_entry *entry, const struct db_result *result)
{
	struct slice hash = db_get(result, 0, "hash");

	INVARIANT(hash.len == 2 * CRYPTO_SHA256_SIZE);
	for (size_t i = 0; i < CRYPTO_SHA256_SIZE; i++)
		entry->hash[i] = (uint8_t)(hex_digit(hash.data[2 * i]) << 4 | hex_digit(hash.data[2 * i + 1]));
	copy(entry->status, sizeof(entry->status), db_get(result, 0, "status"));
	copy(entry->tenant_name, sizeof(entry->tenant_name), db_get(result, 0, "tenant_name"));
	copy(entry->owner_id, sizeof(entry->owner_id), db_get(result, 0, "owner_id"));
	copy(entry->role, sizeof(entry->role), db_get(result, 0, "role"));
	entry->owner = text_of(result, "owner");
	entry->name = text_of(result, "name");
	entry->scopes = text_of(result, "scopes");
	entry->origins = text_of(result, "allowed_origins");
	fill_addresses(entry, db_get(result, 0, "allowed_ips"));
	fill_permissions(entry, db_get(result, 0, "owner_role"), strncmp(db_get(result, 0, "key_id").data, "agd_pk_", 7) == 0);
	entry->tenant = strtoll(db_get(result, 0, "tenant").data, NULL, 10);
	entry->expires_us = strtoll(db_get(result, 0, "expires_us").data, NULL, 10);
	entry->rate_limit = strtoll(db_get(result, 0, "rate_limit").data, NULL, 10);
	entry->known = true;
}

static void fetched(void *arg, const struct db_result *result);

static void
fetch(struct item *item)
{
	item->fetching = true;
	item->outdated = false;
	db_send(item->cache->db, QUERY_KEY_LOOKUP, &item->value, fetched, item);
}

static void
fetched(void *arg, const struct db_result *result)
{
	struct item *item = arg;
	struct waiting *waiting = item->waiting;

	if (item->outdated) {
		fetch(item);
		return;
	}
	item->fetching = false;
	item->waiting = NULL;
	if (result->status == DB_OK) {
		empty(&item->entry);
		item->fetched_us = clock_mono_us();
		if (result->count == 1)
			fill(&item->entry, result);
	}
	/* Resuming may come back here for the same key: the list was taken off first. */
	while (waiting) {
		struct waiting *next = waiting->next;
		struct request *request = waiting->request;
		free(waiting);
		request_resume(request, result->status == DB_OK ? STEP_NEXT : request_fail_database(request, result));
		waiting = next;
	}
}

void
key_cache_fetch(struct key_cache *cache, const char *key_id, struct request *request)
{
	struct item *item = find_or_add(cache, key_id);
	struct waiting *waiting = mem_alloc(sizeof(*waiting));

	*waiting = (struct waiting){request, item->waiting};
	item->waiting = waiting;
	if (!item->fetching)
		fetch(item);
}

static void
void_item(struct item *item)
{
	item->fetched_us = 0;
	item->outdated = true;
	item->voided_us = clock_steady_us();
}

static bool
concerns(const struct change *change, const struct item *item)
{
	if (change->kind == CHANGE_USER)
		return item->fetching || slice_is(change->subject, item->entry.owner_id);
	return change->kind == CHANGE_TENANT;
}

void
key_cache_change(struct key_cache *cache, const struct change *change)
{
	struct item *item, *next;

	if (change->kind == CHANGE_KEY) {
		HASH_FIND(hh, cache->items, change->subject.data, change->subject.len, item);
		if (item)
			void_item(item);
		return;
	}
	HASH_ITER(hh, cache->items, item, next)
	if (concerns(change, item))
		void_item(item);
}

void
key_cache_clear(struct key_cache *cache)
{
	struct item *item, *next;

	HASH_ITER(hh, cache->items, item, next)
	void_item(item);
}

bool
key_cache_voided(const struct key_cache *cache, struct slice key_id, int64_t since_us)
{
	struct item *item;

	HASH_FIND(hh, cache->items, key_id.data, key_id.len, item);
	return !item || item->voided_us >= since_us;
}

bool
key_entry_admits(const struct key_entry *entry, struct slice address)
{
	struct cidr from;

	if (entry->address_count == 0)
		return true;
	if (!cidr_parse_address(address, &from))
		return false;
	for (int i = 0; i < entry->address_count; i++)
		if (cidr_covers(&entry->addresses[i], &from))
			return true;
	return false;
}

bool
key_entry_admits_origin(const struct key_entry *entry, struct slice origin)
{
	struct slice lines = slice_of(entry->origins);

	while (origin.data && lines.len)
		if (slice_equal(scope_line(&lines), origin))
			return true;
	return false;
}

void
key_cache_count(struct key_cache *cache, const char *key_id, bool good)
{
	struct item *item;

	HASH_FIND_STR(cache->items, key_id, item);
	if (item && item->entry.known) {
		item->used += good;
		item->failed += !good;
	}
}

static void
flush(struct key_cache *cache, struct item *item)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};
	char tenant[24], used[24], failed[24];

	snprintf(tenant, sizeof(tenant), "%lld", (long long)item->entry.tenant);
	snprintf(used, sizeof(used), "%lld", (long long)item->used);
	snprintf(failed, sizeof(failed), "%lld", (long long)item->failed);
	values[db_param(QUERY_KEY_USED, "tenant")] = slice_of(tenant);
	values[db_param(QUERY_KEY_USED, "key_id")] = slice_of(item->key_id);
	values[db_param(QUERY_KEY_USED, "used")] = slice_of(used);
	values[db_param(QUERY_KEY_USED, "failed")] = slice_of(failed);
	item->used = item->failed = 0;
	/* Statistics: what is lost with a broken connection is not asked for again. */
	aside_send(cache->db, QUERY_KEY_USED, values, NULL, NULL);
}

void
key_cache_flush(struct key_cache *cache)
{
	struct item *item, *next;

	HASH_ITER(hh, cache->items, item, next)
	if (item->used || item->failed)
		flush(cache, item);
}
