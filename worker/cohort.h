/*
 * cohort.h - what follow.c and cohort.c share: who reads together, and from where.
 *
 * A channel is what a statement can select by: a tenant, or one workflow. Its followers stand in cohorts, each of which
 * reads from one place with one statement at a time. One cohort is live: it has read all there is. The others are
 * behind, and merge into it when they have come at least as far. A follower skips what it has had already, so it may
 * stand in any cohort that is not ahead of it. A cohort without followers is freed, at the latest when its statement is
 * back.
 */
#ifndef AGENTD_COHORT_H
#define AGENTD_COHORT_H

#include "db.h"
#include "follower.h"
#include "uuid.h"

#include <uthash.h>

enum { COHORT_PARAMS = 5 };

struct cohort {
	TAILQ_ENTRY(cohort) entry;
	struct channel *channel;
	struct followers members;
	struct events_place place; /* what comes from here on has not been read */
	bool whole;                /* of place's row nothing is left */
	bool latest;               /* place is not known yet: wherever the end is */
	bool verify;               /* asks whether place's row is kept */
	bool asking;
	uint32_t seen;     /* the mark on the ready board when it asked */
	int64_t asked_us;  /* and when that was */
	int64_t due_us;    /* when it asks again */
	unsigned pendings; /* looks in a row for what cannot be read yet */
	char numbers[2][24];
	struct slice values[QUERY_PARAMS_MAX];
};
TAILQ_HEAD(cohorts, cohort);

struct channel_key {
	int64_t tenant;
	char workflow_id[UUID_TEXT_SIZE]; /* "": all of the tenant */
};

struct channel {
	UT_hash_handle hh;
	struct channel_key key;
	struct follow *follow;
	struct cohorts cohorts;
	struct cohort *live;
	int users; /* cohorts, and followers that are full; freed with the last */
	unsigned bucket;
	char tenant_text[24];
};

struct follow {
	struct worker *worker;
	struct channel *channels;
	struct followers all;
	struct followers full; /* streams that cannot take more */
	struct followers gone; /* their clients have left */
	struct event *timer;
	int64_t timer_us; /* when it fires */
	int params[COHORT_PARAMS];
};

void cohort_init(struct follow *follow);
struct channel *cohort_channel(struct follow *follow, int64_t tenant, struct slice workflow_id);
void cohort_channel_leave(struct channel *channel);
/* Asks from its place; the answer comes later. */
void cohort_ask(struct cohort *cohort);
/* Asks at that time, unless something else makes it ask before. */
void cohort_set_due(struct cohort *cohort, int64_t due_us);
/* At once if it was marked since it asked, but not more often than every 20 ms. */
void cohort_marked(struct cohort *cohort, int64_t now_us);
/* Puts the follower into a cohort that reads from the follower's place on. */
void cohort_read_on(struct follower *follower, bool latest);
/* Out of its cohort, which goes with its last follower unless it is asking; into list, which may be NULL. */
void cohort_step_out(struct follower *follower, struct followers *list);
/* Writes the end of the answer and ends the request. */
void cohort_finish(struct follower *follower);
/* Ends the request. */
void cohort_end(struct follower *follower, enum step step);

#endif
