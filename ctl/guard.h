/*
 * guard.h - a small process that outlives agentctl by a moment: when agentctl dies in any way, it kills the process
 * groups of the commands. (The parent-death signal reaches only the shell itself, not what the shell started.)
 */
#ifndef AGENTCTL_GUARD_H
#define AGENTCTL_GUARD_H

#include "base.h"

#include <sys/types.h>

enum { GUARD_GROUPS_MAX = 256 };

struct guard {
	int lifeline; /* its other end is read by the guard; -1: not started */
	pid_t pid;
};

/* False: errno says why. */
MUST_CHECK bool guard_start(struct guard *guard_r);
/* The group is the guard's to kill from now on, or no more. */
void guard_add(const struct guard *guard, pid_t group);
void guard_remove(const struct guard *guard, pid_t group);
/* Ends the guard and waits for it; the groups it still knows are killed. */
void guard_stop(struct guard *guard);

#endif
