/*
 * log_levels.c - see log_levels.h. Bits 2i and 2i+1 are the level of category i, the two highest bits the general one;
 * SET says that the word is one.
 */
#include "base.h"

#include "log_levels.h"

#include <strings.h>

const struct log_category log_categories[] = {
    {"access", "the access log (ACCESS_LOG)"},
    {"alert", "alerts that fire or are resolved, webhooks"},
    {"audit", "the audit log: checkpoints, seals that do not hold, retention"},
    {"changes", "news of what was revoked or changed"},
    {"connection", "clients that have too many connections, proxies that send no valid PROXY header"},
    {"database", "connections to PostgreSQL, statements that failed"},
    {"health", "parts of the node that changed, and what was done to heal them"},
    {"http", "what came and was not a request (debug)"},
    {"keeper", "duties of the keeper"},
    {"limits", "rate limits"},
    {"log", "the log itself: lines that were lost"},
    {"master", "start and end of processes"},
    {"redis", "the connection to Redis"},
    {"security", "sandbox, users, what was refused to a process"},
    {"settings", "settings that changed while agentd runs, or could not"},
    {"slow", "the slow-query and slow-request logs (SLOW_QUERY_MS, SLOW_REQUEST_MS)"},
    {"task", "tasks that could not be settled as they should"},
    {"trace", "the export of traces"},
    {"worker", "a worker's own life, certificates"},
    {NULL, NULL},
};

enum { GENERAL = LOG_CATEGORIES_MAX - 1, LEVEL_BITS = 3 };
#define SET (UINT64_C(1) << 63)

static const char *const level_names[] = {"debug", "info", "warning", "error", NULL};

_Static_assert(ARRAY_LENGTH(log_categories) <= LOG_CATEGORIES_MAX, "the word has no room for more categories");

static int
find_category(struct slice name)
{
	for (int i = 0; log_categories[i].name; i++)
		if (slice_is(name, log_categories[i].name))
			return i;
	return -1;
}

static int
find_level(struct slice name)
{
	for (int i = 0; level_names[i]; i++)
		if (strlen(level_names[i]) == name.len && strncasecmp(level_names[i], name.data, name.len) == 0)
			return i;
	return -1;
}

static void
put(uint64_t *levels, int category, enum log_level level)
{
	*levels &= ~((uint64_t)LEVEL_BITS << 2 * category);
	*levels |= (uint64_t)level << 2 * category;
}

static void
complain(struct buf *why, struct slice part)
{
	buf_printf(why,
	           "has \"%.*s\", which is not category=level; a level is debug, info, warning or error, and a category is",
	           (int)MIN(part.len, 60), part.data);
	for (int i = 0; log_categories[i].name; i++)
		buf_printf(why, "%s %s", i == 0 ? "" : log_categories[i + 1].name ? "," : " or", log_categories[i].name);
}

static bool
take_part(uint64_t *levels, struct slice part)
{
	const char *equals = memchr(part.data, '=', part.len);
	size_t before = equals ? (size_t)(equals - part.data) : 0;
	int category = find_category((struct slice){part.data, before});
	int level = equals ? find_level((struct slice){equals + 1, part.len - before - 1}) : -1;

	if (category < 0 || level < 0)
		return false;
	put(levels, category, (enum log_level)level);
	return true;
}

/* Takes what it understands; why may be NULL. */
static bool
take_list(uint64_t *levels, const char *list, struct buf *why)
{
	bool good = true;

	while (*list) {
		struct slice part = {list, strcspn(list, ",")};

		if (!take_part(levels, part)) {
			if (good && why)
				complain(why, part);
			good = false;
		}
		list += part.len;
		list += *list == ',';
	}
	return good;
}

static uint64_t
all_at(enum log_level general)
{
	uint64_t levels = SET;

	for (int i = 0; i < LOG_CATEGORIES_MAX; i++)
		put(&levels, i, general);
	return levels;
}

bool
log_levels_check(const char *list, struct buf *why)
{
	uint64_t levels = all_at(LOG_LEVEL_INFO);

	return take_list(&levels, list, why);
}

uint64_t
log_levels_of(enum log_level general, const char *list)
{
	uint64_t levels = all_at(general);

	(void)take_list(&levels, list, NULL);
	return levels;
}

static enum log_level
level_at(uint64_t levels, int category)
{
	return (enum log_level)(levels >> 2 * category & LEVEL_BITS);
}

enum log_level
log_levels_get(uint64_t levels, const char *category)
{
	int found = find_category(slice_of(category));

	return level_at(levels, found < 0 ? GENERAL : found);
}

enum log_level
log_levels_least(uint64_t levels)
{
	enum log_level least = LOG_LEVEL_ERROR;

	for (int i = 0; i < LOG_CATEGORIES_MAX; i++)
		least = MIN(least, level_at(levels, i));
	return least;
}
