/* listen.c - see listen.h. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, FIRST_INHERITED = 3 };

static bool
fail(struct listen_socket *opened, const struct listen_names *names)
{
	int reason = errno;

	fprintf(stderr, "agentd: cannot listen on %s port %d: %s.\n", opened->host, opened->port, strerror(reason));
	if (reason == EADDRINUSE)
		fprintf(stderr, "agentd: something else uses this port; set %s to another one, or to 0 for any free one.\n",
		        names->port_setting);
	else if (reason == EACCES)
		fprintf(stderr, "agentd: ports below 1024 need root or CAP_NET_BIND_SERVICE; set %s to a higher one.\n",
		        names->port_setting);
	else if (reason == EADDRNOTAVAIL)
		fprintf(stderr, "agentd: this machine does not have that address; set %s to one of its own.\n",
		        names->host_setting);
	listen_close(opened);
	return false;
}

static void
name_address(struct listen_socket *opened)
{
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	char host[INET6_ADDRSTRLEN + 16] = "?", port[8] = "?";

	if (getsockname(opened->fd, (struct sockaddr *)&bound, &length) == 0)
		getnameinfo((struct sockaddr *)&bound, length, host, sizeof(host), port, sizeof(port),
		            NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(opened->address, sizeof(opened->address), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static void
begin(struct listen_socket *socket_r, const char *host, int port)
{
	*socket_r = (struct listen_socket){.fd = -1, .port = port};
	snprintf(socket_r->host, sizeof(socket_r->host), "%s", host);
}

bool
listen_open(struct listen_socket *socket_r, const char *host, int port, const struct listen_names *names)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char service[8];
	int on = 1, fd;

	begin(socket_r, host, port);
	snprintf(service, sizeof(service), "%d", port);
	if (getaddrinfo(host, service, &hints, &found) != 0) {
		fprintf(stderr, "agentd: %s=%s is not an IPv4 or IPv6 address.\n", names->host_setting, host);
		return false;
	}
	fd = socket_r->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		freeaddrinfo(found);
		return fail(socket_r, names);
	}
	freeaddrinfo(found);
	name_address(socket_r);
	return true;
}

static bool
is_listening(int fd)
{
	int listens = 0, type = 0;
	socklen_t length = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
}

bool
listen_inherited(struct listen_socket *socket_r, int index, const char *host, int port)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int fd = FIRST_INHERITED + index;

	begin(socket_r, host, port);
	if (!pid || !count || strtol(pid, NULL, 10) != (long)getpid() || strtol(count, NULL, 10) <= index ||
	    !is_listening(fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return false;
	socket_r->fd = fd;
	name_address(socket_r);
	return true;
}

void
listen_close(struct listen_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}

bool
listen_is_same_place(const struct listen_socket *socket, const char *host, int port)
{
	return socket->fd >= 0 && strcmp(socket->host, host) == 0 && socket->port == port;
}
