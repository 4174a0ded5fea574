/* user.h - users from the command line: the first admin and `agentd user`. Blocks; messages go to standard error. */
#ifndef AGENTD_USER_H
#define AGENTD_USER_H

#include "base.h"

/* Makes an admin if there is no user at all and a password is given (else does nothing). */
MUST_CHECK bool user_first_admin(const char *url, const char *username, const char *password);

/* `agentd user add|passwd|list ...`: argv behind `user`. Returns the exit status. */
int user_command(const char *url, int argc, char **argv);

#endif
