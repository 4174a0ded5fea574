/*
 * base.h - what every file of agentd includes first.
 *
 * Purpose: the few types and attributes that the whole tree shares, and the list of C functions that nobody may
 * call here. It declares no function with state, and including it costs nothing.
 */
#ifndef AGENTD_BASE_H
#define AGENTD_BASE_H

#ifdef HAVE_CONFIG_H
#include "autoconfig.h"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Borrowed bytes: never owned, not terminated. {NULL, 0} means absent; {"", 0} means present and empty. */
struct slice {
	const char *data;
	size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})
/* For printf: "%.*s" takes SLICE_ARG(s). */
#define SLICE_ARG(s) (int)(s).len, (s).data

static inline struct slice
slice_of(const char *text)
{
	return text ? (struct slice){text, strlen(text)} : SLICE_NONE;
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool
slice_is(struct slice a, const char *text)
{
	return slice_equal(a, slice_of(text));
}

/* A broken invariant: prints what and where, then aborts; the master restarts the process. Never for bad input. */
#define INVARIANT(condition)                                  \
	do {                                                      \
		if (!(condition))                                     \
			invariant_failed(#condition, __FILE__, __LINE__); \
	} while (0)

NORETURN void invariant_failed(const char *condition, const char *file, int line);

/* Memory that is never NULL: running out aborts the process (a worker is restarted by its master). Free with free(). */
MUST_CHECK void *mem_alloc(size_t size);
MUST_CHECK void *mem_zero(size_t size);
MUST_CHECK void *mem_grow(void *old, size_t size);
MUST_CHECK char *mem_string(const char *text);

/* Functions with no bounds, hidden state or locale: a call is a compile error. Their headers are included above. */
/* (glibc's fortify macros stand in the way under clang: gcc's builds enforce it.) */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC poison strcpy strcat sprintf vsprintf strtok localtime gmtime asctime ctime atoi atol atof
#endif

#endif
