/* handover.c - see handover.h. */
#include "handover.h"
#include "buf.h"
#include "launch.h"
#include "master.h"
#include "shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYOUT = 1, TEXT_MAX = 1 << 20 };

static void
stay_open(int fd, bool open)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC);
}

struct writing {
	struct buf text;
	int variables; /* the memory of the settings */
	bool open;
};

static void
each_memory(void *arg, const char *name, int fd)
{
	struct writing *writing = arg;

	stay_open(fd, writing->open);
	buf_printf(&writing->text, "memory %d %s\n", fd, name);
}

static void
write_socket(struct writing *writing, const char *name, const struct listen_socket *socket)
{
	stay_open(socket->fd, writing->open);
	if (socket->fd >= 0)
		buf_printf(&writing->text, "listen %s %d %d %s %s\n", name, socket->fd, socket->port, socket->host,
		           socket->address);
}

/* Names every descriptor, and has it stay open or not. */
static void
write_descriptors(const struct master *master, struct writing *writing)
{
	const struct edition *now = master->now;
	int program = launch_program();

	write_socket(writing, "api", &now->api);
	write_socket(writing, "metrics", &now->metrics);
	stay_open(master->lock_fd, writing->open);
	stay_open(master->lifeline[0], writing->open);
	stay_open(master->lifeline[1], writing->open);
	buf_printf(&writing->text, "lock %d\nlifeline %d %d\n", master->lock_fd, master->lifeline[0], master->lifeline[1]);
	/* Who goes back gets the settings that it left with. */
	stay_open(program, writing->open);
	stay_open(writing->variables, writing->open);
	buf_printf(&writing->text, "program %d\nvariables %d\n", program, writing->variables);
	shared_memory_each(each_memory, writing);
	for (int i = 0; i < master->slots; i++) {
		stay_open(master->heritage.wake_fds[i], writing->open);
		buf_printf(&writing->text, "wake %d\n", master->heritage.wake_fds[i]);
	}
}

static void
write_children(const struct master *master, struct writing *writing)
{
	for (int i = 0; i < master->child_count; i++) {
		const struct child *child = &master->children[i];
		stay_open(child->status_fd, writing->open);
		buf_printf(&writing->text, "child %d %d %d %d %d %d %d %d %d %d %lld %lld\n", (int)child->service, child->index,
		           child->slot >= 0 ? child->slot : child->foreign_slot, (int)child->pid, child->status_fd,
		           child->generation, child->leaving, child->ready, child->restarts, child->backoff_ms,
		           (long long)child->started_us, (long long)child->leave_deadline_us);
	}
}

static struct buf
describe(const struct master *master, int variables, bool reverted, bool open)
{
	struct writing writing = {.variables = variables, .open = open};

	buf_printf(&writing.text, "agentd %d\npid %d\nreverted %d\ngeneration %d\nhash ", LAYOUT, (int)getpid(), reverted,
	           master->generation);
	for (size_t i = 0; i < sizeof(master->heritage.hash_key); i++)
		buf_printf(&writing.text, "%02x", master->heritage.hash_key[i]);
	buf_add_byte(&writing.text, '\n');
	write_descriptors(master, &writing);
	write_children(master, &writing);
	return writing.text;
}

static int packed = -1; /* settings that were written for a program that did not come */

int
handover_write(const struct master *master, bool reverted)
{
	int fd = memfd_create("agentd handover", 0), problem;
	int variables = reverted ? master->previous_variables : (packed = launch_pack(master->now->variables));
	struct buf text = describe(master, variables, reverted, true);

	if (fd >= 0 && variables >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len && lseek(fd, 0, SEEK_SET) == 0) {
		buf_free(&text);
		return fd;
	}
	problem = errno;
	buf_free(&text);
	handover_withdraw(master, fd);
	errno = problem;
	return -1;
}

void
handover_withdraw(const struct master *master, int fd)
{
	struct buf text = describe(master, master->previous_variables, false, false);

	buf_free(&text);
	if (fd >= 0)
		close(fd);
	if (packed >= 0)
		close(packed);
	packed = -1;
}

struct reading {
	struct master *master;
	int layout, pid, slots;
	bool reverted;
};

static void
read_hash(struct master *master, const char *hex)
{
	for (size_t i = 0; i < sizeof(master->heritage.hash_key); i++) {
		unsigned byte = 0;
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return;
		master->heritage.hash_key[i] = (uint8_t)byte;
	}
}

static void
read_child(struct master *master, const char *line)
{
	struct child child = {.slot = -1, .foreign_slot = -1};
	int service = -1, pid = 0, leaving = 0, ready = 0;
	long long started = 0, deadline = 0;

	if (sscanf(line, "child %d %d %d %d %d %d %d %d %d %d %lld %lld", &service, &child.index, &child.foreign_slot, &pid,
	           &child.status_fd, &child.generation, &leaving, &ready, &child.restarts, &child.backoff_ms, &started,
	           &deadline) != 12 ||
	    service < 0 || service >= SERVICE_COUNT || master->child_count == MASTER_CHILDREN_MAX)
		return;
	child.service = (enum service)service;
	child.pid = pid;
	child.leaving = leaving;
	child.ready = child.was_ready = ready;
	child.started_us = started;
	child.leave_deadline_us = deadline;
	child_name(&child);
	stay_open(child.status_fd, false);
	master->children[master->child_count++] = child;
}

