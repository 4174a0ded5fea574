/* body.h - the body of an endpoint with steps of its own (those with a query have calls.c). */
#ifndef AGENTD_BODY_H
#define AGENTD_BODY_H

#include "request.h"

/* Checks the body against the endpoint's fields and fills values. False: the answer is an error already. */
MUST_CHECK bool body_read(struct request *request, struct field_value *values);

#endif
