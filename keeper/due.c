/* due.c - makes tasks ready whose run_at has come: retries after their pause, and tasks for later. */
#include "duty.h"
#include "wake.h"

static void
found(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	duty_looked(duty, result->count >= 1000);
	if (result->status == DB_OK)
		for (int row = 0; row < result->count; row++)
			wake_queue(duty->keeper->heritage, strtoll(db_get(result, row, "tenant").data, NULL, 10),
			           db_get(result, row, "queue"));
	duty_done(duty);
}

void
due_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_DUE, NULL, found, duty);
}
