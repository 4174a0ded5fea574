/*
 * cache.h - Redis for an event loop: what nodes share in passing. PostgreSQL keeps the truth; all that is here may be
 * lost, flushed or old at any time.
 *
 * One connection for commands, a second one where a channel is listened to. Everything is asynchronous and belongs to
 * one thread; a callback runs once, later than the call. Every command has its own deadline: when one passes, the
 * connection is given up, so what waits behind it ends too, and the next calls fail at once rather than wait. Lost
 * connections are made again after a pause that grows, with jitter. The process must ignore SIGPIPE.
 */
#ifndef AGENTD_CACHE_H
#define AGENTD_CACHE_H

#include "base.h"
#include "cache_address.h"

struct cache;
struct config;
struct event_base;

/* Something was published on the channel; a NUL follows the text. */
typedef void cache_heard(void *arg, struct slice text);
/* The connection for commands came up (with nothing sent on it yet) or was lost. */
typedef void cache_changed(void *arg, bool up);

struct cache_options {
	struct cache_address address;
	int connect_timeout_ms; /* until the connection takes commands */
	int timeout_ms;         /* of a command */
	const char *channel;    /* to listen to, or NULL */
	cache_heard *heard;
	cache_changed *changed; /* or NULL */
	void *arg;              /* of both */
};

enum cache_status {
	CACHE_OK,
	CACHE_FAILED,      /* Redis refused it: message says why */
	CACHE_UNAVAILABLE, /* the connection was lost; may have been done */
	CACHE_TIMEOUT      /* no answer in time; may have been done, or be done later */
};

/* What a callback is given; valid until it returns. */
struct cache_result {
	enum cache_status status;
	const char *message; /* never NULL */
	const void *reply;   /* private */
};

typedef void cache_done(void *arg, const struct cache_result *result);

/* Starts to connect; never NULL. options are copied. */
struct cache *cache_new(struct event_base *base, const struct cache_options *options);
/* The same with address and times from the settings. NULL: they want no Redis. */
struct cache *cache_open(struct event_base *base, const struct config *config, const struct cache_options *options);
/* Closes the connections; calls not yet answered get no callback. NULL is fine. Not from a callback. */
void cache_free(struct cache *cache);

/* False for NULL too: there is no Redis. */
bool cache_up(const struct cache *cache);
/* Gives the connections up, with what is on its way, and makes new ones. Not from a callback. */
void cache_reconnect(struct cache *cache, const char *why);
/* Since when (clock_steady_us) it is up, or down. */
int64_t cache_since_us(const struct cache *cache);
/* Why the last connection was lost or could not be made, or "". */
const char *cache_last_error(const struct cache *cache);

/*
 * Sends a command of `count` words, which are copied. False: there is no connection, or too many commands are waiting;
 * nothing was sent and there will be no callback. done may be NULL.
 */
MUST_CHECK bool cache_send(struct cache *cache, const struct slice *words, int count, cache_done *done, void *arg);

/* A Lua script, sent by its digest; its text only when Redis does not know it. */
struct cache_script {
	const char *text;
	char digest[41]; /* "": computed when first used */
};

/* Runs the script: words are its keys, then its arguments. Otherwise as cache_send(). */
MUST_CHECK bool cache_run(struct cache *cache, struct cache_script *script, const struct slice *words, int keys,
                          int count, cache_done *done, void *arg);

/* Of a reply that is a list: its length, and its elements; of any other: 1, and itself as element 0. */
int cache_count(const struct cache_result *result);
/* Absent: no such element, or no text. */
struct slice cache_text(const struct cache_result *result, int index);
/* 0: no such element, or no number. */
int64_t cache_int(const struct cache_result *result, int index);

#endif
