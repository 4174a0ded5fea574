/*
 * relay.c - see relay.h.
 *
 * A word is "<node> <mark> <mark> ..." in hexadecimal, or "<node> *" for too many; without marks it is a greeting. What is
 * heard is put on the board and counted as known, so that it is not sent on. A word is said by one way or by both, and
 * the next one not before that is over; who hears it twice looks twice.
 */
#include "relay.h"
#include "buf.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "crypto.h"
#include "db.h"
#include "heritage.h"

#include <event2/event.h>
#include <unistd.h>

enum { MARKS_MAX = 1500 }; /* in one word: PostgreSQL takes 8000 bytes */

struct relay {
	const struct heritage *heritage;
	struct db *db;
	struct cache *cache; /* NULL: no Redis is wanted */
	char channel[48];
	int others;          /* nodes that are alive */
	struct event *wake;  /* something was marked on this node */
	struct event *timer; /* the pause between two words */
	char node[17];
	uint32_t known[SCOREBOARD_QUEUES];
	struct buf word;
	struct slice values[QUERY_PARAMS_MAX];
	int64_t last_us;
	bool sending;
	bool greet; /* the others have to hear of this node, even if there is no news */
};

static int
collect(struct relay *relay)
{
	const struct scoreboard *board = relay->heritage->board;
	int marks = 0;

	relay->word.len = 0;
	buf_add_text(&relay->word, relay->node);
	for (unsigned i = 0; i < SCOREBOARD_QUEUES; i++) {
		uint32_t value = atomic_load(&board->ready[i]);
		if (value == relay->known[i])
			continue;
		relay->known[i] = value;
		if (++marks <= MARKS_MAX)
			buf_printf(&relay->word, " %x", i);
	}
	if (marks > MARKS_MAX) {
		relay->word.len = strlen(relay->node);
		buf_add_text(&relay->word, " *");
	}
	return marks;
}

static void send_word(struct relay *relay);

static void
sent(void *arg, const struct db_result *result)
{
	struct relay *relay = arg;

	(void)result;
	relay->sending = false;
	/* What was marked meanwhile woke the event again. */
	send_word(relay);
}

static void
notify(struct relay *relay)
{
	relay->values[db_param(QUERY_NODE_TELL, "marks")] = buf_slice(&relay->word);
	db_send(relay->db, QUERY_NODE_TELL, relay->values, sent, relay);
}

/* Redis tells how many heard it, this node included: the others have to be told otherwise if some did not. */
static void
published(void *arg, const struct cache_result *result)
{
	struct relay *relay = arg;

	if (result->status == CACHE_OK && cache_int(result, 0) > relay->others)
		sent(relay, NULL);
	else
		notify(relay);
}

static void
tell(struct relay *relay)
{
	const struct slice words[] = {SLICE("PUBLISH"), slice_of(relay->channel), buf_slice(&relay->word)};

	relay->sending = true;
	if (!cache_up(relay->cache) ||
	    !cache_send(relay->cache, words, (int)ARRAY_LENGTH(words), published, relay))
		notify(relay);
}

static void
wait_a_little(struct relay *relay, int64_t left_us)
{
	const struct timeval pause = {.tv_usec = left_us};

	event_add(relay->timer, &pause);
}

static void
send_word(struct relay *relay)
{
	int64_t left_us = relay->last_us + RELAY_PAUSE_US - clock_steady_us();

	if (relay->sending || !relay->db || (!db_ready(relay->db) && !cache_up(relay->cache)))
		return;
	if (left_us > 0) {
		wait_a_little(relay, left_us);
		return;
	}
	if (collect(relay) == 0 && !relay->greet)
		return;
	relay->greet = false;
	relay->last_us = clock_steady_us();
	tell(relay);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) > 0)
		send_word(arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_word(arg);
}

/* What was marked while nobody was there to hear it is no news. */
static void
start_telling(struct relay *relay)
{
	atomic_bool *waiting = &relay->heritage->board->slots[relay->heritage->slot].waiting;

	if (atomic_exchange(waiting, true))
		return;
	(void)collect(relay);
	relay->greet = true;
	send_word(relay);
}

void
relay_others(struct relay *relay, int count)
{
	relay->others = count;
	if (count > 0)
		start_telling(relay);
	else
		atomic_store(&relay->heritage->board->slots[relay->heritage->slot].waiting, false);
}

static void
mark(struct relay *relay, unsigned bucket)
{
	if (bucket >= SCOREBOARD_QUEUES)
		return;
	atomic_fetch_add(&relay->heritage->board->ready[bucket], 1);
	relay->known[bucket]++;
}

static void
wake_workers(const struct relay *relay)
{
	const struct heritage *heritage = relay->heritage;
	const uint64_t one = 1;

	for (int i = 0; i < heritage->board->slot_count; i++)
		if (i != heritage->slot && atomic_load(&heritage->board->slots[i].waiting))
			(void)!write(heritage->wake_fds[i], &one, sizeof(one));
}

void
relay_hear(void *arg, const char *payload)
{
	struct relay *relay = arg;
	size_t own = strlen(relay->node);
	const char *at = strchr(payload, ' ');

	if (strncmp(payload, relay->node, own) == 0)
		return;
	start_telling(relay);
	while (at && *at == ' ') {
		char *end;
		if (at[1] == '*') {
			for (unsigned i = 0; i < SCOREBOARD_QUEUES; i++)
				mark(relay, i);
			break;
		}
		mark(relay, (unsigned)strtoul(at + 1, &end, 16));
		at = end > at + 1 ? end : NULL;
	}
	wake_workers(relay);
}

void
relay_published(void *arg, struct slice text)
{
	relay_hear(arg, text.data);
}

struct relay *
relay_new(struct event_base *base, const struct heritage *heritage)
{
	struct relay *relay = mem_zero(sizeof(*relay));
	uint64_t random;

	crypto_random(&random, sizeof(random));
	snprintf(relay->node, sizeof(relay->node), "%016llx", (unsigned long long)random);
	snprintf(relay->channel, sizeof(relay->channel), "%s:ready", heritage->config->redis_prefix);
	relay->heritage = heritage;
	relay->wake = event_new(base, heritage->wake_fds[heritage->slot], EV_READ | EV_PERSIST, on_wake, relay);
	relay->timer = event_new(base, -1, 0, on_timer, relay);
	INVARIANT(relay->wake && relay->timer);
	event_add(relay->wake, NULL);
	return relay;
}

void
relay_use(struct relay *relay, struct db *db, struct cache *cache)
{
	relay->db = db;
	relay->cache = cache;
}

const char *
relay_channel(const struct relay *relay)
{
	return relay->channel;
}

void
relay_free(struct relay *relay)
{
	event_free(relay->wake);
	event_free(relay->timer);
	buf_free(&relay->word);
	free(relay);
}
