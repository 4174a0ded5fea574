/*
 * db_answer.c - what becomes of an execution that is over: its rows go to its calls, or its failure does, or the calls
 * go again: all together when they lost a race, one by one when one of them is guilty.
 */
#include "db.h"
#include "db_private.h"
#include "metrics.h"

enum {
	ROWS_MANY = 128, /* handing them out takes long */
	CALLS_ENOUGH = 5 /* for a batch; fewer rather wait for those that come meanwhile */
};

/* The one place where a call ends. */
static void
answer(struct db *db, struct db_call *call, const struct db_result *result)
{
	const struct context *before = context_enter(&call->context);

	db->pending--;
	call->done(call->arg, result);
	context_enter(before);
	TAILQ_INSERT_HEAD(&db->unused, call, entry);
}

void
db_answer_without_rows(struct db *db, struct db_call *call, enum db_status status, const struct db_execution *execution)
{
	static const char *const messages[] = {[DB_OK] = "",
	                                       [DB_FAILED] = "refused",
	                                       [DB_UNAVAILABLE] = "the database cannot be reached",
	                                       [DB_TIMEOUT] = "the database did not answer in time",
	                                       [DB_OVERLOADED] = "too many requests wait for the database",
	                                       [DB_FULL] = "the disk of the database is full"};
	struct db_result result = {.status = status, .sqlstate = "", .message = messages[status], .constraint = ""};

	db_measure_failed(status);
	if (status == DB_FAILED && execution) {
		result.sqlstate = execution->sqlstate;
		result.message = execution->message;
		result.constraint = execution->constraint;
	} else if (status == DB_UNAVAILABLE && execution && strcmp(execution->sqlstate, "25006") == 0) {
		result.message = "the database can only be read at the moment: it is a standby, or somebody made it read-only";
	} else if (status == DB_FAILED) {
		result.sqlstate = "22P02";
		result.message = "a value does not have its parameter's type";
	}
	answer(db, call, &result);
}

static int
row_ordinal(const PGresult *rows, int row)
{
	return (int)strtol(PQgetvalue(rows, row, 0), NULL, 10);
}

static bool
has_ordinals(const struct db_execution *execution)
{
	const struct query *query = &query_table[execution->query];

	return query->kind == QUERY_KIND_BATCH && !query->shared;
}

/* Rows come ordered by ordinal; each call gets its run of them, which may be empty. Moves result on to the next call.
 */
static void
next_rows(const struct db_execution *execution, int ordinal, struct db_result *result)
{
	bool batch = has_ordinals(execution);
	int total = PQntuples(execution->rows);
	int next = batch ? result->first + result->count : 0;

	result->first = next;
	while (next < total && (!batch || row_ordinal(execution->rows, next) == ordinal))
		next++;
	result->count = next - result->first;
}

static struct db_result
all_rows(const struct db_execution *execution)
{
	return (struct db_result){.status = DB_OK,
	                          .sqlstate = "",
	                          .message = "",
	                          .constraint = "",
	                          .rows = execution->rows,
	                          .skip = has_ordinals(execution) ? 1 : 0};
}

static void
hand_out_rows(struct db *db, struct db_execution *execution)
{
	struct db_result result = all_rows(execution);
	struct db_call *call;
	int ordinal = 0;

	while ((call = TAILQ_FIRST(&execution->calls))) {
		TAILQ_REMOVE(&execution->calls, call, entry);
		next_rows(execution, ++ordinal, &result);
		answer(db, call, &result);
	}
}

void
db_step(struct db *db, struct db_execution *execution)
{
	struct db_result result = all_rows(execution);
	struct db_call *call;
	int ordinal = 0;

	(void)db;
	TAILQ_FOREACH(call, &execution->calls, entry)
	{
		next_rows(execution, ++ordinal, &result);
		call->after_values = call->then->step(call->arg, &result);
	}
}

/* Puts the calls of an execution back at the head of their queue, in order. */
static void
queue_again(struct db *db, struct db_execution *execution, bool alone)
{
	struct db_call *call;

	metrics_add(METRIC_DB_RETRIES, 0, execution->count);
	while ((call = TAILQ_LAST(&execution->calls, db_calls))) {
		TAILQ_REMOVE(&execution->calls, call, entry);
		call->alone = call->alone || alone;
		call->tries++;
		db_queue_return(db, execution->lane, call);
	}
}

/* A row that a new partition took from the default one while it was on its way violates a constraint without a name. */
static bool
lost_a_race(const struct db_execution *execution)
{
	return strcmp(execution->sqlstate, "40P01") == 0 || strcmp(execution->sqlstate, "40001") == 0 ||
	       (strcmp(execution->sqlstate, "23514") == 0 && !execution->constraint[0]);
}

/* What PostgreSQL's refusal means for the calls: classes 53, 57 and 58 are its own trouble, not the calls'. */
static enum db_status
status_of(const struct db_execution *execution)
{
	if (strcmp(execution->sqlstate, "57014") == 0)
		return DB_TIMEOUT;
	if (strcmp(execution->sqlstate, "53100") == 0)
		return DB_FULL;
	/* A session that cannot write: PostgreSQL is a standby now, or was one when the connection was made. */
	if (strcmp(execution->sqlstate, "25006") == 0)
		return DB_UNAVAILABLE;
	if (strncmp(execution->sqlstate, "53", 2) == 0 || strncmp(execution->sqlstate, "57", 2) == 0 ||
	    strncmp(execution->sqlstate, "58", 2) == 0 || strncmp(execution->sqlstate, "08", 2) == 0)
		return DB_UNAVAILABLE;
	return DB_FAILED;
}

/* PostgreSQL should not wait for its next statement until the answers of this one are written. */
static void
dispatch_ahead(struct db *db, const struct db_execution *execution)
{
	if (execution->lane >= 0 &&
	    (PQntuples(execution->rows) >= ROWS_MANY || db->lanes[execution->lane].queued >= CALLS_ENOUGH))
		db_dispatch_ahead(db, execution->lane);
}

void
db_finished(struct db *db, struct db_execution *execution, enum db_status status)
{
	struct db_call *call;

	if (execution->lane >= 0)
		db->lanes[execution->lane].in_flight--;
	db_measure_answered(execution);
	if (status == DB_FAILED)
		status = status_of(execution);
	if (execution->lane >= 0)
		db_watch(db, execution, status);
	if (status == DB_OK) {
		dispatch_ahead(db, execution);
		hand_out_rows(db, execution);
	} else if (status == DB_FAILED && lost_a_race(execution) &&
	           TAILQ_FIRST(&execution->calls)->tries < db->options.retries) {
		queue_again(db, execution, false);
	} else if (status == DB_FAILED && execution->count > 1) {
		queue_again(db, execution, true);
	} else {
		while ((call = TAILQ_FIRST(&execution->calls))) {
			TAILQ_REMOVE(&execution->calls, call, entry);
			db_answer_without_rows(db, call, status, execution);
		}
	}
	db_execution_free(execution);
	db_wake(db);
}
