/* access_log.c - see access_log.h. */
#include "access_log.h"
#include "config.h"
#include "log.h"
#include "metrics.h"
#include "request.h"

#include <event2/event.h>

enum { FLUSH_BYTES = 32 * 1024, PATH_SHOWN = 512 };

struct access_log {
	struct worker *worker;
	struct event *flush;
	struct buf lines;
	double share; /* of requests that are due for a line by now: one is written when it reaches 1 */
};

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct access_log *log = arg;

	(void)fd;
	(void)what;
	log_send(&log->lines);
}

struct access_log *
access_log_new(struct worker *worker)
{
	struct access_log *log = mem_zero(sizeof(*log));

	log->worker = worker;
	log->flush = event_new(worker->base, -1, 0, on_flush, log);
	INVARIANT(log->flush);
	return log;
}

void
access_log_free(struct access_log *log)
{
	if (!log)
		return;
	log_send(&log->lines);
	buf_free(&log->lines);
	event_free(log->flush);
	free(log);
}

/* Every n-th, so that a share is exact and costs no random number. */
static bool
is_sampled(struct access_log *log)
{
	log->share += log->worker->config->access_log_share;
	if (log->share < 1)
		return false;
	log->share -= 1;
	return true;
}

static bool
is_wanted(struct access_log *log, const struct request *request)
{
	switch ((enum access_mode)log->worker->config->access_log) {
	case ACCESS_LOG_OFF:
		return false;
	case ACCESS_LOG_ON:
		return true;
	case ACCESS_LOG_ERRORS:
		return request->status >= 400;
	case ACCESS_LOG_SAMPLED:
		return request->status >= 400 || is_sampled(log);
	}
	return false;
}

static struct slice
principal_text(const struct principal *who, char out[80])
{
	if (who->kind == PRINCIPAL_NOBODY)
		return SLICE_NONE;
	snprintf(out, 80, "%s:%.*s", who->kind == PRINCIPAL_KEY ? "key" : "user", (int)MIN(who->id.len, 70), who->id.data);
	return slice_of(out);
}

static struct slice
method_text(const struct request *request)
{
	if (request->broken || request->method == HTTP_METHOD_OTHER)
		return SLICE_NONE;
	return slice_of(request->head_only ? "HEAD" : http_method_name(request->method));
}

static struct slice
route_text(const struct request *request)
{
	return request->endpoint ? slice_of(request->endpoint->path) : SLICE_NONE;
}

static void
write_line(struct access_log *log, const struct request *request, int64_t took_us)
{
	char principal[80];
	const struct log_field fields[] = {
	    LOG_SLICE("method", method_text(request)),
	    LOG_SLICE("route", route_text(request)),
	    LOG_SLICE("path", ((struct slice){request->path.data, MIN(request->path.len, (size_t)PATH_SHOWN)})),
	    LOG_INT("status", request->status),
	    LOG_INT("duration_us", took_us),
	    LOG_INT("bytes", request->body_bytes),
	    LOG_SLICE("client", request->address),
	    LOG_SLICE("principal", principal_text(&request->principal, principal)),
	    LOG_SLICE("tenant", request->principal.tenant_name),
	    request->conn ? (struct log_field){0} : LOG_TEXT("ended", "the client left before the answer"),
	    {0}};

	log_add(&log->lines, LOG_LEVEL_INFO, "access", "request", fields);
	if (log->lines.len >= FLUSH_BYTES)
		log_send(&log->lines);
	else
		event_active(log->flush, EV_TIMEOUT, 0);
}

/* The stages that took a millisecond or more, what they waited for included: "authenticate=3 handle=1200". */
static void
write_stages(const struct request *request, struct buf *out)
{
	int64_t before_us = request->began_us;

	for (int stage = 0; stage < REQUEST_STAGES; stage++) {
		int64_t took_ms = (request->left_us[stage] - before_us) / 1000;
		if (!request->left_us[stage])
			continue;
		if (took_ms > 0)
			buf_printf(out, "%s%s=%lld", out->len ? " " : "", request_stage_name(stage), (long long)took_ms);
		before_us = request->left_us[stage];
	}
}

static void
write_slow(const struct request *request, int64_t took_us)
{
	struct buf stages = {0};

	write_stages(request, &stages);
	metrics_add(METRIC_SLOW_REQUESTS, 0, 1);
	log_warning("slow", "slow request", LOG_SLICE("method", method_text(request)),
	            LOG_SLICE("route", route_text(request)), LOG_INT("status", request->status),
	            LOG_INT("duration_ms", took_us / 1000), LOG_SLICE("stages_ms", buf_slice(&stages)));
	buf_free(&stages);
}

void
access_log_note(struct access_log *log, const struct request *request, int64_t took_us)
{
	int64_t slow_ms = log->worker->config->slow_request_ms;

	if (is_wanted(log, request))
		write_line(log, request, took_us);
	if (slow_ms && took_us >= slow_ms * 1000 && !request->waited)
		write_slow(request, took_us);
}
