/* keeper.h - the entry of the keeper process: the only header of keeper/ that the master includes. */
#ifndef AGENTD_KEEPER_H
#define AGENTD_KEEPER_H

struct heritage;

/* Does a node's background work until SIGTERM or the end of the master; returns the exit status. */
int keeper_main(const struct heritage *heritage);

#endif
