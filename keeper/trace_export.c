/* trace_export.c - see trace_export.h. */
#include "trace_export.h"
#include "buf.h"
#include "cidr.h"
#include "clock.h"
#include "config.h"
#include "heritage.h"
#include "log.h"
#include "metrics.h"
#include "otlp.h"
#include "outbound.h"

#include <event2/event.h>
#include <sys/utsname.h>

enum {
	LOOK_US = 250000, /* spans wait so long for others to go with */
	BATCH_SPANS = 512,
	BATCH_BYTES = 1 << 20,
	TIMEOUT_MS = 5000,
	TRIES = 4,
	PAUSE_MIN_US = 1000000,
	PAUSE_MAX_US = 30000000,
	TELL_US = 60000000,
	HEADER_BYTES = 2048,
	ANSWER_BYTES = 4096
};

struct trace_export {
	const struct heritage *heritage;
	struct outbound *outbound;
	struct cidr_list anywhere; /* who sets the endpoint is trusted with it */
	struct event *look;
	struct outbound_request request;
	char *headers; /* what request.headers points into */
	size_t headers_size;
	char host[65];
	char instance[40]; /* of the node: copied, for other processes can write the board */
	struct buf body; /* the batch */
	int spans;       /* in it */
	int tries;
	int64_t pause_us;
	int64_t next_us; /* not before this time */
	bool sending;
	int64_t dropped; /* since it was told last */
	int64_t told_us;
	uint64_t *ring_drops; /* of each slot, as far as they were counted */
	bool failing;
};

static void send_batch(struct trace_export *export);

static void
drop(struct trace_export *export, int64_t spans)
{
	export->dropped += spans;
	metrics_add(METRIC_SPANS_DROPPED, 0, spans);
}

/* What processes dropped because their ring was full. */
static void
count_ring_drops(struct trace_export *export)
{
	for (int slot = 0; slot < span_rings_count(); slot++) {
		uint64_t now = atomic_load_explicit(&export->heritage->spans[slot].dropped, memory_order_relaxed);
		if (now > export->ring_drops[slot])
			drop(export, (int64_t)(now - export->ring_drops[slot]));
		export->ring_drops[slot] = now;
	}
}

static void
tell_drops(struct trace_export *export, int64_t now_us)
{
	if (!export->dropped || now_us - export->told_us < TELL_US)
		return;
	log_warning("trace", "spans were dropped", LOG_INT("count", export->dropped));
	export->told_us = now_us;
	export->dropped = 0;
}

/* From each process in its turn, so that none fills the batch alone. */
static void
take_spans(struct trace_export *export, struct json_writer *writer)
{
	const struct scoreboard *board = export->heritage->board;
	static struct span span;
	bool more = true;

	while (more) {
		more = false;
		for (int slot = 0; slot < span_rings_count(); slot++) {
			char process[sizeof(board->slots[slot].name)];

			if (export->spans >= BATCH_SPANS || export->body.len >= BATCH_BYTES)
				return;
			if (!span_take(&export->heritage->spans[slot], &span))
				continue;
			snprintf(process, sizeof(process), "%.*s", (int)sizeof(process) - 1, board->slots[slot].name);
			otlp_add(writer, &span, process);
			export->spans++;
			more = true;
		}
	}
}

static bool
has_spans(const struct trace_export *export)
{
	for (int slot = 0; slot < span_rings_count(); slot++) {
		struct span_ring *ring = &export->heritage->spans[slot];
		if (atomic_load_explicit(&ring->head, memory_order_acquire) !=
		    atomic_load_explicit(&ring->tail, memory_order_relaxed))
			return true;
	}
	return false;
}

static void
make_batch(struct trace_export *export)
{
	const struct heritage *heritage = export->heritage;
	struct otlp_resource resource = {.version = PACKAGE_VERSION,
	                                 .instance = export->instance,
	                                 .host = export->host,
	                                 .environment = config_environment_name(heritage->config->environment)};
	struct json_writer writer;

	buf_clear(&export->body, BATCH_BYTES);
	export->spans = export->tries = 0;
	otlp_begin(&writer, &export->body, &resource);
	take_spans(export, &writer);
	otlp_end(&writer);
}

static void
go_on(struct trace_export *export)
{
	if (export->sending || clock_steady_us() < export->next_us)
		return;
	if (!export->spans && has_spans(export))
		make_batch(export);
	if (export->spans)
		send_batch(export);
}

static void
batch_is_over(struct trace_export *export)
{
	export->spans = 0;
	buf_clear(&export->body, BATCH_BYTES);
}

static void
succeeded(struct trace_export *export, const struct outbound_result *result)
{
	int64_t rejected = MIN(otlp_rejected(result->body), (int64_t) export->spans);

	if (export->failing)
		log_info("trace", "the collector takes spans again");
	export->failing = false;
	export->pause_us = PAUSE_MIN_US;
	metrics_add(METRIC_SPANS_EXPORTED, 0, export->spans - rejected);
	if (rejected)
		drop(export, rejected);
	batch_is_over(export);
}

