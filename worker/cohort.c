/*
 * cohort.c - see cohort.h. The order of a cohort's life: it asks, its followers take the rows, and it asks again,
 * becomes live, merges into the live one, or is freed.
 */
#include "cohort.h"
#include "event_items.h"
#include "clock.h"
#include "crypto.h"
#include "health.h"

#include <event2/event.h>
#include <inttypes.h>

enum { LOOK_US = 20000, POLL_US = 1000000, ROWS_MAX = 200, BYTES_MAX = 262144 }; /* rows and bytes: of events_read */
enum { TENANT, XID, SEQ, WORKFLOW_ID, VERIFY };

static const int64_t PENDING_US[] = {5000, 20000, 100000};
static const int64_t NEVER_US = INT64_MAX / 2;

void
cohort_set_due(struct cohort *cohort, int64_t due_us)
{
	struct follow *follow = cohort->channel->follow;
	int64_t left_us = MAX(due_us - clock_mono_us(), 0);

	cohort->due_us = due_us;
	if (due_us < follow->timer_us) {
		struct timeval time = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};
		follow->timer_us = due_us;
		event_add(follow->timer, &time);
	}
}

struct channel *
cohort_channel(struct follow *follow, int64_t tenant, struct slice workflow_id)
{
	struct channel_key key;
	struct channel *channel;

	memset(&key, 0, sizeof(key)); /* the padding too: it is hashed */
	key.tenant = tenant;
	if (workflow_id.data)
		memcpy(key.workflow_id, workflow_id.data, MIN(workflow_id.len, UUID_TEXT_SIZE - 1));
	HASH_FIND(hh, follow->channels, &key, sizeof(key), channel);
	if (channel)
		return channel;
	channel = mem_zero(sizeof(*channel));
	channel->key = key;
	channel->follow = follow;
	channel->bucket = scoreboard_queue(tenant, SLICE("events"));
	TAILQ_INIT(&channel->cohorts);
	snprintf(channel->tenant_text, sizeof(channel->tenant_text), "%" PRId64, tenant);
	HASH_ADD(hh, follow->channels, key, sizeof(key), channel);
	return channel;
}

void
cohort_channel_leave(struct channel *channel)
{
	if (--channel->users > 0)
		return;
	HASH_DEL(channel->follow->channels, channel);
	free(channel);
}

static struct cohort *
cohort_new(struct channel *channel, const struct events_place *place, bool latest)
{
	struct cohort *cohort = mem_zero(sizeof(*cohort));

	cohort->channel = channel;
	cohort->place = *place;
	cohort->latest = latest;
	cohort->due_us = NEVER_US;
	TAILQ_INIT(&cohort->members);
	TAILQ_INSERT_TAIL(&channel->cohorts, cohort, entry);
	channel->users++;
	return cohort;
}

static void
cohort_free(struct cohort *cohort)
{
	struct channel *channel = cohort->channel;

	if (channel->live == cohort)
		channel->live = NULL;
	TAILQ_REMOVE(&channel->cohorts, cohort, entry);
	free(cohort);
	cohort_channel_leave(channel);
}

static void
stand_in(struct follower *follower, struct followers *list, struct cohort *cohort)
{
	if (follower->stands_in)
		TAILQ_REMOVE(follower->stands_in, follower, entry);
	follower->stands_in = list;
	follower->cohort = cohort;
	if (list)
		TAILQ_INSERT_TAIL(list, follower, entry);
}

void
cohort_end(struct follower *follower, enum step step)
{
	struct follow *follow = follower->follow;
	struct request *request = follower->request;

	stand_in(follower, NULL, NULL);
	TAILQ_REMOVE(&follow->all, follower, all_entry);
	wakeup_count(follow->worker, -1);
	request->watch_close = false;
	request->follower = NULL;
	request_resume(request, step);
}

void
cohort_finish(struct follower *follower)
{
	follower_finish(follower);
	cohort_end(follower, follower->wish.stream ? STEP_DONE : STEP_NEXT);
}

void
cohort_read_on(struct follower *follower, bool latest)
{
	struct channel *channel = follower->channel;
	bool verify = !follower->begun && follower->place.seq > 0;
	struct cohort *cohort;

	TAILQ_FOREACH(cohort, &channel->cohorts, entry)
	if (cohort->asking && cohort->latest == latest && cohort->verify == verify && !cohort->whole &&
	    events_place_compare(&cohort->place, &follower->place) == 0) {
		stand_in(follower, &cohort->members, cohort);
		return;
	}
	cohort = cohort_new(channel, &follower->place, latest);
	cohort->verify = verify;
	stand_in(follower, &cohort->members, cohort);
	cohort_ask(cohort);
}

