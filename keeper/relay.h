/*
 * relay.h - word between nodes that queues have work: marks of this node's ready board go out, those of others come in.
 *
 * One coalesced word in 10 ms at most, and none while there is no other node. It is published in Redis where there is
 * one; a NOTIFY of PostgreSQL says it without, and again when Redis had fewer listeners than there are nodes. A lost word
 * costs at most the poll of those who wait (worker/waiters.h). Behind a pooler that hands out connections by transaction
 * nothing can be listened for there; Redis and the poll remain.
 */
#ifndef AGENTD_RELAY_H
#define AGENTD_RELAY_H

#include "base.h"

struct cache;
struct db;
struct event_base;
struct heritage;
struct relay;

enum { RELAY_PAUSE_US = 10000 };

struct relay *relay_new(struct event_base *base, const struct heritage *heritage);
void relay_free(struct relay *relay);
/* Where to send; set once, before the first word. cache may be NULL. */
void relay_use(struct relay *relay, struct db *db, struct cache *cache);
/* The channel in Redis; lives as long as the relay. */
const char *relay_channel(const struct relay *relay);
/* How many other nodes are alive. */
void relay_others(struct relay *relay, int count);
/* A word from any node, this one included: a db_notified (shared/db.h) with the relay as arg. */
void relay_hear(void *arg, const char *payload);
/* The same from Redis: a cache_heard (shared/cache.h). */
void relay_published(void *arg, struct slice text);

#endif
