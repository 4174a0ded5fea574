/*
 * waiters.c - see waiters.h.
 *
 * A waiter is in its lines, or ASKING, with a statement on its way; waiter_end() is where it ends. It notes the
 * board before it asks: a mark that comes while the statement is on its way makes it ask again.
 */
#include "waiters.h"
#include "clock.h"
#include "floor_looks.h"
#include "line.h"
#include "ready_poll.h"

enum { SLOT_US = 100000, SLOTS = 1024, ASK_AGAIN_MAX = 100, BURST_MAX = 64, PASSED_MAX = 256, FAIL_AT_ONCE_MAX = 500 };

struct waiter {
	TAILQ_ENTRY(waiter) entry; /* in a slot of the wheel */
	struct waiters *waiters;
	struct request *request;
	struct waiter_wish wish;
	struct place *places; /* wish.queue_count; NULL: looks only once */
	struct line *woken_by;
	int64_t deadline_us;
	uint64_t turn; /* who came first has the least */
	int slot;
	int tries; /* in a row, without waiting between */
	bool asking;
	bool in_line;
};
TAILQ_HEAD(waiter_list, waiter);

struct waiters {
	struct worker *worker;
	struct lines lines;
	uint32_t seen[SCOREBOARD_QUEUES];
	struct waiter_list wheel[SLOTS]; /* by deadline */
	int64_t wheel_at;                /* the slot that was looked at last, counted from the beginning of time */
	uint64_t turns;
	struct ready_poll *poll;
	int count;
	struct floors *floors;
	struct floor_looks *floor_looks;
};

static void ask(struct waiter *waiter);
static void end_empty(struct waiter *waiter);

static uint32_t
board_value(const struct waiters *waiters, unsigned bucket)
{
	return wakeup_marks(waiters->worker, bucket);
}

static void
set_waiting(struct waiters *waiters, int change)
{
	waiters->count += change;
	wakeup_count(waiters->worker, change);
}

/* Lets as many of the line ask as its burst allows. */
static void
look_at_line(struct waiters *waiters, struct line *line)
{
	struct place *place;

	line->members++; /* stays until the loop is over, whoever leaves in it */
	while (line->asking < line->burst && (place = line_next(line))) {
		place->waiter->woken_by = line;
		line->asking++;
		ask(place->waiter);
	}
	line_leave(&waiters->lines, line);
}

/* Somebody says that there is work: from the front, unless the way to the end is long and not done yet. */
static void
wake_line(struct waiters *waiters, struct line *line)
{
	if (line->passed <= PASSED_MAX || !line_next(line))
		line->passed_upto = 0;
	line->passed = 0;
	look_at_line(waiters, line);
}

static void
set_slot(struct waiter *waiter, int64_t due_us)
{
	struct waiters *waiters = waiter->waiters;
	int64_t at = MIN(MAX(due_us / SLOT_US + 1, waiters->wheel_at + 1), waiters->wheel_at + SLOTS - 1);

	if (waiter->slot >= 0)
		TAILQ_REMOVE(&waiters->wheel[waiter->slot], waiter, entry);
	waiter->slot = (int)(at % SLOTS);
	TAILQ_INSERT_TAIL(&waiters->wheel[waiter->slot], waiter, entry);
}

/* Into its lines, where its turn is, and into the wheel. */
static void
stand_in_line(struct waiter *waiter)
{
	for (int i = 0; i < waiter->wish.queue_count; i++)
		line_insert(waiter->places[i].line, &waiter->places[i]);
	waiter->asking = false;
	waiter->in_line = true;
	waiter->woken_by = NULL;
	waiter->tries = 0;
	if (waiter->slot < 0)
		set_slot(waiter, waiter->deadline_us);
}

static void
step_out_of_line(struct waiter *waiter)
{
	for (int i = 0; waiter->in_line && i < waiter->wish.queue_count; i++)
		TAILQ_REMOVE(&waiter->places[i].line->places, &waiter->places[i], entry);
	waiter->in_line = false;
}

