/*
 * redeliver.c - messages that were received and not acknowledged in time are delivered again, up to a number of times.
 *
 * Any number of keepers may do this side by side: a message that one has locked is skipped by the others, and moving it
 * takes it off what is due.
 */
#include "duty.h"
#include "config.h"
#include "log.h"
#include "wake.h"

struct redelivery {
	struct duty *duty;
	char deliveries[24];
	struct slice values[QUERY_PARAMS_MAX];
};

static void
redelivered(const struct keeper *keeper, const struct db_result *result, int row)
{
	int64_t tenant = strtoll(db_get(result, row, "tenant").data, NULL, 10);
	struct slice agent_id = db_get(result, row, "to_agent_id");
	char queue[600] = "inbox *"; /* of roles: see worker/api_messages.c */

	if (slice_is(db_get(result, row, "undeliverable"), "t")) {
		log_warning("keeper", "message undeliverable", LOG_SLICE("message", db_get(result, row, "id")),
		            LOG_SLICE("deliveries", db_get(result, row, "deliveries")));
		return;
	}
	if (agent_id.data)
		snprintf(queue, sizeof(queue), "inbox %.*s", SLICE_ARG(agent_id));
	wake_queue(keeper->heritage, tenant, slice_of(queue));
}

static void
found(void *arg, const struct db_result *result)
{
	struct redelivery *redelivery = arg;

	duty_note(redelivery->duty, result);
	duty_looked(redelivery->duty, result->count >= 1000);
	if (result->status == DB_OK)
		for (int row = 0; row < result->count; row++)
			redelivered(redelivery->duty->keeper, result, row);
	duty_done(redelivery->duty);
	free(redelivery);
}

void
redeliver_run(struct keeper *keeper, struct duty *duty)
{
	struct redelivery *redelivery = mem_zero(sizeof(*redelivery));

	redelivery->duty = duty;
	snprintf(redelivery->deliveries, sizeof(redelivery->deliveries), "%lld",
	         (long long)keeper->heritage->config->message_deliveries);
	redelivery->values[db_param(QUERY_KEEPER_REDELIVER, "deliveries")] = slice_of(redelivery->deliveries);
	db_send(keeper->db, QUERY_KEEPER_REDELIVER, redelivery->values, found, redelivery);
}
