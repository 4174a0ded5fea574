/* child.c - starting, feeding, reading and stopping a command. Only safe calls stand between fork and exec. */
#include "base.h"

#include "child.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A chatty command gets so many reads a turn, so that the others are served too. */
enum { READS_A_TURN = 16, READ_SIZE = 16384 };

NORETURN static void
run(const char *command, char **environment, const int ends[CHILD_PIPES], pid_t parent)
{
	sigset_t none;
	char *const words[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)command, NULL};

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (int fd = 0; fd < CHILD_PIPES; fd++)
		if (dup2(ends[fd], fd) < 0)
			_exit(127);
	close_range(CHILD_PIPES, ~0u, 0);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/bin/sh", words, environment);
	_exit(127);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Our ends do not block; they are above 2 whatever agentctl was started with. */
static bool
open_pipes(int ours[CHILD_PIPES], int theirs[CHILD_PIPES])
{
	for (int i = 0; i < CHILD_PIPES; i++) {
		int ends[2], mine = i == 0 ? 1 : 0;

		if (pipe2(ends, O_CLOEXEC) != 0)
			return false;
		ours[i] = fcntl(ends[mine], F_DUPFD_CLOEXEC, CHILD_PIPES);
		theirs[i] = fcntl(ends[1 - mine], F_DUPFD_CLOEXEC, CHILD_PIPES);
		close(ends[0]);
		close(ends[1]);
		if (ours[i] < 0 || theirs[i] < 0 || fcntl(ours[i], F_SETFL, O_NONBLOCK) != 0)
			return false;
	}
	return true;
}

bool
child_start(struct child *child_r, const char *command, char **environment, char *input)
{
	int ours[CHILD_PIPES] = {-1, -1, -1}, theirs[CHILD_PIPES] = {-1, -1, -1};
	pid_t parent = getpid();
	bool opened = open_pipes(ours, theirs);
	int error;

	child_r->stream = open_memstream(&child_r->output, &child_r->output_len);
	INVARIANT(child_r->stream);
	child_r->input = input;
	child_r->input_len = strlen(input);
	child_r->in = ours[0];
	child_r->out = ours[1];
	child_r->err = ours[2];
	child_r->pid = opened ? fork() : -1;
	error = errno;
	if (child_r->pid == 0)
		run(command, environment, theirs, parent);
	for (int i = 0; i < CHILD_PIPES; i++)
		close_fd(&theirs[i]);
	if (child_r->pid > 0) {
		/* Both sides set it: whoever comes first. */
		setpgid(child_r->pid, child_r->pid);
		return true;
	}
	child_r->pid = 0;
	child_r->ended = true;
	errno = error;
	return false;
}

static void
feed(struct child *child)
{
	while (child->in >= 0 && child->input_sent < child->input_len) {
		ssize_t sent = write(child->in, child->input + child->input_sent, child->input_len - child->input_sent);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0 && errno != EINTR)
			break; /* it does not want to know */
		child->input_sent += sent > 0 ? (size_t)sent : 0;
	}
	close_fd(&child->in);
}

static void
flush_line(struct child *child)
{
	char *safe = child->escape ? text_escape_lines(child->line, child->line_len) : NULL;

	if (safe)
		fprintf(stderr, "%s%s\n", child->prefix, safe);
	else
		fprintf(stderr, "%s%.*s\n", child->prefix, (int)child->line_len, child->line);
	child->line_len = 0;
	free(safe);
}

static void
pass_on(struct child *child, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n')
			child->line[child->line_len++] = data[i];
		if (data[i] == '\n' || child->line_len == CHILD_LINE_MAX)
			flush_line(child);
	}
}

static void
keep_tail(struct child *child, const char *data, size_t len)
{
	size_t keep;

	if (len > CHILD_TAIL_MAX) {
		data += len - CHILD_TAIL_MAX;
		len = CHILD_TAIL_MAX;
	}
	keep = MIN(child->tail_len, CHILD_TAIL_MAX - len);
	memmove(child->tail, child->tail + child->tail_len - keep, keep);
	memcpy(child->tail + keep, data, len);
	child->tail_len = keep + len;
}

static void
take_output(struct child *child, const char *data, size_t len)
{
	if (child->too_large || ftello(child->stream) + (off_t)len > CHILD_OUTPUT_MAX)
		child->too_large = true;
	else
		fwrite(data, 1, len, child->stream);
}

static void
take_error(struct child *child, const char *data, size_t len)
{
	keep_tail(child, data, len);
	pass_on(child, data, len);
}

static void
drain(struct child *child, int *fd, void (*take)(struct child *, const char *, size_t))
{
	char data[READ_SIZE];

	for (int turn = 0; *fd >= 0 && turn < READS_A_TURN; turn++) {
		ssize_t got = read(*fd, data, sizeof(data));

		if (got < 0 && errno == EAGAIN)
			return;
		if (got > 0)
			take(child, data, (size_t)got);
		else if (got == 0 || errno != EINTR)
			close_fd(fd);
	}
}

/* The group is killed while the dead shell still holds its number, so that no stranger can have it. */
static bool
reap(struct child *child, const struct guard *guard)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != child->pid)
		return false;
	kill(-child->pid, SIGKILL);
	guard_remove(guard, child->pid);
	return waitpid(child->pid, &child->status, 0) == child->pid;
}

void
child_pump(struct child *child, const struct guard *guard)
{
	bool reaped;

	if (child->ended)
		return;
	feed(child);
	reaped = reap(child, guard);
	drain(child, &child->out, take_output);
	drain(child, &child->err, take_error);
	if (!reaped)
		return;
	/* What it wrote before its end is in the pipes now: at most their size. */
	drain(child, &child->out, take_output);
	drain(child, &child->err, take_error);
	close_fd(&child->in);
	close_fd(&child->out);
	close_fd(&child->err);
	if (child->line_len)
		flush_line(child);
	fflush(child->stream);
	child->ended = true;
}

void
child_signal(const struct child *child, int signal_number)
{
	if (child->pid > 0 && !child->ended)
		kill(-child->pid, signal_number);
}

unsigned
child_wait_fds(const struct child *child, struct curl_waitfd fds[CHILD_PIPES])
{
	unsigned count = 0;

	if (child->ended)
		return 0;
	if (child->in >= 0)
		fds[count++] = (struct curl_waitfd){.fd = child->in, .events = CURL_WAIT_POLLOUT};
	if (child->out >= 0)
		fds[count++] = (struct curl_waitfd){.fd = child->out, .events = CURL_WAIT_POLLIN};
	if (child->err >= 0)
		fds[count++] = (struct curl_waitfd){.fd = child->err, .events = CURL_WAIT_POLLIN};
	return count;
}

void
child_free(struct child *child)
{
	close_fd(&child->in);
	close_fd(&child->out);
	close_fd(&child->err);
	if (child->stream)
		fclose(child->stream);
	free(child->input);
	free(child->output);
	memset(child, 0, sizeof(*child));
	child->in = child->out = child->err = -1;
}
