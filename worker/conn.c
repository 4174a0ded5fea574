/*
 * conn.c - see conn.h. conn_move() is the only place where what a connection waits for changes.
 */
#include "conn.h"
#include "clock.h"
#include "config.h"
#include "conn_peer.h"
#include "http_write.h"
#include "log.h"
#include "metrics.h"
#include "request.h"
#include "tls.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

enum { READ_SIZE = 16384, BUFFER_KEEP = 4096, LINGER_US = 2000000, LINGER_BYTES = 1 << 20, STREAM_ROOM = 1 << 18, DRAIN_IDLE_US = 1000000 };

static void conn_continue(struct conn *conn);

static int64_t
wait_time_us(const struct worker *worker, enum conn_wait wait)
{
	const struct config *config = worker->config;

	switch (wait) {
	case CONN_WAIT_IDLE:
		return config->keepalive_timeout_s * 1000000;
	case CONN_WAIT_HEAD:
		return config->header_timeout_s * 1000000;
	case CONN_WAIT_BODY:
	case CONN_WAIT_WRITE:
		return config->body_timeout_s * 1000000;
	case CONN_WAIT_LINGER:
		return LINGER_US;
	case CONN_WAIT_ANSWER:
		return config->timeout_s * 1000000;
	default:
		return INT64_MAX / 2; /* who waits long has a deadline of its own */
	}
}

static void
conn_move(struct conn *conn, enum conn_wait wait)
{
	struct worker *worker = conn->worker;

	if (conn->wait == wait && wait != CONN_WAIT_IDLE)
		return;
	TAILQ_REMOVE(&worker->conns[conn->wait], conn, entry);
	conn->wait = wait;
	conn->deadline_us = clock_mono_us() + wait_time_us(worker, wait);
	TAILQ_INSERT_TAIL(&worker->conns[wait], conn, entry);
}

static void
conn_free(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->request)
		request_orphan(conn->request);
	TAILQ_REMOVE(&worker->conns[conn->wait], conn, entry);
	worker->conn_count--;
	worker->metrics_conn_count -= conn->metrics_port;
	atomic_fetch_sub(&worker->slot->connections, 1);
	event_free(conn->read_event);
	event_free(conn->write_event);
	if (conn->close_event)
		event_free(conn->close_event);
	tls_session_free(conn->tls);
	close(conn->fd);
	conn_peer_end(conn);
	buf_free(&conn->in);
	buf_free(&conn->out);
	free(conn);
}

static ssize_t
read_some(struct conn *conn, char *out, size_t size)
{
	return conn->tls ? tls_read(conn->tls, out, size) : recv(conn->fd, out, size, 0);
}

static ssize_t
write_some(struct conn *conn, const char *data, size_t size)
{
	return conn->tls ? tls_write(conn->tls, data, size) : send(conn->fd, data, size, MSG_NOSIGNAL);
}

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void
pause_reading(struct conn *conn, bool pause)
{
	if (conn->read_paused == pause)
		return;
	conn->read_paused = pause;
	if (pause) {
		event_del(conn->read_event);
		return;
	}
	event_add(conn->read_event, NULL);
	if (conn->tls && tls_pending(conn->tls))
		event_active(conn->read_event, EV_READ, 0);
}

/* No more requests: says so to the peer and reads what it still sends, so that it can read the answer (RFC 9112 9.6).
 */
static void
linger(struct conn *conn)
{
	if (conn->tls)
		tls_close(conn->tls);
	shutdown(conn->fd, SHUT_WR);
	conn_move(conn, CONN_WAIT_LINGER);
	conn->written = 0; /* counts what is read and thrown away from here on */
	pause_reading(conn, false);
}

/* Writes what is in out. False: the connection is gone. */
static bool
flush(struct conn *conn)
{
	while (conn->written < conn->out.len) {
		ssize_t sent = write_some(conn, conn->out.data + conn->written, conn->out.len - conn->written);
		if (sent > 0) {
			conn->written += (size_t)sent;
		} else if (would_block()) {
			conn_move(conn, CONN_WAIT_WRITE);
			event_add(conn->write_event, NULL);
			return true;
		} else {
			conn_free(conn);
			return false;
		}
	}
	conn->written = 0;
	buf_clear(&conn->out, BUFFER_KEEP);
	if (conn->closing)
		linger(conn);
	else if (conn->request)
		conn_move(conn, conn->request->watch_close ? CONN_WAIT_LONG : CONN_WAIT_ANSWER);
	else
		conn_move(conn, conn->in.len == 0 ? CONN_WAIT_IDLE : conn->headers_seen ? CONN_WAIT_BODY : CONN_WAIT_HEAD);
	return true;
}

static void
message_done(struct conn *conn)
{
	/* What comes next has a deadline of its own. */
	conn_move(conn, CONN_WAIT_ANSWER);
	buf_drop(&conn->in, conn->parser.consumed);
	if (conn->in.len == 0)
		buf_clear(&conn->in, BUFFER_KEEP);
	http_parse_init(&conn->parser, (size_t)conn->worker->config->max_body_bytes);
	conn->headers_seen = conn->continue_sent = false;
}

