/*
 * crypto_seal.h - AES-256-GCM: bytes that only who has the key can read, or change without being noticed. Nothing
 * blocks.
 */
#ifndef AGENTD_CRYPTO_SEAL_H
#define AGENTD_CRYPTO_SEAL_H

#include "base.h"
#include "buf.h"

enum { CRYPTO_SEAL_KEY = 32, CRYPTO_SEAL_MORE = 28 };

/*
 * Appends a random nonce, the sealed text and its tag: CRYPTO_SEAL_MORE bytes more than text. about is not in there but
 * bound to it: what was sealed about one thing does not open about another.
 */
void crypto_seal(const uint8_t key[CRYPTO_SEAL_KEY], struct slice about, struct slice text, struct buf *out);
/* Appends the text. False: it was not sealed with this key, or about something else, or was changed; nothing is appended. */
MUST_CHECK bool crypto_unseal(const uint8_t key[CRYPTO_SEAL_KEY], struct slice about, struct slice sealed,
                              struct buf *out);

#endif
