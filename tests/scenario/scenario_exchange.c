/* scenario_exchange.c - one connection to the server; see scenario_http.h. All sockets are non-blocking. */
#include "base.h"
#include "scenario_http.h"

#include "clock.h"
#include "scenario_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in
loopback(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

int
exchange_free_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		port = ntohs(address.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static void
push(struct exchange *exchange)
{
	while (exchange->sent < exchange->out.len) {
		ssize_t count = send(exchange->fd, exchange->out.data + exchange->sent, exchange->out.len - exchange->sent,
		                     MSG_NOSIGNAL | MSG_DONTWAIT);

		if (count >= 0)
			exchange->sent += (size_t)count;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			exchange->sent = exchange->out.len; /* the server takes no more; what it answered is still read */
	}
}

static void
pull(struct exchange *exchange)
{
	for (;;) {
		ssize_t count = recv(exchange->fd, buf_reserve(&exchange->in, 65536), 65536, MSG_DONTWAIT);

		if (count > 0) {
			exchange->in.len += (size_t)count;
		} else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
			exchange->closed = true;
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

/* Sends and receives what can go now, waiting until something can. False: the deadline has come. */
static bool
pump(struct exchange *exchange, int64_t deadline)
{
	short wanted = exchange->sent < exchange->out.len ? POLLIN | POLLOUT : POLLIN;
	struct pollfd poller = {.fd = exchange->fd, .events = wanted};
	int64_t left_ms = (deadline - clock_mono_us() + 999) / 1000;

	if (poll(&poller, 1, (int)MAX(left_ms, 0)) < 0 && errno != EINTR)
		return false;
	if (poller.revents & (POLLOUT | POLLERR | POLLHUP))
		push(exchange);
	if (poller.revents & (POLLIN | POLLERR | POLLHUP))
		pull(exchange);
	return clock_mono_us() < deadline;
}

bool
exchange_open(struct exchange *exchange, int port, struct failure *failure)
{
	struct sockaddr_in address = loopback(port);

	exchange->no_body = exchange->out.len >= 5 && memcmp(exchange->out.data, "HEAD ", 5) == 0;
	exchange->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* On the loopback connect() does not wait: it succeeds or is refused as soon as the backlog decides. */
	if (exchange->fd < 0 || connect(exchange->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return failure_set(failure, 0, "cannot connect to 127.0.0.1:%d: %s", port, strerror(errno));
	push(exchange);
	return true;
}

void
exchange_send(struct exchange *exchange, struct slice bytes)
{
	buf_add_slice(&exchange->out, bytes);
	push(exchange);
}

bool
exchange_finish(struct exchange *exchange, int64_t deadline, struct failure *failure)
{
	while (exchange->sent < exchange->out.len && !exchange->closed)
		if (!pump(exchange, deadline))
			return failure_set(failure, 0, "the server does not read: %zu of %zu bytes were sent in time",
			                   exchange->sent, exchange->out.len);
	shutdown(exchange->fd, SHUT_WR);
	return true;
}

bool
exchange_answer(struct exchange *exchange, int64_t deadline, struct arena *arena, struct answer *answer,
                struct failure *failure)
{
	for (bool in_time = true;; in_time = pump(exchange, deadline)) {
		const char *why;
		struct slice in = buf_slice(&exchange->in);
		enum answer_state state = answer_parse(in, exchange->no_body, exchange->closed, arena, answer, &why);

		if (state == ANSWER_BROKEN)
			return failure_set(failure, 0, "the answer is not valid HTTP: %s; it begins %.300s", why,
			                   arena_string(arena, in));
		if (state == ANSWER_DONE) {
			size_t size = answer->bytes.len;

			in = (struct slice){arena_string(arena, answer->bytes), size};
			buf_drop(&exchange->in, size);
			/* Again, so that everything points into the copy. */
			return answer_parse(in, exchange->no_body, true, arena, answer, &why) == ANSWER_DONE;
		}
		if (exchange->closed)
			return failure_set(failure, 0, "expected an answer, saw the connection close after %zu bytes%s%.300s",
			                   in.len, in.len ? ": " : "", arena_string(arena, in));
		if (!in_time)
			return failure_set(failure, 0, "expected an answer in time, saw %zu bytes%s%.300s", in.len,
			                   in.len ? ": " : "", arena_string(arena, in));
	}
}

bool
exchange_begins(struct exchange *exchange, struct slice bytes, int64_t deadline, struct failure *failure)
{
	bool in_time = true;

	while (exchange->in.len < bytes.len && !exchange->closed && in_time)
		in_time = pump(exchange, deadline);
	if (exchange->in.len >= bytes.len && memcmp(buf_slice(&exchange->in).data, bytes.data, bytes.len) == 0)
		return true;
	return failure_set(failure, 0, "expected an answer that begins \"%.*s\", saw %s \"%.*s\"", SLICE_ARG(bytes),
	                   exchange->closed ? "the connection close after" : "only",
	                   (int)MIN(exchange->in.len, (size_t)300), buf_slice(&exchange->in).data);
}

bool
exchange_closed(struct exchange *exchange, int64_t deadline, struct failure *failure)
{
	bool in_time = true;

	while (!exchange->closed && in_time && exchange->in.len == 0)
		in_time = pump(exchange, deadline);
	if (exchange->in.len)
		return failure_set(failure, 0, "expected the connection to close, saw %zu more bytes: %.*s", exchange->in.len,
		                   (int)MIN(exchange->in.len, (size_t)300), exchange->in.data);
	return exchange->closed || failure_set(failure, 0, "expected the connection to close, saw it stay open");
}

void
exchange_close(struct exchange *exchange)
{
	if (exchange->fd >= 0)
		close(exchange->fd);
	buf_free(&exchange->out);
	buf_free(&exchange->in);
	*exchange = (struct exchange){.fd = -1};
}
