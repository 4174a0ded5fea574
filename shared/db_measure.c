/*
 * db_measure.c - what is counted of calls, executions and connections (shared/metrics.def). A process may have more
 * than one pool: its gauges are their sum.
 */
#include "clock.h"
#include "db_private.h"
#include "metrics.h"

void
db_measure_init(void)
{
	INVARIANT(query_family_count <= METRICS_MAX_FAMILY);
	for (int i = 0; i < query_family_count; i++)
		metrics_name(METRICS_LABEL_FAMILY, i, query_families[i]);
}

static int
family_of(const struct db_execution *execution)
{
	return execution->query < 0 ? -1 : query_table[execution->query].family;
}

void
db_measure_call(const struct db_execution *execution, int64_t waited_us)
{
	metrics_observe(METRIC_DB_WAIT, family_of(execution), waited_us);
}

void
db_measure_sent(const struct db_execution *execution)
{
	metrics_observe(METRIC_DB_BATCH, family_of(execution), execution->count);
}

void
db_measure_answered(const struct db_execution *execution)
{
	metrics_observe(METRIC_DB_DURATION, family_of(execution), clock_steady_us() - execution->sent_us);
}

void
db_measure_failed(enum db_status status)
{
	static const enum metrics_failure failures[] = {[DB_FAILED] = METRICS_REFUSED,
	                                                [DB_UNAVAILABLE] = METRICS_UNAVAILABLE,
	                                                [DB_TIMEOUT] = METRICS_TIMEOUT,
	                                                [DB_OVERLOADED] = METRICS_OVERLOADED,
	                                                [DB_FULL] = METRICS_FULL};

	metrics_add(METRIC_DB_FAILURES, (int)failures[status], 1);
}

static void
tell(enum metric metric, int *told, int now)
{
	metrics_change(metric, METRICS_OWN, now - *told);
	*told = now;
}

void
db_measure_pool(struct db *db, bool gone)
{
	int up = 0, busy = 0, queued = 0;

	for (int i = 0; i < db->options.pool_size && !gone; i++) {
		up += db->connections[i].state == DB_CONNECTION_UP;
		busy += db->connections[i].depth > 0;
	}
	for (int lane = 0; lane < DB_LANES && !gone; lane++)
		queued += db->lanes[lane].queued;
	tell(METRIC_DB_CONNECTIONS, &db->told_up, up);
	tell(METRIC_DB_BUSY, &db->told_busy, busy);
	tell(METRIC_DB_QUEUED, &db->told_queued, queued);
}
