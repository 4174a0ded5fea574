/*
 * hang.c - processes that run but do not move: each writes the time into its slot on every tick of its loop.
 *
 * After 4 s without that it is told to abort, which leaves a record of where it was (crash.c); a second later it is
 * killed. A master that was not running itself (a stopped machine, a debugger) cannot know who moved: it begins anew.
 * Who is being traced is left alone.
 */
#include "clock.h"
#include "log.h"
#include "master.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum { HANG_US = 4000000, START_US = 15000000, ABORT_US = 1000000, ABSENT_US = 2000000 };

/* The letter of proc(5) for what it does: R runs, D waits for a disk, T is stopped, t is traced; '?': not known. */
static char
state_of(pid_t pid)
{
	char path[32], text[256] = "";
	const char *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] ? end[2] : '?';
}

static void
end_hung(struct master *master, struct child *child, int64_t still_us)
{
	struct scoreboard_slot *slot = &master->heritage.board->slots[child->slot];
	char state[2] = {state_of(child->pid), '\0'};
	char request[SCOREBOARD_TEXT], endpoint[SCOREBOARD_TEXT], stage[16];

	if (*state == 't')
		return;
	/* The slot is the child's own writing. */
	snprintf(request, sizeof(request), "%.*s", (int)strnlen(slot->request, sizeof(request) - 1), slot->request);
	snprintf(endpoint, sizeof(endpoint), "%.*s", (int)strnlen(slot->endpoint, sizeof(endpoint) - 1), slot->endpoint);
	snprintf(stage, sizeof(stage), "%.*s", (int)strnlen(slot->stage, sizeof(stage) - 1), slot->stage);
	log_error("master", "a process hangs and is ended", LOG_TEXT("name", child->name), LOG_INT("child", child->pid),
	          LOG_INT("still_ms", still_us / 1000), LOG_TEXT("state", state), LOG_TEXT("request", request),
	          LOG_TEXT("endpoint", endpoint), LOG_TEXT("stage", stage));
	master->heritage.board->records[child->slot].hangs++;
	child->aborted_us = clock_steady_us();
	kill(child->pid, SIGABRT);
}

static void
look_at(struct master *master, struct child *child, int64_t now_us)
{
	const struct scoreboard_slot *slot = &master->heritage.board->slots[child->slot];
	int64_t beat_us = MAX(atomic_load(&slot->heartbeat_us), master->trust_us);
	int64_t patience_us = child->ready || child->leaving ? HANG_US : START_US;

	if (child->aborted_us) {
		if (now_us - child->aborted_us > ABORT_US)
			kill(child->pid, SIGKILL);
		return;
	}
	if (now_us - MAX(beat_us, child->started_us) > patience_us)
		end_hung(master, child, now_us - MAX(beat_us, child->started_us));
}

void
hang_look(struct master *master)
{
	int64_t now_us = clock_steady_us();

	if (now_us - master->looked_us > ABSENT_US)
		master->trust_us = now_us;
	master->looked_us = now_us;
	for (int i = 0; i < master->child_count; i++)
		if (master->children[i].pid && master->children[i].slot >= 0)
			look_at(master, &master->children[i], now_us);
}
