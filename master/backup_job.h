/*
 * backup_job.h - the process that makes a backup by schedule: the keeper wishes for it in the scoreboard, the master
 * starts it, one at a time, and ends it when it takes too long.
 *
 * It is the user who serves, with no capability. What it has to say goes to the log; what became of it to the table
 * `backups`. In the whole cluster one runs at a time: each holds an advisory lock, or leaves.
 */
#ifndef AGENTD_BACKUP_JOB_H
#define AGENTD_BACKUP_JOB_H

#include "base.h"

#include <sys/types.h>

struct master;

/* A turn of the master's loop: starts one that is wished for. */
void backup_job_step(struct master *master);
/* True if that child was it. */
bool backup_job_reap(struct master *master, pid_t pid, int status);
/* The node stops. */
void backup_job_stop(struct master *master);

#endif
