/*
 * explain.h - why a task is not running, in words: from the facts of the query task_explain to the answer.
 *
 * Each reason has a stable code, a sentence for somebody who knows nothing of agentd, and what would free the task. At
 * least one reason is always given. Pure: nothing blocks; memory comes from the arena.
 */
#ifndef AGENTD_EXPLAIN_H
#define AGENTD_EXPLAIN_H

#include "arena.h"
#include "buf.h"
#include "json_read.h"

/* facts: one object, the columns of task_explain by their names. Appends the answer, one object, to out. */
void explain_write(const struct json *facts, struct arena *arena, struct buf *out);

#endif
