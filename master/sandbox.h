/*
 * sandbox.h - the system calls that workers and the keeper may make: a list, in the kernel (seccomp), for good.
 *
 * Whatever is not on the list fails with EPERM and is counted in the process's slot of the scoreboard, from where the
 * master logs it. The process lives on: the kernel has denied the call already, and a library that tries something new
 * after an upgrade shall leave a line in the log, not an outage. Files are landlock.h's matter.
 */
#ifndef AGENTD_SANDBOX_H
#define AGENTD_SANDBOX_H

#include "base.h"
#include "scoreboard.h"

struct child;

struct sandbox {
	struct scoreboard_slot *slot; /* of the process */
	bool serves;                  /* takes connections */
	bool moves_files;             /* rotates a log file */
};

/* Asks the kernel whether it has what this needs. False: said on standard error what to do. */
MUST_CHECK bool sandbox_is_possible(void);
/* In the child, while it has one thread. False: errno says why, and nothing has changed. */
MUST_CHECK bool sandbox_enter(const struct sandbox *sandbox);
/* In the master: logs what was refused to the child since the last time. */
void sandbox_report(struct child *child, const struct scoreboard_slot *slot);

#endif
