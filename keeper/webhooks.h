/* webhooks.h - what the keeper needs to send alerts: its connections to the outside and what is on its way. */
#ifndef AGENTD_WEBHOOKS_H
#define AGENTD_WEBHOOKS_H

#include "base.h"

struct keeper;
struct webhooks;

/* Never NULL. The keeper's base and settings must be there, and outlive it. */
struct webhooks *webhooks_new(struct keeper *keeper);
/* What is on its way is left; the next leader tries it again. */
void webhooks_free(struct webhooks *webhooks);

#endif
