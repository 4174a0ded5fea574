/*
 * cache.c - commands to Redis, their deadlines and their answers; connections are in cache_link.c.
 *
 * Redis answers a connection's commands in their order, and all have the same time, so the first of the list is the
 * first to be answered and the first to be late. A late one ends the connection: what it asked for may still happen.
 */
#include "cache.h"
#include "cache_private.h"
#include "clock.h"
#include "config.h"
#include "crypto.h"
#include "metrics.h"

#include <event2/event.h>

enum { CONNECT_TIMEOUT_MS = 1000 };

static void
command_end(struct cache_command *command, const struct cache_result *result)
{
	struct cache *cache = command->cache;
	cache_done *done = cache->freeing ? NULL : command->done;
	void *arg = command->arg;

	if (result->status == CACHE_OK)
		metrics_observe(METRIC_REDIS_DURATION, 0,
		                clock_steady_us() - (command->deadline_us - (int64_t)cache->options.timeout_ms * 1000));
	else if (!cache->freeing)
		metrics_add(METRIC_REDIS_FAILURES, 0, 1);
	TAILQ_REMOVE(&cache->commands, command, entry);
	cache->pending--;
	free(command);
	if (done)
		done(arg, result);
}

static bool
has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Errors of a Redis that cannot serve at all: it loads, it is a replica, it cannot write. */
static bool
is_unfit(const char *error)
{
	static const char *const codes[] = {"LOADING ", "READONLY ", "MASTERDOWN ", "MISCONF ", "NOAUTH ", "NOREPLICAS "};

	for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
		if (has_prefix(error, codes[i]))
			return true;
	return false;
}

static void answered(redisAsyncContext *context, void *data, void *arg);

static bool
send_words(struct cache *cache, struct cache_command *command, const struct slice *words, int count)
{
	const char *texts[count];
	size_t lengths[count];

	for (int i = 0; i < count; i++) {
		texts[i] = words[i].data ? words[i].data : "";
		lengths[i] = words[i].len;
	}
	return redisAsyncCommandArgv(cache->link.context, answered, command, count, texts, lengths) == REDIS_OK;
}

/* The digest is not known there: the same again with the text. */
static bool
send_text(struct cache_command *command)
{
	const char *text = command->text;

	if (!text || !cache_up(command->cache))
		return false;
	command->text = NULL;
	command->words[0] = SLICE("EVAL");
	command->words[1] = slice_of(text);
	if (!send_words(command->cache, command, command->words, command->count))
		return false;
	/* It is answered after what was sent meanwhile; the list stays in order of answers. */
	TAILQ_REMOVE(&command->cache->commands, command, entry);
	TAILQ_INSERT_TAIL(&command->cache->commands, command, entry);
	return true;
}

static void
answered(redisAsyncContext *context, void *data, void *arg)
{
	struct cache_link *link = context->data;
	struct cache_command *command = arg;
	const redisReply *reply = data;
	struct cache_result result = {CACHE_OK, "", reply};
	char why[sizeof(link->cache->last_error)];

	if (!reply) {
		cache_link_broken(link, context);
		result.status = link->cache->ending;
		result.message = link->cache->last_error;
		command_end(command, &result);
		return;
	}
	if (reply->type != REDIS_REPLY_ERROR) {
		command_end(command, &result);
		return;
	}
	if (has_prefix(reply->str, "NOSCRIPT") && send_text(command))
		return;
	snprintf(why, sizeof(why), "%s", reply->str);
	result = (struct cache_result){is_unfit(why) ? CACHE_UNAVAILABLE : CACHE_FAILED, why, NULL};
	if (is_unfit(why) && link->context == context)
		cache_link_lose(link, why);
	command_end(command, &result);
}

static void
give_up_late(struct cache *cache, int64_t now_us)
{
	struct cache_command *oldest = TAILQ_FIRST(&cache->commands);

	if (!oldest)
		return;
	if (now_us < oldest->deadline_us) {
		cache_wake_at(cache, oldest->deadline_us);
		return;
	}
	cache->ending = CACHE_TIMEOUT;
	cache_link_lose(&cache->link, "Redis did not answer in time");
	cache->ending = CACHE_UNAVAILABLE;
	/* A Redis that stands still tells its listeners nothing either, and they would not notice. */
	if (cache->channel && cache->listener.state == CACHE_LINK_UP)
		cache_link_lose(&cache->listener, "Redis did not answer in time");
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct cache *cache = arg;
	int64_t now_us = clock_steady_us();

	(void)fd;
	(void)what;
	cache->timer_us = 0;
	give_up_late(cache, now_us);
	cache_link_tick(&cache->link, now_us);
	if (cache->channel)
		cache_link_tick(&cache->listener, now_us);
}

void
cache_wake_at(struct cache *cache, int64_t time_us)
{
	int64_t left_us = MAX(time_us - clock_steady_us(), 0);
	const struct timeval pause = {.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};

	if (cache->freeing || (cache->timer_us && cache->timer_us <= time_us))
		return;
	cache->timer_us = time_us;
	event_add(cache->timer, &pause);
}

