/*
 * graph.h - a workflow's graph of tasks: checked, and turned into the rows that are inserted.
 *
 * Keys are unique, dependencies exist, there is no cycle, a gate's on_revision names a task that the gate depends on,
 * directly or not. Pure; memory comes from the arena.
 */
#ifndef AGENTD_GRAPH_H
#define AGENTD_GRAPH_H

#include "arena.h"
#include "base.h"
#include "field.h"
#include "json_read.h"

/* GRAPH_ROWS_MAX: dependencies, and what gates may send back, each in total. */
enum { GRAPH_TASKS_MAX = 500, GRAPH_ROWS_MAX = 20000 };

struct graph_rows {
	struct slice tasks; /* JSON arrays for the query workflow_create */
	struct slice dependencies;
	struct slice revisions;
	struct slice *queues; /* of tasks that are ready at once */
	int queue_count;
};

/*
 * at is the array of tasks in json, whose fields (fields_graph_task) have been checked. False: errors says what is
 * wrong, with pointers below prefix.
 */
MUST_CHECK bool graph_compile(const struct json *json, int at, const char *prefix, struct arena *arena,
                              struct graph_rows *rows_r, struct field_errors *errors);

#endif
