/*
 * audit.h - `agentd audit verify`: holds the audit log against its hash chain and its signatures.
 */
#ifndef AGENTD_MASTER_AUDIT_H
#define AGENTD_MASTER_AUDIT_H

#include "base.h"

struct config;

/*
 * url is a function, for a file needs no database. Prints what was found to standard output, what went wrong to
 * standard error. Returns the exit status: 0 nothing was touched, 1 something was or it cannot be told, 2 wrong usage.
 */
int audit_command(const struct config *config, char *(*url)(const struct config *config), int argc, char **argv);

#endif
