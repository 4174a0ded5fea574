/* wake.c - see wake.h. The board is changed before the eventfd is written, so who wakes sees the change. */
#include "wake.h"
#include "arena.h"
#include "json_read.h"

#include <unistd.h>

void
wake_queue(const struct heritage *heritage, int64_t tenant, struct slice queue)
{
	struct scoreboard *board = heritage->board;
	const uint64_t one = 1;

	atomic_fetch_add(&board->ready[scoreboard_queue(tenant, queue)], 1);
	for (int i = 0; i < board->slot_count; i++) {
		ssize_t written = 0;
		if (atomic_load(&board->slots[i].waiting))
			written = write(heritage->wake_fds[i], &one, sizeof(one));
		/* A full counter means that a wake-up is on its way already. */
		(void)written;
	}
}

void
wake_queues(const struct heritage *heritage, int64_t tenant, struct slice json_array)
{
	struct arena arena = ARENA_EMPTY;
	struct json json;
	struct json_error error;

	if (json_array.data && json_parse(&arena, json_array, &json, &error))
		for (int at = json_first(&json, 0); at != JSON_NONE; at = json_next(&json, 0, at))
			wake_queue(heritage, tenant, json_string(&json, at, &arena));
	arena_reset(&arena);
}
