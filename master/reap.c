/* reap.c - children that ended: what is said about it, and when they are started again. */
#include "address_count.h"
#include "clock.h"
#include "log.h"
#include "master.h"
#include "metrics.h"
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

/* The slot is the child's own writing: copied, cut and escaped by the log, never trusted. */
static void
tell_crash(const struct master *master, const struct child *child, int status)
{
	struct scoreboard_slot last = {0};
	const char *how = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exited";

	if (child->slot >= 0)
		memcpy(&last, &master->heritage.board->slots[child->slot], sizeof(last));
	last.request[SCOREBOARD_TEXT - 1] = last.endpoint[SCOREBOARD_TEXT - 1] = last.stage[sizeof(last.stage) - 1] = '\0';
	log_error("master", "process ended unexpectedly", LOG_TEXT("name", child->name), LOG_INT("child", child->pid),
	          LOG_TEXT("how", how), LOG_INT("exit_status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	          LOG_TEXT("request", last.request), LOG_TEXT("endpoint", last.endpoint), LOG_TEXT("stage", last.stage),
	          LOG_INT("restarts", child->restarts), LOG_INT("again_in_ms", child->backoff_ms));
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
	if (master->phase < MASTER_STOPPING)
		tell_crash(master, child, status);
	child->restarts++;
	/* The first restart is at once; what dies again and again waits longer each time. */
	child->start_us = now_us + (int64_t)child->backoff_ms * 1000;
	child->backoff_ms = child->backoff_ms ? MIN(child->backoff_ms * 2, BACKOFF_MAX_MS) : BACKOFF_MIN_MS;
	if (child->slot >= 0) {
		struct scoreboard_slot *slot = &master->heritage.board->slots[child->slot];
		sandbox_report(child, slot);
		child->refused = 0;
		atomic_store(&slot->refused, 0);
		atomic_store(&slot->state, PROCESS_NONE);
		atomic_store(&slot->connections, 0);
		atomic_store(&slot->waiting, false);
		atomic_store(&slot->pid, 0);
		metrics_end(child->slot);
		metrics_restarted(child->slot);
		address_count_end(master->heritage.addresses, child->slot);
	}
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
	}
}
