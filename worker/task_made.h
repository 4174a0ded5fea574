/*
 * task_made.h - what is said of a task that task_create makes: its event and its answer, from what was sent.
 *
 * A statement that hands a new row back, and composes its event, costs twice as much as one that only stores it
 * (measured: arrays of 100), and there is nothing in the row that was not sent, but for the time. Tasks that PostgreSQL
 * has to judge (a unique_key, a run_at and the like) are answered from their rows.
 */
#ifndef AGENTD_TASK_MADE_H
#define AGENTD_TASK_MADE_H

#include "call.h"

/* Finds the parameters by name; once, before the rest. */
void task_made_init(void);
/* The event task.created of a call whose other values are set, as JSON; memory is the request's. Before the answer. */
struct slice task_made_event(struct call *call);
/* The answer, 201; result is the call's row of task_create. */
void task_made_write(struct call *call, const struct db_result *result);

#endif
