/*
 * context.h - what is being worked on: the request whose id a log line carries, and its place in a trace.
 *
 * A request enters its context while its stages run. shared/db.c copies it with each call and enters the copy for the
 * callback, so what follows from a call belongs to the same request, and nothing points to a request that is gone.
 * One thread.
 */
#ifndef AGENTD_CONTEXT_H
#define AGENTD_CONTEXT_H

#include "base.h"
#include "trace.h"

enum { CONTEXT_ID_MAX = 64 };

struct context {
	struct trace trace;
	uint8_t id_length; /* 0: no request */
	char id[CONTEXT_ID_MAX + 1]; /* with a NUL, for probes */
};

/* NULL: work of nobody's. */
const struct context *context_now(void);
/* Borrowed until another is entered; returns what was there, to go back to. */
const struct context *context_enter(const struct context *context);

static inline struct slice
context_id(const struct context *context)
{
	return context && context->id_length ? (struct slice){context->id, context->id_length} : SLICE_NONE;
}

#endif