/* The waiter leaves with its answer written, or with an error. */
static void
waiter_end(struct waiter *waiter, enum step step)
{
	struct waiters *waiters = waiter->waiters;
	struct request *request = waiter->request;

	if (waiter->places) {
		step_out_of_line(waiter);
		for (int i = 0; i < waiter->wish.queue_count; i++)
			line_leave(&waiters->lines, waiter->places[i].line);
		if (waiter->slot >= 0)
			TAILQ_REMOVE(&waiters->wheel[waiter->slot], waiter, entry);
		set_waiting(waiters, -1);
	}
	/* The waiter itself lives in the request's arena. */
	request->watch_close = false;
	request->waiter = NULL;
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

/* True if a queue of the waiter was marked since it asked. */
static bool
is_marked(const struct waiter *waiter)
{
	for (int i = 0; i < waiter->wish.queue_count; i++)
		if (board_value(waiter->waiters, waiter->places[i].line->bucket) != waiter->places[i].seen)
			return true;
	return false;
}

static void
nothing_found(struct waiter *waiter)
{
	if (!waiter->places || clock_mono_us() >= waiter->deadline_us || !waiter->request->conn ||
	    waiter->waiters->worker->draining) {
		end_empty(waiter);
	} else if (is_marked(waiter) && waiter->tries++ < ASK_AGAIN_MAX) {
		waiter->woken_by = NULL;
		ask(waiter);
	} else {
		stand_in_line(waiter);
		if (!waiter->request->watch_close)
			conn_watch_close(waiter->request->conn);
	}
}

static void
answered(void *arg, const struct db_result *result)
{
	struct waiter *waiter = arg;
	struct waiters *waiters = waiter->waiters; /* the waiter itself may be gone below */
	struct line *line = waiter->woken_by;
	bool rows = result->status == DB_OK && result->count > 0;
	bool got = rows && db_get(result, 0, "id").data;
	bool go_on = got;

	if (waiter->wish.note && result->status == DB_OK)
		waiter->wish.note(waiter->request, &waiter->wish);
	/* A row without an id: limits held back what stood first in the queue; there may be more behind it. */
	if (rows && !got && waiter->tries++ < ASK_AGAIN_MAX) {
		waiter->wish.look_closer = true;
		ask(waiter);
		return;
	}
	if (line) {
		line->asking--;
		line->burst = got ? MIN(line->burst * 2, BURST_MAX) : 1;
		if (result->status == DB_OK && !got && waiter->wish.personal) {
			line->passed_upto = MAX(line->passed_upto, waiter->turn);
			go_on = ++line->passed <= PASSED_MAX;
		}
		line->members++; /* stays while it is looked at below */
	}
	if (result->status != DB_OK)
		waiter_end(waiter, request_fail_database(waiter->request, result));
	else if (got)
		found(waiter, result);
	else
		nothing_found(waiter);
	if (line && go_on)
		look_at_line(waiters, line);
	if (line)
		line_leave(&waiters->lines, line);
}

static void
ask(struct waiter *waiter)
{
	/* Somebody else's work may have woken it. */
	const struct context *before = context_enter(&waiter->request->context);

	step_out_of_line(waiter);
	waiter->asking = true;
	for (int i = 0; waiter->places && i < waiter->wish.queue_count; i++)
		waiter->places[i].seen = board_value(waiter->waiters, waiter->places[i].line->bucket);
	if (waiter->wish.choose)
		waiter->wish.choose(waiter->request, &waiter->wish);
	db_send(waiter->waiters->worker->db, waiter->wish.query, waiter->wish.values, answered, waiter);
	context_enter(before);
}

/* True if the last poll found nothing for the waiter and nothing was marked since: asking would be of no use. */
static bool
is_known_empty(const struct waiter *waiter)
{
	if (!waiter->places)
		return false;
	for (int i = 0; i < waiter->wish.queue_count; i++)
		if (!ready_poll_is_empty(waiter->waiters->poll, waiter->places[i].line->bucket))
			return false;
	return true;
}

enum step
waiters_begin(struct waiters *waiters, struct request *request, const struct waiter_wish *wish)
{
	struct waiter *waiter = arena_zero(&request->arena, sizeof(*waiter));

	waiter->waiters = waiters;
	waiter->request = request;
	waiter->wish = *wish;
	waiter->asking = true;
	waiter->slot = -1;
	waiter->turn = ++waiters->turns;
	waiter->deadline_us = clock_mono_us() + wish->wait_us;
	if (wish->wait_us > 0) {
		waiter->places = arena_zero(&request->arena, (size_t)wish->queue_count * sizeof(struct place));
		for (int i = 0; i < wish->queue_count; i++) {
			waiter->places[i].waiter = waiter;
			waiter->places[i].turn = waiter->turn;
			waiter->places[i].line = line_join(&waiters->lines, request->principal.tenant, wish->queues[i]);
		}
		set_waiting(waiters, 1);
	}
	request->waiter = waiter;
	if (is_known_empty(waiter) && request->conn) {
		if (waiter->wish.choose)
			waiter->wish.choose(request, &waiter->wish); /* it is there, all the same */
		stand_in_line(waiter);
		conn_watch_close(request->conn);
	} else {
		ask(waiter);
	}
	return STEP_WAIT;
}

void
waiters_client_gone(struct waiter *waiter)
{
	if (waiter->asking)
		return;
	step_out_of_line(waiter);
	waiter->deadline_us = 0;
	set_slot(waiter, 0);
}

void
waiters_end(struct waiter *waiter)
{
	waiter->deadline_us = 0;
	waiters_client_gone(waiter);
}

static void
polled(void *arg, int64_t tenant, struct slice queue)
{
	struct waiters *waiters = arg;
	struct line *line = line_find(&waiters->lines, tenant, queue);

	if (line && line->asking == 0)
		wake_line(waiters, line);
}

/* Waiters whose time is up; what is asking ends with its answer. After a jump of the clock some are early: not yet. */
static void
end_slot(struct waiters *waiters, int slot, int64_t now_us)
{
	struct waiter_list due = TAILQ_HEAD_INITIALIZER(due);
	struct waiter *waiter;

	TAILQ_CONCAT(&due, &waiters->wheel[slot], entry);
	while ((waiter = TAILQ_FIRST(&due))) {
		TAILQ_REMOVE(&due, waiter, entry);
		waiter->slot = -1;
		if (waiter->deadline_us > now_us) {
			set_slot(waiter, waiter->deadline_us);
			continue;
		}
		waiter->deadline_us = 0;
		if (!waiter->asking)
			end_empty(waiter);
	}
}

/* The database is away: who waits is told, so that he can go elsewhere. Not all at once, for they may come back at
 * once. */
static void
fail_some(struct waiters *waiters)
{
	int left = FAIL_AT_ONCE_MAX;

	for (int slot = 0; slot < SLOTS && left > 0; slot++) {
		struct waiter *waiter = TAILQ_FIRST(&waiters->wheel[slot]);
		while (waiter && left-- > 0) {
			struct waiter *next = TAILQ_NEXT(waiter, entry);
			if (!waiter->asking)
				waiter_end(waiter, request_fail(waiter->request, ERROR_UNAVAILABLE, "the database cannot be reached"));
			waiter = next;
		}
	}
}

void
waiters_tick(struct waiters *waiters, int64_t now_us)
{
	int64_t now_slot = now_us / SLOT_US;

	/* After a jump of the clock one turn of the wheel is enough. */
	waiters->wheel_at = MAX(waiters->wheel_at, now_slot - SLOTS);
	while (waiters->wheel_at < now_slot)
		end_slot(waiters, (int)(++waiters->wheel_at % SLOTS), now_us);
	ready_poll_tick(waiters->poll, now_us, waiters->count > 0);
	if (ready_poll_is_away(waiters->poll))
		fail_some(waiters);
	floor_looks_tick(waiters->floor_looks, clock_steady_us());
}

struct floors *
waiters_floors(struct waiters *waiters)
{
	return waiters->floors;
}

void
waiters_drain(struct waiters *waiters)
{
	for (int slot = 0; slot < SLOTS; slot++)
		end_slot(waiters, slot, INT64_MAX);
}

void
waiters_wake(struct waiters *waiters)
{
	for (unsigned bucket = 0; bucket < SCOREBOARD_QUEUES; bucket++) {
		uint32_t value = board_value(waiters, bucket);
		struct line *line = waiters->lines.buckets[bucket], *next;
		if (value == waiters->seen[bucket])
			continue;
		waiters->seen[bucket] = value;
		/* While statements are on their way the mark stays: it is looked at when they are back. */
		for (; line; line = next) {
			next = line->next_in_bucket;
			if (line->asking == 0)
				wake_line(waiters, line);
		}
	}
}

struct waiters *
waiters_new(struct worker *worker)
{
	struct waiters *waiters = mem_zero(sizeof(*waiters));

	waiters->worker = worker;
	waiters->floors = floors_new();
	waiters->floor_looks = floor_looks_new(worker, waiters->floors);
	waiters->poll = ready_poll_new(worker, waiters->floors, polled, waiters);
	for (int slot = 0; slot < SLOTS; slot++)
		TAILQ_INIT(&waiters->wheel[slot]);
	waiters->wheel_at = clock_mono_us() / SLOT_US;
	return waiters;
}

void
waiters_free(struct waiters *waiters)
{
	lines_free(&waiters->lines);
	ready_poll_free(waiters->poll);
	floor_looks_free(waiters->floor_looks);
	floors_free(waiters->floors);
	free(waiters);
}
