/*
 * log_sink.c - see log_sink.h. Several processes append to one file and any of them rotates it.
 *
 * A forked child shares its parent's open file, and with it its flock(2); so who rotates opens the file again, locks
 * that, and makes sure that the name still means what it locked. Who finds the lock taken writes on to the old file:
 * no line is lost and nobody waits. A pipe takes PIPE_BUF bytes in one piece, so lines on a pipe are cut to that.
 * A full disk may take the beginning of a line: whichever process writes next ends that line first.
 */
#include "base.h"

#include "log_sink.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, LOOK_EVERY_US = 1000000, BACKUPS_MAX = 1000 };
enum sink_kind { SINK_UNKNOWN, SINK_FILE, SINK_SOCKET, SINK_PIPE, SINK_OTHER };

static struct {
	enum sink_kind kind;
	int fd;
	char *path; /* NULL: standard error */
	int64_t max_bytes;
	int backups;
	int64_t looked_us; /* when the path was last compared with fd */
	int64_t rotate_after_us;
	uid_t owner;
	gid_t group;
	_Atomic bool *torn; /* shared by all processes: the last line was not written to its end */
} sink = {.fd = STDERR_FILENO};

static int
open_log(const char *path)
{
	bool give = sink.owner != 0 && geteuid() == 0;
	/* In a folder of somebody else's, root follows no link, and leaves him the file. */
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | (give ? O_NOFOLLOW : 0), 0640);
	struct stat status;

	if (fd >= 0 && give && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		(void)!fchown(fd, sink.owner, sink.group);
	return fd;
}

static void
use_fd(int fd)
{
	if (sink.fd != STDERR_FILENO)
		close(sink.fd);
	sink.fd = fd;
}

/* The pipe is opened again: O_NONBLOCK on descriptor 2 would change it for everyone who shares it. */
static void
use_stderr(void)
{
	struct stat status;
	int own;

	use_fd(STDERR_FILENO);
	free(sink.path);
	sink.path = NULL;
	sink.kind = SINK_OTHER;
	if (fstat(STDERR_FILENO, &status) != 0)
		return;
	if (S_ISSOCK(status.st_mode))
		sink.kind = SINK_SOCKET;
	if (S_ISFIFO(status.st_mode)) {
		sink.kind = SINK_PIPE;
		own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (own >= 0)
			use_fd(own);
	}
}

