/*
 * fold.c - adds what happened, as the events tell it, to the counters of tenants and agents.
 *
 * Counters are exact and at most a second behind. A run reads what is not counted yet, counts it here (a tenth of what
 * it costs PostgreSQL to look into the JSON) and adds it in one statement that moves the place up to which is counted
 * only from where it was read: of two keepers that count the same, one succeeds, and the other leaves it to that one
 * for a while.
 */
#include "aside.h"
#include "config.h"
#include "duty.h"
#include "tally.h"

enum { PAUSE_MS = 700, PAUSE_BEHIND_MS = 1, PAUSE_LOST_MS = 2000, TENANTS_MAX = 16 /* of metrics_uncounted */ };

/* The tenants of one run; run by run, so there is one at a time. */
struct round {
	struct duty *duty;
	int left; /* statements on their way, and the one that sends them */
	bool behind;
	bool lost;
};

static void
leave(struct round *round)
{
	struct duty *duty = round->duty;

	if (--round->left > 0)
		return;
	duty->pause_ms = round->lost     ? PAUSE_LOST_MS
	                 : round->behind ? PAUSE_BEHIND_MS
	                                 : MIN(PAUSE_MS, duty->keeper->heritage->config->keeper_interval_ms);
	free(round);
	duty_done(duty);
}

static void
counted(void *arg, const struct slice *values, const struct db_result *result)
{
	struct round *round = arg;

	duty_note(round->duty, result);
	if (result->status != DB_OK || !result->count || !slice_is(db_get(result, 0, "moved"), "t"))
		round->lost = true;
	else
		tally_measure(values[db_param(QUERY_METRICS_COUNT, "counts")]);
	leave(round);
}

static void
set(struct slice *values, const char *name, struct slice value)
{
	int param = db_param(QUERY_METRICS_COUNT, name);

	INVARIANT(param >= 0);
	values[param] = value;
}

/* Counts the rows of one tenant, which begin at first, and returns where the next tenant's begin. */
static int
count_tenant(struct round *round, const struct db_result *result, int first)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};
	struct slice tenant = db_get(result, first, "tenant");
	struct tally *tally = tally_new();
	int row = first;

	for (; row < result->count && slice_equal(db_get(result, row, "tenant"), tenant); row++)
		tally_add(tally, db_get(result, row, "items"), db_get(result, row, "at"));
	round->behind = round->behind || slice_is(db_get(result, row - 1, "more"), "t");
	set(values, "tenant", tenant);
	set(values, "from_xid", db_get(result, first, "from_xid"));
	set(values, "from_seq", db_get(result, first, "from_seq"));
	set(values, "xid", db_get(result, row - 1, "xid"));
	set(values, "seq", db_get(result, row - 1, "seq"));
	set(values, "at", db_get(result, row - 1, "latest"));
	set(values, "counts", tally_counts(tally));
	set(values, "ended", tally_ended(tally));
	set(values, "agents", tally_agents(tally));
	round->left++;
	aside_send(round->duty->keeper->db, QUERY_METRICS_COUNT, values, counted, round);
	tally_free(tally);
	return row;
}

static void
found(void *arg, const struct db_result *result)
{
	struct round *round = mem_zero(sizeof(*round));
	int tenants = 0;

	*round = (struct round){.duty = arg, .left = 1};
	duty_note(arg, result);
	if (result->status == DB_OK)
		for (int row = 0; row < result->count; tenants++)
			row = count_tenant(round, result, row);
	round->behind = round->behind || tenants == TENANTS_MAX;
	leave(round);
}

void
fold_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_METRICS_UNCOUNTED, NULL, found, duty);
}
