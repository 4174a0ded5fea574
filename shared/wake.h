/*
 * wake.h - telling the processes of this node that a queue has work. Nothing blocks; a lost wake-up costs at most the
 * poll interval of those who wait (see worker/waiters.h).
 */
#ifndef AGENTD_WAKE_H
#define AGENTD_WAKE_H

#include "heritage.h"

/* Marks the queue as ready and wakes every process that has waiters, this one included. */
void wake_queue(const struct heritage *heritage, int64_t tenant, struct slice queue);

/* The same for each string of a JSON array of queue names as PostgreSQL writes it; absent: none. */
void wake_queues(const struct heritage *heritage, int64_t tenant, struct slice json_array);

#endif
