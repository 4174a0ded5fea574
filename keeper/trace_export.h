/*
 * trace_export.h - takes the spans of all processes of the node out of shared memory and posts them to the collector
 * (settings TRACE_ENDPOINT, TRACE_HEADERS).
 *
 * One batch is on its way at a time. A collector that is away, slow or refuses them costs nobody anything but the
 * spans: what does not fit any more is dropped and counted. Nothing blocks.
 */
#ifndef AGENTD_TRACE_EXPORT_H
#define AGENTD_TRACE_EXPORT_H

#include "base.h"

struct event_base;
struct heritage;
struct trace_export;

/* Never NULL. */
struct trace_export *trace_export_new(struct event_base *base, const struct heritage *heritage);
void trace_export_free(struct trace_export *export);
/* Sends what there is without waiting for more; true when nothing is left. */
MUST_CHECK bool trace_export_flush(struct trace_export *export);

#endif
