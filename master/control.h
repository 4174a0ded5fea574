/*
 * control.h - STATE_DIR/control: a unix socket where the master gives whoever may enter the state folder a look at the
 * scoreboard. It reads nothing of what it is sent: a connection gets a read-only descriptor of the memory, and stays
 * open until the node ends, which is how a reader learns of that.
 */
#ifndef AGENTD_CONTROL_H
#define AGENTD_CONTROL_H

#include "base.h"

/* Listens. -1: errno says why; the node works without it. */
MUST_CHECK int control_open(const char *folder);
/* Takes who waits, and answers. Does not block. */
void control_answer(int fd);

/* The other side: the memory of the node that has the folder, in memory_r. The connection; -1: nobody is there. */
MUST_CHECK int control_connect(const char *folder, int *memory_r);

#endif
