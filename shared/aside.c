/* aside.c - see aside.h. A statement carries its own memory, so whoever sent it may be gone when it ends. */
#include "aside.h"

#include <sys/queue.h>

struct aside {
	TAILQ_ENTRY(aside) entry;
	aside_done *done;
	void *arg;
	struct slice values[QUERY_PARAMS_MAX];
	char bytes[];
};

static TAILQ_HEAD(, aside) asides = TAILQ_HEAD_INITIALIZER(asides);

static void
finished(void *arg, const struct db_result *result)
{
	struct aside *aside = arg;

	if (aside->done)
		aside->done(aside->arg, aside->values, result);
	TAILQ_REMOVE(&asides, aside, entry);
	free(aside);
}

void
aside_send(struct db *db, enum query_id query, const struct slice *values, aside_done *done, void *arg)
{
	int count = query_table[query].param_count;
	struct aside *aside;
	size_t bytes = 0;
	char *at;

	for (int i = 0; i < count; i++)
		bytes += values[i].len;
	aside = mem_zero(sizeof(*aside) + bytes + 1);
	aside->done = done;
	aside->arg = arg;
	at = aside->bytes;
	for (int i = 0; i < count; i++) {
		if (!values[i].data)
			continue;
		aside->values[i] = (struct slice){at, values[i].len};
		memcpy(at, values[i].data, values[i].len);
		at += values[i].len;
	}
	TAILQ_INSERT_TAIL(&asides, aside, entry);
	db_send(db, query, aside->values, finished, aside);
}

void
aside_free_all(void)
{
	struct aside *aside;

	while ((aside = TAILQ_FIRST(&asides))) {
		TAILQ_REMOVE(&asides, aside, entry);
		free(aside);
	}
}
