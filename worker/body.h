/* body.h - the body of an endpoint with steps of its own (those with a query have calls.c). */
#ifndef AGENTD_BODY_H
#define AGENTD_BODY_H

#include "request.h"

/* Checks the body against the endpoint's fields and fills values. False: the answer is an error already. */
MUST_CHECK bool body_read(struct request *request, struct field_value *values);
/* The same without an answer: what does not fit is added to errors, for who has more to say about it. */
MUST_CHECK bool body_check(struct request *request, struct field_value *values, struct field_errors *errors);
/* True if the field is there and is a text, whatever else is wrong with it. */
bool body_has_text(const struct request *request, const struct field_value *value);

#endif
