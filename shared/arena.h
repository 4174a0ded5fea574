/*
 * arena.h - memory that lives as long as one request.
 *
 * Allocations are never freed one by one: arena_reset() wipes and frees all of them, for any may hold a secret. Nothing
 * here blocks. Allocation never returns NULL (see mem_alloc); its size is bounded by what feeds it: the head, body and
 * row limits.
 */
#ifndef AGENTD_ARENA_H
#define AGENTD_ARENA_H

#include "base.h"

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *next;                 /* free space in the newest block */
	size_t left;
};

/* An arena of zeros is ready for use; there is no init and the first block is made at the first allocation. */
#define ARENA_EMPTY ((struct arena){NULL, NULL, 0})

/* Memory for size bytes, aligned for any object, not zeroed. Owned by the arena. */
MUST_CHECK void *arena_alloc(struct arena *arena, size_t size);
/* The same, all bytes zero. */
MUST_CHECK void *arena_zero(struct arena *arena, size_t size);
/* A NUL-terminated copy of text. */
MUST_CHECK char *arena_string(struct arena *arena, struct slice text);
/* A NUL-terminated formatted string. */
MUST_CHECK char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
/* Frees everything that the arena gave out and leaves it empty and usable. */
void arena_reset(struct arena *arena);

#endif
