/*
 * tracing.h - a request's place in a trace (W3C Trace Context), and what is recorded of it (shared/span.h).
 *
 * Without the setting TRACING nothing is recorded, and a trace that came in is passed on as it came: to the log, to the
 * answer, to the tasks that the request makes. With it, agentd's spans stand in between.
 */
#ifndef AGENTD_TRACING_H
#define AGENTD_TRACING_H

#include "base.h"
#include "json_write.h"

struct db_result;
struct request;

/* Reads the headers of a request that has some, or begins a trace if its turn has come. */
void tracing_begin(struct request *request);
/* The request is over, and whole still. */
void tracing_end(const struct request *request, int64_t took_us);

/* What the request's tasks are to keep; absent: it belongs to no trace that anybody records. */
struct slice tracing_parent(struct request *request);
struct slice tracing_state(struct request *request);

/* Adds to a leased task the trace that it was made in, and records how long it waited. */
void tracing_write_lease(struct request *request, struct json_writer *writer, const struct db_result *result, int row);
/* A holder has settled its task, saying by the request's traceparent which attempt it was: records how long it ran. */
void tracing_settled(const struct request *request, struct slice id, struct slice epoch,
                     const struct db_result *result);

#endif
