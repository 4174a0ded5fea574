/*
 * db_watch.c - what is said of a statement when it is over: the slow-query log.
 *
 * A statement is named by its query, never by its text or its values: those may be anybody's.
 */
#include "clock.h"
#include "db_private.h"
#include "log.h"

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
	log_warning("slow", "slow query", LOG_TEXT("query", query->name), LOG_INT("duration_ms", took_us / 1000),
	            LOG_INT("calls", execution->count), LOG_INT("rows", execution->rows ? PQntuples(execution->rows) : 0),
	            LOG_TEXT("outcome", status_names[status]), LOG_SLICE("request_ids", buf_slice(&ids)));
	buf_free(&ids);
}

void
db_watch(const struct db *db, const struct db_execution *execution, enum db_status status)
{
	int64_t took_us = clock_steady_us() - execution->sent_us;

	if (db->slow_us && took_us >= db->slow_us)
		log_slow(execution, status, took_us);
}
