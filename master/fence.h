/*
 * fence.h - what makes a database that went back in time safe to work on: whoever acts on what happened since then is
 * told so, and nobody is believed who was only right before.
 *
 * - Leases are given back, and no lease number (epoch) of the lost time comes again: holders from before get 409.
 * - Events go on at numbers that were never given; who stands in the lost part gets 410 cursor_expired.
 * - Sessions end and tokens from before are refused; keys keep the state that they had (see docs/operations/backup.md).
 * - Sequences go on beyond what was given.
 * All of it in the caller's transaction. Blocks; what is wrong goes to standard error.
 */
#ifndef AGENTD_FENCE_H
#define AGENTD_FENCE_H

#include "base.h"

struct pg_conn;

struct fence {
	const char *kind;      /* "restore", "recovery" */
	const char *backup_id; /* NULL: none */
	const char *taken_at;  /* NULL: now */
	const char *horizon;   /* in the order of events: what is below is all there; NULL: what can be read now */
	const char *replaced;  /* the schema with what was here before; NULL: nothing was */
	bool suspend_keys;
	int64_t leases; /* given back */
};

MUST_CHECK bool fence_raise(struct pg_conn *conn, struct fence *fence);

/* Ends the connections of all nodes to this database, so that nobody works on with what he knew. */
MUST_CHECK bool fence_part(struct pg_conn *conn);

#endif
