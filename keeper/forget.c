/* forget.c - takes away stored answers of Idempotency-Keys that are older than 24 hours, a part at a time. */
#include "duty.h"

static void
forgotten(void *arg, const struct db_result *result)
{
	(void)result;
	duty_done(arg);
}

void
forget_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_FORGET_KEYS, NULL, forgotten, duty);
}
