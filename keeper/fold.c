/*
 * fold.c - adds what happened, as the events tell it, to the counters of tenants and agents.
 *
 * Counters are exact and at most a second behind: the statement counts each event once and moves the place up to which
 * it has counted in the same transaction. Any number of keepers may do this side by side: they skip what another works
 * on.
 */
#include "config.h"
#include "duty.h"

enum { PAUSE_MS = 400, PAUSE_BEHIND_MS = 1 };

static void
folded(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;
	bool behind = result->status == DB_OK && result->count && slice_is(db_get(result, 0, "more"), "t");

	duty->pause_ms = behind ? PAUSE_BEHIND_MS : MIN(PAUSE_MS, duty->keeper->heritage->config->keeper_interval_ms);
	duty_done(duty);
}

void
fold_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_METRICS_FOLD, NULL, folded, duty);
}
