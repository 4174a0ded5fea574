/*
 * route.h - from method and path to an endpoint: a tree of path segments made from the endpoint table at start.
 */
#ifndef AGENTD_ROUTE_H
#define AGENTD_ROUTE_H

#include "base.h"
#include "endpoint.h"

/* Builds the tree; call once. A table with two rows of one method and path breaks an invariant. */
void route_init(void);

struct route {
	const struct endpoint *endpoint; /* NULL: see allowed */
	uint32_t allowed;                /* methods that the path has, as bits 1 << enum http_method; 0: no such path */
	struct slice values[ENDPOINT_PATH_MAX]; /* of {placeholders}, still percent-encoded */
};

void route_find(enum http_method method, struct slice path, struct route *route_r);

#endif
