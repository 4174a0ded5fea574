/* unpark.c - lets go what waits for a limit that has room: after a crash, or when a limit was raised or taken away. */
#include "duty.h"
#include "wake.h"

static void
unparked(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	duty_looked(duty, false);
	for (int row = 0; result->status == DB_OK && row < result->count; row++)
		wake_queue(duty->keeper->heritage, strtoll(db_get(result, row, "tenant").data, NULL, 10),
		           db_get(result, row, "queue"));
	duty_done(duty);
}

void
unpark_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_UNPARK, NULL, unparked, duty);
}