void
conn_answered(struct conn *conn, bool keep_alive)
{
	conn->request = NULL;
	if (!keep_alive || conn->worker->draining) {
		conn->closing = true;
		buf_clear(&conn->in, SIZE_MAX);
	} else {
		message_done(conn);
	}
	conn_continue(conn);
}

/* Parses as far as the buffer goes. True: a request was made and runs, or the connection is on its way out. */
static bool
parse(struct conn *conn)
{
	enum http_event event;

	if (conn->in.len == 0)
		return false;
	event = http_parse(&conn->parser, conn->in.data, conn->in.len);
	if (event == HTTP_HEADERS_DONE) {
		conn->headers_seen = true;
		event = http_parse(&conn->parser, conn->in.data, conn->in.len);
	}
	if (event == HTTP_MORE) {
		if (conn->headers_seen && conn->parser.expect_continue && !conn->continue_sent) {
			http_write_continue(&conn->out);
			conn->continue_sent = true;
		}
		return false;
	}
	conn->request = request_new(conn, event == HTTP_ERROR);
	return true;
}

/*
 * The loop of a connection: parse, run, and again while answers come at once. request_run() may answer before it
 * returns, and then conn_answered() has been here already: the outermost call goes on.
 */
static void
conn_continue(struct conn *conn)
{
	static struct conn *current;
	struct conn *outer = current;

	if (current == conn)
		return;
	current = conn;
	while (!conn->request && !conn->closing && conn->out.len < READ_SIZE * 4 && parse(conn))
		request_run(conn->request);
	current = outer;
	if (flush(conn) && !conn->request && !conn->closing)
		pause_reading(conn, false);
}

static void
discard(struct conn *conn)
{
	char trash[4096];
	ssize_t length = recv(conn->fd, trash, sizeof(trash), 0);

	if (length > 0)
		conn->written += (size_t)length;
	if (length == 0 || (length < 0 && !would_block()) || conn->written > LINGER_BYTES)
		conn_free(conn);
}

static void
on_close(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (conn->request && conn->request->watch_close)
		conn_free(conn);
}

/* The next request's bytes hide the end of the stream: from here on only the end itself is listened for. */
static void
wait_for_close(struct conn *conn)
{
	if (!conn->close_event)
		conn->close_event = event_new(conn->worker->base, conn->fd, EV_CLOSED, on_close, conn);
	INVARIANT(conn->close_event);
	event_add(conn->close_event, NULL);
}

/* Bytes, or the end, while a request is at work: stop looking, unless the client has gone for good. */
static void
read_while_busy(struct conn *conn)
{
	char byte;

	if (!conn->request->watch_close) {
		pause_reading(conn, true);
	} else if (recv(conn->fd, &byte, 1, MSG_PEEK) == 0) {
		conn_free(conn);
	} else {
		pause_reading(conn, true);
		wait_for_close(conn);
	}
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;
	ssize_t length;

	(void)fd;
	(void)what;
	if (conn->proxy_due) {
		if (conn_peer_read(conn) == CONN_PEER_REFUSED)
			conn_free(conn);
		return;
	}
	if (conn->wait == CONN_WAIT_LINGER) {
		discard(conn);
		return;
	}
	if (conn->request) {
		read_while_busy(conn);
		return;
	}
	if (conn->wait == CONN_WAIT_WRITE || conn->closing) {
		pause_reading(conn, true);
		return;
	}
	length = read_some(conn, buf_reserve(&conn->in, READ_SIZE), READ_SIZE);
	if (length < 0 && would_block())
		return;
	if (length <= 0) {
		conn_free(conn);
		return;
	}
	conn->in.len += (size_t)length;
	if (conn->tls && tls_pending(conn->tls))
		event_active(conn->read_event, EV_READ, 0);
	conn_continue(conn);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	(void)what;
	if (!flush(conn) || conn->out.len || conn->closing)
		return;
	if (!conn->request)
		conn_continue(conn);
	else if (conn->request->streaming)
		request_written(conn->request);
}

void
conn_push(struct conn *conn)
{
	event_active(conn->write_event, EV_WRITE, 0);
}

bool
conn_has_room(const struct conn *conn)
{
	return conn->wait != CONN_WAIT_WRITE && conn->out.len < STREAM_ROOM;
}

void
conn_watch_close(struct conn *conn)
{
	conn->request->watch_close = conn->request->waited = true;
	conn_move(conn, CONN_WAIT_LONG);
	pause_reading(conn, false);
}

bool
conn_is_gone(const struct conn *conn)
{
	struct pollfd look = {.fd = conn->fd, .events = POLLRDHUP};

	/* Unlike a read, this sees the end behind bytes that were not read yet, and a reset. */
	return poll(&look, 1, 0) > 0;
}

