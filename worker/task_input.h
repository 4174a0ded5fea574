/* task_input.h - what tasks outside and inside a workflow have in common when they are made. Pure. */
#ifndef AGENTD_TASK_INPUT_H
#define AGENTD_TASK_INPUT_H

#include "arena.h"
#include "json_read.h"

struct task_retry {
	bool fixed; /* else exponential */
	bool jitter;
	int64_t base_ms;
	int64_t max_ms;
};

/* The member `retry` of a task that has been checked; JSON_NONE: the defaults. */
struct task_retry task_input_retry(const struct json *json, int at);

/* The queue that a task waits in: its role, or '@' and the agent that it is bound to. */
struct slice task_input_queue(struct slice role, struct slice agent_id, struct arena *arena);

/* A field in seconds (a checked number, or absent) as whole milliseconds for SQL. */
struct slice task_input_ms(struct slice seconds, struct arena *arena);

#endif
