/*
 * password.h - argon2id (RFC 9106; 19 MiB, t=2, p=1): hashing and checking passwords, and what a new one must be like.
 *
 * Hashing takes some 20 ms and blocks: an event loop uses worker/password_pool.h.
 */
#ifndef AGENTD_PASSWORD_H
#define AGENTD_PASSWORD_H

#include "base.h"

enum { PASSWORD_HASH_SIZE = 128, PASSWORD_LENGTH_MIN = 12, PASSWORD_LENGTH_MAX = 256 };

/* False: it could not be hashed (no memory, or too long). */
MUST_CHECK bool password_hash(struct slice password, char out[PASSWORD_HASH_SIZE]);
/* encoded NULL (unknown user) costs the same time and is never right. */
MUST_CHECK bool password_verify(struct slice password, const char *encoded);

/* NULL when password may be used by username, else a sentence that says what is wrong and what would do. */
const char *password_weakness(struct slice password, struct slice username);

#endif
