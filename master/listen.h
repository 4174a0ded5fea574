/*
 * listen.h - the listening socket: opened once by the master, shared by all workers; those of the API and of the
 * metrics.
 *
 * Messages go to standard error.
 */
#ifndef AGENTD_LISTEN_H
#define AGENTD_LISTEN_H

#include "base.h"

enum { LISTEN_ADDRESS_SIZE = 80 };

struct listen_place {
	const char *host;
	int port;
	const char *host_setting; /* names for messages */
	const char *port_setting;
};

/*
 * Binds host (an IPv4 or IPv6 address) and port and listens; the socket does not block. address_r gets "host:port" with
 * the port that the system chose when port is 0. -1: it said why not.
 */
MUST_CHECK int listen_open(const struct listen_place *place, char address_r[LISTEN_ADDRESS_SIZE]);

#endif
