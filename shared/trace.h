/*
 * trace.h - the W3C Trace Context of a request (https://www.w3.org/TR/trace-context/): which trace it belongs to, the
 * span that works on it here, and the span that asked for it.
 *
 * Pure but for the random source. Of what came from outside only what the grammar allows is believed; anything else
 * is as if it had not come.
 */
#ifndef AGENTD_TRACE_H
#define AGENTD_TRACE_H

#include "base.h"

enum {
	TRACE_ID_SIZE = 16,
	TRACE_SPAN_SIZE = 8,
	TRACE_ID_TEXT = 2 * TRACE_ID_SIZE,
	TRACE_SPAN_TEXT = 2 * TRACE_SPAN_SIZE,
	TRACE_PARENT_TEXT = 55, /* "00-", 32 digits, "-", 16 digits, "-", 2 digits */
	TRACE_STATE_MAX = 512
};

struct trace {
	bool present;
	bool sampled; /* its spans are recorded */
	uint8_t id[TRACE_ID_SIZE];
	uint8_t span[TRACE_SPAN_SIZE];
	uint8_t parent[TRACE_SPAN_SIZE]; /* zeros: it is the first of its trace */
};

/* Reads a traceparent: its span becomes the parent, span is new. False: it is not one, and *trace_r is not present. */
MUST_CHECK bool trace_parse(struct slice traceparent, struct trace *trace_r);
/* Begins a trace, sampled with that probability. */
void trace_begin(struct trace *trace_r, double rate);
/* Writes the traceparent that names span as the parent; returns it. */
struct slice trace_write(const struct trace *trace, const uint8_t span[TRACE_SPAN_SIZE],
                         char out[TRACE_PARENT_TEXT + 1]);
/* The id in hexadecimal digits, with a NUL. */
void trace_id_write(const struct trace *trace, char out[TRACE_ID_TEXT + 1]);
void trace_new_span(uint8_t span_r[TRACE_SPAN_SIZE]);
/*
 * Makes the id of a task, in its text form, say whether the task may have a trace: bit 0 of its byte 13, which all
 * tasks of a plan share. task_lease.sql looks for the trace of no other.
 */
void trace_mark(char *id, bool traced);
/* True for a tracestate that may be passed on: a list of key=value, 512 bytes and 32 members at most. */
MUST_CHECK bool trace_state_is_valid(struct slice tracestate);

#endif
