/* listen.c - see listen.h. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, FIRST_INHERITED = 3 };

static int
fail(int fd, const char *host, int port)
{
	int reason = errno;

	fprintf(stderr, "agentd: cannot listen on %s port %d: %s.\n", host, port, strerror(reason));
	if (reason == EADDRINUSE)
		fputs("agentd: something else uses this port; set AGENTD_PORT to another one, or to 0 for any free one.\n",
		      stderr);
	else if (reason == EACCES)
		fputs("agentd: ports below 1024 need root or CAP_NET_BIND_SERVICE; set AGENTD_PORT to a higher one.\n", stderr);
	else if (reason == EADDRNOTAVAIL)
		fputs("agentd: this machine does not have that address; set AGENTD_HOST to one of its own.\n", stderr);
	if (fd >= 0)
		close(fd);
	return -1;
}

static void
name_address(int fd, char address_r[LISTEN_ADDRESS_SIZE])
{
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	char host[INET6_ADDRSTRLEN + 16] = "?", port[8] = "?";

	if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
		getnameinfo((struct sockaddr *)&bound, length, host, sizeof(host), port, sizeof(port),
		            NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(address_r, LISTEN_ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int
listen_open(const char *host, int port, char address_r[LISTEN_ADDRESS_SIZE])
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char service[8];
	int on = 1;
	int fd;

	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(host, service, &hints, &found) != 0) {
		fprintf(stderr, "agentd: AGENTD_HOST=%s is not an IPv4 or IPv6 address.\n", host);
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		freeaddrinfo(found);
		return fail(fd, host, port);
	}
	freeaddrinfo(found);
	name_address(fd, address_r);
	return fd;
}

static bool
is_listening(int fd)
{
	int listens = 0, type = 0;
	socklen_t length = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

int
listen_inherited(char address_r[LISTEN_ADDRESS_SIZE])
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	if (!pid || !count || strtol(pid, NULL, 10) != (long)getpid() || strtol(count, NULL, 10) < 1 ||
	    !is_listening(FIRST_INHERITED))
		return -1;
	if (fcntl(FIRST_INHERITED, F_SETFD, FD_CLOEXEC) != 0 || fcntl(FIRST_INHERITED, F_SETFL, O_NONBLOCK) != 0)
		return -1;
	name_address(FIRST_INHERITED, address_r);
	return FIRST_INHERITED;
}
