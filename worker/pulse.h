/*
 * pulse.h - what a worker tells the keeper about its connections, and what it does when the keeper wishes something of
 * it: through the worker's row of the board of health (shared/health.h). Nothing blocks.
 */
#ifndef AGENTD_PULSE_H
#define AGENTD_PULSE_H

struct pulse;
struct worker;

/* Needs the pool; before the first tick. */
struct pulse *pulse_new(struct worker *worker);
void pulse_free(struct pulse *pulse);
/* Each tick of the worker. */
void pulse_tick(struct pulse *pulse);

#endif