void
conn_new(struct worker *worker, int fd, const struct sockaddr *peer, bool metrics_port)
{
	struct conn *conn = mem_zero(sizeof(*conn));
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	conn->worker = worker;
	conn->fd = fd;
	conn->metrics_port = metrics_port;
	if (!conn_peer_begin(conn, peer)) {
		close(fd);
		free(conn);
		return;
	}
	conn->read_event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_read, conn);
	conn->write_event = event_new(worker->base, fd, EV_WRITE, on_write, conn);
	INVARIANT(conn->read_event && conn->write_event);
	if (worker->tls && !metrics_port)
		conn->tls = tls_session_new(worker->tls, fd);
	http_parse_init(&conn->parser, (size_t)worker->config->max_body_bytes);
	worker->conn_count++;
	worker->metrics_conn_count += metrics_port;
	atomic_fetch_add(&worker->slot->connections, 1);
	/* The first head is due at once: a client that connects and says nothing is not idle, it is late. */
	conn->wait = CONN_WAIT_HEAD;
	conn->deadline_us = clock_mono_us() + wait_time_us(worker, CONN_WAIT_HEAD);
	TAILQ_INSERT_TAIL(&worker->conns[CONN_WAIT_HEAD], conn, entry);
	event_add(conn->read_event, NULL);
}

/* A head or body that is late is answered with 408, an answer that is late becomes 503; the rest is just closed. */
static void
expire(struct conn *conn)
{
	bool late = conn->wait == CONN_WAIT_HEAD || conn->wait == CONN_WAIT_BODY;

	if (conn->wait == CONN_WAIT_ANSWER && conn->request) {
		/* What it waits for may still come: it ends as an orphan. */
		request_orphan(conn->request);
		conn->parser.error_status = 503;
		conn->parser.error_detail = "no answer in time; whether the request had an effect is not known";
	} else if (!late || conn->proxy_due || (conn->in.len == 0 && !conn->headers_seen)) {
		if (conn->request && conn->request->streaming)
			metrics_add(METRIC_EVENT_STREAMS_DROPPED, 0, 1);
		conn_free(conn);
		return;
	} else {
		conn->parser.error_status = 408;
		conn->parser.error_detail =
		    conn->headers_seen ? "the body did not arrive in time" : "the head of the request did not arrive in time";
	}
	conn->request = request_new(conn, true);
	request_run(conn->request);
}

void
conn_tick(struct worker *worker, int64_t now_us)
{
	for (int wait = 0; wait < CONN_WAIT_COUNT; wait++) {
		struct conn *conn;
		while ((conn = TAILQ_FIRST(&worker->conns[wait])) && conn->deadline_us <= now_us)
			expire(conn);
	}
}

/* A bound that is the same for all keeps a list in the order of deadlines. */
void
conn_retime(struct worker *worker)
{
	for (int wait = 0; wait < CONN_WAIT_COUNT; wait++) {
		int64_t latest_us = clock_mono_us() + wait_time_us(worker, (enum conn_wait)wait);
		struct conn *conn;

		TAILQ_FOREACH(conn, &worker->conns[wait], entry)
		conn->deadline_us = MIN(conn->deadline_us, latest_us);
	}
}

/*
 * Between two requests, and for long enough: a request that is on its way to a connection that closes is lost to its
 * client, so who is busy gets "Connection: close" with the next answer instead, and who has just come is waited for.
 */
static bool
may_close(const struct conn *conn, int64_t now_us)
{
	bool between = conn->wait == CONN_WAIT_IDLE || (conn->wait == CONN_WAIT_HEAD && conn->in.len == 0);
	int64_t since_us = conn->deadline_us - wait_time_us(conn->worker, conn->wait);
	struct pollfd look = {.fd = conn->fd, .events = POLLIN};

	return between && now_us - since_us >= DRAIN_IDLE_US && poll(&look, 1, 0) == 0;
}

void
conn_drain(struct worker *worker)
{
	static const enum conn_wait waits[] = {CONN_WAIT_IDLE, CONN_WAIT_HEAD};
	int64_t now_us = clock_mono_us();

	for (size_t i = 0; i < ARRAY_LENGTH(waits); i++) {
		struct conn *conn, *next;
		for (conn = TAILQ_FIRST(&worker->conns[waits[i]]); conn; conn = next) {
			next = TAILQ_NEXT(conn, entry);
			if (may_close(conn, now_us))
				conn_free(conn);
		}
	}
}

int
conn_make_room(struct worker *worker, int most)
{
	int64_t now_us = clock_mono_us();
	struct conn *conn, *next;
	int closed = 0;

	for (conn = TAILQ_FIRST(&worker->conns[CONN_WAIT_IDLE]); conn && closed < most; conn = next) {
		next = TAILQ_NEXT(conn, entry);
		if (may_close(conn, now_us)) {
			conn_free(conn);
			closed++;
		}
	}
	return closed;
}

void
conn_close_all(struct worker *worker)
{
	struct conn *conn;

	for (int wait = 0; wait < CONN_WAIT_COUNT; wait++)
		while ((conn = TAILQ_FIRST(&worker->conns[wait])))
			conn_free(conn);
}
