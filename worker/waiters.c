/*
 * waiters.c - see waiters.h.
 *
 * A waiter is IDLE in its group's list or ASKING with a statement on its way, and waiter_end() is where it ends. A
 * mark on the ready board that comes while a statement is on its way is seen when the statement comes back empty.
 */
#include "waiters.h"
#include "clock.h"

#include <event2/event.h>
#include <unistd.h>
#include <uthash.h>

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	struct waiters *waiters;
	struct group *group; /* NULL: looks only once */
	struct request *request;
	struct waiter_wish wish;
	int64_t deadline_us;
	bool asking;
};

TAILQ_HEAD(waiter_list, waiter);

struct group {
	char *key;
	struct waiter_list idle;
	int members; /* idle and asking */
	int asking;
	int burst;
	unsigned queues[WAITERS_QUEUES_MAX];
	uint32_t seen[WAITERS_QUEUES_MAX];
	int queue_count;
	int64_t poll_us;
	UT_hash_handle hh;
};

struct waiters {
	struct worker *worker;
	struct group *groups;
	struct event *wake_event;
	int count;
};

static void ask(struct waiter *waiter);
static void end_empty(struct waiter *waiter);

static uint32_t
board_value(const struct waiters *waiters, unsigned queue)
{
	return atomic_load(&waiters->worker->heritage->board->ready[queue]);
}

/* True if a queue of the group was marked since this was asked last. */
static bool
take_marks(struct waiters *waiters, struct group *group)
{
	bool marked = false;

	for (int i = 0; i < group->queue_count; i++) {
		uint32_t value = board_value(waiters, group->queues[i]);
		marked = marked || value != group->seen[i];
		group->seen[i] = value;
	}
	return marked;
}

static void
set_waiting(struct waiters *waiters, int change)
{
	waiters->count += change;
	atomic_store(&waiters->worker->slot->waiting, waiters->count > 0);
}

static struct group *
group_join(struct waiters *waiters, const struct waiter_wish *wish, int64_t tenant)
{
	struct group *group;

	HASH_FIND(hh, waiters->groups, wish->key.data, wish->key.len, group);
	if (!group) {
		group = mem_zero(sizeof(*group));
		group->key = mem_alloc(wish->key.len);
		memcpy(group->key, wish->key.data, wish->key.len);
		TAILQ_INIT(&group->idle);
		group->queue_count = wish->queue_count;
		for (int i = 0; i < wish->queue_count; i++)
			group->queues[i] = scoreboard_queue(tenant, wish->queues[i]);
		(void)take_marks(waiters, group);
		group->poll_us = clock_mono_us() + WAITERS_POLL_US;
		group->burst = 1;
		HASH_ADD_KEYPTR(hh, waiters->groups, group->key, wish->key.len, group);
	}
	group->members++;
	return group;
}

static void
group_leave(struct waiters *waiters, struct group *group)
{
	if (--group->members > 0)
		return;
	HASH_DEL(waiters->groups, group);
	free(group->key);
	free(group);
}

/* Lets as many waiters ask as the burst allows. */
static void
group_look(struct waiters *waiters, struct group *group)
{
	struct waiter *waiter;

	group->members++; /* stays until the loop is over, whoever leaves in it */

	while (group->asking < group->burst && (waiter = TAILQ_FIRST(&group->idle))) {
		if (waiter->request->conn)
			ask(waiter);
		else
			end_empty(waiter); /* its client has gone: what it would get is for others */
	}
	group_leave(waiters, group);
}

/* The waiter leaves with its answer written, or with an error. */
static void
waiter_end(struct waiter *waiter, enum step step)
{
	struct waiters *waiters = waiter->waiters;
	struct request *request = waiter->request;

	if (waiter->group) {
		if (!waiter->asking)
			TAILQ_REMOVE(&waiter->group->idle, waiter, entry);
		group_leave(waiters, waiter->group);
		set_waiting(waiters, -1);
	}
	/* The waiter itself lives in the request's arena. */
	request->watch_close = false;
	request_resume(request, step);
}

static void
end_empty(struct waiter *waiter)
{
	static const struct db_result none = {.status = DB_OK, .sqlstate = "", .message = "", .constraint = ""};

	waiter->wish.write(waiter->request, &none);
	waiter_end(waiter, STEP_NEXT);
}

static void
found(struct waiter *waiter, const struct db_result *result)
{
	struct conn *conn = waiter->request->conn;

	/* Looked at once more: what is handed to a closed connection is out of reach until its lease ends. */
	if (waiter->wish.undo && (!conn || conn_is_gone(conn))) {
		waiter->wish.undo(waiter->request, result);
		end_empty(waiter);
		return;
	}
	waiter->wish.write(waiter->request, result);
	waiter_end(waiter, STEP_NEXT);
}

