/*
 * landlock.h - the files that workers and the keeper may open: a list of folders, in the kernel (Landlock), for good.
 *
 * What the system calls of sandbox.h leave possible ends here: the state folder with its secret and the database's
 * files belong to the same user, and are out of reach. A kernel without Landlock only lacks this second fence.
 */
#ifndef AGENTD_LANDLOCK_H
#define AGENTD_LANDLOCK_H

#include "base.h"

struct config;

/* The version of the kernel's Landlock; 0: it has none. */
int landlock_version(void);
/*
 * In the child, as the user that serves, with no_new_privs. Open stay: the system's folders, the TLS files, what libpq
 * looks for with database_url, all to be read; the log's folder to be written. No port can be opened, and no process
 * outside be signalled, where the kernel knows how. False: errno says why.
 */
MUST_CHECK bool landlock_enter(const struct config *config, const char *database_url, const char *state_folder);

#endif
