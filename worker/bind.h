/*
 * bind.h - where each parameter of an endpoint's query comes from, found by name once at start.
 *
 * In this order: a constant or derived parameter of the row, the path, the body, the query string, the request itself
 * (tenant, actor, actor_id, address, request_id, id, all_keys). tenant always comes from who asks.
 */
#ifndef AGENTD_BIND_H
#define AGENTD_BIND_H

#include "call.h"
#include "request.h"

/* Resolves every row of the table. A parameter that nothing gives breaks an invariant, naming it on standard error. */
void bind_init(void);
/* Gives the parameters of one call their values; call->values has room for all. */
void bind_call(struct request *request, struct call *call);
/* False if a value of the path cannot be the id that it stands for: there is no such thing then. */
MUST_CHECK bool bind_path_fits(const struct request *request, const struct call *call);

#endif
