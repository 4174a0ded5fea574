/*
 * secrets.h - which process has which secret: the master keeps what it needs to start others, a child what it works
 * with.
 */
#ifndef AGENTD_SECRETS_H
#define AGENTD_SECRETS_H

#include "base.h"

struct config;
struct heritage;
struct service_kind;

/* In the master, when the node has been prepared: wipes the settings that no process needs from here on. */
void secrets_forget_used(const struct config *config);
/* In a child: wipes its copies of what only others need. */
void secrets_forget_others(const struct heritage *heritage, const struct service_kind *kind);

#endif
