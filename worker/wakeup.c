/*
 * wakeup.c - hears the marks on the node's ready board and tells who waits in this process: waiters.c and follow.c.
 *
 * While anything waits here, the scoreboard says so, and every mark is followed by a write to this process's eventfd.
 */
#include "follow.h"
#include "process.h"
#include "waiters.h"

#include <event2/event.h>
#include <unistd.h>

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	waiters_wake(worker->waiters);
	follow_wake(worker->follow);
}

void
wakeup_start(struct worker *worker)
{
	int fd = worker->heritage->wake_fds[worker->heritage->slot];

	worker->wake_event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_wake, worker);
	INVARIANT(worker->wake_event);
	event_add(worker->wake_event, NULL);
}

void
wakeup_stop(struct worker *worker)
{
	event_free(worker->wake_event);
}

void
wakeup_count(struct worker *worker, int change)
{
	worker->waiting += change;
	atomic_store(&worker->slot->waiting, worker->waiting > 0);
}

uint32_t
wakeup_marks(const struct worker *worker, unsigned bucket)
{
	return atomic_load(&worker->heritage->board->ready[bucket]);
}
