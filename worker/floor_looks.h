/* floor_looks.h - the statements that keep the floors of slow queues (floors.h), one at a time. */
#ifndef AGENTD_FLOOR_LOOKS_H
#define AGENTD_FLOOR_LOOKS_H

#include "floors.h"

struct worker;
struct floor_looks;

struct floor_looks *floor_looks_new(struct worker *worker, struct floors *floors);
void floor_looks_free(struct floor_looks *looks);
/* Sends the next look when one is due. Called by the worker's tick. */
void floor_looks_tick(struct floor_looks *looks, int64_t now_us);

#endif
