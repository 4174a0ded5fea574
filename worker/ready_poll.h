/*
 * ready_poll.h - once a second, one statement of the worker asks which queues have work at all: for marks of the ready
 * board that were lost, and for nodes that are not heard. What it did not find, and nobody marked since, need not be asked for.
 *
 * When a poll takes long, the next is the later for it; when it fails, the sooner.
 */
#ifndef AGENTD_READY_POLL_H
#define AGENTD_READY_POLL_H

#include "base.h"

struct floors;
struct ready_poll;
struct worker;

/* The queue has work. */
typedef void ready_poll_found(void *arg, int64_t tenant, struct slice queue);

struct ready_poll *ready_poll_new(struct worker *worker, struct floors *floors, ready_poll_found *found, void *arg);
void ready_poll_free(struct ready_poll *poll);
/* Sends the next poll when it is time; wanted: somebody waits. now_us is clock_mono_us(). */
void ready_poll_tick(struct ready_poll *poll, int64_t now_us, bool wanted);
/* True if no queue of that bucket of the board had work a moment ago, nor was marked since. */
bool ready_poll_is_empty(const struct ready_poll *poll, unsigned bucket);
/* True if polls fail for want of a database. */
bool ready_poll_is_away(const struct ready_poll *poll);

#endif
