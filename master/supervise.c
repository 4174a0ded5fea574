/*
 * supervise.c - the master's loop: start what should run, notice what ended, stop in order.
 *
 * The phase moves in master_move() only: STARTING -> UP -> STOPPING -> STOPPED. Hang detection, reload and upgrade
 * belong here too: a heartbeat look at tick(), a new generation of children beside the old.
 */
#include "clock.h"
#include "config.h"
#include "log.h"
#include "master.h"
#include "sandbox.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum { TICK_MS = 1000, STOP_GRACE_S = 10 };

static void
master_move(struct master *master, enum master_phase phase)
{
	char url[LISTEN_ADDRESS_SIZE + 16], metrics[LISTEN_ADDRESS_SIZE + 24];

	master->phase = phase;
	if (phase == MASTER_UP) {
		snprintf(url, sizeof(url), "%s://%s\n", *master->config->tls_cert_file ? "https" : "http", master->address);
		(void)!state_write(master->folder, "url", url);
		snprintf(metrics, sizeof(metrics), "http://%s/metrics\n", master->metrics_address);
		(void)!state_write(master->folder, "metrics_url", *master->metrics_address ? metrics : NULL);
		log_info("master", "ready", LOG_SLICE("url", ((struct slice){url, strcspn(url, "\n")})),
		         LOG_TEXT("environment", config_environment_name(master->config->environment)),
		         LOG_INT("processes", master->child_count), LOG_TEXT("metrics", master->metrics_address));
	} else if (phase == MASTER_STOPPING) {
		(void)!state_write(master->folder, "url", NULL);
		(void)!state_write(master->folder, "metrics_url", NULL);
		atomic_store(&master->heritage.board->draining, true);
		master->stop_order = -1;
		/* The last holders of the socket are the workers, which take what is in its queue and close it. */
		close(master->heritage.listen_fd);
		if (master->heritage.metrics_fd >= 0)
			close(master->heritage.metrics_fd);
		log_info("master", "stopping");
	} else if (phase == MASTER_STOPPED) {
		log_info("master", "stopped");
	}
}

static void
signal_order(struct master *master, int order, int signal_number)
{
	for (int i = 0; i < master->child_count; i++) {
		struct child *child = &master->children[i];
		const struct service_kind *kind = &service_kinds[child->service];
		if (child->pid && kind->stop_order == order)
			kill(child->pid, signal_number ? signal_number : kind->stop_signal);
	}
}

static bool
order_is_gone(const struct master *master, int order)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].pid && service_kinds[master->children[i].service].stop_order == order)
			return false;
	return true;
}

/* One step of stopping: the next order when this one is gone, force when its time is up. */
static void
continue_stopping(struct master *master)
{
	int64_t now_us = clock_steady_us();
	int64_t grace_s;

	while (master->stop_order < 0 || order_is_gone(master, master->stop_order)) {
		if (++master->stop_order >= SERVICE_COUNT) {
			master_move(master, MASTER_STOPPED);
			return;
		}
		grace_s = master->stop_order == 0 ? master->config->drain_timeout_s + 1 : STOP_GRACE_S;
		master->stop_deadline_us = now_us + grace_s * 1000000;
		signal_order(master, master->stop_order, 0);
	}
	if (now_us >= master->stop_deadline_us) {
		log_warning("master", "processes did not stop in time and are killed", LOG_INT("order", master->stop_order));
		signal_order(master, master->stop_order, SIGKILL);
		master->stop_deadline_us = now_us + (int64_t)STOP_GRACE_S * 1000000;
	}
}

static void
start_due(struct master *master)
{
	int64_t now_us = clock_steady_us();

	for (int i = 0; i < master->child_count; i++)
		if (!master->children[i].pid && master->children[i].start_us <= now_us)
			master_spawn(master, &master->children[i]);
}

static int
poll_timeout(const struct master *master)
{
	int64_t now_us = clock_steady_us();
	int64_t wait_us = (int64_t)TICK_MS * 1000;

	for (int i = 0; i < master->child_count; i++)
		if (!master->children[i].pid)
			wait_us = MIN(wait_us, master->children[i].start_us - now_us);
	if (master->phase == MASTER_STOPPING)
		wait_us = MIN(wait_us, master->stop_deadline_us - now_us);
	return wait_us <= 0 ? 1 : (int)(wait_us / 1000) + 1;
}

static bool
all_ready(const struct master *master)
{
	for (int i = 0; i < master->child_count; i++)
		if (service_kinds[master->children[i].service].needs_readiness && !master->children[i].was_ready)
			return false;
	return true;
}

static void
read_status(struct child *child)
{
	char byte;

	if (read(child->status_fd, &byte, 1) == 1) {
		child->ready = child->was_ready = true;
		if (child->restarts)
			log_info("master", "process is back", LOG_TEXT("name", child->name),
			         LOG_INT("after_ms", (clock_steady_us() - child->started_us) / 1000));
	} else {
		close(child->status_fd);
		child->status_fd = -1;
	}
}

static void
wait_for_news(struct master *master)
{
	struct pollfd fds[MASTER_CHILDREN_MAX + 1];
	struct child *owners[MASTER_CHILDREN_MAX + 1];
	nfds_t count = 1;

	fds[0] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].status_fd >= 0) {
			owners[count] = &master->children[i];
			fds[count++] = (struct pollfd){.fd = master->children[i].status_fd, .events = POLLIN};
		}
	if (poll(fds, count, poll_timeout(master)) <= 0)
		return;
	for (nfds_t i = 1; i < count; i++)
		if (fds[i].revents)
			read_status(owners[i]);
	signals_drain();
}

static void
obey_signals(struct master *master)
{
	bool told = signals_take(SIGTERM);

	told = signals_take(SIGINT) || told;
	if (signals_take(SIGCHLD))
		master_reap(master);
	if (told && master->phase < MASTER_STOPPING)
		master_move(master, MASTER_STOPPING);
	else if (told)
		master->stop_deadline_us = clock_steady_us(); /* asked twice: no more patience */
}

static void
report_refusals(struct master *master)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].slot >= 0)
			sandbox_report(&master->children[i], &master->heritage.board->slots[master->children[i].slot]);
}

/* The master asks no database: the keeper tells it. It is a child: what it says is looked at. */
static void
follow_log_level(const struct master *master)
{
	static int known;
	int told = atomic_load(&master->heritage.board->log_level);

	if (told == known || told <= LOG_LEVEL_DEBUG || told > LOG_LEVEL_ERROR + 1)
		return;
	known = told;
	log_set_level((enum log_level)(told - 1));
	log_info("master", "the log level was changed", LOG_INT("level", told - 1));
}

int
master_supervise(struct master *master)
{
	while (master->phase != MASTER_STOPPED) {
		if (master->phase < MASTER_STOPPING)
			start_due(master);
		wait_for_news(master);
		follow_log_level(master);
		report_refusals(master);
		obey_signals(master);
		if (master->phase == MASTER_STARTING && all_ready(master))
			master_move(master, MASTER_UP);
		if (master->phase == MASTER_STOPPING)
			continue_stopping(master);
	}
	return 0;
}
