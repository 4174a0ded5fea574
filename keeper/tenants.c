/*
 * tenants.c - what tenants with quotas have of hot tables, counted here so that nobody counts where work is done; and
 * the end of tenants that were deleted, a part at a time.
 *
 * Two nodes at once: counting twice finds the same, and a tenant that is being deleted is locked by one of them.
 */
#include "duty.h"
#include "log.h"

enum { FORGET_MAX = 2000, FULL_PAUSE_MS = 20, IDLE_PAUSE_MS = 2000 };

static void
counted(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	for (int row = 0; result->status == DB_OK && row < result->count; row++)
		log_info("keeper", "a tenant came to a quota, or below it again",
		         LOG_SLICE("tenant", db_get(result, row, "name")),
		         LOG_SLICE("full_of", db_get(result, row, "full_of")));
	duty_note(duty, result);
	duty_looked(duty, false);
	duty_done(duty);
}

void
tenants_full_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_TENANTS_FULL, NULL, counted, duty);
}

static void
forgotten(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;
	bool some = result->status == DB_OK && result->count;
	bool gone = some && strtoll(db_get(result, 0, "deleted").data, NULL, 10) < FORGET_MAX;

	duty_note(duty, result);
	if (gone)
		log_info("keeper", "a tenant is deleted with all that it had", LOG_SLICE("tenant", db_get(result, 0, "name")));
	duty->pause_ms = some ? FULL_PAUSE_MS : IDLE_PAUSE_MS;
	duty_done(duty);
}

void
tenants_forget_run(struct keeper *keeper, struct duty *duty)
{
	static char text[16];
	static struct slice values[QUERY_PARAMS_MAX];

	snprintf(text, sizeof(text), "%d", FORGET_MAX);
	values[db_param(QUERY_KEEPER_TENANT_FORGET, "max")] = slice_of(text);
	db_send(keeper->db, QUERY_KEEPER_TENANT_FORGET, values, forgotten, duty);
}
