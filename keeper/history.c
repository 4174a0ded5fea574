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

struct reading {
	struct duty *duty;
	int64_t interval;
	char texts[6][32];
	struct slice values[QUERY_PARAMS_MAX];
};

/* Of this process: the interval that was written last, and the processor times at that moment. */
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
	struct reading *reading = arg;

	if (result->status == DB_OK && result->count && !slice_is(db_get(result, 0, "pruned"), "0"))
		log_debug("keeper", "old metrics dropped", LOG_SLICE("rows", db_get(result, 0, "pruned")));
	duty_done(reading->duty);
	free(reading);
}

static void
recorded(void *arg, const struct db_result *result)
{
	struct reading *reading = arg;
	struct keeper *keeper = reading->duty->keeper;

	/* What failed is tried again at the next look. */
	if (result->status == DB_OK)
		last_interval = reading->interval;
	memset(reading->values, 0, sizeof(reading->values));
	snprintf(reading->texts[0], sizeof(reading->texts[0]), "%lld",
	         (long long)keeper->heritage->config->metrics_retention_days);
	reading->values[db_param(QUERY_METRICS_PRUNE, "retention_days")] = slice_of(reading->texts[0]);
	db_send(keeper->db, QUERY_METRICS_PRUNE, reading->values, pruned, reading);
}

/* What cannot be read is NULL. */
static void
set(struct reading *reading, int at, const char *name, double value)
{
	if (!isfinite(value))
		return;
	snprintf(reading->texts[at], sizeof(reading->texts[at]), "%.3f", value);
	reading->values[db_param(QUERY_METRICS_RECORD, name)] = slice_of(reading->texts[at]);
}

void
history_run(struct keeper *keeper, struct duty *duty)
{
	const struct heritage *heritage = keeper->heritage;
	struct reading *reading;
	struct node_cpu cpu;

	duty->pause_ms = LOOK_MS;
	if (interval_now(keeper) == last_interval) {
		duty_done(duty);
		return;
	}
	reading = mem_zero(sizeof(*reading));
	reading->duty = duty;
	reading->interval = interval_now(keeper);
	snprintf(reading->texts[0], sizeof(reading->texts[0]), "%lld", (long long)heritage->config->metrics_interval_s);
	reading->values[db_param(QUERY_METRICS_RECORD, "interval_s")] = slice_of(reading->texts[0]);
	cpu = node_cpu_read();
	set(reading, 1, "cpu_percent", node_cpu_percent(&last_cpu, &cpu));
	set(reading, 2, "memory_percent", node_memory_percent());
	set(reading, 3, "disk_percent", node_disk_percent(heritage->config->state_dir));
	set(reading, 4, "uptime_hours", (double)(clock_wall_us() - heritage->board->started_us) / 3.6e9);
	last_cpu = cpu;
	db_send(keeper->db, QUERY_METRICS_RECORD, reading->values, recorded, reading);
}
