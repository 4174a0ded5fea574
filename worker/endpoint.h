/*
 * endpoint.h - what an endpoint is: one row says everything about it.
 *
 * Most endpoints are a row and a query: the fields check the body, the query's parameters are bound by name, the rows
 * become JSON by column alias. prepare and finish are for what a row cannot say; steps replace all of it for endpoints
 * that do something else, or come before them. The table is worker/endpoints.c, its rows are in worker/endpoints_*.def; the OpenAPI document is made from it.
 *
 * To add an endpoint: 1. its SQL in sql/query/, 2. its row in endpoints_GROUP.def, 3. a scenario in tests/scenario/files/.
 */
#ifndef AGENTD_ENDPOINT_H
#define AGENTD_ENDPOINT_H

#include "base.h"
#include "field.h"
#include "http_parse.h"
#include "perm.h"
#include "query.h"
#include "scope.h"

struct call;
struct db_result;
struct request;

enum step { STEP_NEXT, STEP_WAIT, STEP_DONE };
typedef enum step request_step(struct request *request);

enum limit_class {
	LIMIT_CLASS_DEFAULT,
	LIMIT_CLASS_NONE, /* probes */
	LIMIT_CLASS_LOGIN /* a tenth of the default, by address */
};

/* Quotas that a worker checks before it makes something: see worker/tenant_bounds.h. */
enum tenant_bound { TENANT_BOUND_NONE, TENANT_BOUND_TASKS, TENANT_BOUND_WORKFLOWS };

enum { ENDPOINT_STEPS_MAX = 4, ENDPOINT_PATH_MAX = 2, ENDPOINT_CONSTANTS_MAX = 8, ENDPOINT_REACHES_MAX = 2 };

/*
 * What tells whether a limited scope fits: a value of the path, else a field of the body, or, without a name, what is
 * asked ahead or a step finds out.
 */
struct endpoint_reach {
	enum scope_kind kind;
	const char *name;
};

/* A parameter that the row itself sets. value NULL is SQL's NULL; ENDPOINT_DERIVED: prepare sets it. */
struct endpoint_constant {
	const char *name;
	const char *value;
};
extern const char ENDPOINT_DERIVED[];

/* A named JSON object of the API, for answers and their documentation. */
struct schema {
	const char *name;
	const struct field *fields;
};

#define ENDPOINT_SQL(name) (QUERY_##name + 1)

struct endpoint {
	enum http_method method;
	const char *path;      /* "/api/v1/tasks/{id}" */
	const char *operation; /* operationId: unique */
	const char *tag;
	const char *doc;
	enum perm perm;
	enum limit_class limit;
	bool only_default; /* for those of the tenant `default`, who look after the others */
	enum tenant_bound bound; /* makes what a quota of the tenant bounds; 0: nothing of that kind */
	const struct field *body; /* NULL: no body, or an empty object */
	bool once;                /* creates: understands Idempotency-Key */
	bool essential; /* a write that goes on while a disk is full: ends what has begun, lets people in, or makes room */
	bool sealed;    /* its answer holds a secret: what is stored of it is encrypted */
	bool body_optional; /* nothing at all is as good as {} */
	bool many;          /* an array of bodies is understood too */
	const struct field *query;
	int status; /* of success; 0: 200 */
	const struct schema *reply;
	int sql;       /* ENDPOINT_SQL(); 0: steps alone */
	int elsewhere; /* ENDPOINT_SQL() of the archive's query, asked when the first finds nothing; 0: none */
	int within;    /* ENDPOINT_SQL() of what a list is of, asked when the list is empty: not there either, 404; 0: none */
	const char *content_type; /* of success; NULL: application/json */
	struct endpoint_constant constants[ENDPOINT_CONSTANTS_MAX];
	struct endpoint_reach reaches[ENDPOINT_REACHES_MAX];
	/*
	 * ENDPOINT_SQL() of a query asked before the own one, whose parameters are all among those of the own one; judge looks
	 * at its rows, and says false if call_fail() was told why not. Without reaches always, else for limited scopes.
	 */
	int ahead;
	bool (*judge)(struct request *request, struct call *call, const struct db_result *result);
	/* Sets derived parameters of one call; false: call_fail() was told why. */
	bool (*prepare)(struct request *request, struct call *call);
	/* Makes the answer of one call from its rows, which may not be committed yet; NULL: by the kind of query. */
	void (*finish)(struct request *request, struct call *call, const struct db_result *result);
	/* After the commit, unless the answer is an error: wake-ups and the like. */
	void (*follow)(struct request *request, struct call *call, const struct db_result *result);
	request_step *steps[ENDPOINT_STEPS_MAX]; /* with sql: run before its calls are made */
};

extern const struct endpoint endpoint_table[];
extern const int endpoint_count;

#endif
