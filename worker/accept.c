/*
 * accept.c - taking connections from the shared listening socket.
 *
 * All workers poll the same socket, so what waits in its queue is lost by nobody's death. Each takes a few at a time,
 * and one that has clearly more connections than the others lets them go first. The metrics port is open while there is
 * no room for clients, for then it is of most use; but it has room for few.
 *
 * Where descriptors or memory run out, who has been idle longest is let go, and nobody is asked again for a while: the
 * socket stays ready, so the loop would do nothing else. The others take what waits meanwhile.
 */
#include "clock.h"
#include "config.h"
#include "conn.h"
#include "process.h"
#include "health.h"
#include "log.h"

#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

enum {
	BATCH = 8,
	SLACK = 16,
	PAUSE_US = 2000,
	SHORT_PAUSE_US = 50000,
	SHORT_QUIET_US = 10000000,
	METRICS_CONNECTIONS = 32
};

/* The load gate: true when this worker holds more than its share. */
static bool
has_more_than_share(const struct worker *worker)
{
	const struct scoreboard *board = worker->heritage->board;
	int total = 0, workers = 0;

	for (int i = 0; i < board->slot_count; i++) {
		const struct scoreboard_slot *slot = &board->slots[i];
		if (atomic_load(&slot->state) == PROCESS_READY && strncmp(slot->name, "worker", 6) == 0) {
			total += atomic_load(&slot->connections);
			workers++;
		}
	}
	return workers > 1 && worker->conn_count > total / workers + total / workers / 4 + SLACK;
}

static void
pause_accepting(struct worker *worker, int pause_us)
{
	const struct timeval pause = {.tv_usec = pause_us};

	event_del(worker->accept_event);
	event_add(worker->accept_retry, &pause);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	if (worker->draining)
		return;
	event_add(worker->accept_event, NULL);
	if (worker->metrics_event)
		event_add(worker->metrics_event, NULL);
}

static bool
is_short(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

/* The log hears of it seldom, with how often it was. */
static void
come_short(struct worker *worker, int error)
{
	static int64_t quiet_until_us;
	static int64_t times, closed;
	int64_t now_us = clock_steady_us();

	closed += conn_make_room(worker, BATCH);
	times++;
	atomic_store(&health_board_pool(worker->heritage->health, worker->heritage->slot)->short_us, now_us);
	pause_accepting(worker, SHORT_PAUSE_US);
	if (worker->metrics_event)
		event_del(worker->metrics_event);
	if (now_us < quiet_until_us)
		return;
	quiet_until_us = now_us + SHORT_QUIET_US;
	log_warning("worker", "cannot accept connections", LOG_TEXT("reason", strerror(error)), LOG_INT("times", times),
	            LOG_INT("open", worker->conn_count), LOG_INT("idle_closed", closed),
	            LOG_TEXT("hint", "raise the limit of open files (LimitNOFILE), or lower AGENTD_MAX_CONNECTIONS"));
	times = closed = 0;
}

static bool
accept_one(struct worker *worker)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int client = accept4(worker->heritage->listen_fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (client >= 0)
		conn_new(worker, client, (struct sockaddr *)&peer, false);
	return client >= 0;
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	if (worker->conn_count >= worker->config->max_connections || has_more_than_share(worker)) {
		pause_accepting(worker, PAUSE_US);
		return;
	}
	for (int i = 0; i < BATCH; i++) {
		if (accept_one(worker))
			continue;
		if (is_short(errno))
			come_short(worker, errno);
		return;
	}
}

static void
on_metrics(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int client = accept4(fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (client < 0 && is_short(errno))
		come_short(worker, errno);
	if (client < 0)
		return;
	if (worker->metrics_conn_count < METRICS_CONNECTIONS)
		conn_new(worker, client, (struct sockaddr *)&peer, true);
	else
		close(client);
}

void
accept_start(struct worker *worker)
{
	int fd = worker->heritage->listen_fd;

	worker->accept_event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_accept, worker);
	worker->accept_retry = event_new(worker->base, -1, 0, on_retry, worker);
	INVARIANT(worker->accept_event && worker->accept_retry);
	event_add(worker->accept_event, NULL);
	if (worker->heritage->metrics_fd >= 0) {
		worker->metrics_event =
		    event_new(worker->base, worker->heritage->metrics_fd, EV_READ | EV_PERSIST, on_metrics, worker);
		INVARIANT(worker->metrics_event && event_add(worker->metrics_event, NULL) == 0);
	}
	worker->accepting = true;
}

void
accept_stop(struct worker *worker)
{
	if (!worker->accepting)
		return;
	worker->accepting = false;
	event_free(worker->accept_event);
	event_free(worker->accept_retry);
	while (worker->conn_count < worker->config->max_connections && accept_one(worker))
		;
	close(worker->heritage->listen_fd);
	if (worker->metrics_event) {
		event_free(worker->metrics_event);
		close(worker->heritage->metrics_fd);
	}
}
