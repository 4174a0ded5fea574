/*
 * condition.h - the condition of a task in a workflow, judged on the outputs of the tasks that it depends on.
 *
 *   {"task": "gatekeeper", "path": "/verdict", "op": "eq", "value": "approved"}
 *   {"all": [..]}   {"any": [..]}   {"not": {..}}
 *
 * path is a JSON pointer (RFC 6901) into that task's output; "" or none is the whole output. op is one of eq, ne, lt,
 * le, gt, ge, in, contains, exists, absent; without one it is eq when there is a value, else exists.
 *
 * What is null, or not there (a task that was skipped, a path that leads nowhere, a key that its object has twice and
 * that so says two things) is absent and ne to everything; every other op fails on it. A number that is not finite as
 * a double equals nothing. Integers of 64 bits compare exactly, other numbers as doubles, strings by their bytes.
 *
 * Pure; nothing here blocks. Time is linear in both texts, but for the sorting of large objects' keys and a factor of
 * CONDITION_LEAVES_MAX.
 */
#ifndef AGENTD_CONDITION_H
#define AGENTD_CONDITION_H

#include "arena.h"
#include "base.h"

/* How many all, any and not may stand around one another; how many tasks may be named in one condition. */
enum { CONDITION_DEPTH_MAX = 8, CONDITION_LEAVES_MAX = 50 };

struct condition_task {
	struct slice name;
	const char *pointer; /* of the name, relative to the condition: "/all/0/task" */
};

struct condition_report {
	/* The first fault: where (RFC 6901, relative to the condition), a stable code and a text for people. */
	const char *pointer;
	const char *code;
	const char *detail;
	/* Every task that was named until then, in the order of the text; a name can be there more than once. */
	struct condition_task tasks[CONDITION_LEAVES_MAX];
	int count;
};

/* Whether text is a condition; false: report_r says what is wrong. Whether its tasks exist is the caller's to check. */
MUST_CHECK bool condition_check(struct slice text, struct arena *arena, struct condition_report *report_r);

enum condition_verdict { CONDITION_HOLDS, CONDITION_FAILS, CONDITION_BROKEN };

/*
 * outputs is {"key": output, ...}, as PostgreSQL writes it; absent or null: none. CONDITION_BROKEN: one of the two
 * texts cannot be read, and *why_r (in the arena, else NULL) says why. The arena gets nothing else.
 */
MUST_CHECK enum condition_verdict condition_judge(struct slice condition, struct slice outputs, struct arena *arena,
                                                  const char **why_r);

#endif
