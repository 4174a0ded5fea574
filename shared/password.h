/*
 * password.h - argon2id (RFC 9106; 19 MiB, t=2, p=1): hashing and checking passwords, and what a new one must be like.
 *
 * Passwords are bytes: UTF-8 without control characters, compared as they were typed, never normalised.
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

/* True if it was made with smaller parameters than today's: to be made anew when the password is at hand. */
bool password_is_outdated(const char *encoded);

/* What can be wrong with a new password; in this order it is told. */
enum password_fault {
	PASSWORD_NOT_TEXT,
	PASSWORD_SHORT,
	PASSWORD_LONG,
	PASSWORD_HAS_NAME,
	PASSWORD_REPEATS,
	PASSWORD_SEQUENCE,
	PASSWORD_COMMON,
	PASSWORD_FAULT_COUNT
};

/* All that is wrong with password for username, as bits 1 << fault; 0: it may be used. */
unsigned password_faults(struct slice password, struct slice username);
/* "too_short": stable. */
const char *password_fault_code(enum password_fault fault);
/* A sentence that says what is wrong and what would do. */
const char *password_fault_text(enum password_fault fault);

#endif
