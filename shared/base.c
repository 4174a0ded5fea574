/* base.c - memory that cannot fail and the last words of a process that broke an invariant. */
#include "base.h"

void
invariant_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "agentd: invariant broken: %s at %s:%d\n", condition, file, line);
	abort();
}

static void *
check(void *memory)
{
	if (!memory) {
		fputs("agentd: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *
mem_alloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *
mem_zero(size_t size)
{
	return check(calloc(1, size ? size : 1));
}

void *
mem_grow(void *old, size_t size)
{
	return check(realloc(old, size ? size : 1));
}

char *
mem_string(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(mem_alloc(size), text, size);
}
