/*
 * credential.h - passwords for commands: asked for on the terminal without echo, or read with --password-file; never
 * from the argument list, and kept nowhere.
 */
#ifndef AGENTCTL_CREDENTIAL_H
#define AGENTCTL_CREDENTIAL_H

#include "ctl.h"

/* The first count lines of a file ("-": standard input). False: said why; next is the command to try. Wipe them. */
MUST_CHECK bool credential_lines(const char *path, const char *next, char **lines_r, int count);
/*
 * A new password, and before it the current one if current_r is not NULL: the first lines of --password-file in that
 * order, or asked for, the new one twice. CTL_DONE, or said why; wipe them.
 */
MUST_CHECK enum ctl_exit credential_new(const struct ctl *ctl, char **current_r, char **new_r);
/* Overwrites and frees; NULL is fine. */
void credential_wipe(char *password);

#endif
