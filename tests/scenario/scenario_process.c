/* scenario_process.c - see scenario_process.h. */
#include "base.h"
#include "scenario_process.h"

#include "buf.h"
#include "clock.h"
#include "scenario_text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct process {
	pid_t pid;
	char state;
	pid_t parent;
	pid_t session;
	unsigned long long started;
};

typedef void process_visit(const struct process *process, void *context);

/* The pids of all programs that were started, which are also their sessions. */
static pid_t *sessions;
static int session_count;

static size_t
name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool
reads_by_agentd(const char *entry)
{
	static const char *const names[] = {"DATABASE_URL", "REDIS_URL", "PORT"};

	if (strncmp(entry, "AGENTD", 6) == 0 || strncmp(entry, "AGENTCTL", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (slice_is((struct slice){entry, name_length(entry)}, names[i]))
			return true;
	return false;
}

static void
add_entry(struct environment *environment, char *entry)
{
	if (environment->count + 1 >= environment->room) {
		int room = environment->room ? environment->room * 2 : 64;
		char **list = arena_zero(environment->arena, (size_t)room * sizeof(*list));

		if (environment->count)
			memcpy(list, environment->list, (size_t)environment->count * sizeof(*list));
		environment->list = list;
		environment->room = room;
	}
	environment->list[environment->count++] = entry;
	environment->list[environment->count] = NULL;
}

void
environment_init(struct environment *environment, struct arena *arena)
{
	*environment = (struct environment){.arena = arena};
	for (char **entry = environ; *entry; entry++)
		if (!reads_by_agentd(*entry))
			add_entry(environment, *entry);
}

void
environment_set(struct environment *environment, const char *name, const char *value)
{
	size_t length = strlen(name);
	int kept = 0;

	for (int i = 0; i < environment->count; i++)
		if (name_length(environment->list[i]) != length || memcmp(environment->list[i], name, length) != 0)
			environment->list[kept++] = environment->list[i];
	environment->count = kept;
	if (kept)
		environment->list[kept] = NULL;
	if (value)
		add_entry(environment, arena_printf(environment->arena, "%s=%s", name, value));
}

/* In the child: never returns. */
NORETURN static void
execute(const struct process_start *start, pid_t driver)
{
	int input = open("/dev/null", O_RDONLY);
	int output = open(start->output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int errors = open(start->errors, O_WRONLY | O_CREAT | O_APPEND, 0600);

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == driver && input >= 0 && output >= 0 && errors >= 0 && dup2(input, 0) == 0 &&
	    dup2(output, 1) == 1 && dup2(errors, 2) == 2 && (!start->folder || chdir(start->folder) == 0)) {
		closefrom(3);
		execve(start->arguments[0], start->arguments, start->environment);
		dprintf(2, "cannot execute %s: %s\n", start->arguments[0], strerror(errno));
	}
	_exit(127);
}

pid_t
process_start(const struct process_start *start, struct failure *failure)
{
	pid_t driver = getpid();
	int ready[2];
	pid_t pid = pipe2(ready, O_CLOEXEC) < 0 ? -1 : fork();
	char byte;

	if (pid == 0)
		execute(start, driver);
	if (pid > 0) {
		/* The end of the pipe says that the child has its own session: only then it can be signalled by it. */
		close(ready[1]);
		while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
			continue;
		close(ready[0]);
	} else {
		failure_set(failure, 0, "cannot start %s: %s", start->arguments[0], strerror(errno));
		return -1;
	}
	sessions = mem_grow(sessions, (size_t)(session_count + 1) * sizeof(*sessions));
	sessions[session_count++] = pid;
	return pid;
}

bool
process_wait(pid_t pid, int64_t deadline, int *status_r)
{
	int fd = pidfd_open(pid, 0);
	bool ended = false;

	while (fd >= 0 && !ended) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		int64_t left_ms = (deadline - clock_mono_us() + 999) / 1000;

		ended = poll(&poller, 1, (int)MAX(left_ms, 0)) > 0;
		if (left_ms <= 0)
			break;
	}
	if (fd >= 0)
		close(fd);
	return waitpid(pid, status_r, WNOHANG) == pid;
}

const char *
process_describe(int status, struct arena *arena)
{
	if (WIFEXITED(status))
		return arena_printf(arena, "exit status %d", WEXITSTATUS(status));
	return arena_printf(arena, "signal %d (%s)", WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
}

static size_t
read_proc(pid_t pid, const char *name, char *data, size_t size)
{
	char path[64];
	ssize_t count;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	count = read(fd, data, size - 1);
	close(fd);
	data[MAX(count, 0)] = '\0';
	return (size_t)MAX(count, 0);
}

static bool
read_process(pid_t pid, struct process *process)
{
	char stat[1024];
	const char *at;

	/* The name may contain anything, so the fields are counted from its closing parenthesis. */
	if (!read_proc(pid, "stat", stat, sizeof(stat)) || !(at = strrchr(stat, ')')))
		return false;
	process->pid = pid;
	return sscanf(at + 1, " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	              &process->state, &process->parent, &process->session, &process->started) == 4;
}

static void
visit_all(process_visit *visit, void *context)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	struct process process;

	while (folder && (entry = readdir(folder)))
		if (isdigit((unsigned char)*entry->d_name) && read_process((pid_t)strtol(entry->d_name, NULL, 10), &process))
			visit(&process, context);
	if (folder)
		closedir(folder);
}

/* The command line with blanks between the arguments; servers write their title there. */
static void
read_title(pid_t pid, char *title, size_t size)
{
	size_t count = read_proc(pid, "cmdline", title, size);

	for (size_t i = 0; i < count; i++)
		if (!title[i])
			title[i] = ' ';
}

/* title occurs and no digit follows, so that "worker 1" is not found in "worker 10". */
static bool
has_title(pid_t pid, const char *title)
{
	char line[4096];
	const char *at = line;

	read_title(pid, line, sizeof(line));
	while ((at = strstr(at, title))) {
		at += strlen(title);
		if (!isdigit((unsigned char)*at))
			return true;
	}
	return false;
}

struct search {
	pid_t parent;
	const char *title;
	struct process found;
};

static void
visit_child(const struct process *process, void *context)
{
	struct search *search = context;

	if (process->parent == search->parent && process->state != 'Z' && process->started >= search->found.started &&
	    has_title(process->pid, search->title))
		search->found = *process;
}

pid_t
process_find_child(pid_t parent, const char *title)
{
	struct search search = {.parent = parent, .title = title};

	visit_all(visit_child, &search);
	return search.found.pid;
}

bool
process_wait_gone(pid_t pid, int64_t deadline)
{
	int fd = pidfd_open(pid, 0);
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	bool gone = fd < 0;

	while (!gone && clock_mono_us() < deadline)
		gone = poll(&poller, 1, 10) > 0;
	if (fd >= 0)
		close(fd);
	return gone;
}

struct leftovers {
	pid_t session;
	int count;
	struct buf list;
};

static bool
is_session(pid_t pid)
{
	for (int i = 0; i < session_count; i++)
		if (sessions[i] == pid)
			return true;
	return false;
}

static void
visit_leftover(const struct process *process, void *context)
{
	struct leftovers *leftovers = context;
	bool adopted = process->parent == getpid() && !is_session(process->pid);
	char title[200];

	if (process->state == 'Z' || process->state == 'X') {
		if (adopted)
			waitpid(process->pid, NULL, WNOHANG);
	} else if (process->session == leftovers->session || (adopted && !is_session(process->session))) {
		read_title(process->pid, title, sizeof(title));
		buf_printf(&leftovers->list, "%s%d `%s`", leftovers->count++ ? ", " : "", (int)process->pid, title);
	}
}

int
process_leftovers(pid_t session, struct arena *arena, const char **list_r)
{
	struct leftovers leftovers = {.session = session};

	visit_all(visit_leftover, &leftovers);
	*list_r = arena_string(arena, buf_slice(&leftovers.list));
	buf_free(&leftovers.list);
	return leftovers.count;
}

struct target {
	pid_t session; /* 0: everything that came from the driver */
	int signal;
	int alive;
};

static void
visit_target(const struct process *process, void *context)
{
	struct target *target = context;
	bool ours = process->parent == getpid() || is_session(process->session);

	if (process->state == 'Z' || !(target->session ? process->session == target->session : ours))
		return;
	kill(process->pid, target->signal);
	target->alive++;
}

void
process_signal_session(pid_t session, int signal)
{
	struct target target = {.session = session, .signal = signal};

	visit_all(visit_target, &target);
}

void
process_kill_all(void)
{
	struct target target = {.signal = SIGKILL, .alive = 1};
	int64_t deadline = clock_mono_us() + 5000000;

	while (target.alive && clock_mono_us() < deadline) {
		target.alive = 0;
		visit_all(visit_target, &target);
		/* Dead children are reaped; orphans of the next generation show up in the next round. */
		while (waitpid(-1, NULL, target.alive ? 0 : WNOHANG) > 0 && --target.alive > 0)
			continue;
	}
	session_count = 0;
}
