/*
 * notify.h - what a service manager hears of the node: the protocol of sd_notify(3), a datagram to NOTIFY_SOCKET.
 *
 * Written out here, as the manual page suggests, rather than linked: it is one sendto(2). Without NOTIFY_SOCKET nothing
 * is sent. Nothing blocks.
 */
#ifndef AGENTD_NOTIFY_H
#define AGENTD_NOTIFY_H

#include "base.h"

struct master;

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC. Call before the first fork. */
void notify_init(void);
/* Lines of NAME=value. */
void notify_send(const char *state);
void notify_ready(const char *address);
void notify_reloading(void);
/*
 * The watchdog is fed, at half its time, as long as at least one worker's loop has turned within the last two seconds:
 * a master that lives alone is not a node that serves.
 */
void notify_alive(const struct master *master);

#endif
