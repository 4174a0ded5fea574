/*
 * cache_private.h - what cache.c (commands and their deadlines) and cache_link.c (connections) share. Nobody else
 * includes it, and no other file knows hiredis.
 */
#ifndef AGENTD_CACHE_PRIVATE_H
#define AGENTD_CACHE_PRIVATE_H

#include "cache.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sys/queue.h>

enum {
	CACHE_BACKOFF_MIN_MS = 100,
	CACHE_BACKOFF_MAX_MS = 500, /* short: while some count in Redis again and others do not yet, they admit more */
	CACHE_PENDING_MAX = 4096 /* commands without an answer */
};

struct event;
struct resolve;

enum cache_link_state {
	CACHE_LINK_DOWN,
	CACHE_LINK_RESOLVING,
	CACHE_LINK_CONNECTING,
	CACHE_LINK_GREETING,
	CACHE_LINK_UP
};

struct cache_link {
	struct cache *cache;
	bool listens; /* else it takes commands */
	enum cache_link_state state;
	redisAsyncContext *context; /* from CONNECTING on */
	struct resolve *resolve;    /* while RESOLVING */
	int64_t due_us;             /* DOWN: the next attempt; else, but for UP: when the attempt is given up */
	int64_t backoff_ms;
	int64_t since_us; /* up, or not up */
};

struct cache_command {
	TAILQ_ENTRY(cache_command) entry;
	struct cache *cache;
	cache_done *done;
	void *arg;
	int64_t deadline_us;
	/* Of a script: what is sent again, with its text, when Redis does not know the digest. */
	const char *text;
	struct slice *words;
	int count;
};

TAILQ_HEAD(cache_commands, cache_command);

struct cache {
	struct event_base *base;
	struct cache_options options;
	char *channel;
	struct cache_link link;     /* for commands */
	struct cache_link listener; /* in use if there is a channel */
	struct event *timer;
	int64_t timer_us;               /* when it goes off; 0: it does not */
	struct cache_commands commands; /* in the order of sending, which is that of their deadlines and answers */
	int pending;
	enum cache_status ending; /* what the commands of a lost connection end with */
	bool freeing;
	char last_error[200];
};

/* cache_link.c */
void cache_link_start(struct cache_link *link);
/* Gives the connection up, if there is one; why goes to the log, and the next attempt is planned. */
void cache_link_lose(struct cache_link *link, const char *why);
/* The same when hiredis itself ends the connection of this context; of an older one it is no news. */
void cache_link_broken(struct cache_link *link, const redisAsyncContext *context);
void cache_link_free(struct cache_link *link);
/* What is due on the link, if anything. */
void cache_link_tick(struct cache_link *link, int64_t now_us);

/* cache.c: makes the timer go off at this time at the latest. */
void cache_wake_at(struct cache *cache, int64_t time_us);

#endif
