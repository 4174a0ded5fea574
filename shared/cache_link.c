/*
 * cache_link.c - one connection to Redis on the event loop: address, connect, greeting, loss, and the next attempt.
 *
 * link_move() is the only place where a link's state changes. hiredis frees a context itself when the connection
 * breaks; a link lets go of its context (context = NULL) before that, and a callback that comes for another context
 * than the link's own is of the past.
 */
#include "cache_private.h"
#include "clock.h"
#include "crypto.h"
#include "log.h"
#include "metrics.h"
#include "resolve.h"

#include <arpa/inet.h>
#include <event2/event.h>

/* The events of one context; hiredis says when they are wanted, and when they are to go. */
struct watch {
	redisAsyncContext *context;
	struct event *read, *write;
};

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	redisAsyncHandleRead(((struct watch *)arg)->context);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	redisAsyncHandleWrite(((struct watch *)arg)->context);
}

static void
add_read(void *data)
{
	event_add(((struct watch *)data)->read, NULL);
}

static void
delete_read(void *data)
{
	event_del(((struct watch *)data)->read);
}

static void
add_write(void *data)
{
	event_add(((struct watch *)data)->write, NULL);
}

static void
delete_write(void *data)
{
	event_del(((struct watch *)data)->write);
}

static void
clean_up(void *data)
{
	struct watch *watch = data;

	event_free(watch->read);
	event_free(watch->write);
	free(watch);
}

static void
attach(struct event_base *base, redisAsyncContext *context)
{
	struct watch *watch = mem_zero(sizeof(*watch));

	watch->context = context;
	watch->read = event_new(base, context->c.fd, EV_READ | EV_PERSIST, on_readable, watch);
	watch->write = event_new(base, context->c.fd, EV_WRITE | EV_PERSIST, on_writable, watch);
	INVARIANT(watch->read && watch->write);
	context->ev.data = watch;
	context->ev.addRead = add_read;
	context->ev.delRead = delete_read;
	context->ev.addWrite = add_write;
	context->ev.delWrite = delete_write;
	context->ev.cleanup = clean_up;
}

static void
link_move(struct cache_link *link, enum cache_link_state state, int64_t due_us)
{
	bool was_up = link->state == CACHE_LINK_UP, is_up = state == CACHE_LINK_UP;
	struct cache *cache = link->cache;

	link->state = state;
	link->due_us = due_us;
	if (due_us)
		cache_wake_at(cache, due_us);
	if (was_up == is_up)
		return;
	link->since_us = clock_steady_us();
	if (link->listens || cache->freeing)
		return;
	metrics_set(METRIC_REDIS_UP, METRICS_OWN, is_up);
	if (is_up) {
		cache->last_error[0] = '\0';
		log_info("redis", "connected", LOG_TEXT("host", cache->options.address.host));
	}
	if (cache->options.changed)
		cache->options.changed(cache->options.arg, is_up);
}

static int64_t
next_attempt_us(struct cache_link *link)
{
	uint32_t jitter;

	crypto_random(&jitter, sizeof(jitter));
	link->backoff_ms =
	    link->backoff_ms ? MIN(link->backoff_ms * 2, (int64_t)CACHE_BACKOFF_MAX_MS) : CACHE_BACKOFF_MIN_MS;
	return clock_steady_us() + link->backoff_ms * (int64_t)(500 + jitter % 500);
}

/* The link is down from here on; what hiredis holds of it is not the link's any more. */
static redisAsyncContext *
let_go(struct cache_link *link, const char *why)
{
	redisAsyncContext *context = link->context;
	struct cache *cache = link->cache;
	bool first = link->state == CACHE_LINK_UP || !cache->last_error[0];

	link->context = NULL;
	if (link->resolve)
		resolve_cancel(link->resolve);
	link->resolve = NULL;
	if (!cache->freeing) {
		metrics_add(METRIC_REDIS_LOSSES, 0, 1);
		snprintf(cache->last_error, sizeof(cache->last_error), "%s", why);
		/* Once, not at every attempt. */
		if (first)
			log_warning("redis", "no connection", LOG_TEXT("reason", why),
			            LOG_TEXT("host", cache->options.address.host),
			            LOG_TEXT("what", link->listens ? "channel" : "commands"));
	}
	link_move(link, CACHE_LINK_DOWN, cache->freeing ? 0 : next_attempt_us(link));
	return context;
}

void
cache_link_lose(struct cache_link *link, const char *why)
{
	redisAsyncContext *context = let_go(link, why);

	if (context)
		redisAsyncFree(context);
}

void
cache_link_broken(struct cache_link *link, const redisAsyncContext *context)
{
	if (link->context == context)
		(void)let_go(link, context->c.err ? context->c.errstr : "Redis closed the connection");
}

static void
on_disconnect(const redisAsyncContext *context, int status)
{
	(void)status;
	cache_link_broken(context->data, context);
}

