/*
 * follow.c - see follow.h. Followers enter and leave here; how they read is cohort.c's. Database callbacks, the tick
 * and the drain are the only ones that end followers.
 */
#include "follow.h"
#include "clock.h"
#include "cohort.h"
#include "config.h"

#include <event2/event.h>

static const int64_t DAY_US = INT64_C(86400000000);

enum step
follow_refuse(struct request *request)
{
	return request_fail(
	    request, ERROR_CURSOR_EXPIRED,
	    "what the cursor stands behind is not kept any more, was lost when the database was restored, or never was "
	    "there; leave the cursor out to read from the oldest event that is kept, and look at the state of what you "
	    "follow");
}

enum step
follow_begin(struct follow *follow, struct request *request, const struct follow_wish *wish)
{
	const struct config *config = follow->worker->config;
	struct follower *follower;

	if (!request->conn)
		return STEP_DONE;
	if (events_place_is_stale(&wish->from, request_time_us(request), config->events_retention_days * DAY_US))
		return follow_refuse(request);
	follower = arena_zero(&request->arena, sizeof(*follower));
	follower->follow = follow;
	follower->request = request;
	follower->wish = *wish;
	follower->place = wish->from;
	follower->deadline_us = clock_mono_us() + wish->wait_us;
	follower->channel = cohort_channel(follow, request->principal.tenant, wish->workflow_id);
	request->follower = follower;
	TAILQ_INSERT_TAIL(&follow->all, follower, all_entry);
	wakeup_count(follow->worker, 1);
	cohort_read_on(follower, wish->latest);
	return STEP_WAIT;
}

void
follow_client_gone(struct follower *follower)
{
	cohort_step_out(follower, &follower->follow->gone);
}

void
follow_end(struct follower *follower)
{
	if (follower->stands_in == &follower->follow->gone)
		return;
	cohort_step_out(follower, NULL);
	if (follower->wish.stream && follower->begun) {
		cohort_finish(follower);
		return;
	}
	request_fail(follower->request, ERROR_UNAUTHENTICATED, "this credential was revoked while it waited");
	cohort_end(follower, STEP_DONE);
}

void
follow_written(struct follower *follower)
{
	if (follower->stands_in != &follower->follow->full)
		return;
	follower->full = false;
	cohort_read_on(follower, false);
	cohort_channel_leave(follower->channel);
}

/* All cohorts whose time has come ask. */
static void
look(struct follow *follow)
{
	int64_t now_us = clock_mono_us();
	struct channel *channel, *next;
	struct cohort *cohort;

	follow->timer_us = INT64_MAX;
	HASH_ITER(hh, follow->channels, channel, next)
	TAILQ_FOREACH(cohort, &channel->cohorts, entry)
	{
		if (cohort->due_us <= now_us)
			cohort_ask(cohort);
		else if (!cohort->asking)
			cohort_set_due(cohort, cohort->due_us);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	look(arg);
}

void
follow_wake(struct follow *follow)
{
	int64_t now_us = clock_mono_us();
	struct channel *channel, *next;

	HASH_ITER(hh, follow->channels, channel, next)
	{
		if (channel->live)
			cohort_marked(channel->live, now_us);
	}
}

void
follow_tick(struct follow *follow, int64_t now_us)
{
	struct follower *follower, *next;

	while ((follower = TAILQ_FIRST(&follow->gone)))
		cohort_end(follower, STEP_DONE);
	for (follower = TAILQ_FIRST(&follow->all); follower; follower = next) {
		next = TAILQ_NEXT(follower, all_entry);
		if (!follower->begun || !follower->cohort)
			continue;
		if (follower->wish.stream) {
			follower_beat(follower, now_us);
		} else if (now_us >= follower->deadline_us) {
			cohort_step_out(follower, NULL);
			cohort_finish(follower);
		}
	}
	/* A test may have moved the clock, which the timer does not see. */
	look(follow);
}

void
follow_drain(struct follow *follow)
{
	struct follower *follower, *next;

	/* Who has not begun is answered with the rows that are on their way. */
	for (follower = TAILQ_FIRST(&follow->all); follower; follower = next) {
		next = TAILQ_NEXT(follower, all_entry);
		if (!follower->begun || follower->stands_in == &follow->gone)
			continue;
		cohort_step_out(follower, NULL);
		cohort_finish(follower);
	}
}

struct follow *
follow_new(struct worker *worker)
{
	struct follow *follow = mem_zero(sizeof(*follow));

	follow->worker = worker;
	cohort_init(follow);
	TAILQ_INIT(&follow->all);
	TAILQ_INIT(&follow->full);
	TAILQ_INIT(&follow->gone);
	follow->timer_us = INT64_MAX;
	follow->timer = event_new(worker->base, -1, 0, on_timer, follow);
	INVARIANT(follow->timer);
	return follow;
}

void
follow_free(struct follow *follow)
{
	struct channel *channel, *next;
	struct cohort *cohort;

	HASH_ITER(hh, follow->channels, channel, next)
	{
		HASH_DEL(follow->channels, channel);
		while ((cohort = TAILQ_FIRST(&channel->cohorts))) {
			TAILQ_REMOVE(&channel->cohorts, cohort, entry);
			free(cohort);
		}
		free(channel);
	}
	event_free(follow->timer);
	free(follow);
}