static void
read_listen(struct edition *now, const char *line)
{
	struct listen_socket read = {.fd = -1};
	char name[16];

	if (sscanf(line, "listen %15s %d %d %255s %79s", name, &read.fd, &read.port, read.host, read.address) != 5)
		return;
	stay_open(read.fd, false);
	if (strcmp(name, "api") == 0)
		now->api = read;
	else if (strcmp(name, "metrics") == 0)
		now->metrics = read;
	else
		close(read.fd);
}

static void
read_wake(struct reading *reading, int fd)
{
	struct heritage *heritage = &reading->master->heritage;

	heritage->wake_fds = mem_grow(heritage->wake_fds, (size_t)(reading->slots + 1) * sizeof(int));
	heritage->wake_fds[reading->slots++] = fd;
	stay_open(fd, false);
}

static void
read_line(struct reading *reading, const char *line)
{
	struct master *master = reading->master;
	char text[64];
	int a, b;

	if (sscanf(line, "memory %d %63[^\n]", &a, text) == 2) {
		stay_open(a, false);
		shared_memory_adopt(text, a);
	} else if (sscanf(line, "wake %d", &a) == 1) {
		read_wake(reading, a);
	} else if (sscanf(line, "lifeline %d %d", &a, &b) == 2) {
		master->lifeline[0] = a;
		master->lifeline[1] = b;
		stay_open(a, false);
		stay_open(b, false);
	} else if (sscanf(line, "lock %d", &a) == 1) {
		master->lock_fd = a;
		stay_open(a, false);
	} else if (sscanf(line, "program %d", &a) == 1) {
		master->previous_program = a;
		stay_open(a, false);
	} else if (sscanf(line, "variables %d", &a) == 1) {
		master->previous_variables = a;
		stay_open(a, false);
	} else if (sscanf(line, "generation %d", &a) == 1) {
		master->generation = a;
	} else if (sscanf(line, "reverted %d", &a) == 1) {
		reading->reverted = a;
	} else if (sscanf(line, "hash %63s", text) == 1) {
		read_hash(master, text);
	} else if (strncmp(line, "child ", 6) == 0) {
		read_child(master, line);
	} else if (strncmp(line, "listen ", 7) == 0) {
		read_listen(master->now, line);
	} else if (sscanf(line, "agentd %d", &a) == 1) {
		reading->layout = a;
	} else if (sscanf(line, "pid %d", &a) == 1) {
		reading->pid = a;
	}
}

static char *
read_text(int fd)
{
	struct stat status;
	char *text;

	if (fstat(fd, &status) != 0 || status.st_size <= 0 || status.st_size > TEXT_MAX)
		return NULL;
	text = mem_zero((size_t)status.st_size + 1);
	if (pread(fd, text, (size_t)status.st_size, 0) == status.st_size)
		return text;
	free(text);
	return NULL;
}

void
handover_prepare(int fd)
{
	char *text = read_text(fd);
	const char *line = text ? strstr(text, "\nvariables ") : NULL;
	int variables;

	if (line && strstr(text, "\nreverted 1\n") && sscanf(line, "\nvariables %d", &variables) == 1)
		launch_unpack(variables);
	free(text);
}

/* Nothing was taken over yet, so all that the text names is still open. */
void
handover_return(int fd)
{
	char *text = read_text(fd), *flag = text ? strstr(text, "\nreverted 0\n") : NULL;
	const char *line = text ? strstr(text, "\nprogram ") : NULL;
	char number[16];
	int program, again;

	if (flag && line && sscanf(line, "\nprogram %d", &program) == 1) {
		flag[strlen("\nreverted ")] = '1';
		again = memfd_create("agentd handover", 0);
		if (again >= 0 && write(again, text, strlen(text)) == (ssize_t)strlen(text)) {
			fputs("agentd: becoming the program before again.\n", stderr);
			snprintf(number, sizeof(number), "%d", again);
			fexecve(program, launch_arguments(NULL, number), launch_environment());
		}
	}
	free(text);
}

bool
handover_read(struct master *master, int fd, bool *reverted_r)
{
	struct reading reading = {.master = master};
	char *text, *next, *line;

	master->lock_fd = master->lifeline[0] = master->lifeline[1] = master->previous_program = -1;
	next = text = read_text(fd);
	close(fd);
	while (text && (line = strsep(&next, "\n")))
		read_line(&reading, line);
	free(text);
	master->slots = reading.slots;
	*reverted_r = reading.reverted;
	if (reading.layout == LAYOUT && reading.pid == getpid() && master->now->api.fd >= 0 && master->lock_fd >= 0 &&
	    master->lifeline[1] >= 0 && reading.slots > 0)
		return true;
	fputs("agentd: --resume is for a running agentd that becomes a newer one (`kill -USR2`), not for a shell.\n", stderr);
	return false;
}
