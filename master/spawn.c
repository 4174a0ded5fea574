/* spawn.c - fork: what a child keeps, and what it must not have. */
#include "breach.h"
#include "clock.h"
#include "config.h"
#include "confine.h"
#include "crash.h"
#include "landlock.h"
#include "launch.h"
#include "log.h"
#include "master.h"
#include "metrics.h"
#include "process_usage.h"
#include "proctitle.h"
#include "sandbox.h"
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static NORETURN void
become_postgres(struct master *master)
{
	char *path = NULL;
	int log;

	if (asprintf(&path, "%s/postgres.log", master->folder) < 0)
		_exit(1);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (log >= 0) {
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
	}
	/* Its own group: a Ctrl-C is for the master, which stops the database last. */
	setpgid(0, 0);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	embedded_exec(&master->embedded);
	_exit(1);
}

static void
close_others(struct master *master)
{
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].status_fd >= 0)
			close(master->children[i].status_fd);
	close(master->lifeline[1]);
	close(master->lock_fd);
	if (master->control_fd >= 0)
		close(master->control_fd);
	if (master->previous_program >= 0)
		close(master->previous_program);
	if (master->previous_variables >= 0)
		close(master->previous_variables);
	launch_forget();
	edition_forget(master->now);
	edition_forget(master->next);
}

/* False: the kernel has no Landlock, which was said at the start. */
static bool
fence_files(const struct master *master, const struct config *config, const char *database_url)
{
	bool done = landlock_version() && landlock_enter(config, database_url, master->folder);

	if (!done && landlock_version())
		log_warning("security", "Landlock cannot be used", LOG_TEXT("reason", strerror(errno)));
	return done;
}

static void
enter_sandbox(struct master *master, const struct heritage *heritage, const struct service_kind *kind)
{
	const struct config *config = heritage->config;
	const struct sandbox sandbox = {
	    .slot = &heritage->board->slots[heritage->slot], .serves = kind->serves, .moves_files = *config->log_file};
	bool fenced = false;

	if (config->sandbox) {
		/* Becoming another user may have made it open to looks again. */
		confine_memory();
		fenced = fence_files(master, config, kind->serves ? heritage->database_url : heritage->direct_url);
		if (!sandbox_enter(&sandbox)) {
			log_error("security", "cannot start: the kernel refuses the list of system calls",
			          LOG_TEXT("reason", strerror(errno)), LOG_TEXT("hint", "AGENTD_SANDBOX=off serves without it"));
			_exit(1);
		}
	}
	if (config->test_breach)
		breach_try(master->folder, fenced);
}

static NORETURN void
become_child(struct master *master, const struct child *child, int status_fd)
{
	const struct service_kind *kind = &service_kinds[child->service];
	struct heritage heritage = master->heritage;
	struct scoreboard_slot *slot;

	edition_give(child->fresh && master->next ? master->next : master->now, &heritage);
	signals_reset();
	close_others(master);
	if (!kind->main)
		become_postgres(master);
	process_usage_open();
	metrics_begin(child->slot, child_place(child), child->name);
	confine_user(&master->user);
	proctitle_set(child->name);
	log_set_process(child->name);
	secrets_forget_others(&heritage, kind);
	heritage.process = child->name;
	heritage.slot = child->slot;
	heritage.index = child->index;
	heritage.status_fd = status_fd;
	heritage.lifeline_fd = master->lifeline[0];
	if (!kind->serves) {
		close(heritage.listen_fd);
		heritage.listen_fd = -1;
		if (heritage.metrics_fd >= 0)
			close(heritage.metrics_fd);
		heritage.metrics_fd = -1;
	}
	slot = &heritage.board->slots[child->slot];
	memset(slot, 0, sizeof(*slot));
	memcpy(slot->name, child->name, sizeof(slot->name));
	atomic_store(&slot->pid, getpid());
	atomic_store(&slot->state, PROCESS_STARTING);
	atomic_store(&slot->heartbeat_us, clock_steady_us());
	crash_catch(slot);
	enter_sandbox(master, &heritage, kind);
	exit(kind->main(&heritage));
}

static void
try_later(struct child *child, const char *what)
{
	log_error("master", "cannot start a process", LOG_TEXT("name", child->name), LOG_TEXT("call", what),
	          LOG_TEXT("reason", strerror(errno)));
	child->start_us = clock_steady_us() + 1000000;
}

void
master_spawn(struct master *master, struct child *child)
{
	sigset_t all, before;
	int status[2];
	pid_t pid;

	if (pipe2(status, O_NONBLOCK | O_CLOEXEC) != 0) {
		try_later(child, "pipe");
		return;
	}
	/* No signal may run the master's handler in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become_child(master, child, status[1]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(status[1]);
	if (pid < 0) {
		close(status[0]);
		try_later(child, "fork");
		return;
	}
	child->pid = pid;
	child->status_fd = status[0];
	child->ready = false;
	child->started_us = clock_steady_us();
	if (child->slot >= 0)
		master->heritage.board->records[child->slot].started_us = clock_wall_us();
	log_debug("master", "process started", LOG_TEXT("name", child->name), LOG_INT("child", pid));
}
