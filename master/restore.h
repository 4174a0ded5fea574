/*
 * restore.h - `agentd restore FILE`: a backup back into PostgreSQL, in one transaction: all of it or nothing.
 *
 * Nodes may run meanwhile: they lose their connections, find everything changed, and start anew on it (fence.h). What
 * was there before is moved to another schema with --replace, and refused without. Blocks; messages go to standard
 * error.
 */
#ifndef AGENTD_RESTORE_H
#define AGENTD_RESTORE_H

#include "base.h"

struct config;

/* The command; url gives the address of the database, to be freed. Returns the exit status. */
int restore_command(const struct config *config, char *(*url)(const struct config *config), int argc, char **argv);

#endif
