/*
 * tracing.h - a request's place in a trace (W3C Trace Context).
 *
 * A traceparent that came is kept whatever the settings say, for the log and for the tasks that the request makes.
 */
#ifndef AGENTD_TRACING_H
#define AGENTD_TRACING_H

#include "base.h"

struct request;

/* Reads the headers of a request that has some. */
void tracing_begin(struct request *request);

#endif
