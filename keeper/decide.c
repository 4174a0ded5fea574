/* decide.c - conditions that nobody judged because a worker died between a settlement and what follows from it. */
#include "duty.h"

static void
found(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	duty_looked(duty, result->count >= 1000);
	for (int row = 0; result->status == DB_OK && row < result->count; row++)
		settle_decide(&duty->keeper->settler, db_get(result, row, "tenant"), db_get(result, row, "id"));
	duty_done(duty);
}

void
decide_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_UNDECIDED, NULL, found, duty);
}
