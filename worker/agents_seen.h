/*
 * agents_seen.h - agents that leased or beat lately: remembered here and written in one statement now and then.
 */
#ifndef AGENTD_AGENTS_SEEN_H
#define AGENTD_AGENTS_SEEN_H

#include "db.h"

struct agents_seen;

struct agents_seen *agents_seen_new(struct db *db);
void agents_seen_free(struct agents_seen *seen);
void agents_seen_note(struct agents_seen *seen, int64_t tenant, struct slice agent_id);
/* Writes what was noted since the last time. */
void agents_seen_flush(struct agents_seen *seen);

#endif
