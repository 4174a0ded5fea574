/*
 * backup_tables.h - which tables a backup is made of, and in which order: what others refer to comes first.
 *
 * migration_versions is left out, since migrations write it; nodes and keeper_lease, since who was there means nothing.
 */
#ifndef AGENTD_BACKUP_TABLES_H
#define AGENTD_BACKUP_TABLES_H

#include "base.h"
#include "database.h"

enum { BACKUP_TABLE_NAME, BACKUP_TABLE_COLUMNS, BACKUP_TABLE_LIST, BACKUP_TABLE_VALUES };

/*
 * One row a table: its name, its columns as a JSON array, the same as a list for COPY, and what is to be selected.
 * NULL: *error_r is the reason, to be freed.
 */
MUST_CHECK struct pg_result *backup_tables(struct pg_conn *conn, char **error_r);

#endif