static void
heard(redisAsyncContext *context, void *data, void *arg)
{
	struct cache_link *link = arg;
	const redisReply *reply = data;

	if (link->context != context)
		return;
	if (!reply) {
		cache_link_broken(link, context);
		return;
	}
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
		cache_link_lose(link, reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer that is none to SUBSCRIBE");
		return;
	}
	if (link->state != CACHE_LINK_UP) {
		link->backoff_ms = 0;
		link_move(link, CACHE_LINK_UP, 0);
	} else if (reply->element[2]->type == REDIS_REPLY_STRING) {
		link->cache->options.heard(link->cache->options.arg,
		                           (struct slice){reply->element[2]->str, reply->element[2]->len});
	}
}

/* The answer to one word of the greeting, and to its last (PING): then the link takes commands. */
static void
greeted(redisAsyncContext *context, void *data, void *arg)
{
	struct cache_link *link = context->data;
	const redisReply *reply = data;

	if (link->context != context)
		return;
	if (!reply) {
		cache_link_broken(link, context);
	} else if (reply->type == REDIS_REPLY_ERROR) {
		cache_link_lose(link, reply->str);
	} else if (arg) {
		link->backoff_ms = 0;
		link_move(link, CACHE_LINK_UP, 0);
	}
}

static void
greet(struct cache_link *link)
{
	const struct cache_address *address = &link->cache->options.address;
	redisAsyncContext *context = link->context;
	int sent = REDIS_OK;

	link_move(link, CACHE_LINK_GREETING, link->due_us);
	if (*address->password && *address->user)
		sent |= redisAsyncCommand(context, greeted, NULL, "AUTH %s %s", address->user, address->password);
	else if (*address->password)
		sent |= redisAsyncCommand(context, greeted, NULL, "AUTH %s", address->password);
	if (link->listens) {
		sent |= redisAsyncCommand(context, heard, link, "SUBSCRIBE %s", link->cache->channel);
	} else {
		if (address->db)
			sent |= redisAsyncCommand(context, greeted, NULL, "SELECT %d", address->db);
		sent |= redisAsyncCommand(context, greeted, link, "PING");
	}
	/* hiredis goes on with the context after this, so it cannot be freed here. */
	if (sent != REDIS_OK)
		link_move(link, CACHE_LINK_GREETING, clock_steady_us());
}

static void
on_connect(const redisAsyncContext *context, int status)
{
	struct cache_link *link = context->data;

	if (link->context != context)
		return;
	if (status == REDIS_OK)
		greet(link);
	else
		cache_link_broken(link, context);
}

static void
dial(struct cache_link *link, const char *address)
{
	struct cache *cache = link->cache;
	bool local = *address == '/';
	redisAsyncContext *context =
	    local ? redisAsyncConnectUnix(address) : redisAsyncConnect(address, cache->options.address.port);

	INVARIANT(context);
	if (context->err) {
		cache_link_lose(link, context->errstr);
		redisAsyncFree(context);
		return;
	}
	link->context = context;
	context->data = link;
	attach(cache->base, context);
	if (!local)
		redisEnableKeepAlive(&context->c);
	redisAsyncSetConnectCallback(context, on_connect);
	redisAsyncSetDisconnectCallback(context, on_disconnect);
	link_move(link, CACHE_LINK_CONNECTING, link->due_us);
}

static void
resolved(void *arg, const char *address, const char *error)
{
	struct cache_link *link = arg;

	link->resolve = NULL;
	if (address)
		dial(link, address);
	else
		cache_link_lose(link, error);
}

static bool
is_numeric(const char *host)
{
	uint8_t address[16];

	return *host == '/' || inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

void
cache_link_start(struct cache_link *link)
{
	const struct cache_options *options = &link->cache->options;
	int64_t due_us = clock_steady_us() + (int64_t)options->connect_timeout_ms * 1000;

	link_move(link, CACHE_LINK_RESOLVING, due_us);
	if (is_numeric(options->address.host)) {
		dial(link, options->address.host);
		return;
	}
	link->resolve = resolve_start(link->cache->base, options->address.host, resolved, link);
	if (!link->resolve)
		cache_link_lose(link, "no thread can be started to look up the host");
}

void
cache_link_tick(struct cache_link *link, int64_t now_us)
{
	if (link->state == CACHE_LINK_UP || now_us < link->due_us) {
		if (link->state != CACHE_LINK_UP)
			cache_wake_at(link->cache, link->due_us);
	} else if (link->state == CACHE_LINK_DOWN) {
		cache_link_start(link);
	} else {
		cache_link_lose(link, "Redis did not answer in time");
	}
}

void
cache_link_free(struct cache_link *link)
{
	redisAsyncContext *context = let_go(link, "");

	if (context)
		redisAsyncFree(context);
}
