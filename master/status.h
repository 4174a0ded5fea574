/* status.h - `agentd status`: the scoreboard of the node that runs in the state folder, live on a terminal. */
#ifndef AGENTD_STATUS_H
#define AGENTD_STATUS_H

#include "base.h"

struct config;

/* Arguments: nothing, --once, --json. Returns the exit status. */
int status_command(const struct config *config, int argc, char **argv);

#endif
