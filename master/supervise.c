/*
 * supervise.c - the master's loop: start what should run, notice what ended, do what a signal asks for.
 *
 * The phase moves from STARTING to UP here, and on to STOPPING and STOPPED in stop.c. What a turn may change, each has a
 * file of its own: reap.c, hang.c, succession.c, reload.c, upgrade.c, stop.c.
 */
#include "backup_job.h"
#include "clock.h"
#include "config.h"
#include "control.h"
#include "log.h"
#include "master.h"
#include "notify.h"
#include "process_usage.h"
#include "sandbox.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum { TICK_MS = 500, ALWAYS_WATCHED = 2 };

void
master_tell_address(struct master *master)
{
	const struct edition *now = master->now;
	struct scoreboard *board = master->heritage.board;
	char url[LISTEN_ADDRESS_SIZE + 16], metrics[LISTEN_ADDRESS_SIZE + 24];

	snprintf(url, sizeof(url), "%s://%s\n", *now->config->tls_cert_file ? "https" : "http", now->api.address);
	snprintf(metrics, sizeof(metrics), "http://%s/metrics\n", now->metrics.address);
	(void)!state_write(master->folder, "url", url);
	(void)!state_write(master->folder, "metrics_url", now->metrics.fd >= 0 ? metrics : NULL);
	snprintf(board->address, sizeof(board->address), "%.*s", (int)strcspn(url, "\n"), url);
}

static void
get_up(struct master *master)
{
	master->phase = MASTER_UP;
	master_tell_address(master);
	atomic_store(&master->heritage.board->generation, master->generation);
	notify_ready(master->heritage.board->address);
	log_info("master", "ready", LOG_TEXT("url", master->heritage.board->address),
	         LOG_TEXT("environment", config_environment_name(master->now->config->environment)),
	         LOG_INT("processes", master->child_count), LOG_TEXT("metrics", master->now->metrics.address));
}

static void
start_due(struct master *master)
{
	int64_t now_us = clock_steady_us();

	for (int i = 0; i < master->child_count; i++) {
		struct child *child = &master->children[i];
		if (!child->pid && !child->leaving && child->start_us <= now_us)
			master_spawn(master, child);
	}
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
	struct pollfd fds[MASTER_CHILDREN_MAX + ALWAYS_WATCHED];
	struct child *owners[MASTER_CHILDREN_MAX + ALWAYS_WATCHED];
	nfds_t count = ALWAYS_WATCHED;

	fds[0] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = master->control_fd, .events = POLLIN};
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].status_fd >= 0) {
			owners[count] = &master->children[i];
			fds[count++] = (struct pollfd){.fd = master->children[i].status_fd, .events = POLLIN};
		}
	if (poll(fds, count, poll_timeout(master)) <= 0)
		return;
	for (nfds_t i = ALWAYS_WATCHED; i < count; i++)
		if (fds[i].revents)
			read_status(owners[i]);
	if (fds[1].revents)
		control_answer(master->control_fd);
	signals_drain();
}

/* The embedded database has a log of its own, and uses the signal for itself. */
static void
reopen_logs(const struct master *master)
{
	log_reopen();
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].pid && service_kinds[master->children[i].service].main)
			kill(master->children[i].pid, SIGUSR1);
	log_info("master", "the log file was opened again");
}

static void
obey_signals(struct master *master)
{
	bool told = signals_take(SIGTERM);

	told = signals_take(SIGINT) || told;
	if (signals_take(SIGCHLD))
		master_reap(master);
	if (signals_take(SIGUSR1))
		reopen_logs(master);
	if (told && master->phase < MASTER_STOPPING)
		stop_begin(master);
	else if (told)
		master->stop_deadline_us = clock_steady_us(); /* asked twice: no more patience */
	master->reload_wanted = signals_take(SIGHUP) || master->reload_wanted;
	master->upgrade_wanted = signals_take(SIGUSR2) || master->upgrade_wanted;
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
follow_log_levels(const struct master *master)
{
	static uint64_t known;
	uint64_t told = atomic_load(&master->heritage.board->log_levels);

	if (told == known)
		return;
	known = told;
	log_set_levels(told);
	log_info("master", "the log levels were changed");
}

/* One thing at a time: what was asked for meanwhile is done next, and once. */
static void
begin_wanted(struct master *master)
{
	if (master->phase != MASTER_UP || master->succession || master->upgrade_check)
		return;
	if (master->reload_wanted) {
		reload_begin(master);
	} else if (master->upgrade_wanted) {
		master->upgrade_wanted = false;
		upgrade_begin(master);
	}
}

static void
replace_wished(struct master *master)
{
	for (int i = 0; i < master->child_count && master->phase == MASTER_UP && !master->succession; i++) {
		struct child *child = &master->children[i];
		if (child->slot >= 0 && !child->leaving &&
		    atomic_exchange(&master->heritage.board->slots[child->slot].replace, false))
			succession_replace(master, child);
	}
}

int
master_supervise(struct master *master)
{
	while (master->phase != MASTER_STOPPED) {
		if (master->phase < MASTER_STOPPING)
			start_due(master);
		wait_for_news(master);
		follow_log_levels(master);
		report_refusals(master);
		obey_signals(master);
		hang_look(master);
		process_usage_tick(clock_wall_us());
		if (master->phase == MASTER_STARTING && all_ready(master))
			get_up(master);
		begin_wanted(master);
		replace_wished(master);
		if (master->phase == MASTER_UP) {
			succession_step(master);
			upgrade_step(master);
			backup_job_step(master);
		}
		children_bury(master);
		notify_alive(master);
		if (master->phase == MASTER_STOPPING)
			stop_continue(master);
	}
	return 0;
}
