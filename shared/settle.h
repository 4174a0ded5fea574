/*
 * settle.h - what follows from a settlement once it is committed: wake-ups, places in limits, conditions.
 *
 * Nothing here has to happen for the data to be right: what a process that dies leaves undone, the keeper finds. Nothing
 * blocks.
 */
#ifndef AGENTD_SETTLE_H
#define AGENTD_SETTLE_H

#include "db.h"
#include "heritage.h"

/* Where to send statements and marks; must outlive all that was sent. */
struct settler {
	struct db *db;
	const struct heritage *heritage;
};

/*
 * Looks at the columns _ready (queues that have work now), _special (the task had a place in limits), _undecided (tasks
 * whose condition has to be judged), each of which may be absent; id is the settled task.
 */
void settle_follow(const struct settler *settler, struct slice tenant, struct slice id, const struct db_result *result);

/* Judges the condition of a task whose dependencies are done: it becomes ready or is skipped. */
void settle_decide(const struct settler *settler, struct slice tenant, struct slice id);

/* Gives a lease back unharmed: its holder could not be told of it. */
void settle_release(const struct settler *settler, struct slice tenant, struct slice id, struct slice epoch);

#endif
