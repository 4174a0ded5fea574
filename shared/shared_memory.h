/*
 * shared_memory.h - memory that all processes of a node share, by name.
 *
 * The master maps it before the first fork; children inherit the mapping. It lives in memfds, so that a new program that
 * the master becomes (master/upgrade.c) maps the same memory again: what was adopted under a name before is what
 * shared_memory_map() gives for it, if it has the size that the program expects. Nothing blocks. Not thread-safe.
 */
#ifndef AGENTD_SHARED_MEMORY_H
#define AGENTD_SHARED_MEMORY_H

#include "base.h"

/*
 * Maps `size` bytes under a name: zeros, or what was adopted. The name is at most 15 characters and says the layout too:
 * another layout, another name. NULL: errno says why. *adopted_r (may be NULL): its contents are of use already.
 */
MUST_CHECK void *shared_memory_map(const char *name, size_t size, bool *adopted_r);
/* Unmaps what shared_memory_map() returned, and closes its descriptor. NULL is fine. */
void shared_memory_unmap(void *memory);

/* The descriptor of a memory that another program made: taken, and kept until shared_memory_forget_adopted(). */
void shared_memory_adopt(const char *name, int fd);
/* Closes what was adopted and is not mapped. */
void shared_memory_forget_adopted(void);

/* Calls visit for each, adopted ones too; the descriptor stays the registry's. */
void shared_memory_each(void (*visit)(void *arg, const char *name, int fd), void *arg);

#endif
