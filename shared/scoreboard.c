/* scoreboard.c - see scoreboard.h. */
#include "scoreboard.h"
#include "shared_memory.h"

struct scoreboard *
scoreboard_new(int slot_count)
{
	struct scoreboard *board = shared_memory_map(SCOREBOARD_MEMORY, sizeof(*board), NULL);

	INVARIANT(slot_count <= SCOREBOARD_SLOTS_MAX);
	if (board && !board->slot_count)
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
