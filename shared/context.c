/* context.c - see context.h. */
#include "context.h"

static const struct context *now;

const struct context *
context_now(void)
{
	return now;
}

const struct context *
context_enter(const struct context *context)
{
	const struct context *before = now;

	now = context;
	return before;
}
