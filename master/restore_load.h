/*
 * restore_load.h - reads a backup into a schema that it makes: what `agentd restore` and its --verify have in common.
 *
 * The schema is made as it was when the backup was made, the rows are loaded, and then it is migrated to what this
 * agentd knows. Blocks; what is wrong goes to standard error.
 */
#ifndef AGENTD_RESTORE_LOAD_H
#define AGENTD_RESTORE_LOAD_H

#include "base.h"
#include "backup_file.h"
#include "database.h"

struct restore_load {
	struct pg_conn *conn; /* the current schema has no table of agentd */
	struct backup_file file;
	const char *path; /* for messages */
	/* What the head says. */
	int schema;
	char id[UUID_TEXT_SIZE];
	char taken_at[40];
	char horizon[24];  /* in the order of events: what is below was committed */
	int64_t rows;      /* loaded so far */
	struct buf tables; /* a JSON object: the rows of each table, as loaded */
	/* The table that is being loaded. */
	char table[64];
	bool copying, forced;
};

/* Opens the file and reads its head. False: said why. */
MUST_CHECK bool restore_load_open(struct restore_load *load, const char *path, struct slice secret);
/*
 * Everything behind the head. In a transaction of the caller, or without one: then each statement commits. False: said
 * why; what is there is of no use.
 */
MUST_CHECK bool restore_load_all(struct restore_load *load);
void restore_load_close(struct restore_load *load);

#endif