/* The database was restored, and the place is behind what was lost: who has no answer yet is told, the others come
 * again. */
static void
end_lost(struct cohort *cohort)
{
	struct follower *follower;

	while ((follower = TAILQ_FIRST(&cohort->members)))
		if (follower->begun)
			cohort_finish(follower);
		else
			cohort_end(follower, follow_refuse(follower->request));
	cohort_free(cohort);
}

/* The first rows have come: who has waited for them has no answer yet. */
static void
begin_members(struct cohort *cohort, bool kept, const struct events_place *horizon, int64_t now_us)
{
	struct follower *follower, *next;

	for (follower = TAILQ_FIRST(&cohort->members); follower; follower = next) {
		next = TAILQ_NEXT(follower, entry);
		follower->reads++;
		if (cohort->latest)
			follower->place = *horizon;
		if (follower->begun)
			continue;
		if (kept)
			follower_begin(follower, now_us);
		else
			cohort_end(follower, follow_refuse(follower->request));
	}
	cohort->verify = cohort->latest = false;
}

static uint64_t
xid_of(const struct db_result *result, int row)
{
	return strtoull(db_get(result, row, "xid").data, NULL, 10);
}

static void
give_row(struct cohort *cohort, const struct db_result *result, int row)
{
	struct event_items items;
	struct slice text;
	struct follower_item item = {
	    .item = {.at = db_get(result, row, "at"), .workflow_id = db_get(result, row, "workflow_id")}};
	struct events_place *place = &item.item.place;
	struct follower *follower;

	place->xid = xid_of(result, row);
	place->seq = strtoll(db_get(result, row, "seq").data, NULL, 10);
	event_items_begin(&items, db_get(result, row, "items"));
	while (event_items_next(&items, &text)) {
		struct arena arena = ARENA_EMPTY;
		place->skip++;
		item.json.len = item.stream.len = 0;
		if (events_read_item(text, &arena, &item.item))
			TAILQ_FOREACH(follower, &cohort->members, entry)
		follower_take(follower, &item);
		arena_reset(&arena);
	}
	cohort->place = *place;
	cohort->whole = true;
	event_items_end(&items);
	buf_free(&item.json);
	buf_free(&item.stream);
}

/* Everybody who took all of the rows stands where the cohort stands; who could not leaves it. */
static void
move_members(struct cohort *cohort, bool more, int64_t now_us)
{
	struct follow *follow = cohort->channel->follow;
	struct follower *follower, *next;

	for (follower = TAILQ_FIRST(&cohort->members); follower; follower = next) {
		next = TAILQ_NEXT(follower, entry);
		if (!follower->full && events_place_compare(&follower->place, &cohort->place) < 0)
			follower->place = cohort->place;
		if (follower_is_done(follower, more, now_us)) {
			cohort_finish(follower);
		} else if (follower->full) {
			cohort->channel->users++;
			stand_in(follower, &follow->full, NULL);
		} else if (!follower->request->watch_close) {
			conn_watch_close(follower->request->conn);
		}
	}
}

static void
plan_next_look(struct cohort *cohort, bool pending)
{
	int64_t now_us = clock_mono_us(), due_us;
	uint32_t jitter;

	/* A little less than a second, at random, so that workers do not ask in step. */
	crypto_random(&jitter, sizeof(jitter));
	due_us = now_us + POLL_US * 3 / 4 + jitter % (POLL_US / 4);
	if (pending)
		due_us = now_us + PENDING_US[MIN(cohort->pendings, ARRAY_LENGTH(PENDING_US) - 1)];
	cohort->pendings = pending ? cohort->pendings + 1 : 0;
	cohort_set_due(cohort, due_us);
	cohort_marked(cohort, now_us);
}

void
cohort_marked(struct cohort *cohort, int64_t now_us)
{
	const struct channel *channel = cohort->channel;

	if (!cohort->asking && wakeup_marks(channel->follow->worker, channel->bucket) != cohort->seen)
		cohort_set_due(cohort, MIN(cohort->due_us, MAX(now_us, cohort->asked_us + LOOK_US)));
}