/* Without it, a torn line is joined by the next. */
static void
share_torn(void)
{
	void *memory = sink.torn
	                   ? MAP_FAILED
	                   : mmap(NULL, sizeof(*sink.torn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory != MAP_FAILED)
		sink.torn = memory;
}

bool
log_sink_open(const struct log_options *options)
{
	int fd, problem;

	share_torn();
	if (!options->file || !*options->file) {
		use_stderr();
		return true;
	}
	sink.owner = options->owner;
	sink.group = options->group;
	fd = open_log(options->file);
	problem = errno;
	if (fd < 0) {
		use_stderr();
		errno = problem;
		return false;
	}
	use_fd(fd);
	free(sink.path);
	sink.path = mem_string(options->file);
	sink.kind = SINK_FILE;
	sink.max_bytes = options->max_bytes;
	sink.backups = MIN(options->backups, BACKUPS_MAX);
	sink.looked_us = clock_mono_us();
	sink.rotate_after_us = 0;
	return true;
}

void
log_sink_reopen(void)
{
	int fd = sink.kind == SINK_FILE ? open_log(sink.path) : -1;

	if (fd >= 0)
		use_fd(fd);
}

size_t
log_sink_limit(void)
{
	if (sink.kind == SINK_UNKNOWN)
		use_stderr();
	return sink.kind == SINK_PIPE ? PIPE_BUF : LINE_MAX_BYTES;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* file.N-1 becomes file.N, and so on; file becomes file.1. Called with the lock of the file that the path names. */
static bool
move_files(void)
{
	size_t size = strlen(sink.path) + 16;
	char *from = mem_alloc(size), *to = mem_alloc(size);
	bool moved;

	for (int i = sink.backups; i > 1; i--) {
		snprintf(from, size, "%s.%d", sink.path, i - 1);
		snprintf(to, size, "%s.%d", sink.path, i);
		(void)rename(from, to); /* there may be fewer yet */
	}
	snprintf(to, size, "%s.1", sink.path);
	moved = (sink.backups > 0 ? rename(sink.path, to) : unlink(sink.path)) == 0;
	free(from);
	free(to);
	return moved;
}

/* Whatever fails, the old file stays in use; what is likely to fail again is not tried on each line. */
static void
rotate(size_t more)
{
	int next = open_log(sink.path), fresh = -1;
	struct stat named, locked;

	if (next < 0) {
		sink.rotate_after_us = clock_mono_us() + LOOK_EVERY_US;
		return;
	}
	if (flock(next, LOCK_EX | LOCK_NB) != 0 || fstat(next, &locked) != 0 || stat(sink.path, &named) != 0 ||
	    !same_file(&named, &locked)) {
		close(next); /* another process is rotating it */
		return;
	}
	if (locked.st_size == 0 || locked.st_size + (off_t)more <= sink.max_bytes) {
		flock(next, LOCK_UN); /* another process has rotated it */
		use_fd(next);
		return;
	}
	if (move_files())
		fresh = open_log(sink.path);
	close(next);
	if (fresh >= 0)
		use_fd(fresh);
	else
		sink.rotate_after_us = clock_mono_us() + LOOK_EVERY_US;
}

/* Someone else renamed or removed the file: follow the name. */
static void
follow_name(const struct stat *current)
{
	struct stat named;
	int fd;

	sink.looked_us = clock_mono_us();
	if (stat(sink.path, &named) == 0 && same_file(&named, current))
		return;
	fd = open_log(sink.path);
	if (fd >= 0)
		use_fd(fd);
}

static void
look_after_file(size_t more)
{
	struct stat current;
	int64_t now_us = clock_mono_us();

	if (fstat(sink.fd, &current) != 0)
		return;
	if (now_us - sink.looked_us >= LOOK_EVERY_US || current.st_nlink == 0) {
		follow_name(&current);
		if (fstat(sink.fd, &current) != 0)
			return;
	}
	if (sink.max_bytes > 0 && now_us >= sink.rotate_after_us && current.st_size > 0 &&
	    current.st_size + (off_t)more > sink.max_bytes)
		rotate(more);
}

static ssize_t
write_once(struct slice line, bool after_torn)
{
	struct iovec parts[] = {{"\n", after_torn ? 1 : 0}, {(char *)(uintptr_t)line.data, line.len}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	if (sink.kind == SINK_SOCKET)
		return sendmsg(sink.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	return after_torn ? writev(sink.fd, parts, 2) : write(sink.fd, line.data, line.len);
}

bool
log_sink_write(struct slice line)
{
	struct pollfd room = {.events = POLLOUT};
	bool after_torn;
	ssize_t done, wanted;

	if (sink.kind == SINK_UNKNOWN)
		use_stderr();
	if (sink.kind == SINK_FILE)
		look_after_file(line.len);
	room.fd = sink.fd;
	/* Full, or nobody reads any more. */
	if ((sink.kind == SINK_PIPE || sink.kind == SINK_OTHER) && (poll(&room, 1, 0) == 0 || room.revents & POLLERR))
		return false;
	after_torn =
	    sink.torn && atomic_load_explicit(sink.torn, memory_order_relaxed) && atomic_exchange(sink.torn, false);
	wanted = (ssize_t)line.len + (after_torn ? 1 : 0);
	do
		done = write_once(line, after_torn);
	while (done < 0 && errno == EINTR);
	if (sink.torn && (done > 0 ? done < wanted : after_torn))
		atomic_store(sink.torn, true);
	return done == wanted;
}
