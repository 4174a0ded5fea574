/*
 * refresh.h - refresh tokens: what they look like, and how the answer to one is kept for a client that did not get it.
 *
 * agd_rt_ and 91 base64url characters: tenant, session, 256 random bits, and a code made with the server's secret. So a
 * token that this server never made is refused without a look-up, and one that it made is known as such even after it
 * was used, though of each session only the SHA-256 of the newest two is stored. An answer is sealed under a key that
 * is made of the secret and the token that it answers: who has the database cannot read it. Nothing blocks.
 */
#ifndef AGENTD_REFRESH_H
#define AGENTD_REFRESH_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "uuid.h"

enum { REFRESH_TEXT_SIZE = 7 + 91 + 1, REFRESH_HASH_SIZE = 2 * CRYPTO_SHA256_SIZE + 1 };

struct refresh_token {
	int64_t tenant;
	char session[UUID_TEXT_SIZE];
	char hash[REFRESH_HASH_SIZE]; /* in hexadecimal */
};

struct refresh_keys;

/* count secrets, the first makes tokens, all are accepted. Never NULL; free wipes. */
struct refresh_keys *refresh_keys_new(const struct slice *secrets, int count);
void refresh_keys_free(struct refresh_keys *keys);

/* A new token of a session, which is a UUID. */
void refresh_create(struct refresh_keys *keys, int64_t tenant, const char *session, struct refresh_token *token_r,
                    char text_r[REFRESH_TEXT_SIZE]);
/* False: no server with these secrets has made it. */
MUST_CHECK bool refresh_parse(struct refresh_keys *keys, struct slice text, struct refresh_token *token_r);

/* Appends, in base64url, the answer to the token text, sealed. */
void refresh_seal(struct refresh_keys *keys, struct slice text, struct slice answer, struct buf *out);
/* Appends the answer. False: it was not sealed for this token with one of these secrets. */
MUST_CHECK bool refresh_unseal(struct refresh_keys *keys, struct slice text, struct slice sealed, struct buf *out);

#endif
