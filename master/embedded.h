/*
 * embedded.h - agentd's own PostgreSQL: a private cluster under the state folder, reachable by its unix socket only.
 *
 * The cluster is made on the first start. It belongs to the user who serves; agentd is its only client, and the folder
 * of the socket is 0700, so it has no passwords. Functions block; messages go to standard error.
 */
#ifndef AGENTD_EMBEDDED_H
#define AGENTD_EMBEDDED_H

#include "base.h"
#include "state.h"

struct config;

struct embedded {
	const struct config *config;
	const struct state_user *user;
	char *bin;    /* folder of initdb and postgres */
	char *data;   /* the cluster */
	char *socket; /* folder of the socket */
	char *url;    /* for libpq */
};

/* True if there are PostgreSQL programs, or somebody says where. */
bool embedded_is_possible(const struct config *config);
/* Finds the programs and the paths; makes nothing. False: no PostgreSQL programs, said which package has them. */
MUST_CHECK bool embedded_find(const struct config *config, const char *folder, const struct state_user *user,
                              struct embedded *embedded_r);
/* The connection string of a folder's embedded database, whether it runs or not. To be freed. */
MUST_CHECK char *embedded_url(const char *folder);
/* Makes the cluster unless it is there. */
MUST_CHECK bool embedded_prepare(const struct embedded *embedded);
/* In the child: becomes postgres. Returns only if that failed. */
void embedded_exec(const struct embedded *embedded);
/* Waits until the child answers and makes the database `agentd`. False: it ended, or not within 30 s. */
MUST_CHECK bool embedded_wait(const struct embedded *embedded, pid_t child);

#endif
