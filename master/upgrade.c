/* upgrade.c - see upgrade.h. */
#include "upgrade.h"
#include "clock.h"
#include "handover.h"
#include "launch.h"
#include "log.h"
#include "master.h"
#include "migrate.h"
#include "notify.h"
#include "shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECK_US = 120000000 };

int
upgrade_check_command(const struct config *config, char *(*database_of)(const struct config *))
{
	char *url = database_of(config);
	bool done = url && migrate_up(url, MIGRATE_LATEST);

	free(url);
	return done ? 0 : 1;
}

void
upgrade_begin(struct master *master)
{
	const char *path = launch_path();

	if (access(path, X_OK) != 0) {
		log_error("master", "cannot upgrade: the program file cannot be run", LOG_TEXT("file", path),
		          LOG_TEXT("reason", strerror(errno)));
		return;
	}
	notify_reloading();
	master->upgrade_deadline_us = clock_steady_us() + CHECK_US;
	master->upgrade_check = fork();
	if (master->upgrade_check == 0) {
		signals_reset();
		execve(path, launch_arguments("upgrade-check", NULL), launch_environment());
		_exit(127);
	}
	if (master->upgrade_check < 0) {
		master->upgrade_check = 0;
		log_error("master", "cannot upgrade", LOG_TEXT("reason", strerror(errno)));
		notify_ready(master->heritage.board->address);
		return;
	}
	log_info("master", "looking at the new program", LOG_TEXT("file", path), LOG_INT("child", master->upgrade_check));
}

bool
upgrade_reap(struct master *master, pid_t pid, int status)
{
	if (!pid || pid != master->upgrade_check)
		return false;
	master->upgrade_check = 0;
	master->upgrade_checked = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!master->upgrade_checked) {
		log_error("master", "the new program refuses; the old one goes on",
		          LOG_TEXT("how", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exited"),
		          LOG_INT("exit_status", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
		notify_ready(master->heritage.board->address);
	}
	return true;
}

/* Becomes the program in fd, or in the file of that path. Returns only if that failed. */
static void
become(struct master *master, const char *path, int program, bool reverted)
{
	sigset_t all, before;
	char number[16];
	int fd, problem;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	/* What a handler has noted already would be lost: it is done first, on the next turn. */
	if (signals_noted()) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		return;
	}
	master->upgrade_checked = master->reverting = false;
	fd = handover_write(master, reverted);
	problem = errno;
	if (fd >= 0) {
		snprintf(number, sizeof(number), "%d", fd);
		if (program >= 0)
			fexecve(program, launch_arguments(NULL, number), launch_environment());
		else
			execve(path, launch_arguments(NULL, number), launch_environment());
		problem = errno;
		handover_withdraw(master, fd);
	}
	log_error("master", "cannot become the other program; this one goes on", LOG_TEXT("reason", strerror(problem)));
	if (master->heritage.board)
		notify_ready(master->heritage.board->address);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void
upgrade_step(struct master *master)
{
	if (master->upgrade_check && clock_steady_us() > master->upgrade_deadline_us) {
		log_error("master", "the new program does not come to an end with its look; it is ended");
		kill(master->upgrade_check, SIGKILL);
		master->upgrade_deadline_us = INT64_MAX;
	}
	if (master->upgrade_checked && !master->succession)
		become(master, launch_path(), -1, false);
	if (master->reverting)
		become(master, NULL, master->previous_program, true);
}

void
upgrade_revert(struct master *master)
{
	if (master->previous_program < 0) {
		log_error("master", "the program before is not known any more: this one goes on");
		return;
	}
	log_warning("master", "becoming the program before again");
	master->reverting = true;
}

void
upgrade_done(struct master *master)
{
	if (master->previous_program < 0)
		return;
	close(master->previous_program);
	close(master->previous_variables);
	master->previous_program = master->previous_variables = -1;
	shared_memory_forget_adopted();
}
