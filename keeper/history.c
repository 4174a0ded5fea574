/*
 * history.c - writes the counters into the history of metrics, once an interval, and drops what is older than the
 * retention.
 *
 * Every node tries at the beginning of each interval and the first one writes; the load in a row is that node's.
 */
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "log.h"
#include "node_usage.h"

#include <math.h>

enum { LOOK_MS = 500 };

/* The one run that is on its way, and what is remembered between two: the interval written last, the processor then. */
static struct {
	struct duty *duty;
	int64_t interval;
	char texts[5][32];
	struct slice values[QUERY_PARAMS_MAX];
} run;
static int64_t last_interval;
static struct node_cpu last_cpu;

static int64_t
interval_now(const struct keeper *keeper)
{
	return clock_wall_us() / 1000000 / keeper->heritage->config->metrics_interval_s;
}

static void
pruned(void *arg, const struct db_result *result)
{
	(void)arg;
	duty_note(run.duty, result);
	if (result->status == DB_OK && result->count && !slice_is(db_get(result, 0, "pruned"), "0"))
		log_debug("keeper", "old metrics dropped", LOG_SLICE("rows", db_get(result, 0, "pruned")));
	duty_done(run.duty);
}

static void
set_number(int at, enum query_id query, const char *name, int64_t value)
{
	snprintf(run.texts[at], sizeof(run.texts[at]), "%lld", (long long)value);
	run.values[db_param(query, name)] = slice_of(run.texts[at]);
}

/* What cannot be read is NULL. */
static void
set_reading(int at, const char *name, double value)
{
	if (!isfinite(value))
		return;
	snprintf(run.texts[at], sizeof(run.texts[at]), "%.3f", value);
	run.values[db_param(QUERY_METRICS_RECORD, name)] = slice_of(run.texts[at]);
}

static void
recorded(void *arg, const struct db_result *result)
{
	struct keeper *keeper = arg;

	duty_note(run.duty, result);
	/* What failed is tried again at the next look. */
	if (result->status == DB_OK)
		last_interval = run.interval;
	memset(run.values, 0, sizeof(run.values));
	set_number(0, QUERY_METRICS_PRUNE, "retention_days", keeper->heritage->config->metrics_retention_days);
	db_send(keeper->db, QUERY_METRICS_PRUNE, run.values, pruned, NULL);
}

void
history_run(struct keeper *keeper, struct duty *duty)
{
	const struct heritage *heritage = keeper->heritage;
	struct node_cpu cpu;

	duty->pause_ms = LOOK_MS;
	if (interval_now(keeper) == last_interval) {
		duty_done(duty);
		return;
	}
	run.duty = duty;
	run.interval = interval_now(keeper);
	memset(run.values, 0, sizeof(run.values));
	cpu = node_cpu_read("", clock_steady_us());
	set_number(0, QUERY_METRICS_RECORD, "interval_s", heritage->config->metrics_interval_s);
	set_reading(1, "cpu_percent", node_cpu_percent(&last_cpu, &cpu));
	set_reading(2, "memory_percent", node_memory_percent(""));
	set_reading(3, "disk_percent", node_disk_percent(heritage->config->state_dir));
	set_reading(4, "uptime_hours", (double)(clock_wall_us() - heritage->board->started_us) / 3.6e9);
	last_cpu = cpu;
	db_send(keeper->db, QUERY_METRICS_RECORD, run.values, recorded, keeper);
}
