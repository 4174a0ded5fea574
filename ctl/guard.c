/* guard.c - kills what agentctl leaves behind. The guard reads group ids (negative: forget it) until end of file. */
#include "base.h"

#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void
take(pid_t groups[GUARD_GROUPS_MAX], pid_t message)
{
	pid_t look_for = message < 0 ? -message : 0;

	for (int i = 0; i < GUARD_GROUPS_MAX; i++)
		if (groups[i] == look_for) {
			groups[i] = message < 0 ? 0 : message;
			return;
		}
}

NORETURN static void
run(int lifeline)
{
	pid_t groups[GUARD_GROUPS_MAX] = {0}, message;
	ssize_t got;

	/* Ctrl-C and the end of the session are agentctl's business. */
	setsid();
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_NAME, "agentctl-guard");
	dup2(lifeline, 0);
	close_range(1, ~0u, 0);
	while ((got = read(0, &message, sizeof(message))) != 0)
		if (got == (ssize_t)sizeof(message))
			take(groups, message);
		else if (got < 0 && errno != EINTR)
			break;
	for (int i = 0; i < GUARD_GROUPS_MAX; i++)
		if (groups[i] > 1)
			kill(-groups[i], SIGKILL);
	_exit(0);
}

bool
guard_start(struct guard *guard_r)
{
	int ends[2];

	*guard_r = (struct guard){.lifeline = -1};
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	guard_r->pid = fork();
	if (guard_r->pid == 0)
		run(ends[0]);
	close(ends[0]);
	if (guard_r->pid < 0) {
		close(ends[1]);
		return false;
	}
	guard_r->lifeline = ends[1];
	return true;
}

/* A few bytes into a pipe that is read at once: written as a whole. A guard that is gone is no reason to stop. */
static void
tell(const struct guard *guard, pid_t message)
{
	while (write(guard->lifeline, &message, sizeof(message)) < 0 && errno == EINTR)
		;
}

void
guard_add(const struct guard *guard, pid_t group)
{
	tell(guard, group);
}

void
guard_remove(const struct guard *guard, pid_t group)
{
	tell(guard, -group);
}

void
guard_stop(struct guard *guard)
{
	close(guard->lifeline);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	guard->lifeline = -1;
}
