/*
 * conn.h - one client connection: bytes in, requests one after another, bytes out.
 *
 * A connection has at most one request at work; while it is, nothing more is read (back-pressure), so pipelined
 * requests are answered in order. Deadlines are absolute. conn.c is the only code that reads and writes sockets.
 */
#ifndef AGENTD_CONN_H
#define AGENTD_CONN_H

#include "base.h"
#include "buf.h"
#include "cidr.h"
#include "process.h"
#include "http_parse.h"

#include <sys/socket.h>

struct tls_session;

struct conn {
	TAILQ_ENTRY(conn) entry;
	struct worker *worker;
	int fd;
	struct event *read_event;
	struct event *write_event;
	struct event *close_event; /* made when first needed */
	struct tls_session *tls;
	enum conn_wait wait;
	int64_t deadline_us;
	bool read_paused;
	bool closing; /* after what is in out was written */
	bool headers_seen;
	bool metrics_port; /* came by the port of the metrics: plain HTTP, no proxies, nothing but metrics and probes */
	bool continue_sent;
	struct buf in;
	struct buf out;
	size_t written;
	struct http_parser parser;
	struct request *request;

	/* Written by conn_peer.c. */
	struct cidr peer; /* who connected, or who a trusted proxy says did (PROXY protocol) */
	char address[CIDR_TEXT_SIZE];
	char network[CIDR_TEXT_SIZE]; /* what limits go by: the address, of IPv6 its first 64 bits */
	bool proxy_due;               /* the PROXY header has not come yet */
	bool counted;
	uint64_t counted_as;
};

/* Takes the descriptor of an accepted socket. */
void conn_new(struct worker *worker, int fd, const struct sockaddr *peer, bool metrics_port);
/* The request of the connection has its answer in out: goes on with the next bytes. */
void conn_answered(struct conn *conn, bool keep_alive);
/* For requests that wait long by intent: no deadline for the answer, but notice when the client goes away. */
void conn_watch_close(struct conn *conn);
/* A streaming answer has more in out: the loop writes it, and tells request_written() when all of it is gone. */
void conn_push(struct conn *conn);
/* False: the client does not keep up. What is in out has to be gone within the time for an answer's bytes. */
bool conn_has_room(const struct conn *conn);
/* True if the client has closed its side already, whether that was noticed or not. */
bool conn_is_gone(const struct conn *conn);
/* Looks at deadlines; called by the worker's tick. */
void conn_tick(struct worker *worker, int64_t now_us);
/* The settings of times have changed: nobody waits longer than they say now. */
void conn_retime(struct worker *worker);
/* For draining, on every tick: closes who is between two requests and has been so for a second. */
void conn_drain(struct worker *worker);
/* Closes up to so many of those, who has been so for longest first; returns how many. */
int conn_make_room(struct worker *worker, int most);
/* Closes everything at once. */
void conn_close_all(struct worker *worker);

#endif
