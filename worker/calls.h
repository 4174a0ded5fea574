/*
 * calls.h - the handle stage for endpoints with a query: one call for the body, or one for each element of an array.
 *
 * Each call has its own outcome. Alone, its outcome is the answer; in an array, the answer is an array of the same
 * order of {"status": n, "body": ...}. Calls go to the database side by side, so those of a :batch query share
 * executions.
 */
#ifndef AGENTD_CALLS_H
#define AGENTD_CALLS_H

#include "call.h"

enum { CALLS_MAX = 1000 };

struct calls {
	int count;
	int left;
	bool array;
	struct call list[];
};

/* Frees what answers have that were never put together; calls may be NULL. */
void calls_free(struct calls *calls);
/* From a finish function: sends the call again as another query; finish is called anew with what that says. */
void call_again(struct call *call, enum query_id query);
/* The call has its outcome; the request goes on with the last of them. */
void call_end(struct call *call);

#endif
