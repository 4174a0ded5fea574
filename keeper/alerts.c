/*
 * alerts.c - evaluates the rules of alerts, and forgets what is old. Duties of the leader.
 *
 * All judging is one transaction of PostgreSQL (sql/query/alerts.sql): a change of state happens once, with the
 * deliveries that follow from it, whoever leads and whenever he dies. What is logged here is what that answered.
 */
#include "config.h"
#include "duty.h"
#include "log.h"
#include "metrics.h"

static void
log_change(const struct db_result *result, int row)
{
	bool fires = slice_is(db_get(result, row, "state"), "firing");

	metrics_add(fires ? METRIC_ALERTS_FIRED : METRIC_ALERTS_RESOLVED, 0, 1);
	LOG_AT(fires ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "alert", fires ? "an alert fires" : "an alert is resolved",
	       LOG_SLICE("tenant", db_get(result, row, "tenant")), LOG_SLICE("rule", db_get(result, row, "rule")),
	       LOG_SLICE("subject", db_get(result, row, "subject")), LOG_SLICE("severity", db_get(result, row, "severity")),
	       LOG_SLICE("value", db_get(result, row, "value")), LOG_SLICE("comparison", db_get(result, row, "comparison")),
	       LOG_SLICE("threshold", db_get(result, row, "threshold")), LOG_SLICE("alert", db_get(result, row, "id")));
}

static void
evaluated(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	for (int row = 0; result->status == DB_OK && row < result->count; row++)
		log_change(result, row);
	duty->pause_ms = duty->keeper->heritage->config->alert_interval_s * 1000;
	duty_looked(duty, false);
	duty_done(duty);
}

void
alerts_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_ALERTS_EVALUATE, NULL, evaluated, duty);
}

static void
pruned(void *arg, const struct db_result *result)
{
	duty_note(arg, result);
	duty_done(arg);
}

void
alerts_prune_run(struct keeper *keeper, struct duty *duty)
{
	static char days[24];
	static struct slice values[QUERY_PARAMS_MAX];

	snprintf(days, sizeof(days), "%lld", (long long)keeper->heritage->config->alert_retention_days);
	values[db_param(QUERY_ALERTS_PRUNE, "retention_days")] = slice_of(days);
	db_send(keeper->db, QUERY_ALERTS_PRUNE, values, pruned, duty);
}
