/*
 * session.h - keeps the stored token fresh: shortly before it expires, the refresh token is used for new ones.
 *
 * A refresh token works once. Runs of agentctl that share a configuration file take turns under a lock and read the
 * file again before they use it, so that none uses what another has used up.
 */
#ifndef AGENTCTL_SESSION_H
#define AGENTCTL_SESSION_H

#include "ctl.h"

/* Before every request. Does nothing unless the context's key is the stored one and about to expire; may block then. */
void session_keep(const struct ctl *ctl);

#endif
