/* scoreboard.c - see scoreboard.h. */
#include "scoreboard.h"

#include <sys/mman.h>

struct scoreboard *
scoreboard_new(int slot_count)
{
	struct scoreboard *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board == MAP_FAILED)
		return NULL;
	INVARIANT(slot_count <= SCOREBOARD_SLOTS_MAX);
	board->slot_count = slot_count;
	return board;
}

unsigned
scoreboard_queue(int64_t tenant, struct slice queue)
{
	/* FNV-1a: a collision only wakes someone for nothing. */
	uint32_t hash = 2166136261u ^ (uint32_t)tenant;

	for (size_t i = 0; i < queue.len; i++)
		hash = (hash ^ (unsigned char)queue.data[i]) * 16777619u;
	return (hash ^ hash >> 16) % SCOREBOARD_QUEUES;
}

const char *
scoreboard_state_name(int state)
{
	static const char *const names[] = {[PROCESS_NONE] = "none",
	                                    [PROCESS_STARTING] = "starting",
	                                    [PROCESS_READY] = "ready",
	                                    [PROCESS_DRAINING] = "draining"};

	return state >= 0 && state < (int)ARRAY_LENGTH(names) ? names[state] : "unknown";
}
