/*
 * reach.h - keys whose scopes give a permission for some names only (shared/scope.h): is this request about one of
 * them?
 *
 * What a request is about stands in the path, in a field of the body, or is looked up before its statement is sent; the
 * endpoint's row says which (reaches, ahead). One of them that fits is enough. An endpoint that says nothing is closed
 * to such keys, and a limit that no endpoint of its permission could hold is refused when a key is made: nothing is
 * ignored.
 */
#ifndef AGENTD_REACH_H
#define AGENTD_REACH_H

#include "call.h"
#include "scope.h"

/* True if an endpoint of the permission can tell names of that kind. */
bool reach_enforces(uint32_t perms, enum scope_kind kind);

/* From the authorize stage, for a key that has the endpoint's permission with a limit only. */
enum step reach_begin(struct request *request);

/* True if the request needs no look, or the key may do it with this name. For endpoints with steps of their own. */
bool reach_allows(const struct request *request, enum scope_kind kind, struct slice name);
/* The answer for what it may not. */
enum step reach_refuse(struct request *request);

/* One call, its fields checked. False: call_fail() was told why. */
bool reach_call(struct request *request, struct call *call);
/* endpoint.judge of those whose row names reach_task or the like to be asked ahead. */
bool reach_judge(struct request *request, struct call *call, const struct db_result *result);

#endif
