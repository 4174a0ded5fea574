/*
 * tokencache.h - tokens whose signature this worker has checked already: the same token is not checked twice.
 *
 * The signing keys do not change while a process lives, so a good token stays good until it expires; what can end it
 * earlier (a revoked session) is looked at by the caller, not here. A fixed table: a new token takes an old one's
 * place.
 */
#ifndef AGENTD_TOKENCACHE_H
#define AGENTD_TOKENCACHE_H

#include "base.h"
#include "jwt.h"

struct token_cache;

enum { TOKEN_CACHE_SLOTS = 4096 };

/* key: secret, so that nobody can choose tokens that displace each other. */
struct token_cache *token_cache_new(const uint8_t key[16]);
void token_cache_free(struct token_cache *cache);

/* The claims of a token that was added and has not expired, or NULL. Borrowed until the next add. */
const struct jwt_claims *token_cache_get(struct token_cache *cache, struct slice token, int64_t now_s);
/* Remembers a token that jwt_verify() found valid. */
void token_cache_add(struct token_cache *cache, struct slice token, const struct jwt_claims *claims);

#endif
