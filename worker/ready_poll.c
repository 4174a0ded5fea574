/* ready_poll.c - see ready_poll.h. */
#include "ready_poll.h"
#include "buf.h"
#include "clock.h"
#include "crypto.h"
#include "db.h"
#include "floors.h"
#include "process.h"
#include "waiters.h"

enum {
	KNOWN_US = 1500000, /* how long an answer is believed */
	FAILED_US = 300000, /* until the next poll after one that failed */
	REST = 10,          /* times as long as a poll took, until the next */
	REST_MOST_US = 15000000
};

struct ready_poll {
	struct worker *worker;
	struct floors *floors;
	ready_poll_found *found;
	void *arg;
	struct buf heavy;
	struct slice values[QUERY_PARAMS_MAX];
	int64_t next_us;
	int64_t sent_us;  /* by the steady clock */
	int64_t known_us; /* when the poll was sent that had the last answer; 0: it failed */
	int failures;     /* in a row */
	bool sent;
	uint32_t marks[SCOREBOARD_QUEUES];      /* the board when it was sent */
	uint64_t work[SCOREBOARD_QUEUES / 64]; /* a bit for each bucket that had work then */
};

static uint32_t
mark_of(const struct ready_poll *poll, unsigned bucket)
{
	return atomic_load(&poll->worker->heritage->board->ready[bucket]);
}

static void
answered(void *arg, const struct db_result *result)
{
	struct ready_poll *poll = arg;
	int64_t took_us = clock_steady_us() - poll->sent_us;

	poll->sent = false;
	if (result->status != DB_OK) {
		poll->failures++;
		poll->known_us = 0;
		poll->next_us = clock_mono_us() + FAILED_US;
		return;
	}
	poll->failures = 0;
	poll->known_us = poll->sent_us;
	poll->next_us = MAX(poll->next_us, clock_mono_us() + MIN(took_us * REST, REST_MOST_US));
	memset(poll->work, 0, sizeof(poll->work));
	for (int row = 0; row < result->count; row++) {
		int64_t tenant = strtoll(db_get(result, row, "tenant").data, NULL, 10);
		struct slice queue = db_get(result, row, "queue");
		unsigned bucket = scoreboard_queue(tenant, queue);
		poll->work[bucket / 64] |= UINT64_C(1) << bucket % 64;
		poll->found(poll->arg, tenant, queue);
	}
}

static void
send_poll(struct ready_poll *poll)
{
	poll->sent = true;
	poll->sent_us = clock_steady_us();
	for (unsigned bucket = 0; bucket < SCOREBOARD_QUEUES; bucket++)
		poll->marks[bucket] = mark_of(poll, bucket);
	buf_clear(&poll->heavy, SIZE_MAX);
	floors_list(poll->floors, &poll->heavy);
	poll->values[db_param(QUERY_READY_QUEUES, "heavy")] = buf_slice(&poll->heavy);
	db_send(poll->worker->db, QUERY_READY_QUEUES, poll->values, answered, poll);
}

void
ready_poll_tick(struct ready_poll *poll, int64_t now_us, bool wanted)
{
	uint32_t jitter;

	if (now_us < poll->next_us)
		return;
	/* A little less than a second, at random, so that workers do not ask in step. */
	crypto_random(&jitter, sizeof(jitter));
	poll->next_us = now_us + WAITERS_POLL_US * 3 / 4 + jitter % (WAITERS_POLL_US / 4);
	if (wanted && !poll->sent)
		send_poll(poll);
}

bool
ready_poll_is_empty(const struct ready_poll *poll, unsigned bucket)
{
	return clock_steady_us() - poll->known_us <= KNOWN_US && !(poll->work[bucket / 64] >> bucket % 64 & 1) &&
	       mark_of(poll, bucket) == poll->marks[bucket];
}

bool
ready_poll_is_away(const struct ready_poll *poll)
{
	return poll->failures > 1 && !db_ready(poll->worker->db);
}

struct ready_poll *
ready_poll_new(struct worker *worker, struct floors *floors, ready_poll_found *found, void *arg)
{
	struct ready_poll *poll = mem_zero(sizeof(*poll));

	poll->worker = worker;
	poll->floors = floors;
	poll->found = found;
	poll->arg = arg;
	return poll;
}

void
ready_poll_free(struct ready_poll *poll)
{
	buf_free(&poll->heavy);
	free(poll);
}
