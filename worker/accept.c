/*
 * accept.c - taking connections from the shared listening socket.
 *
 * All workers poll the same socket, so what waits in its queue is lost by nobody's death. Each takes a few at a time,
 * and one that has clearly more connections than the others lets them go first. The metrics port is open while there is
 * no room for clients, for then it is of most use; but it has room for few.
 */
#include "config.h"
#include "conn.h"
#include "process.h"
#include "log.h"

#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

enum { BATCH = 8, SLACK = 16, PAUSE_US = 2000, METRICS_CONNECTIONS = 32 };

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
pause_accepting(struct worker *worker)
{
	static const struct timeval pause = {.tv_usec = PAUSE_US};

	event_del(worker->accept_event);
	event_add(worker->accept_retry, &pause);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	if (!worker->draining)
		event_add(worker->accept_event, NULL);
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
		pause_accepting(worker);
		return;
	}
	for (int i = 0; i < BATCH; i++) {
		if (accept_one(worker))
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			log_warning("worker", "cannot accept connections", LOG_TEXT("reason", strerror(errno)));
			pause_accepting(worker);
		}
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
