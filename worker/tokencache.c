/* tokencache.c - see tokencache.h. */
#include "tokencache.h"
#include "crypto.h"

struct slot {
	char *bytes; /* the token, then the texts of the claims */
	size_t len;  /* of the token */
	struct jwt_claims claims;
};

struct token_cache {
	uint8_t key[16];
	struct slot slots[TOKEN_CACHE_SLOTS];
};

struct token_cache *
token_cache_new(const uint8_t key[16])
{
	struct token_cache *cache = mem_zero(sizeof(*cache));

	memcpy(cache->key, key, sizeof(cache->key));
	return cache;
}

static void
empty(struct slot *slot)
{
	if (slot->bytes)
		crypto_wipe(slot->bytes, slot->len);
	free(slot->bytes);
	*slot = (struct slot){0};
}

void
token_cache_free(struct token_cache *cache)
{
	for (int i = 0; i < TOKEN_CACHE_SLOTS; i++)
		empty(&cache->slots[i]);
	free(cache);
}

static struct slot *
slot_of(struct token_cache *cache, struct slice token)
{
	return &cache->slots[crypto_siphash(cache->key, token) % TOKEN_CACHE_SLOTS];
}

const struct jwt_claims *
token_cache_get(struct token_cache *cache, struct slice token, int64_t now_s)
{
	struct slot *slot = slot_of(cache, token);

	if (!slot->bytes || slot->len != token.len || !crypto_equal(slot->bytes, token.data, token.len))
		return NULL;
	return now_s < slot->claims.expires_at ? &slot->claims : NULL;
}

static void
take(struct slice *text, char **at)
{
	if (!text->data)
		return;
	memcpy(*at, text->data, text->len);
	text->data = *at;
	*at += text->len;
}

void
token_cache_add(struct token_cache *cache, struct slice token, const struct jwt_claims *claims)
{
	struct slot *slot = slot_of(cache, token);
	char *at;

	empty(slot);
	slot->claims = *claims;
	slot->len = token.len;
	slot->bytes = at = mem_alloc(token.len + claims->user_id.len + claims->username.len + claims->role.len +
	                             claims->tenant.len + claims->jti.len + claims->session.len);
	memcpy(at, token.data, token.len);
	at += token.len;
	take(&slot->claims.user_id, &at);
	take(&slot->claims.username, &at);
	take(&slot->claims.role, &at);
	take(&slot->claims.tenant, &at);
	take(&slot->claims.jti, &at);
	take(&slot->claims.session, &at);
}