/* Nothing is left to read: the cohort is live, or joins the one that is unless that is ahead. */
static void
settle_down(struct cohort *cohort, bool pending)
{
	struct channel *channel = cohort->channel;
	struct follower *follower;

	if (!channel->live)
		channel->live = cohort;
	if (channel->live == cohort) {
		plan_next_look(cohort, pending);
	} else if (events_place_compare(&cohort->place, &channel->live->place) < 0) {
		cohort_ask(cohort);
	} else {
		while ((follower = TAILQ_FIRST(&cohort->members)))
			stand_in(follower, &channel->live->members, channel->live);
		cohort_free(cohort);
	}
}

/* The pool is down: who has no answer yet is told so, the others have time. */
static void
could_not_ask(struct cohort *cohort, const struct db_result *result)
{
	struct follower *follower, *next;
	bool draining = cohort->channel->follow->worker->draining;

	for (follower = TAILQ_FIRST(&cohort->members); follower; follower = next) {
		next = TAILQ_NEXT(follower, entry);
		if (!follower->begun)
			cohort_end(follower, request_fail_database(follower->request, result));
		else if (draining)
			cohort_finish(follower);
	}
	if (TAILQ_EMPTY(&cohort->members))
		cohort_free(cohort);
	else
		cohort_set_due(cohort, clock_mono_us() + POLL_US);
}

static void
answered(void *arg, const struct db_result *result)
{
	struct cohort *cohort = arg;
	int rows = result->count - 1; /* the last one is not a row of events */
	struct events_place horizon;
	int64_t now_us = clock_mono_us();
	size_t bytes = 0;
	bool more;

	cohort->asking = false;
	if (result->status != DB_OK) {
		could_not_ask(cohort, result);
		return;
	}
	if (db_get(result, rows, "lost").data[0] == 't') {
		end_lost(cohort);
		return;
	}
	horizon = events_place_end(xid_of(result, rows), health_time_us(cohort->channel->follow->worker->heritage->health));
	begin_members(cohort, !cohort->verify || db_get(result, rows, "kept").data[0] == 't', &horizon, now_us);
	for (int row = 0; row < rows; row++) {
		bytes += db_get(result, row, "items").len;
		give_row(cohort, result, row);
	}
	more = rows == ROWS_MAX || bytes >= BYTES_MAX;
	if (!more) {
		cohort->place = horizon;
		cohort->whole = false;
	}
	move_members(cohort, more, now_us);
	if (TAILQ_EMPTY(&cohort->members))
		cohort_free(cohort);
	else if (more)
		cohort_ask(cohort);
	else
		settle_down(cohort, db_get(result, rows, "pending").data[0] == 't');
}

void
cohort_ask(struct cohort *cohort)
{
	struct channel *channel = cohort->channel;
	struct follow *follow = channel->follow;
	const struct events_place *place = &cohort->place;
	uint64_t xid = cohort->latest ? UINT64_MAX : place->xid;

	cohort->asking = true;
	cohort->due_us = NEVER_US;
	cohort->seen = wakeup_marks(follow->worker, channel->bucket);
	cohort->asked_us = clock_mono_us();
	snprintf(cohort->numbers[0], sizeof(cohort->numbers[0]), "%" PRIu64, xid);
	snprintf(cohort->numbers[1], sizeof(cohort->numbers[1]), "%" PRId64, place->seq + cohort->whole);
	cohort->values[follow->params[TENANT]] = slice_of(channel->tenant_text);
	cohort->values[follow->params[XID]] = slice_of(cohort->numbers[0]);
	cohort->values[follow->params[SEQ]] = slice_of(cohort->numbers[1]);
	cohort->values[follow->params[WORKFLOW_ID]] =
	    *channel->key.workflow_id ? slice_of(channel->key.workflow_id) : SLICE_NONE;
	cohort->values[follow->params[VERIFY]] = cohort->verify ? SLICE("true") : SLICE("false");
	db_send(follow->worker->db, QUERY_EVENTS_READ, cohort->values, answered, cohort);
}

void
cohort_step_out(struct follower *follower, struct followers *list)
{
	struct cohort *cohort = follower->cohort;
	bool was_full = follower->stands_in == &follower->follow->full;

	stand_in(follower, list, NULL);
	if (was_full)
		cohort_channel_leave(follower->channel);
	else if (cohort && !cohort->asking && TAILQ_EMPTY(&cohort->members))
		cohort_free(cohort);
}

void
cohort_init(struct follow *follow)
{
	static const char *const names[COHORT_PARAMS] = {
	    [TENANT] = "tenant", [XID] = "xid", [SEQ] = "seq", [WORKFLOW_ID] = "workflow_id", [VERIFY] = "verify"};

	for (int i = 0; i < COHORT_PARAMS; i++)
		follow->params[i] = db_param(QUERY_EVENTS_READ, names[i]);
}