struct cache *
cache_new(struct event_base *base, const struct cache_options *options)
{
	struct cache *cache = mem_zero(sizeof(*cache));
	int64_t now_us = clock_steady_us();

	cache->base = base;
	cache->options = *options;
	cache->channel = options->channel ? mem_string(options->channel) : NULL;
	cache->ending = CACHE_UNAVAILABLE;
	TAILQ_INIT(&cache->commands);
	cache->timer = event_new(base, -1, 0, on_timer, cache);
	INVARIANT(cache->timer);
	cache->link = (struct cache_link){.cache = cache, .due_us = now_us, .since_us = now_us};
	cache->listener = (struct cache_link){.cache = cache, .listens = true, .due_us = now_us, .since_us = now_us};
	metrics_set(METRIC_REDIS_UP, METRICS_OWN, 0);
	/* From the loop, so that no callback runs before this has returned. */
	cache_wake_at(cache, now_us);
	return cache;
}

struct cache *
cache_open(struct event_base *base, const struct config *config, const struct cache_options *options)
{
	struct cache_options own = *options;

	if (config->cache_backend != CACHE_BACKEND_REDIS)
		return NULL;
	cache_address_get(config, &own.address);
	own.connect_timeout_ms = CONNECT_TIMEOUT_MS;
	own.timeout_ms = (int)config->redis_timeout_ms;
	return cache_new(base, &own);
}

void
cache_free(struct cache *cache)
{
	if (!cache)
		return;
	cache->freeing = true;
	cache_link_free(&cache->link);
	if (cache->channel)
		cache_link_free(&cache->listener);
	event_free(cache->timer);
	crypto_wipe(cache->options.address.password, sizeof(cache->options.address.password));
	free(cache->channel);
	free(cache);
}

bool
cache_up(const struct cache *cache)
{
	return cache && cache->link.state == CACHE_LINK_UP;
}

void
cache_reconnect(struct cache *cache, const char *why)
{
	struct cache_link *links[] = {&cache->link, cache->channel ? &cache->listener : NULL};

	for (size_t i = 0; i < ARRAY_LENGTH(links) && links[i]; i++)
		if (links[i]->state != CACHE_LINK_DOWN) {
			links[i]->backoff_ms = 0;
			cache_link_lose(links[i], why);
		}
}

int64_t
cache_since_us(const struct cache *cache)
{
	return cache->link.since_us;
}

const char *
cache_last_error(const struct cache *cache)
{
	return cache->last_error;
}

static size_t
words_size(const struct slice *words, int count)
{
	size_t size = (size_t)count * sizeof(*words);

	for (int i = 0; i < count; i++)
		size += words[i].len;
	return size;
}

/* The words and their bytes, copied into memory of that size. */
static struct slice *
words_copy(void *memory, const struct slice *words, int count)
{
	struct slice *copies = memory;
	char *at = (char *)(copies + count);

	for (int i = 0; i < count; i++) {
		copies[i] = (struct slice){at, words[i].len};
		if (words[i].len)
			memcpy(at, words[i].data, words[i].len);
		at += words[i].len;
	}
	return copies;
}

static struct cache_command *
command_new(struct cache *cache, size_t extra, cache_done *done, void *arg)
{
	struct cache_command *command = mem_alloc(sizeof(*command) + extra);

	*command = (struct cache_command){.cache = cache, .done = done, .arg = arg};
	command->deadline_us = clock_steady_us() + (int64_t)cache->options.timeout_ms * 1000;
	return command;
}

static bool
command_send(struct cache *cache, struct cache_command *command, const struct slice *words, int count)
{
	if (!send_words(cache, command, words, count)) {
		free(command);
		return false;
	}
	TAILQ_INSERT_TAIL(&cache->commands, command, entry);
	cache->pending++;
	cache_wake_at(cache, command->deadline_us);
	return true;
}

bool
cache_send(struct cache *cache, const struct slice *words, int count, cache_done *done, void *arg)
{
	if (!cache_up(cache) || cache->pending >= CACHE_PENDING_MAX)
		return false;
	return command_send(cache, command_new(cache, 0, done, arg), words, count);
}

static const char *
digest(struct cache_script *script)
{
	if (!*script->digest)
		crypto_sha1_hex(slice_of(script->text), script->digest);
	return script->digest;
}

bool
cache_run(struct cache *cache, struct cache_script *script, const struct slice *words, int keys, int count,
          cache_done *done, void *arg)
{
	struct slice all[count + 3];
	struct cache_command *command;
	char number[12];

	if (!cache_up(cache) || cache->pending >= CACHE_PENDING_MAX)
		return false;
	snprintf(number, sizeof(number), "%d", keys);
	all[0] = SLICE("EVALSHA");
	all[1] = slice_of(digest(script));
	all[2] = slice_of(number);
	memcpy(all + 3, words, (size_t)count * sizeof(*words));
	command = command_new(cache, words_size(all, count + 3), done, arg);
	command->words = words_copy(command + 1, all, count + 3);
	command->count = count + 3;
	command->text = script->text;
	return command_send(cache, command, command->words, command->count);
}

int
cache_count(const struct cache_result *result)
{
	const redisReply *reply = result->reply;

	if (!reply)
		return 0;
	return reply->type == REDIS_REPLY_ARRAY ? (int)reply->elements : 1;
}

static const redisReply *
element(const struct cache_result *result, int index)
{
	const redisReply *reply = result->reply;

	if (index < 0 || index >= cache_count(result))
		return NULL;
	return reply->type == REDIS_REPLY_ARRAY ? reply->element[index] : reply;
}

struct slice
cache_text(const struct cache_result *result, int index)
{
	const redisReply *reply = element(result, index);

	if (!reply || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
		return SLICE_NONE;
	return (struct slice){reply->str, reply->len};
}

int64_t
cache_int(const struct cache_result *result, int index)
{
	const redisReply *reply = element(result, index);

	return reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
}
