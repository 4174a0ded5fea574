/*
 * listen.h - the listening socket: opened once by the master, shared by all workers; those of the API and of the
 * metrics.
 *
 * Messages go to standard error.
 */
#ifndef AGENTD_LISTEN_H
#define AGENTD_LISTEN_H

#include "base.h"

enum { LISTEN_ADDRESS_SIZE = 80, LISTEN_HOST_SIZE = 256 };

struct listen_socket {
	int fd; /* -1: none */
	char host[LISTEN_HOST_SIZE]; /* as the settings named it */
	int port;
	char address[LISTEN_ADDRESS_SIZE]; /* "host:port" with the port that the system chose when port is 0 */
};

/* What a socket is for, in messages. */
struct listen_names {
	const char *host_setting;
	const char *port_setting;
};

/*
 * Binds host (an IPv4 or IPv6 address) and port and listens; the socket does not block. False: it said why not, and fd is
 * -1.
 */
MUST_CHECK bool listen_open(struct listen_socket *socket_r, const char *host, int port, const struct listen_names *names);

/*
 * The socket of that index (0, 1) that a service manager listens on already (sd_listen_fds(3): LISTEN_FDS and
 * LISTEN_PID), made non-blocking. False: there is none.
 */
MUST_CHECK bool listen_inherited(struct listen_socket *socket_r, int index, const char *host, int port);

/* Closes it, if there is one. */
void listen_close(struct listen_socket *socket);
bool listen_is_same_place(const struct listen_socket *socket, const char *host, int port);

#endif
