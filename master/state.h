/*
 * state.h - the state folder of a node: who owns it, and the small files in it.
 *
 *     lock         held while an agentd runs here; holds its pid
 *     secret       signs tokens in development and testing, made once
 *     url          where the running agentd listens
 *     pg/ run/     the embedded database and its socket
 *
 * The folder is 0700. Functions block on the disk only; messages go to standard error.
 */
#ifndef AGENTD_STATE_H
#define AGENTD_STATE_H

#include "base.h"

#include <sys/types.h>

/* Who serves: the user that workers, keeper and PostgreSQL run as. Both -1: whoever started agentd. */
struct state_user {
	uid_t uid;
	gid_t gid;
	char name[64];
	char home[256];
};

/* Finds the user of AGENTD_USER when run by root. False: there is none; said how to make one. */
MUST_CHECK bool state_user_find(const char *name, struct state_user *user_r);

/* Makes the folder if need be, gives it to the user, and returns its absolute path (to be freed), or NULL. */
MUST_CHECK char *state_folder(const char *path, const struct state_user *user);
/* Takes the lock. Returns its descriptor, to be kept open, or -1 when another agentd runs here. */
MUST_CHECK int state_lock(const char *folder);
/* The secret of the folder, made if there is none. To be wiped and freed. NULL: cannot be read. */
MUST_CHECK char *state_secret(const char *folder);
/* Writes or removes (text NULL) a small file of the folder, whole or not at all. */
MUST_CHECK bool state_write(const char *folder, const char *name, const char *text);
/* Reads it: at most size - 1 bytes, without the newline. */
MUST_CHECK bool state_read(const char *folder, const char *name, char *out, size_t size);

#endif
