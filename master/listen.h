/* listen.h - the listening socket: opened once by the master, shared by all workers. Messages go to standard error. */
#ifndef AGENTD_LISTEN_H
#define AGENTD_LISTEN_H

#include "base.h"

enum { LISTEN_ADDRESS_SIZE = 80 };

/*
 * Binds host (an IPv4 or IPv6 address) and port and listens; the socket does not block. address_r gets "host:port" with
 * the port that the system chose when port is 0. -1: it said why not.
 */
MUST_CHECK int listen_open(const char *host, int port, char address_r[LISTEN_ADDRESS_SIZE]);

/*
 * The socket that a service manager listens on already (sd_listen_fds(3): LISTEN_FDS and LISTEN_PID), made non-blocking;
 * of several the first. -1: there is none.
 */
MUST_CHECK int listen_inherited(char address_r[LISTEN_ADDRESS_SIZE]);

#endif
