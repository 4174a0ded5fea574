/*
 * db.h - PostgreSQL for an event loop: a small pool of pipelined connections and the batching scheduler over them.
 *
 * Everything is asynchronous and belongs to one thread. db_send() queues a call; its callback runs later, never before
 * db_send() returned, exactly once. Calls to a :batch query that come while an execution of it is in flight are sent
 * together as the next one: no timers, no added latency when idle. When a batch fails because of what one call carries,
 * its calls are run again one by one, so that only the guilty one fails. Each execution is one transaction: when the
 * callback says DB_OK, the work is committed.
 *
 * Lost connections are made again with back-off. While there is none, calls fail at once with DB_UNAVAILABLE.
 */
#ifndef AGENTD_DB_H
#define AGENTD_DB_H

#include "base.h"
#include "query.h"

struct event_base;
struct db;

/* Something was said on the channel that is listened to. */
typedef void db_notified(void *arg, const char *payload);

struct db_options {
	const char *url;              /* libpq connection string */
	const char *application_name; /* seen in pg_stat_activity */
	int pool_size;
	int connect_timeout_ms;
	int statement_timeout_ms; /* of one execution, and of the wait for its turn */
	int retries;              /* after a deadlock or serialization failure */
	bool pooled; /* through a pooler that hands out connections by transaction: statements are unnamed */
	bool one_at_a_time; /* a connection has one execution at most: none waits behind another that is slow */
	const char *listen;       /* a channel, or NULL; the first connection hears it */
	db_notified *notified;
	void *notified_arg;
	bool all_tenants; /* every statement may see the rows of all of them: for the keeper */
	bool test_clock; /* now() is agentd_test.now(): see tests/scenario/README.md */
};

enum db_status {
	DB_OK,
	DB_FAILED,      /* PostgreSQL refused it: sqlstate, message, constraint say why; nothing was changed */
	DB_UNAVAILABLE, /* no connection, or it was lost; a lost one may have committed */
	DB_TIMEOUT,     /* no answer in time; may have committed */
	DB_OVERLOADED,  /* too many calls are waiting already; nothing was done */
	DB_FULL         /* PostgreSQL has no room on its disk; nothing was changed */
};

/* What a callback is given; valid until it returns. */
struct db_result {
	enum db_status status;
	const char *sqlstate;   /* five characters when DB_FAILED, else "" */
	const char *message;    /* never NULL */
	const char *constraint; /* name of a violated constraint, or "" */
	const void *rows;       /* private */
	int first;
	int count; /* rows of this call */
	int skip;  /* leading columns that are not the caller's: the ordinal of a batch */
};

typedef void db_done(void *arg, const struct db_result *result);

/* Starts to connect; never NULL. options are copied. The base must outlive the pool. */
struct db *db_new(struct event_base *base, const struct db_options *options);
/* Closes the connections; calls not yet answered get no callback. */
void db_free(struct db *db);
/* Statements that take so long are logged, with the requests they were for; 0: none. */
void db_set_slow(struct db *db, int64_t slow_ms);
/* True while at least one connection is up and has all statements prepared. */
bool db_ready(const struct db *db);
/* How many connections are up and have all statements prepared. */
int db_up(const struct db *db);
/* Gives every connection up, with what is on its way, and makes new ones at once. */
void db_reset(struct db *db, const char *why);
/* Why the last attempt to connect or prepare failed, or "". */
const char *db_last_error(const struct db *db);
/* Calls that have no answer yet. */
int db_pending(const struct db *db);

/*
 * Queues one call. values has one text per parameter of the query, in the query's order; an absent slice is NULL. The
 * array and the texts are borrowed until the callback ran.
 */
void db_send(struct db *db, enum query_id query, const struct slice *values, db_done *done, void *arg);

/*
 * The same with a statement before it and one after it, all in one transaction: for answers that are stored together with
 * what they are about. before and after are batches.
 */
struct db_then {
	enum query_id before;
	const struct slice *before_values;
	enum query_id after;
	/*
	 * Called with the rows while nothing is committed yet; returns the values for after, or NULL: nothing is to be stored.
	 * May be called again if the transaction had to be run again. Must not send anything.
	 */
	const struct slice *(*step)(void *arg, const struct db_result *result);
};

/* As db_send(); done comes after the commit, with the same rows. then is borrowed as values are. */
void db_send_then(struct db *db, enum query_id query, const struct slice *values, const struct db_then *then, db_done *done,
                  void *arg);

/* Index of a parameter by name, or -1. */
int db_param(enum query_id query, const char *name);

/* Rows: row counts from 0 to result->count - 1; a column index from 0. */
enum db_column_type { DB_COLUMN_TEXT, DB_COLUMN_NUMBER, DB_COLUMN_BOOL, DB_COLUMN_JSON, DB_COLUMN_TIME };
int db_columns(const struct db_result *result);
const char *db_column_name(const struct db_result *result, int column);
enum db_column_type db_column_type(const struct db_result *result, int column);
/* The column of that name, or -1. */
int db_column(const struct db_result *result, const char *name);
/* Text form of a cell; absent for NULL. */
struct slice db_cell(const struct db_result *result, int row, int column);
/* The cell of a named column, which must exist. */
struct slice db_get(const struct db_result *result, int row, const char *name);

#endif
