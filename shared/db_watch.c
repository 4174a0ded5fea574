/*
 * db_watch.c - what is said of a statement when it is over: the slow-query log, and a span in the trace of each call.
 *
 * A statement is named by its query, never by its text or its values: those may be anybody's.
 */
#include "clock.h"
#include "db_private.h"
#include "log.h"
#include "metrics.h"
#include "probe.h"
#include "span.h"

enum { IDS_SHOWN = 5 };

static const char *const status_names[] = {[DB_OK] = "ok",
                                           [DB_FAILED] = "refused",
                                           [DB_UNAVAILABLE] = "unavailable",
                                           [DB_TIMEOUT] = "timeout",
                                           [DB_OVERLOADED] = "overloaded"};

/* The first few of a batch, each once; a batch may be of hundreds. */
static void
list_requests(const struct db_execution *execution, struct buf *out)
{
	struct slice shown[IDS_SHOWN];
	const struct db_call *call;
	int count = 0;

	TAILQ_FOREACH(call, &execution->calls, entry)
	{
		struct slice id = context_id(&call->context);
		bool known = !id.data;

		for (int i = 0; i < count && !known; i++)
			known = slice_equal(shown[i], id);
		if (known)
			continue;
		if (count == IDS_SHOWN) {
			buf_add_text(out, " ...");
			return;
		}
		shown[count++] = id;
		buf_add_text(out, count > 1 ? " " : "");
		buf_add_slice(out, id);
	}
}

static void
log_slow(const struct db_execution *execution, enum db_status status, int64_t took_us)
{
	const struct query *query = &query_table[execution->query];
	struct buf ids = {0};

	list_requests(execution, &ids);
	metrics_add(METRIC_SLOW_QUERIES, 0, 1);
	log_warning("slow", "slow query", LOG_TEXT("query", query->name), LOG_INT("duration_ms", took_us / 1000),
	            LOG_INT("calls", execution->count), LOG_INT("rows", execution->rows ? PQntuples(execution->rows) : 0),
	            LOG_TEXT("outcome", status_names[status]), LOG_SLICE("request_ids", buf_slice(&ids)));
	buf_free(&ids);
}

/* From the call's queueing on: how long it waited for its turn is an attribute. */
static void
record(const struct db *db, const struct db_execution *execution, const struct db_call *call, enum db_status status,
       int64_t now_us)
{
	static struct span span;
	const struct query *query = &query_table[execution->query];
	int64_t wall_us = clock_wall_us() - now_us; /* from the one clock to the other */
	int64_t queued_us = call->deadline_us - (int64_t)db->options.statement_timeout_ms * 1000;
	uint8_t id[TRACE_SPAN_SIZE];

	trace_new_span(id);
	span_begin(&span, &call->context.trace, id, call->context.trace.span, SPAN_CLIENT);
	span.begin_us = wall_us + queued_us;
	span.end_us = wall_us + now_us;
	span.failed = status != DB_OK;
	snprintf(span.name, sizeof(span.name), "%s", query->name);
	span_text(&span, SPAN_DB_SYSTEM, SLICE("postgresql"));
	span_text(&span, SPAN_DB_OPERATION, slice_of(query->name));
	span_int(&span, SPAN_DB_QUEUED_US, execution->sent_us - queued_us);
	if (execution->count > 1)
		span_int(&span, SPAN_DB_BATCH_SIZE, execution->count);
	if (execution->rows)
		span_int(&span, SPAN_DB_ROWS, PQntuples(execution->rows));
	if (execution->sqlstate[0])
		span_text(&span, SPAN_DB_STATUS, slice_of(execution->sqlstate));
	if (status != DB_OK)
		span_text(&span, SPAN_ERROR_TYPE,
		          slice_of(execution->sqlstate[0] ? execution->sqlstate : status_names[status]));
	span_end(&span);
}

void
db_watch(const struct db *db, const struct db_execution *execution, enum db_status status)
{
	int64_t now_us = clock_steady_us();
	const struct db_call *call;

	PROBE_5(batch__end, query_table[execution->query].name, execution->count,
	        execution->rows ? PQntuples(execution->rows) : 0, now_us - execution->sent_us, status);
	if (db->slow_us && now_us - execution->sent_us >= db->slow_us)
		log_slow(execution, status, now_us - execution->sent_us);
	TAILQ_FOREACH(call, &execution->calls, entry)
	if (span_is_recorded(&call->context.trace))
		record(db, execution, call, status, now_us);
}
