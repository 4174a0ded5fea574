/*
 * login_guard.h - who may try a password now: growing delays per user, per address and per pair of the two.
 *
 * Exact within a node; each node counts for itself. Asked before anything else is done for a login, so that refusing
 * costs next to nothing. A name that nobody has is treated like one that somebody has.
 *
 * What always holds: nobody waits longer than a minute. An address from which a user has logged in keeps a count of its
 * own, so that failures from elsewhere do not keep the user out.
 */
#ifndef AGENTD_LOGIN_GUARD_H
#define AGENTD_LOGIN_GUARD_H

#include "request.h"

struct login_guard {
	struct worker *worker;
	uint64_t pair, user, address;
};

/* Names the subjects; to be told of the outcome even if the client is gone by then. */
struct login_guard login_guard_of(struct request *request, struct slice tenant_name, struct slice username);
/* STEP_NEXT: the password may be tried. STEP_DONE: the answer is 429. */
enum step login_guard_begin(const struct login_guard *guard, struct request *request);
void login_guard_failed(const struct login_guard *guard);
void login_guard_succeeded(const struct login_guard *guard);

#endif
