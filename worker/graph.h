/*
 * graph.h - a workflow's graph of tasks: checked, and compiled into the plan from which SQL makes its rows.
 *
 * Keys are unique, dependencies exist, there is no cycle, a gate's on_revision names a task that the gate depends on,
 * directly or not, and a condition speaks of dependencies only. Pure; memory comes from the arena.
 */
#ifndef AGENTD_GRAPH_H
#define AGENTD_GRAPH_H

#include "arena.h"
#include "base.h"
#include "field.h"
#include "json_read.h"

/* GRAPH_ROWS_MAX: dependencies, and what gates may send back, each in total. */
enum { GRAPH_TASKS_MAX = 500, GRAPH_ROWS_MAX = 20000 };

/*
 * text is {"tasks": [{n, key, queue, ...}], "dependencies": [{n, depends_on}], "revisions": [{gate, n, deps_left}],
 * "external": [{n, key}]}: tasks by number, so that the same plan makes any number of workflows (sql/query/macros.sql).
 */
struct graph_plan {
	struct slice text;
	struct slice keys; /* a JSON array of the tasks' keys */
};

/*
 * at is the array of tasks in json, whose fields (fields_graph_task) have been checked. append: the tasks join others,
 * which depends_on may name. False: errors says what is wrong, with pointers below prefix.
 */
MUST_CHECK bool graph_compile(const struct json *json, int at, const char *prefix, bool append, struct arena *arena,
                              struct graph_plan *plan_r, struct field_errors *errors);

#endif
