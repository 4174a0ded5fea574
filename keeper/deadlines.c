/*
 * deadlines.c - workflows that have not ended by their deadline fail. Any number of keepers may do this side by side: the
 * statement looks again under the workflow's lock.
 */
#include "aside.h"
#include "duty.h"
#include "log.h"
#include "wake.h"

static void
expired(void *arg, const struct slice *values, const struct db_result *result)
{
	const struct keeper *keeper = arg;

	if (result->status != DB_OK || result->count == 0)
		return;
	log_info("keeper", "a workflow's deadline passed", LOG_SLICE("workflow", db_get(result, 0, "id")));
	wake_queue(keeper->heritage, strtoll(values[db_param(QUERY_WORKFLOW_EXPIRE, "tenant")].data, NULL, 10),
	           SLICE("events"));
}

static void
found(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	duty_looked(duty, result->count >= 100);
	for (int row = 0; result->status == DB_OK && row < result->count; row++) {
		struct slice values[QUERY_PARAMS_MAX] = {0};
		values[db_param(QUERY_WORKFLOW_EXPIRE, "tenant")] = db_get(result, row, "tenant");
		values[db_param(QUERY_WORKFLOW_EXPIRE, "id")] = db_get(result, row, "id");
		aside_send(duty->keeper->db, QUERY_WORKFLOW_EXPIRE, values, expired, duty->keeper);
	}
	duty_done(duty);
}

void
deadlines_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_DEADLINES, NULL, found, duty);
}
