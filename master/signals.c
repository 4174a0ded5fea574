/* signals.c - signals set a flag and write one byte to a pipe; everything else happens in the loop. */
#include "master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static const int watched[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP, SIGUSR1, SIGUSR2};

static volatile sig_atomic_t came[64];
static int notice[2] = {-1, -1};

static void
on_signal(int signal_number)
{
	int saved = errno;

	came[signal_number] = 1;
	(void)!write(notice[1], "", 1);
	errno = saved;
}

void
signals_init(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (pipe2(notice, O_NONBLOCK | O_CLOEXEC) != 0) {
		perror("agentd: pipe");
		exit(1);
	}
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LENGTH(watched); i++)
		sigaction(watched[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A program that became this one has blocked them for the while. */
	sigprocmask(SIG_SETMASK, &action.sa_mask, NULL);
}

int
signals_fd(void)
{
	return notice[0];
}

bool
signals_take(int signal_number)
{
	bool taken = came[signal_number];

	came[signal_number] = 0;
	return taken;
}

bool
signals_noted(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(watched); i++)
		if (came[watched[i]])
			return true;
	return false;
}

void
signals_drain(void)
{
	char bytes[64];

	while (read(notice[0], bytes, sizeof(bytes)) > 0)
		;
}

void
signals_reset(void)
{
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LENGTH(watched); i++)
		signal(watched[i], SIG_DFL);
	/* A Ctrl-C reaches the whole foreground group; only the master acts on it. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(notice[0]);
	close(notice[1]);
}
