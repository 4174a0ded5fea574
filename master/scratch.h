/*
 * scratch.h - a database to try something on, gone afterwards: a PostgreSQL of its own in a temporary folder where its
 * programs are at hand, else a database beside the one that is in use. Blocks; messages go to standard error.
 */
#ifndef AGENTD_SCRATCH_H
#define AGENTD_SCRATCH_H

#include "base.h"
#include "config.h"
#include "embedded.h"

struct scratch {
	struct config config;
	struct state_user user;
	struct embedded embedded;
	pid_t server; /* 0: a database beside another */
	char *folder;
	const char *beside; /* the address of that other, borrowed */
	char name[40];
	char *url; /* for libpq */
};

/* url: a database whose user may make databases; beside: rather than a server of its own. False: said why; there is
 * nothing left to be dropped. */
MUST_CHECK bool scratch_make(struct scratch *scratch, const struct config *config, const char *url, bool beside);
void scratch_drop(struct scratch *scratch);

#endif
