/*
 * password_pool.h - password hashing off the event loop: a small thread pool with a bounded queue.
 *
 * The pool belongs to one worker. Jobs are queued from the loop's thread and their callbacks run on it, never before
 * the call returned. Passwords are copied, and the copies are wiped as soon as they were used.
 */
#ifndef AGENTD_PASSWORD_POOL_H
#define AGENTD_PASSWORD_POOL_H

#include "base.h"
#include "password.h"

struct event_base;
struct password_pool;

/* threads >= 1; queue_max jobs may wait. NULL: could not start (errno). */
MUST_CHECK struct password_pool *password_pool_new(struct event_base *base, int threads, int queue_max);
/* Jobs that were not delivered get no callback. Not to be called from a callback. */
void password_pool_free(struct password_pool *pool);

/*
 * ok: the password is the right one (verify) or the hash was made (hash). hash: the one that was made, or of a right
 * password whose stored hash is outdated the one to store from now on; else NULL.
 */
typedef void password_done(void *arg, bool ok, const char *hash);

/* False: the queue is full, answer 503. encoded NULL (unknown user) costs the same time and ends with ok false. */
MUST_CHECK bool password_verify_send(struct password_pool *pool, struct slice password, const char *encoded,
                                     password_done *done, void *arg);
MUST_CHECK bool password_hash_send(struct password_pool *pool, struct slice password, password_done *done, void *arg);

#endif
