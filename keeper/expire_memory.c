/*
 * expire_memory.c - removes memory entries whose time has come. Nobody is shown them from that moment on, so when they
 * go does not matter; any number of keepers may do this side by side, because locked entries are skipped.
 */
#include "duty.h"

static void
removed(void *arg, const struct db_result *result)
{
	duty_note(arg, result);
	duty_done(arg);
}

void
expire_memory_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_EXPIRE_MEMORY, NULL, removed, duty);
}
