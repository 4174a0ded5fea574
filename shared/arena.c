/* arena.c - a chain of blocks; small allocations share a block, large ones get their own. */
#include "arena.h"

#include <stdarg.h>
#include <stdalign.h>

enum { BLOCK_SIZE = 4096 - 48, ALIGNMENT = alignof(max_align_t) };

struct arena_block {
	struct arena_block *older;
	size_t size;
	alignas(max_align_t) char bytes[];
};

static char *
block_new(struct arena *arena, size_t size)
{
	struct arena_block *block = mem_alloc(sizeof(*block) + size);

	block->older = arena->blocks;
	block->size = size;
	arena->blocks = block;
	return block->bytes;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	char *memory;

	INVARIANT(size < SIZE_MAX / 2);
	size = size ? size : 1;
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (size > arena->left) {
		/* A large piece gets a block of its own, so that the rest of the current block is not wasted. */
		if (size > BLOCK_SIZE / 4)
			return block_new(arena, size);
		arena->next = block_new(arena, BLOCK_SIZE);
		arena->left = BLOCK_SIZE;
	}
	memory = arena->next;
	arena->next += size;
	arena->left -= size;
	return memory;
}

void *
arena_zero(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

char *
arena_string(struct arena *arena, struct slice text)
{
	char *copy = arena_alloc(arena, text.len + 1);

	if (text.len)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	INVARIANT(length >= 0);
	text = arena_alloc(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}

void
arena_reset(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	while (block) {
		struct arena_block *older = block->older;
		explicit_bzero(block->bytes, block->size);
		free(block);
		block = older;
	}
	*arena = ARENA_EMPTY;
}
