/*
 * secrets.h - which process has which secret: the master keeps what it needs to start others, a child what it works
 * with.
 */
#ifndef AGENTD_SECRETS_H
#define AGENTD_SECRETS_H

#include "base.h"

struct edition;
struct heritage;
struct service_kind;

/*
 * In the master, when the node has been prepared: wipes the settings that no process needs from here on, in what they
 * were read from too, unless a reload needs them.
 */
void secrets_forget_used(const struct edition *edition);
/* In a child: wipes its copies of what only others need. */
void secrets_forget_others(const struct heritage *heritage, const struct service_kind *kind);

#endif
