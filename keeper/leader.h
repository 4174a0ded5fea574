/*
 * leader.h - whether this node's keeper leads the cluster: at most one does.
 *
 * It leads while a session of its own, past any pooler, holds an advisory lock (where only a pooler is reached: a row),
 * and while PostgreSQL has said so within the last 3 s. PostgreSQL ends the session that says nothing for so long, so
 * when the leader's process, node or network dies, another one leads within 4 s; a keeper that was stopped and goes on
 * knows that it leads no longer. A leader's statement that was on its way may still end after that: it must be harmless
 * then. Nothing blocks.
 */
#ifndef AGENTD_LEADER_H
#define AGENTD_LEADER_H

#include "base.h"

struct event_base;
struct heritage;
struct leader;

/* Never NULL. */
struct leader *leader_new(struct event_base *base, const struct heritage *heritage);
/* Lets another one lead. */
void leader_free(struct leader *leader);

/* True if this keeper leads at this moment. */
bool leader_leads(const struct leader *leader);

#endif
