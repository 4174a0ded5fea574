/*
 * resolve.h - the address of a host, without blocking the loop.
 *
 * getaddrinfo(3) runs in a thread of its own that lives as long as one question. The callback runs in the loop, never
 * before resolve_start() has returned, and not after resolve_cancel().
 */
#ifndef AGENTD_RESOLVE_H
#define AGENTD_RESOLVE_H

#include "base.h"

struct event_base;
struct resolve;

/* address is numeric; NULL: error says why there is none. Afterwards the question is over: do not cancel it. */
typedef void resolve_done(void *arg, const char *address, const char *error);

/* NULL: no thread can be started. */
MUST_CHECK struct resolve *resolve_start(struct event_base *base, const char *host, resolve_done *done, void *arg);
void resolve_cancel(struct resolve *resolve);

#endif
