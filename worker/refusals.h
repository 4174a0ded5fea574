/*
 * refusals.h - attempts that were refused (401, 403, a login throttled), on their way to the audit log.
 *
 * A refusal is to stay cheaper than what it refuses: noting one is a look-up in a table of bounded size. What is alike
 * (who, what, from where, why) within two seconds becomes one row with a count, and all rows of that time go in one
 * statement. When the table is full, the rest is counted, and that count is a row of its own. A worker that dies takes
 * at most the last two seconds with it.
 */
#ifndef AGENTD_REFUSALS_H
#define AGENTD_REFUSALS_H

#include "base.h"

struct db;
struct refusals;
struct request;

enum { REFUSALS_MAX = 256, REFUSALS_WINDOW_US = 2000000 };

struct refusals *refusals_new(struct db *db);
void refusals_free(struct refusals *refusals);
/* Looks at a request that has its answer; those that were not refused cost a comparison. */
void refusals_note(struct refusals *refusals, const struct request *request);
/* Sends what is old enough; all of it when the process is about to end. */
void refusals_flush(struct refusals *refusals, int64_t now_us, bool all);

#endif
