/* worker.h - the entry of a worker process: the only header of worker/ that the master includes. */
#ifndef AGENTD_WORKER_H
#define AGENTD_WORKER_H

struct heritage;

/* Serves until SIGTERM or the end of the master; returns the exit status. */
int worker_main(const struct heritage *heritage);

#endif
