/* notify.c - see notify.h. */
#include "notify.h"
#include "clock.h"
#include "master.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FRESH_US = 2000000 };

static struct {
	int fd;
	struct sockaddr_un to;
	socklen_t length;
	int64_t watchdog_us; /* 0: nobody watches */
	int64_t fed_us;
} notify = {.fd = -1};

static void
read_watchdog(void)
{
	const char *time = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (time && (!pid || strtol(pid, NULL, 10) == (long)getpid()))
		notify.watchdog_us = strtoll(time, NULL, 10);
}

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	if (length < 2 || length >= sizeof(notify.to.sun_path) || (*path != '/' && *path != '@'))
		return;
	notify.to.sun_family = AF_UNIX;
	memcpy(notify.to.sun_path, path, length);
	/* A leading @ stands for the NUL of an abstract name. */
	if (*path == '@')
		notify.to.sun_path[0] = '\0';
	notify.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	read_watchdog();
}

void
notify_send(const char *state)
{
	if (notify.fd >= 0)
		(void)!sendto(notify.fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&notify.to, notify.length);
}

void
notify_ready(const char *address)
{
	char state[256];

	snprintf(state, sizeof(state), "READY=1\nMAINPID=%d\nSTATUS=serving at %s", (int)getpid(), address);
	notify_send(state);
}

void
notify_reloading(void)
{
	char state[128];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading the settings again",
	         (long long)clock_steady_us());
	notify_send(state);
}

static bool
a_worker_moves(const struct master *master, int64_t now_us)
{
	for (int i = 0; i < master->child_count; i++) {
		const struct child *child = &master->children[i];
		if (child->pid && child->ready && service_kinds[child->service].serves &&
		    now_us - atomic_load(&master->heritage.board->slots[child->slot].heartbeat_us) < FRESH_US)
			return true;
	}
	return false;
}

void
notify_alive(const struct master *master)
{
	int64_t now_us = clock_steady_us();

	if (notify.fd < 0 || !notify.watchdog_us || now_us - notify.fed_us < notify.watchdog_us / 4)
		return;
	if (master->phase == MASTER_UP && !a_worker_moves(master, now_us))
		return;
	notify.fed_us = now_us;
	notify_send("WATCHDOG=1");
}
