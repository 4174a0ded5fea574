/* control.c - see control.h. Paths of unix sockets are short, so the folder is named by a descriptor. */
#include "control.h"
#include "scoreboard.h"
#include "shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 8, VIEWERS_MAX = 8, WAIT_S = 3 };

static bool
address_of(const char *folder, struct sockaddr_un *address_r, int *folder_r)
{
	*folder_r = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*address_r = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address_r->sun_path, sizeof(address_r->sun_path), "/proc/self/fd/%d/control", *folder_r);
	return *folder_r >= 0;
}

int
control_open(const char *folder)
{
	struct sockaddr_un address;
	int directory, fd = -1, problem;
	mode_t mask = umask(0177);
	bool done = address_of(folder, &address, &directory) &&
	            (unlinkat(directory, "control", 0) == 0 || errno == ENOENT) &&
	            (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) >= 0 &&
	            bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, BACKLOG) == 0;

	problem = errno;
	umask(mask);
	if (directory >= 0)
		close(directory);
	if (done)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = problem;
	return -1;
}

static void
find_board(void *arg, const char *name, int fd)
{
	if (strcmp(name, SCOREBOARD_MEMORY) == 0)
		*(int *)arg = fd;
}

/* Another descriptor of the same memory, which cannot write. */
static int
open_read_only(void)
{
	char path[48];
	int fd = -1;

	shared_memory_each(find_board, &fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

static bool
send_descriptor(int to, int fd)
{
	char byte = 'B';
	struct iovec data = {&byte, 1};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {
	    .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

void
control_answer(int fd)
{
	static int viewers[VIEWERS_MAX], next; /* 0: none */
	int viewer;

	while ((viewer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		int board = open_read_only();
		if (board >= 0)
			(void)!send_descriptor(viewer, board);
		if (board >= 0)
			close(board);
		/* A few are held; who is the ninth sees the first one go. */
		if (viewers[next])
			close(viewers[next]);
		viewers[next] = viewer;
		next = (next + 1) % VIEWERS_MAX;
	}
}

static int
receive_descriptor(int from)
{
	char byte;
	struct iovec data = {&byte, 1};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {
	    .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *head;
	int fd = -1;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	head = CMSG_FIRSTHDR(&message);
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(int));
	return fd;
}

int
control_connect(const char *folder, int *memory_r)
{
	struct timeval patience = {.tv_sec = WAIT_S};
	struct sockaddr_un address;
	int directory, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), problem;
	bool done;

	*memory_r = -1;
	done = address_of(folder, &address, &directory) && fd >= 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
	       connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && (*memory_r = receive_descriptor(fd)) >= 0;
	problem = errno;
	if (directory >= 0)
		close(directory);
	if (done)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = problem;
	return -1;
}
