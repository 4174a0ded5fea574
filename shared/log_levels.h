/*
 * log_levels.h - the categories of log lines, and which of their lines are written.
 *
 * The list is bounded: shared/log_levels.c has it, with what each is for; `make check` refuses a category that is not
 * there. The levels of all categories are one word, two bits each, so that a process can tell another. Pure.
 */
#ifndef AGENTD_LOG_LEVELS_H
#define AGENTD_LOG_LEVELS_H

#include "base.h"
#include "buf.h"
#include "log.h"

enum { LOG_CATEGORIES_MAX = 31 };

struct log_category {
	const char *name;
	const char *doc;
};
extern const struct log_category log_categories[]; /* ends with a NULL name */

/* False: why says which part of "database=debug,http=warning" is wrong, and what would be right. */
MUST_CHECK bool log_levels_check(const char *list, struct buf *why);
/*
 * The level general for all categories but those that the list names. What is not understood in it is left out: a newer
 * node may have stored it. Never 0.
 */
uint64_t log_levels_of(enum log_level general, const char *list);
/* The least severe level of that category that is written; of one that is not in the list, the general one. */
enum log_level log_levels_get(uint64_t levels, const char *category);
/* The least severe of all categories. */
enum log_level log_levels_least(uint64_t levels);

#endif
