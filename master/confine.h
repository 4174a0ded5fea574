/*
 * confine.h - what processes of the node give up for good: root, capabilities, core files, other people's looks.
 *
 * sandbox.h is the second half: which system calls and files are left to those who serve.
 */
#ifndef AGENTD_CONFINE_H
#define AGENTD_CONFINE_H

#include "base.h"

struct state_user;

/* For the master before it reads a secret: no core files, and only root may look into its memory. Children inherit it.
 */
void confine_memory(void);

/*
 * For a child between fork and work, whatever it becomes: it is that user, has no capability and can get none, by exec
 * neither. Aborts if it cannot.
 */
void confine_user(const struct state_user *user);

#endif
