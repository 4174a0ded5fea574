/*
 * password.h - argon2id (RFC 9106; 19 MiB, t=2, p=1) off the event loop, in a small thread pool with a bounded queue.
 *
 * The pool belongs to one worker. Jobs are queued from the loop's thread and their callbacks run on it, never before the
 * call returned. Passwords are copied, and the copies are wiped as soon as they were used.
 */
#ifndef AGENTD_PASSWORD_H
#define AGENTD_PASSWORD_H

#include "base.h"

struct event_base;
struct password_pool;

enum { PASSWORD_HASH_SIZE = 128, PASSWORD_LENGTH_MIN = 12, PASSWORD_LENGTH_MAX = 256 };

/* threads >= 1; queue_max jobs may wait. NULL: could not start (errno). */
MUST_CHECK struct password_pool *password_pool_new(struct event_base *base, int threads, int queue_max);
void password_pool_free(struct password_pool *pool);

/* ok: the password is the right one (verify) or the hash was made (hash: in hash_r form). */
typedef void password_done(void *arg, bool ok, const char *hash);

/* False: the queue is full, answer 503. encoded NULL (unknown user) costs the same time and ends with ok false. */
MUST_CHECK bool password_verify_send(struct password_pool *pool, struct slice password, const char *encoded,
                                     password_done *done, void *arg);
MUST_CHECK bool password_hash_send(struct password_pool *pool, struct slice password, password_done *done, void *arg);

/* The same, blocking: for `agentd user`. */
MUST_CHECK bool password_hash(struct slice password, char out[PASSWORD_HASH_SIZE]);
MUST_CHECK bool password_verify(struct slice password, const char *encoded);

/* NULL when password may be used by username, else a sentence that says what is wrong and what would do. */
const char *password_weakness(struct slice password, struct slice username);

#endif
