/* listen.c - see listen.h. */
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int
fail(int fd, const struct listen_place *place)
{
	int reason = errno;

	fprintf(stderr, "agentd: cannot listen on %s port %d: %s.\n", place->host, place->port, strerror(reason));
	if (reason == EADDRINUSE)
		fprintf(stderr, "agentd: something else uses this port; set %s to another one, or to 0 for any free one.\n",
		        place->port_setting);
	else if (reason == EACCES)
		fprintf(stderr, "agentd: ports below 1024 need root or CAP_NET_BIND_SERVICE; set %s to a higher one.\n",
		        place->port_setting);
	else if (reason == EADDRNOTAVAIL)
		fprintf(stderr, "agentd: this machine does not have that address; set %s to one of its own.\n",
		        place->host_setting);
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
listen_open(const struct listen_place *place, char address_r[LISTEN_ADDRESS_SIZE])
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char service[8];
	int on = 1;
	int fd;

	snprintf(service, sizeof(service), "%d", place->port);
	if (getaddrinfo(place->host, service, &hints, &found) != 0) {
		fprintf(stderr, "agentd: %s=%s is not an IPv4 or IPv6 address.\n", place->host_setting, place->host);
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		freeaddrinfo(found);
		return fail(fd, place);
	}
	freeaddrinfo(found);
	name_address(fd, address_r);
	return fd;
}
