/*
 * keycache.h - API keys that this worker has looked up lately, good and unknown ones, and how often each was used.
 *
 * An entry is believed for KEY_CACHE_US unless a followed change (shared/changes.h) voids it before; then it is looked
 * up again, once for all requests that wait for it. A look-up that was on its way when the change came is not believed
 * either. Uses are counted here and written in one statement now and then.
 */
#ifndef AGENTD_KEYCACHE_H
#define AGENTD_KEYCACHE_H

#include "apikey.h"
#include "base.h"

struct change;
struct cidr;
struct db;
struct request;
struct key_cache;

enum { KEY_CACHE_US = 60000000, KEY_CACHE_MAX = 20000 };

struct key_entry {
	bool known; /* false: there is no such key */
	uint8_t hash[CRYPTO_SHA256_SIZE];
	char status[16]; /* active, revoked, suspended */
	int64_t expires_us;
	int64_t tenant;
	char tenant_name[64];
	char owner_id[37]; /* "" when there is none */
	char *owner;
	char *name;
	char role[16];
	int64_t rate_limit;
	uint32_t perms;   /* scopes, role and what its owner may do now, together */
	uint32_t limited; /* permissions for some names only */
	char *scopes;     /* lines */
	struct cidr *addresses;
	int address_count; /* 0: any */
	char *origins;     /* lines; of a public key */
};

struct key_cache *key_cache_new(struct db *db);
void key_cache_free(struct key_cache *cache);
/* The entry if it is fresh, else NULL. Borrowed until the next call of any function here. */
const struct key_entry *key_cache_get(struct key_cache *cache, const char *key_id);
/* Looks the key up; request is resumed when it is there (or was failed because the database is down). */
void key_cache_fetch(struct key_cache *cache, const char *key_id, struct request *request);
/* What the change concerns is looked up anew when it is asked for again. */
void key_cache_change(struct key_cache *cache, const struct change *change);
/* The same for all of it. */
void key_cache_clear(struct key_cache *cache);
/* True if the entry was voided after since_us (clock_steady_us), or is not here any more. */
bool key_cache_voided(const struct key_cache *cache, struct slice key_id, int64_t since_us);
/* True if the key may be used from this address, which is an IP address as text. */
bool key_entry_admits(const struct key_entry *entry, struct slice address);
/* True if origin, byte for byte, is one of a public key's. */
bool key_entry_admits_origin(const struct key_entry *entry, struct slice origin);
/* Counts a use, or a failed attempt. */
void key_cache_count(struct key_cache *cache, const char *key_id, bool good);
/* Writes the counts; called about once a second. */
void key_cache_flush(struct key_cache *cache);

#endif