static void
start_waiting(struct waiter *waiter)
{
	struct group *group = waiter->group;

	TAILQ_INSERT_HEAD(&group->idle, waiter, entry);
	if (waiter->request->conn && !waiter->request->watch_close)
		conn_watch_close(waiter->request->conn);
	if (take_marks(waiter->waiters, group))
		group_look(waiter->waiters, group);
}

static void
answered(void *arg, const struct db_result *result)
{
	struct waiter *waiter = arg;
	struct waiters *waiters = waiter->waiters; /* the waiter itself may be gone below */
	struct group *group = waiter->group;
	bool got = result->status == DB_OK && result->count > 0;

	if (group) {
		group->asking--;
		group->burst = got ? MIN(group->burst * 2, 64) : 1;
		group->members++; /* stays while it is looked at below */
	}
	if (result->status != DB_OK) {
		waiter_end(waiter, request_fail_database(waiter->request, result));
	} else if (got) {
		found(waiter, result);
	} else if (!group || clock_mono_us() >= waiter->deadline_us || !waiter->request->conn ||
	           waiter->waiters->worker->draining) {
		end_empty(waiter);
	} else {
		waiter->asking = false;
		start_waiting(waiter);
	}
	if (group && got)
		group_look(waiters, group);
	if (group)
		group_leave(waiters, group);
}

static void
ask(struct waiter *waiter)
{
	if (waiter->group && !waiter->asking)
		TAILQ_REMOVE(&waiter->group->idle, waiter, entry);
	waiter->asking = true;
	if (waiter->group)
		waiter->group->asking++;
	db_send(waiter->waiters->worker->db, waiter->wish.query, waiter->wish.values, answered, waiter);
}

enum step
waiters_begin(struct waiters *waiters, struct request *request, const struct waiter_wish *wish)
{
	struct waiter *waiter = arena_zero(&request->arena, sizeof(*waiter));

	waiter->waiters = waiters;
	waiter->request = request;
	waiter->wish = *wish;
	waiter->asking = true;
	waiter->deadline_us = clock_mono_us() + wish->wait_us;
	if (wish->wait_us > 0) {
		waiter->group = group_join(waiters, wish, request->principal.tenant);
		set_waiting(waiters, 1);
	}
	ask(waiter);
	return STEP_WAIT;
}

/* Waiters whose time is up, or whose client has gone. */
static void
end_due(struct group *group, int64_t now_us)
{
	struct waiter *waiter = TAILQ_FIRST(&group->idle);

	while (waiter) {
		struct waiter *next = TAILQ_NEXT(waiter, entry);
		if (waiter->deadline_us <= now_us || !waiter->request->conn)
			end_empty(waiter);
		waiter = next;
	}
}

void
waiters_tick(struct waiters *waiters, int64_t now_us)
{
	struct group *group, *next;

	HASH_ITER(hh, waiters->groups, group, next)
	{
		group->members++;
		end_due(group, now_us);
		if (now_us >= group->poll_us) {
			group->poll_us = now_us + WAITERS_POLL_US;
			if (group->asking == 0)
				group_look(waiters, group);
		}
		group_leave(waiters, group);
	}
}

void
waiters_drain(struct waiters *waiters)
{
	waiters_tick(waiters, INT64_MAX / 2);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct waiters *waiters = arg;
	struct group *group, *next;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	HASH_ITER(hh, waiters->groups, group, next)
	/* While statements are on their way the mark stays: it is looked at when they are back. */
	if (group->asking == 0 && take_marks(waiters, group))
		group_look(waiters, group);
}

struct waiters *
waiters_new(struct worker *worker)
{
	struct waiters *waiters = mem_zero(sizeof(*waiters));
	int fd = worker->heritage->wake_fds[worker->heritage->slot];

	waiters->worker = worker;
	waiters->wake_event = event_new(worker->base, fd, EV_READ | EV_PERSIST, on_wake, waiters);
	INVARIANT(waiters->wake_event);
	event_add(waiters->wake_event, NULL);
	return waiters;
}

void
waiters_free(struct waiters *waiters)
{
	struct group *group, *next;

	HASH_ITER(hh, waiters->groups, group, next)
	{
		HASH_DEL(waiters->groups, group);
		free(group->key);
		free(group);
	}
	event_free(waiters->wake_event);
	free(waiters);
}
