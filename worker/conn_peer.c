/*
 * conn_peer.c - see conn_peer.h.
 *
 * A trusted proxy stands for many clients and is not counted itself. With the PROXY protocol the clients behind it are;
 * without, nothing bounds one of them here, and the proxy has to.
 */
#include "conn_peer.h"
#include "address_count.h"
#include "clock.h"
#include "config.h"
#include "crypto.h"
#include "http_write.h"
#include "log.h"
#include "problem.h"
#include "proxy.h"
#include "uuid.h"

#include <errno.h>
#include <sys/socket.h>

enum { QUIET_US = 1000000 };

/* Refusals may come by the thousand; the log hears of them once a second, with their number. */
struct seldom {
	int64_t next_us;
	int64_t count;
};

static bool
is_time(struct seldom *seldom, int64_t now_us)
{
	seldom->count++;
	if (now_us < seldom->next_us)
		return false;
	seldom->next_us = now_us + QUIET_US;
	return true;
}

void
conn_peer_network(const struct cidr *address, char text_r[CIDR_TEXT_SIZE])
{
	struct cidr network = *address;

	cidr_write(address, text_r);
	if (strchr(text_r, ':')) {
		memset(network.bytes + 8, 0, 8);
		network.bits = 64;
		cidr_write(&network, text_r);
	}
}

static void
take_address(struct conn *conn, const struct cidr *address)
{
	conn->peer = *address;
	cidr_write(address, conn->address);
	conn_peer_network(address, conn->network);
}

static bool
is_trusted(const struct conn *conn)
{
	return cidr_list_covers(&conn->worker->trusted, &conn->peer);
}

/* One try, without waiting: to refuse must not cost more than to serve. Under TLS the connection is just closed. */
static void
say_too_many(const struct conn *conn)
{
	char id[UUID_TEXT_SIZE];
	struct problem problem = {.error = ERROR_TOO_MANY_CONNECTIONS,
	                          .detail = SLICE("this address has as many open connections as it may have; use the ones "
	                                          "there are again, or close some")};
	struct buf body = {0}, answer = {0};

	uuid_new(id);
	problem.request_id = slice_of(id);
	problem_write(&body, &problem);
	http_write_status(&answer, error_kind(problem.error)->status, conn->worker->now_us);
	http_write_header(&answer, "X-Request-Id", problem.request_id);
	http_write_guards(&answer, false);
	http_write_header(&answer, "Content-Type", SLICE("application/problem+json"));
	http_write_header(&answer, "Cache-Control", SLICE("no-store"));
	http_write_header(&answer, "Connection", SLICE("close"));
	http_write_header(&answer, "Retry-After", SLICE("1"));
	http_write_body(&answer, error_kind(problem.error)->status, buf_slice(&body), true);
	(void)!send(conn->fd, answer.data, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_free(&body);
	buf_free(&answer);
}

static bool
count(struct conn *conn)
{
	static struct seldom seldom;
	struct worker *worker = conn->worker;
	int64_t most = worker->config->max_connections_per_address;

	if (!most || is_trusted(conn))
		return true;
	conn->counted_as = crypto_siphash(worker->heritage->hash_key, slice_of(conn->network));
	conn->counted = address_count_take(worker->heritage->addresses, worker->heritage->slot, conn->counted_as, most);
	if (conn->counted)
		return true;
	if (is_time(&seldom, clock_steady_us()))
		log_warning("connection", "an address has too many connections; further ones are closed",
		            LOG_TEXT("address", conn->network), LOG_INT("most", most), LOG_INT("closed_so_far", seldom.count));
	if (!worker->tls)
		say_too_many(conn);
	return false;
}

bool
conn_peer_begin(struct conn *conn, const struct sockaddr *peer)
{
	struct cidr address;

	if (!cidr_of(peer, &address))
		return false;
	take_address(conn, &address);
	if (conn->metrics_port)
		return true;
	conn->proxy_due = conn->worker->config->proxy_protocol && is_trusted(conn);
	return conn->proxy_due || count(conn);
}

static void
log_bad(const struct conn *conn, const char *problem)
{
	static struct seldom seldom;

	if (is_time(&seldom, clock_steady_us()))
		log_warning("connection", "a trusted proxy sent no valid PROXY header; its connection is closed",
		            LOG_TEXT("address", conn->address), LOG_TEXT("reason", problem),
		            LOG_INT("closed_so_far", seldom.count));
}

enum conn_peer_news
conn_peer_read(struct conn *conn)
{
	struct proxy_header header;
	enum proxy_outcome outcome;

	while ((outcome = proxy_parse(buf_slice(&conn->in), &header)) == PROXY_MORE) {
		ssize_t length = recv(conn->fd, buf_reserve(&conn->in, header.wanted), header.wanted, 0);
		if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return CONN_PEER_WAIT;
		if (length <= 0)
			return CONN_PEER_REFUSED;
		conn->in.len += (size_t)length;
	}
	if (outcome == PROXY_BAD) {
		log_bad(conn, header.problem);
		return CONN_PEER_REFUSED;
	}
	buf_clear(&conn->in, 0);
	conn->proxy_due = false;
	if (header.has_source)
		take_address(conn, &header.source);
	return count(conn) ? CONN_PEER_KNOWN : CONN_PEER_REFUSED;
}

void
conn_peer_end(struct conn *conn)
{
	const struct heritage *heritage = conn->worker->heritage;

	if (conn->counted)
		address_count_give(heritage->addresses, heritage->slot, conn->counted_as);
}
