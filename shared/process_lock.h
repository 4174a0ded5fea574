/*
 * process_lock.h - locks in memory that processes share, for what takes less than a microsecond.
 *
 * Robust (POSIX pthread_mutexattr_setrobust): when a process dies while it holds one, the next to ask gets it. What the
 * lock guards must be harmless half written. Taking one blocks for as long as another process holds it.
 */
#ifndef AGENTD_PROCESS_LOCK_H
#define AGENTD_PROCESS_LOCK_H

#include "base.h"

#include <pthread.h>

/* Before the fork. False: errno says why. */
MUST_CHECK bool process_locks_init(pthread_mutex_t *locks, size_t count);
void process_lock(pthread_mutex_t *lock);
void process_unlock(pthread_mutex_t *lock);

#endif
