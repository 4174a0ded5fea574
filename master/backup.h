/*
 * backup.h - `agentd backup FILE`: everything that agentd keeps in PostgreSQL, as of one moment, in one file.
 *
 * The rows are read by COPY in one repeatable-read transaction while the nodes go on; the schema is not in the file but
 * its version, because agentd itself makes it (master/migrate.h). So no program of PostgreSQL is needed, and neither
 * versions of servers nor row level security stand in the way. Blocks; messages go to standard error.
 */
#ifndef AGENTD_BACKUP_H
#define AGENTD_BACKUP_H

#include "base.h"

struct config;

/* What a backup is to be, and became. */
struct backup {
	const char *url;  /* of the database */
	struct slice key; /* of AGENTD_BACKUP_KEY; empty: not encrypted */
	const char *path; /* "-": standard output */
	bool scheduled;
	char id[37];
	int64_t rows, bytes;
};

/* Makes it, and keeps a record in the table `backups`. False: said why; there is no file. */
MUST_CHECK bool backup_make(struct backup *backup);

/* The command; url gives the address of the database, to be freed. Returns the exit status. */
int backup_command(const struct config *config, char *(*url)(const struct config *config), int argc, char **argv);

#endif
