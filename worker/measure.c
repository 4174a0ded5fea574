/*
 * measure.c - see measure.h. An endpoint's index is its row in the endpoint table; behind the table come what no
 * endpoint is for, and /metrics.
 */
#include "measure.h"
#include "clock.h"
#include "metrics.h"
#include "metrics_port.h"
#include "process_usage.h"
#include "request.h"
#include "span.h"

enum { TIMED = 8 };

static int
endpoint_index(const struct endpoint *endpoint)
{
	if (!endpoint)
		return endpoint_count;
	return metrics_port_is_metrics(endpoint) ? endpoint_count + 1 : (int)(endpoint - endpoint_table);
}

void
measure_init(void)
{
	INVARIANT(endpoint_count + 2 <= METRICS_MAX_ENDPOINT);
	for (int i = 0; i < endpoint_count; i++)
		metrics_name(METRICS_LABEL_ENDPOINT, i, endpoint_table[i].operation);
	metrics_name(METRICS_LABEL_ENDPOINT, endpoint_count, "other");
	metrics_name(METRICS_LABEL_ENDPOINT, endpoint_count + 1, "metrics");
}

void
measure_stage_name(size_t stage, const char *name)
{
	INVARIANT(stage < METRICS_MAX_STAGE);
	metrics_name(METRICS_LABEL_STAGE, (int)stage, name);
}

void
measure_begin(struct request *request)
{
	static unsigned count;

	/* To ask for the time is most of what all this costs. */
	request->timed = count++ % TIMED == 0;
	request->began_us = request->stage_us = clock_steady_us();
}

static void
measure_time(struct request *request, size_t stage)
{
	int64_t now_us = clock_steady_us();

	if (request->timed && !request->waited)
		metrics_observe(METRIC_STAGE_DURATION, (int)stage, now_us - request->stage_us);
	request->stage_us = request->left_us[stage] = now_us;
	request->paused = false;
}

void
measure_stage(struct request *request, size_t stage)
{
	/* Traces want to know it of each stage, the log of slow requests of those that waited. */
	if (request->timed || request->paused || span_is_recorded(&request->context.trace))
		measure_time(request, stage);
	/* Once: what follows is the telling of it. */
	if (request->status >= 400 && !request->failed) {
		request->failed = true;
		metrics_add(METRIC_STAGE_ERRORS, (int)stage, 1);
	}
}

void
measure_end(const struct request *request, int64_t took_us)
{
	int endpoint = endpoint_index(request->endpoint);
	/* Who has gone before there was an answer has given up: the fault is not the server's. */
	int class = request->status ? request->status / 100 - 2 : 2;

	metrics_add(METRIC_HTTP_REQUESTS, metrics_pair(METRIC_HTTP_REQUESTS, endpoint, class), 1);
	metrics_observe(request->waited ? METRIC_HTTP_WAIT : METRIC_HTTP_DURATION, endpoint, took_us);
}

void
measure_tick(const struct worker *worker)
{
	metrics_set(METRIC_HTTP_CONNECTIONS, METRICS_OWN, worker->conn_count);
	metrics_set(METRIC_HTTP_IN_FLIGHT, METRICS_OWN, worker->request_count);
	metrics_set(METRIC_HTTP_WAITING, METRICS_OWN, worker->waiting);
	metrics_set(METRIC_EVENT_STREAMS, METRICS_OWN, worker->stream_count);
	if (atomic_load(&worker->slot->tls_expires_s))
		metrics_set(METRIC_CERTIFICATE, 0, atomic_load(&worker->slot->tls_expires_s) * 1000000);
	process_usage_tick(worker->now_us);
}
