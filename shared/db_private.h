/* db_private.h - what db.c, db_connection.c and db_encode.c share; nobody else includes it. */
#ifndef AGENTD_DB_PRIVATE_H
#define AGENTD_DB_PRIVATE_H

#include "buf.h"
#include "context.h"
#include "db.h"

#include <libpq-fe.h>
#include <sys/queue.h>
#include <uthash.h>

struct event;

/* Calls with something before and after them wait and travel apart from the others. */
enum { DB_LANES = 2 * QUERY_COUNT };

enum {
	DB_BATCH_MAX = 512,       /* calls in one execution */
	DB_BATCH_BYTES = 4 << 20, /* parameter bytes in one execution: more wait for the next */
	DB_PIPELINE_MAX = 32,     /* executions in flight on one connection */
	DB_QUEUE_MAX = 20000,     /* calls that wait for one query */
	DB_BACKOFF_MIN_MS = 100,
	DB_BACKOFF_MAX_MS = 5000
};

struct db_call {
	TAILQ_ENTRY(db_call) entry;
	const struct slice *values;
	const struct db_then *then;       /* NULL: nothing before and after it */
	const struct slice *after_values; /* what the step said is to be stored; NULL: nothing */
	db_done *done;
	void *arg;
	int64_t deadline_us; /* for its turn to come */
	struct context context; /* of whom it is for */
	int tries;
	bool alone; /* was in a batch that failed: runs by itself */
};
TAILQ_HEAD(db_calls, db_call);

/* One trip: the statements of a query with one sync behind them. query < 0: settings of the connection. */
struct db_execution {
	TAILQ_ENTRY(db_execution) entry;
	int lane;
	int query;
	const struct db_then *then; /* of the first call: the queries are the same for all */
	int results;                /* that have come */
	bool stepped;               /* the steps have run, what is after them is on its way */
	struct db_calls calls;
	int count;
	int64_t sent_us;
	int64_t deadline_us;
	PGresult *rows; /* of the last statement of the query so far */
	char sqlstate[6];
	char *message;    /* owned; NULL while nothing failed */
	char *constraint; /* owned */
};
TAILQ_HEAD(db_executions, db_execution);

enum db_connection_state { DB_CONNECTION_DOWN, DB_CONNECTION_CONNECTING, DB_CONNECTION_PREPARING, DB_CONNECTION_UP };

struct db_connection {
	struct db *db;
	PGconn *conn;
	enum db_connection_state state;
	struct event *event;
	short watched;
	struct db_executions executions;
	struct db_execution *open; /* its transaction waits for a step: nothing else may be sent */
	int depth;
	struct buf tenants; /* the setting agentd.tenants, as the statements sent last left it */
	int64_t retry_us;    /* when DOWN: when to try again */
	int64_t deadline_us; /* when CONNECTING or PREPARING */
	int backoff_ms;
};

/* The calls of one tenant that wait in a lane. */
struct db_line {
	TAILQ_ENTRY(db_line) entry;
	struct db_calls calls;
	int count;
	int64_t tenant;
	UT_hash_handle hh;
};
TAILQ_HEAD(db_lines, db_line);

struct db_lane {
	struct db_lines turn; /* whose call is taken next stands first */
	struct db_line *by_tenant;
	int queued;
	int in_flight; /* executions */
	int64_t next_us; /* not before this time, for queries that gather their calls */
};

struct db {
	struct event_base *base;
	struct db_options options;
	char *url;
	int first_host; /* of those in url: with which attempts to connect begin (db_hosts.h) */
	char *application_name;
	struct db_connection *connections;
	struct event *dispatch;
	struct event *gather; /* dispatches again when the next lane may send */
	struct event *tick;
	struct db_lane lanes[DB_LANES];
	uint64_t waiting[(DB_LANES + 63) / 64]; /* lanes that may have queued calls, as bits */
	struct db_lines unused_lines;
	int pending;
	int told_up, told_busy, told_queued; /* of the gauges: this pool's share */
	struct db_calls unused; /* call records to use again */
	int64_t slow_us;        /* statements that take so long are logged; 0: none */
	struct buf scratch;
	struct buf tenants; /* of the execution that is being sent */
	char last_error[512];
};

