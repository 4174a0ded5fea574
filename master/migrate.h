/*
 * migrate.h - brings the schema to a version: sql/schema/ up and down, each script once, each in a transaction.
 *
 * All runs take the same advisory lock, so nodes that start together wait for each other and each migration is applied
 * once. A script that fails leaves nothing behind. Blocks. Messages go to standard error.
 */
#ifndef AGENTD_MIGRATE_H
#define AGENTD_MIGRATE_H

#include "base.h"

struct pg_conn;

enum { MIGRATE_LATEST = -1 };

/* Up to target (MIGRATE_LATEST: all that the program knows). A database newer than the program is refused. */
MUST_CHECK bool migrate_up(const char *url, int target);
/* Down to target; 0 removes everything that agentd made. */
MUST_CHECK bool migrate_down(const char *url, int target);
/*
 * From one version up to another on the caller's connection, in its transaction, which is of no use any more when that
 * failed. Silent but for errors.
 */
MUST_CHECK bool migrate_inside(struct pg_conn *conn, int from, int target);
/* Waits until no other migration is at work, and keeps others away until the connection is closed. */
MUST_CHECK bool migrate_lock(struct pg_conn *conn);
/* Prints a table of all migrations to out. */
MUST_CHECK bool migrate_status(const char *url, FILE *out);

#endif
