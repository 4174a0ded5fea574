/*
 * follower.h - one request that follows the events, seen from its answer: what it takes, and how it begins and ends.
 * Only follow.c includes it, which says when. Everything of a follower lives in its request's arena.
 */
#ifndef AGENTD_FOLLOWER_H
#define AGENTD_FOLLOWER_H

#include "follow.h"

struct cohort;

TAILQ_HEAD(followers, follower);

struct follower {
	TAILQ_ENTRY(follower) entry;     /* in the list where it stands: of a cohort, of the full, of the gone */
	TAILQ_ENTRY(follower) all_entry; /* in that of all */
	struct followers *stands_in;
	struct follow *follow;
	struct request *request;
	struct cohort *cohort; /* NULL: full or gone */
	struct channel *channel;
	struct follow_wish wish;
	struct events_place place; /* it has had everything before */
	struct events_place told;  /* the place that a stream's client knows */
	struct json_writer page;
	int64_t deadline_us; /* of a page; of a stream: its next heartbeat */
	int count;           /* events on the page */
	int reads;
	bool begun; /* the first rows have come */
	bool full;  /* takes no more for now */
};

/* An item in the forms that somebody has asked for. */
struct follower_item {
	struct event_item item;
	struct buf json;
	struct buf stream;
};

/* Writes the beginning of the answer. now_us: for the first heartbeat. */
void follower_begin(struct follower *follower, int64_t now_us);
/* Takes the item if it is wanted; sets full when it was not taken for want of room. */
void follower_take(struct follower *follower, struct follower_item *item);
/* True if a page is to be answered now. more: there are rows left to read. */
bool follower_is_done(const struct follower *follower, bool more, int64_t now_us);
/* Writes the end of the answer, whatever there is. */
void follower_finish(struct follower *follower);
/* A stream that has been silent long enough says that it is alive, and how far it is. */
void follower_beat(struct follower *follower, int64_t now_us);

#endif