/* db_queue.c */
void db_queue_init(struct db *db);
void db_queue_free(struct db *db);
void db_queue_put(struct db *db, int lane, struct db_call *call);
/* Back to the head of its line. */
void db_queue_return(struct db *db, int lane, struct db_call *call);
/* Whose turn it is, or NULL. */
struct db_call *db_queue_first(struct db *db, int lane);
/* The same, taken out; there must be one. */
struct db_call *db_queue_take(struct db *db, int lane);
/* The last call of the tenant who has the most. */
struct db_call *db_queue_take_surplus(struct db *db, int lane);
/* A call that has waited too long, or NULL. */
struct db_call *db_queue_take_due(struct db *db, int lane, int64_t due_us);

/* db_connect.c */
void db_connection_start(struct db_connection *connection);
/* The socket of a connection that is being made is ready: the next step. */
void db_connection_continue(struct db_connection *connection);
/* Sends the settings of the session, or, behind a pooler, of the transaction. */
MUST_CHECK bool db_connection_settings(struct db_connection *connection, const char *tenants);

/* db_connection.c */
/* Has the loop look at its socket for these events. */
void db_connection_watch(struct db_connection *connection, short what);
/* The only place where the state changes. */
void db_connection_move(struct db_connection *connection, enum db_connection_state state);
/* Gives it up: why goes to the log, its executions end with the status, and the next attempt is set. */
void db_connection_lose(struct db_connection *connection, enum db_status status, const char *why);
void db_connection_free(struct db_connection *connection);
/* Gives it up if it is being made or is up, and makes the next one as soon as possible. */
void db_connection_reset(struct db_connection *connection, const char *why);
/* Looks at deadlines and back-off. */
void db_connection_tick(struct db_connection *connection, int64_t now_us);
/* Sends an execution; the connection is UP. False: the connection broke, and with it the execution. */
void db_connection_send(struct db_connection *connection, struct db_execution *execution);
void db_connection_flush(struct db_connection *connection);

/* db_answer.c: an execution has ended, well or badly; takes it over. */
void db_finished(struct db *db, struct db_execution *execution, enum db_status status);
/* The rows of an execution that is still open go to the steps of its calls. */
void db_step(struct db *db, struct db_execution *execution);
/* Ends a call that gets no rows; execution may be NULL: it never was in one. */
void db_answer_without_rows(struct db *db, struct db_call *call, enum db_status status,
                            const struct db_execution *execution);

/* db.c */
struct db_execution *db_execution_new(int lane);
void db_execution_free(struct db_execution *execution);
void db_wake(struct db *db);
/* Sends what waits in this lane now, rather than when the loop comes round. */
void db_dispatch_ahead(struct db *db, int lane);

/* db_watch.c: an execution of a query is over, and its calls are still with it: what there is to say of it is said. */
void db_watch(const struct db *db, const struct db_execution *execution, enum db_status status);

/* db_tenants.c: the value of agentd.tenants for an execution, with its NUL. */
void db_tenants_write(const struct db_execution *execution, struct buf *out);

/* db_measure.c */
void db_measure_init(void);
/* A call of the execution is on its way; waited_us: since it was asked for. */
void db_measure_call(const struct db_execution *execution, int64_t waited_us);
void db_measure_sent(const struct db_execution *execution);
void db_measure_answered(const struct db_execution *execution);
void db_measure_failed(enum db_status status);
/* Brings the gauges up to date; at the end of a pool, to what they would be without it. */
void db_measure_pool(struct db *db, bool gone);

/* db_encode.c */
struct db_encoded {
	const char *values[QUERY_PARAMS_MAX];
	int lengths[QUERY_PARAMS_MAX];
	int formats[QUERY_PARAMS_MAX];
};
/* True if every value of the call can be sent as its parameter's type. */
MUST_CHECK bool db_encode_check(const struct query *query, const struct slice *values);
enum db_phase { DB_BEFORE, DB_QUERY, DB_AFTER };
/* The values of a call for the statements of that phase; NULL: it takes no part. */
const struct slice *db_call_values(const struct db_call *call, enum db_phase phase);
/* Binary parameters of one statement for all calls that take part; memory is scratch's. */
void db_encode(const struct query *query, const struct query_statement *statement, const struct db_calls *calls,
               enum db_phase phase, struct buf *scratch, struct db_encoded *encoded_r);

#endif
