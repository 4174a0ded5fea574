/*
 * agents_seen.h - agents that leased or beat lately: remembered here and written in one statement now and then.
 *
 * The answer of that statement says which agents are plain: nothing bounds what they may lease, neither a registration nor
 * limits of their tenant. That is believed for two seconds.
 */
#ifndef AGENTD_AGENTS_SEEN_H
#define AGENTD_AGENTS_SEEN_H

#include "db.h"

struct agents_seen;

struct agents_seen *agents_seen_new(struct db *db);
void agents_seen_free(struct agents_seen *seen);
/* The agent is there, and will be for wait_us more. True if it is known to be plain. */
bool agents_seen_note(struct agents_seen *seen, int64_t tenant, struct slice agent_id, int64_t wait_us);
/* Writes what was noted since the last time. */
void agents_seen_flush(struct agents_seen *seen);

#endif
