/*
 * request.h - one request on its way through the stages, and what every stage and handler may use.
 *
 * The way is one array of stages (request.c), walked by request_run(): a stage says next, wait or done; database and
 * other completions come back through request_resume(), never before the stage that waits has returned. A stage reads
 * what stages to its left wrote. Errors jump to the reply, so stages hold only the happy path. Everything that a
 * request allocates lives in its arena. If the client goes away the request is orphaned and freed when it ends.
 */
#ifndef AGENTD_REQUEST_H
#define AGENTD_REQUEST_H

#include "arena.h"
#include "base.h"
#include "buf.h"
#include "conn.h"
#include "context.h"
#include "endpoint.h"
#include "error.h"
#include "json_write.h"
#include "limit.h"

struct follower;
struct quota_check;
struct waiter;

enum principal_kind { PRINCIPAL_NOBODY, PRINCIPAL_USER, PRINCIPAL_KEY };

/* Who asks. Texts live in the request's arena. */
struct principal {
	enum principal_kind kind;
	struct slice id;    /* user id, or key id */
	struct slice owner; /* user id that changes are made for; absent for a key without owner */
	struct slice name;
	struct slice role;
	uint32_t perms;   /* bits 1 << enum perm */
	uint32_t limited; /* those that a key has for some names only: scopes says which */
	const struct scopes *scopes;
	int64_t tenant;
	struct slice tenant_name;
	struct slice session; /* of a token, */
	int64_t changes;      /* and its claims rev and iat */
	int64_t issued_at;
	int64_t since_us; /* when it was admitted: clock_steady_us() */
	int64_t rate_limit; /* of a key; 0: the setting */
};

enum {
	REQUEST_ID_MAX = CONTEXT_ID_MAX,
	REQUEST_STAGES = 8,
	TENANT_DEFAULT = 1 /* id of the tenant `default`, which the first migration makes */
};

struct request {
	TAILQ_ENTRY(request) entry;
	struct worker *worker;
	struct conn *conn; /* NULL: orphaned */
	struct arena arena;
	struct buf bytes; /* what head and body point into, once orphaned */
	char *data;       /* the same bytes while the connection has them */

	/* Written by the parser. */
	enum http_method method;
	bool head_only;
	bool broken; /* not a valid message: it has no headers to look at */
	bool keep_alive;
	bool watch_close; /* the client's going is noticed while it waits */
	bool waited;      /* for work or events, for as long as it wanted */
	int64_t began_us; /* clock_steady_us() */
	bool timed;       /* its stages are */
	bool paused;      /* the stage at work has waited */
	int64_t stage_us; /* when the stage at work was entered first */
	int64_t left_us[REQUEST_STAGES]; /* when each stage was left, as far as that was measured; else 0 */
	bool failed;      /* counted as an error of a stage */
	struct slice path;
	struct slice query_text;
	struct slice body_text;
	struct slice id;      /* X-Request-Id */
	struct slice address; /* of the client, as far as trusted proxies tell */
	struct slice network; /* what limits go by: the address, of IPv6 its first 64 bits */

	/* Written by the stages, from left to right. */
	const struct endpoint *endpoint;
	uint32_t allowed; /* methods of the path, as bits, for 405 and OPTIONS */
	struct slice path_values[ENDPOINT_PATH_MAX];
	struct field_value *query;
	struct principal principal;
	struct principal suspect; /* whom a credential that was refused named; nobody, if that is not known */
	struct slice tenant_text; /* principal.tenant for SQL, made when first asked for */
	bool narrowed; /* by limited scopes, which nothing has met yet (reach.h) */
	struct quota_check *quota; /* NULL: nothing limits it */
	struct limit_verdict limit; /* the tightest of its limits */
	struct json body;
	bool has_body;
	struct calls *calls;
	struct once *once;         /* the request's Idempotency-Key */
	void *state;               /* of an endpoint with steps of its own */
	struct waiter *waiter;     /* while it waits for work */
	struct follower *follower; /* while it waits for events */

