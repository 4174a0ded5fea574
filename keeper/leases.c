/*
 * leases.c - takes back the leases of holders that have gone silent.
 *
 * It looks for candidates and settles each with outcome `expire`, which looks again under a lock: a heartbeat that came
 * in between wins. Any number of keepers may do this side by side; the epoch lets only one succeed.
 */
#include "duty.h"
#include "log.h"
#include "metrics.h"

struct expiry {
	struct duty *duty;
	int left;
};

struct candidate {
	struct expiry *expiry;
	char texts[3][48];
	struct slice values[QUERY_PARAMS_MAX];
};

static void
finish_one(struct expiry *expiry)
{
	if (--expiry->left > 0)
		return;
	duty_done(expiry->duty);
	free(expiry);
}

static void
settled(void *arg, const struct db_result *result)
{
	struct candidate *candidate = arg;

	if (result->status == DB_OK && result->count && slice_is(db_get(result, 0, "_result"), "ok")) {
		metrics_add(METRIC_LEASES_EXPIRED, 0, 1);
		log_info("keeper", "lease expired", LOG_TEXT("task", candidate->texts[1]),
		         LOG_TEXT("epoch", candidate->texts[2]), LOG_SLICE("status", db_get(result, 0, "status")));
		settle_follow(&candidate->expiry->duty->keeper->settler, slice_of(candidate->texts[0]),
		              slice_of(candidate->texts[1]), result);
	}
	finish_one(candidate->expiry);
	free(candidate);
}

static void
set(struct candidate *candidate, const char *name, struct slice value)
{
	candidate->values[db_param(QUERY_TASK_SETTLE, name)] = value;
}

static void
settle(struct keeper *keeper, struct expiry *expiry, const struct db_result *result, int row)
{
	static const char *const names[] = {"tenant", "id", "epoch"};
	struct candidate *candidate = mem_zero(sizeof(*candidate));

	candidate->expiry = expiry;
	for (int i = 0; i < 3; i++) {
		snprintf(candidate->texts[i], sizeof(candidate->texts[i]), "%.*s", SLICE_ARG(db_get(result, row, names[i])));
		set(candidate, names[i], slice_of(candidate->texts[i]));
	}
	set(candidate, "outcome", SLICE("expire"));
	set(candidate, "retryable", SLICE("true"));
	db_send(keeper->db, QUERY_TASK_SETTLE, candidate->values, settled, candidate);
}

static void
found(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;
	struct expiry *expiry;

	duty_note(duty, result);
	duty_looked(duty, result->count >= 1000);
	if (result->status != DB_OK || result->count == 0) {
		duty_done(duty);
		return;
	}
	expiry = mem_zero(sizeof(*expiry));
	expiry->duty = duty;
	expiry->left = result->count;
	for (int row = 0; row < result->count; row++)
		settle(duty->keeper, expiry, result, row);
}

void
leases_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_KEEPER_EXPIRED, NULL, found, duty);
}
