/* gauges.c - see gauges.h. */
#include "gauges.h"
#include "heritage.h"
#include "metrics.h"

void
gauges_begin(const struct heritage *heritage)
{
	metrics_name(METRICS_LABEL_VERSION, 0, PACKAGE_VERSION);
	metrics_set(METRIC_BUILD, 0, 1);
	metrics_set(METRIC_START_TIME, 0, heritage->board->started_us);
}
