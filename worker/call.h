/*
 * call.h - one call of an endpoint's query: its parameters, and what becomes of it. See calls.h for how it is sent.
 */
#ifndef AGENTD_CALL_H
#define AGENTD_CALL_H

#include "db.h"
#include "request.h"

struct call {
	struct request *request;
	int token;           /* of its object in the body; JSON_NONE without a body */
	enum query_id query; /* of the endpoint, unless call_switch() chose another */
	struct field_value *fields;
	struct slice *values;
	int status;
	bool is_error;
	bool again; /* was sent once more by its finish function */
	int64_t retry_after_s;
	struct once_call *once; /* its answer is stored under an Idempotency-Key */
	struct buf out;
};

/* Makes the call's outcome an error; returns false, so that prepare can end with it. */
bool call_fail(struct call *call, enum error error, const char *detail);
bool call_fail_fields(struct call *call, const struct field_errors *errors);
/* Sets a derived parameter. */
void call_set(struct call *call, const char *name, struct slice value);
/* Uses another query instead; parameters that the endpoint's own does not have are absent until set. */
void call_switch(struct call *call, enum query_id query);
/* A body field by name, which must exist. */
struct field_value *call_field(struct call *call, const char *name);
/* A parameter as it will be or was sent. */
struct slice call_value(const struct call *call, const char *name);
/* The path's thing is not there: 404. */
void call_not_found(struct call *call);
/* What becomes of a call: its answer from the rows, or from a failure; what follows once it is committed. */
void call_write(struct call *call, const struct db_result *result);
void call_failed(struct call *call, const struct db_result *result);
void call_follow(struct call *call, const struct db_result *result);
/* The default way of making the answer. */
void call_finish(struct request *request, struct call *call, const struct db_result *result);
/*
 * For writes of a lease's holder: by the column _result, 404, 409 with what is, or the row. Returns true when it was ok.
 */
bool call_finish_fenced(struct request *request, struct call *call, const struct db_result *result);
/* 409 with what is, from the columns status and _epoch: the lease has ended, or another holds the task. */
void call_stale(struct call *call, const struct db_result *result);
/* True if the statement refused in words (column _refused): the outcome is 409 with them. */
bool call_refused(struct call *call, const struct db_result *result);
/* Writes row 0 as the answer with this status. */
void call_write_row(struct call *call, const struct db_result *result, int status);

#endif