	/* The reply. */
	int status;
	const char *content_type;
	struct buf headers; /* extra, already in wire form */
	struct buf reply;
	bool own_policy;           /* headers has the Content-Security-Policy */
	struct slice static_reply; /* instead of reply: constant data */
	struct slice match;        /* a hash of what PATCH may change of it: for the ETag, and for If-Match to be held against */
	struct slice etag;         /* quoted, when the thing has a version of its own; absent: made from the answer */
	bool is_error;
	enum error error;      /* when is_error */
	struct slice refusal;  /* what a refusal (401, 403, 429) said, for the audit log */
	bool close;
	bool streaming; /* the head is written; the body grows until the request ends */
	int64_t retry_after_s;

	size_t body_bytes; /* of the answer, as far as it was written */

	struct context context;   /* its id and its trace, for what is done on its behalf */
	struct slice traceparent; /* the text, made when first asked for */

	/* Private to request.c. */
	size_t stage;
	size_t step;
	bool running;
	int64_t waits_since_us; /* 0: it does not wait */
	int64_t waited_us[REQUEST_STAGES];
};

/* Once in a process. */
void request_init(void);
/* Makes the request whose message conn has parsed; broken: the parser's error is its answer. */
struct request *request_new(struct conn *conn, bool broken);
/* Walks the stages. */
void request_run(struct request *request);
/* What was waited for has come: the waiting stage is run again (STEP_NEXT), or the answer is there (STEP_DONE). */
void request_resume(struct request *request, enum step outcome);
/* Frees every request, whatever it waits for; the process is about to end. */
void request_free_all(struct worker *worker);
/* The client has gone: the answer will be thrown away. */
void request_orphan(struct request *request);
/* All that a streaming answer has written is out. */
void request_written(struct request *request);

const char *request_stage_name(int stage);

/*
 * The database's time at this moment (shared/health.h), by which tokens and keys are judged and schedules are planned. Not
 * that of the last tick: a token may have been made since.
 */
int64_t request_time_us(const struct request *request);

struct slice request_header(const struct request *request, const char *lower_name);

/* Makes the answer an error and returns STEP_DONE. The detail is for people: what happened, why, what to do. */
enum step request_fail(struct request *request, enum error error, const char *detail, ...) PRINTF_LIKE(3, 4);
/* The same with a list of what is wrong. */
enum step request_fail_fields(struct request *request, enum error error, const struct field_errors *errors,
                              const char *detail);
/* What a database failure means for the client. */
enum step request_fail_database(struct request *request, const struct db_result *result);

/* A disk has no room for what is asked. */
enum step request_fail_full(struct request *request);

void request_add_header(struct request *request, const char *name, struct slice value);

/* stage_limit.c: what the limits say, for the head of an answer. */
void stage_limit_headers(struct request *request);
/* Somebody's credential was refused: who tries too many from one address is told to wait, whatever he sent. */
void stage_limit_stranger(struct request *request);

/* Stages, in stage.c and friends. */
enum step stage_cors(struct request *request);
enum step stage_route(struct request *request);
enum step stage_authenticate(struct request *request);
enum step stage_limit(struct request *request);
/*
 * How many requests somebody may still make now; counts as nothing. *check_r is NULL at first. False: it waits, and the
 * request is resumed to ask again with the same.
 */
MUST_CHECK bool stage_limit_left(struct request *request, const struct principal *who, struct quota_check **check_r,
                                 int64_t *left_r);
enum step stage_authorize(struct request *request);
enum step stage_body(struct request *request);
enum step stage_handle(struct request *request);
enum step stage_reply(struct request *request);
/*
 * An answer that grows: writes its head (status 200, the endpoint's content_type), then any number of pieces while the
 * request waits and its client is there. The connection closes with its end, which is the end of the request.
 */
void stage_stream_begin(struct request *request);
void stage_stream_write(struct request *request, struct slice data);

#endif
