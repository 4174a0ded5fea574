/*
 * span.h - finished pieces of work of a trace, on their way from the processes of a node to its keeper, which exports
 * them.
 *
 * Each slot of the scoreboard has a ring in shared memory, mapped before the first fork: its process is the only one
 * that puts spans in, the keeper the only one that takes them out. A full ring drops the span and counts it: nothing
 * waits, nothing is allocated. What a crashed process had finished is still there.
 */
#ifndef AGENTD_SPAN_H
#define AGENTD_SPAN_H

#include "base.h"
#include "trace.h"

#include <stdatomic.h>

enum { SPAN_RING = 2048, SPAN_NAME = 96, SPAN_BYTES = 360 };

/* The numbers of OTLP. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3, SPAN_PRODUCER = 4, SPAN_CONSUMER = 5 };

/* The names of attributes: shared/span.c has the texts, from the semantic conventions where they have one. */
enum span_key {
	SPAN_HTTP_METHOD,
	SPAN_HTTP_ROUTE,
	SPAN_HTTP_STATUS,
	SPAN_URL_PATH,
	SPAN_CLIENT_ADDRESS,
	SPAN_USER_ID,
	SPAN_BODY_SIZE,
	SPAN_REQUEST_ID,
	SPAN_TENANT,
	SPAN_ERROR_TYPE,
	SPAN_DB_SYSTEM,
	SPAN_DB_OPERATION,
	SPAN_DB_BATCH_SIZE,
	SPAN_DB_ROWS,
	SPAN_DB_STATUS,
	SPAN_DB_QUEUED_US,
	SPAN_TASK_ID,
	SPAN_TASK_ROLE,
	SPAN_TASK_ATTEMPT,
	SPAN_TASK_EPOCH,
	SPAN_AGENT_ID,
	SPAN_PROCESS,
	SPAN_KEYS
};

struct span {
	uint8_t trace[TRACE_ID_SIZE];
	uint8_t id[TRACE_SPAN_SIZE];
	uint8_t parent[TRACE_SPAN_SIZE]; /* zeros: none */
	int64_t begin_us;                /* wall clock */
	int64_t end_us;
	uint8_t kind;
	uint8_t failed; /* not a bool: other processes write it */
	uint16_t length; /* of bytes */
	char name[SPAN_NAME];
	uint8_t bytes[SPAN_BYTES]; /* attributes and events, by the functions below */
};

struct span_ring {
	_Atomic uint64_t head; /* put so far */
	_Atomic uint64_t tail; /* taken so far */
	_Atomic uint64_t dropped;
	struct span spans[SPAN_RING];
};

/* Rings for so many slots (shared_memory.h); pages that nobody touches cost nothing. NULL: errno says why. */
MUST_CHECK struct span_ring *span_rings_map(int count);
/* How many were mapped: memory of this process, which no other can write. */
int span_rings_count(void);
/* The ring of this process; NULL: it has none, and nothing is recorded. */
void span_use(struct span_ring *ring);
/* Whether spans are recorded: the setting TRACING. */
void span_record(bool wanted);
bool span_is_recorded(const struct trace *trace);

void span_begin(struct span *span, const struct trace *trace, const uint8_t id[TRACE_SPAN_SIZE],
                const uint8_t parent[TRACE_SPAN_SIZE], enum span_kind kind);
/* What does not fit is cut, or left out. An absent text is left out. */
void span_text(struct span *span, enum span_key key, struct slice text);
void span_int(struct span *span, enum span_key key, int64_t number);
void span_event(struct span *span, const char *name, int64_t at_us);
/* Puts it into the ring of this process. */
void span_end(const struct span *span);

/* The keeper's side: the oldest span of a ring, copied. False: there is none. */
MUST_CHECK bool span_take(struct span_ring *ring, struct span *span_r);
/* One attribute or event after the other, from *at (0 at first) on. False: that was all, or what follows makes no
 * sense. */
struct span_part {
	bool is_event;
	bool is_text;
	const char *name;  /* of an attribute */
	struct slice text; /* its value, or the name of the event */
	int64_t number;    /* its value, or the time of the event */
};
MUST_CHECK bool span_next(const struct span *span, size_t *at, struct span_part *part_r);

#endif