/* Those that the protocol says to send again; anything else would be refused again too. */
static bool
may_retry(const struct outbound_result *result)
{
	int status = result->outcome == OUTBOUND_ANSWERED ? result->status : 503;

	return result->outcome != OUTBOUND_MALFORMED && (status == 429 || status == 502 || status == 503 || status == 504);
}

static void
failed(struct trace_export *export, const struct outbound_result *result)
{
	if (!export->failing)
		log_warning("trace", "the collector does not take spans", LOG_TEXT("endpoint", export->request.url),
		            LOG_INT("status", result->status), LOG_TEXT("reason", result->error),
		            LOG_TEXT("hint", "what does not fit is dropped until it does; AGENTD_TRACING=off stops this"));
	export->failing = true;
	if (!may_retry(result) || ++export->tries >= TRIES) {
		drop(export, export->spans);
		batch_is_over(export);
	}
	export->next_us = clock_steady_us() + MAX(export->pause_us, MIN(result->retry_after_s, (int64_t)60) * 1000000);
	export->pause_us = MIN(export->pause_us * 2, (int64_t)PAUSE_MAX_US);
}

static void
on_answer(void *arg, const struct outbound_result *result)
{
	struct trace_export *export = arg;

	export->sending = false;
	if (result->outcome == OUTBOUND_ANSWERED && result->status >= 200 && result->status < 300)
		succeeded(export, result);
	else
		failed(export, result);
	go_on(export);
}

static void
send_batch(struct trace_export *export)
{
	export->sending = true;
	export->request.body = buf_slice(&export->body);
	(void)outbound_send(export->outbound, &export->request, on_answer, export);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct trace_export *export = arg;

	(void)fd;
	(void)what;
	count_ring_drops(export);
	tell_drops(export, clock_steady_us());
	go_on(export);
}

/* Checked when the settings were loaded; the setting is wiped. */
static void
set_headers(struct trace_export *export, const struct config *config)
{
	const char *rest = config->trace_headers;
	char line[HEADER_BYTES];
	size_t used = 0;
	int count = 0;
	bool wrong;

	export->headers_size = 2 * strlen(rest) + 1; /* a header grows by two bytes and has three at least */
	export->headers = mem_zero(export->headers_size);
	export->request.headers[count++] = "Content-Type: application/json";
	while (count < OUTBOUND_HEADERS_MAX - 1 && otlp_header(&rest, line, sizeof(line), &wrong)) {
		export->request.headers[count++] = memcpy(export->headers + used, line, strlen(line) + 1);
		used += strlen(line) + 1;
	}
	explicit_bzero(line, sizeof(line));
	config_forget(config, SETTING_TRACE_HEADERS);
}

struct trace_export *
trace_export_new(struct event_base *base, const struct heritage *heritage)
{
	static const struct timeval look = {.tv_usec = LOOK_US};
	struct trace_export *export = mem_zero(sizeof(*export));
	const struct config *config = heritage->config;
	struct utsname name;
	struct slice bad;
	bool known = cidr_list_parse(SLICE("0.0.0.0/0,::/0"), &export->anywhere, &bad);

	INVARIANT(known);
	export->heritage = heritage;
	export->outbound = outbound_new(base, &export->anywhere);
	export->pause_us = PAUSE_MIN_US;
	export->request =
	    (struct outbound_request){.url = config->trace_endpoint, .timeout_ms = TIMEOUT_MS, .answer_max = ANSWER_BYTES};
	snprintf(export->instance, sizeof(export->instance), "%.*s", (int)sizeof(heritage->board->node),
	         heritage->board->node);
	if (uname(&name) == 0)
		snprintf(export->host, sizeof(export->host), "%.64s", name.nodename);
	set_headers(export, config);
	export->ring_drops = mem_zero((size_t)span_rings_count() * sizeof(*export->ring_drops));
	for (int slot = 0; slot < span_rings_count(); slot++)
		export->ring_drops[slot] = atomic_load(&heritage->spans[slot].dropped);
	export->look = event_new(base, -1, EV_PERSIST, on_look, export);
	INVARIANT(export->look && event_add(export->look, &look) == 0);
	return export;
}

bool
trace_export_flush(struct trace_export *export)
{
	go_on(export);
	return !export->sending && !export->spans && !has_spans(export);
}

void
trace_export_free(struct trace_export *export)
{
	event_free(export->look);
	outbound_free(export->outbound);
	cidr_list_free(&export->anywhere);
	buf_free(&export->body);
	explicit_bzero(export->headers, export->headers_size);
	free(export->headers);
	free(export->ring_drops);
	free(export);
}
