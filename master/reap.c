/* reap.c - children that ended: what is said about it, and when they are started again. */
#include "address_count.h"
#include "backup_job.h"
#include "clock.h"
#include "crash.h"
#include "log.h"
#include "master.h"
#include "metrics.h"
#include "probe.h"
#include "sandbox.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 10000, STEADY_US = 10000000 };

static struct child *
find(struct master *master, pid_t pid)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].pid == pid)
			return &master->children[i];
	return NULL;
}

/* For `agentd status` and GET /system/status: how the last process in this slot ended. */
static void
record_end(struct scoreboard_record *record, const struct child *child, const struct scoreboard_slot *last,
           const char *how, const char *where)
{
	record->restarts++;
	record->ended_us = clock_wall_us();
	/* Addresses come last: they are cut where there is no room. */
	snprintf(record->last_end, sizeof(record->last_end), "pid %d %s%s%s%s%s%s%s%s", (int)child->pid,
	         child->aborted_us ? "hung: " : "", how, *last->endpoint ? " in " : "", last->endpoint,
	         *last->stage ? ", stage " : "", last->stage, *where ? ", at " : "", where);
}

/* The slot is the child's own writing: copied, cut and escaped by the log, never trusted. */
static void
tell_crash(const struct master *master, const struct child *child, int status)
{
	struct scoreboard_slot last = {0};
	const char *how = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exited";
	struct buf where = {0};

	if (child->slot >= 0)
		memcpy(&last, &master->heritage.board->slots[child->slot], sizeof(last));
	last.request[SCOREBOARD_TEXT - 1] = last.endpoint[SCOREBOARD_TEXT - 1] = last.stage[sizeof(last.stage) - 1] = '\0';
	crash_describe(&last, &where);
	buf_add_byte(&where, '\0');
	log_error("master", "process ended unexpectedly", LOG_TEXT("name", child->name), LOG_INT("child", child->pid),
	          LOG_TEXT("how", how), LOG_INT("exit_status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	          LOG_TEXT("request", last.request), LOG_TEXT("endpoint", last.endpoint), LOG_TEXT("stage", last.stage),
	          LOG_TEXT("at", where.data), LOG_INT("restarts", child->restarts),
	          LOG_INT("again_in_ms", child->fresh ? -1 : child->backoff_ms));
	if (child->slot >= 0)
		record_end(&master->heritage.board->records[child->slot], child, &last, how, where.data);
	metrics_add(METRIC_PROCESS_RESTARTS, child_place(child), 1);
	buf_free(&where);
}

/* The slot is free for another process. */
static void
clear_slot(struct master *master, struct child *child)
{
	struct scoreboard_slot *slot = &master->heritage.board->slots[child->slot];

	sandbox_report(child, slot);
	child->refused = 0;
	atomic_store(&slot->refused, 0);
	atomic_store(&slot->state, PROCESS_NONE);
	atomic_store(&slot->connections, 0);
	atomic_store(&slot->in_flight, 0);
	atomic_store(&slot->waiting, false);
	atomic_store(&slot->pid, 0);
	metrics_end(child->slot);
	slot->request[0] = slot->endpoint[0] = slot->stage[0] = '\0';
	address_count_end(master->heritage.addresses, child->slot);
}

static bool
left_as_told(const struct child *child, int status)
{
	return child->leaving && (WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
}

static void
ended(struct master *master, struct child *child, int status)
{
	int64_t now_us = clock_steady_us();

	if (child->status_fd >= 0)
		close(child->status_fd);
	child->status_fd = -1;
	child->ready = false;
	if (now_us - child->started_us > STEADY_US)
		child->backoff_ms = 0;
	if (master->phase < MASTER_STOPPING && !left_as_told(child, status)) {
		PROBE_3(restart, child->name, status, child->restarts);
		tell_crash(master, child, status);
		master->succession_failed = master->succession_failed || child->fresh;
	}
	child->aborted_us = 0;
	child->restarts++;
	/* The first restart is at once; what dies again and again waits longer each time. */
	child->start_us = now_us + (int64_t)child->backoff_ms * 1000;
	child->backoff_ms = child->backoff_ms ? MIN(child->backoff_ms * 2, BACKOFF_MAX_MS) : BACKOFF_MIN_MS;
	if (child->slot >= 0)
		clear_slot(master, child);
	child->pid = 0;
}

void
master_reap(struct master *master)
{
	int status;
	pid_t pid;

	/* Any other child is one that the master got as PID 1: it is only buried. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = find(master, pid);
		if (child)
			ended(master, child, status);
		else
			(void)(upgrade_reap(master, pid, status) || backup_job_reap(master, pid, status));
	}
}
