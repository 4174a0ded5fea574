/* aside.h - statements that no request waits for: statistics, things that are given back. */
#ifndef AGENTD_ASIDE_H
#define AGENTD_ASIDE_H

#include "db.h"

/* Called when the statement is over, well or badly; values are those that were sent. */
typedef void aside_done(void *arg, const struct slice *values, const struct db_result *result);

/* Sends the query with copies of values (as for db_send()). done may be NULL. */
void aside_send(struct db *db, enum query_id query, const struct slice *values, aside_done *done, void *arg);

/* Forgets what is still on its way: the process ends, its connections are closed. */
void aside_free_all(void);

#endif
