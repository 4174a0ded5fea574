/*
 * test_cache.c - the Redis client against a real server: commands, scripts, a channel, a password, and a server that
 * stops, loses its connections or dies. tests/with-redis starts the server; the last test kills it.
 */
#include "base.h"

#include "cache.h"
#include "clock.h"

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { PATIENCE_US = 20000000, TIMEOUT_MS = 200 };

static struct event_base *base;

/* What the callbacks of a test saw. */
struct seen {
	int answers, ok, failed, ended;
	enum cache_status status;
	char text[200];
	int64_t number;
	int count;
	int heard, ups, downs;
};

static void
on_done(void *arg, const struct cache_result *result)
{
	struct seen *seen = arg;
	struct slice text = result->status == CACHE_OK ? cache_text(result, 0) : slice_of(result->message);

	seen->answers++;
	seen->ok += result->status == CACHE_OK;
	seen->failed += result->status == CACHE_FAILED;
	seen->ended += result->status == CACHE_TIMEOUT || result->status == CACHE_UNAVAILABLE;
	seen->status = result->status;
	seen->count = cache_count(result);
	seen->number = cache_int(result, 0);
	snprintf(seen->text, sizeof(seen->text), "%.*s", (int)text.len, text.data ? text.data : "");
}

static void
on_heard(void *arg, struct slice text)
{
	struct seen *seen = arg;

	seen->heard++;
	snprintf(seen->text, sizeof(seen->text), "%.*s", SLICE_ARG(text));
}

static void
on_changed(void *arg, bool up)
{
	struct seen *seen = arg;

	seen->ups += up;
	seen->downs += !up;
}

static struct cache_options
options_for(const char *url, struct seen *seen)
{
	struct cache_options options = {.connect_timeout_ms = 1000, .timeout_ms = TIMEOUT_MS};

	assert_null(cache_address_parse(url, &options.address));
	options.heard = on_heard;
	options.changed = on_changed;
	options.arg = seen;
	return options;
}

static const char *
server_url(void)
{
	const char *url = getenv("AGENTD_TEST_REDIS_URL");

	if (!url)
		fail_msg("AGENTD_TEST_REDIS_URL is not set; run this with tests/with-redis");
	return url;
}

static pid_t
server_pid(void)
{
	return (pid_t)strtol(getenv("AGENTD_TEST_REDIS_PID"), NULL, 10);
}

/* Turns the loop until the condition holds. */
#define UNTIL(condition)                                         \
	do {                                                         \
		int64_t until_end_us = clock_steady_us() + PATIENCE_US;  \
		while (!(condition) && clock_steady_us() < until_end_us) \
			turn();                                              \
		assert_true(condition);                                  \
	} while (0)

static void
turn(void)
{
	static const struct timeval most = {.tv_usec = 20000};

	event_base_loopexit(base, &most);
	event_base_loop(base, EVLOOP_ONCE);
}

static struct cache *
connected(struct seen *seen)
{
	struct cache_options options = options_for(server_url(), seen);
	struct cache *cache = cache_new(base, &options);

	assert_false(cache_up(cache));
	UNTIL(cache_up(cache));
	return cache;
}

#define SEND(cache, seen, ...)                                                                                         \
	cache_send((cache), (const struct slice[]){__VA_ARGS__}, (int)ARRAY_LENGTH(((const struct slice[]){__VA_ARGS__})), \
	           on_done, (seen))

static void
test_commands(void **state UNUSED)
{
	struct seen seen = {0};
	struct cache *cache = connected(&seen);

	assert_int_equal(seen.ups, 1);
	assert_true(SEND(cache, &seen, SLICE("SET"), SLICE("a"), ((struct slice){"x\0y z", 5})));
	assert_int_equal(seen.answers, 0);
	assert_true(SEND(cache, &seen, SLICE("STRLEN"), SLICE("a")));
	UNTIL(seen.answers == 2);
	assert_int_equal(seen.number, 5);
	assert_true(SEND(cache, &seen, SLICE("INCR"), SLICE("a")));
	UNTIL(seen.answers == 3);
	assert_int_equal(seen.status, CACHE_FAILED);
	assert_non_null(strstr(seen.text, "not an integer"));
	assert_true(SEND(cache, &seen, SLICE("MGET"), SLICE("none"), SLICE("a")));
	UNTIL(seen.answers == 4);
	assert_int_equal(seen.count, 2);
	assert_true(cache_up(cache));
	cache_free(cache);
}

/* By digest; with the text when the server does not know it, and again after it forgot. */
static void
test_scripts(void **state UNUSED)
{
	struct cache_script script = {.text = "return {#KEYS, ARGV[1], ARGV[2] + 1}"};
	const struct slice words[] = {SLICE("k1"), SLICE("k2"), SLICE("one"), SLICE("41")};
	struct seen seen = {0};
	struct cache *cache = connected(&seen);

	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 10; i++)
			assert_true(cache_run(cache, &script, words, 2, 4, on_done, &seen));
		UNTIL(seen.answers == round * 11 - 1);
		assert_int_equal(seen.ok, seen.answers);
		assert_int_equal(seen.count, 3);
		assert_int_equal(seen.number, 2);
		assert_true(SEND(cache, &seen, SLICE("SCRIPT"), SLICE("FLUSH")));
		UNTIL(seen.answers == round * 11);
	}
	cache_free(cache);
}

static void
test_channel(void **state UNUSED)
{
	struct seen seen = {0}, said = {0};
	struct cache_options options = options_for(server_url(), &seen);
	struct cache *listener, *speaker = connected(&said);

	options.channel = "test:channel";
	listener = cache_new(base, &options);
	/* PUBLISH tells how many heard it: none before the listener listens. */
	do {
		said.answers = 0;
		assert_true(SEND(speaker, &said, SLICE("PUBLISH"), SLICE("test:channel"), SLICE("5 ab 7f")));
		UNTIL(said.answers == 1);
	} while (said.number == 0);
	UNTIL(seen.heard == 1);
	assert_string_equal(seen.text, "5 ab 7f");
	cache_free(listener);
	cache_free(speaker);
}

/* A server that stands still: what was asked ends within its deadline, and nothing is sent to it until it is back. */
static void
test_stopped(void **state UNUSED)
{
	struct seen seen = {0};
	struct cache *cache = connected(&seen);
	int64_t begun_us, since_us = cache_since_us(cache);

	kill(server_pid(), SIGSTOP);
	begun_us = clock_steady_us();
	for (int i = 0; i < 50; i++)
		assert_true(SEND(cache, &seen, SLICE("INCR"), SLICE("stopped")));
	UNTIL(seen.answers == 50);
	assert_in_range(clock_steady_us() - begun_us, TIMEOUT_MS * 1000 - 1000, TIMEOUT_MS * 1000 + 1000000);
	assert_int_equal(seen.status, CACHE_TIMEOUT);
	assert_int_equal(seen.ended, 50);
	assert_int_equal(seen.downs, 1);
	assert_false(cache_up(cache));
	assert_true(cache_since_us(cache) > since_us);
	assert_string_not_equal(cache_last_error(cache), "");
	assert_false(SEND(cache, &seen, SLICE("PING")));
	kill(server_pid(), SIGCONT);
	UNTIL(cache_up(cache));
	assert_int_equal(seen.ups, 2);
	assert_string_equal(cache_last_error(cache), "");
	cache_free(cache);
}

/* The server closes the connection under commands: each ends once, and the connection is made again. */
static void
test_connection_lost(void **state UNUSED)
{
	struct seen seen = {0};
	struct cache *cache = connected(&seen);

	assert_true(SEND(cache, &seen, SLICE("CLIENT"), SLICE("KILL"), SLICE("TYPE"), SLICE("normal"), SLICE("SKIPME"),
	                 SLICE("no")));
	for (int i = 0; i < 20; i++)
		assert_true(SEND(cache, &seen, SLICE("PING")));
	UNTIL(seen.answers == 21);
	assert_true(seen.ended >= 20);
	UNTIL(seen.downs == 1 && seen.ups == 2);
	assert_true(SEND(cache, &seen, SLICE("PING")));
	UNTIL(seen.answers == 22);
	assert_int_equal(seen.status, CACHE_OK);
	cache_free(cache);
}

static void
test_bounded(void **state UNUSED)
{
	struct seen seen = {0};
	struct cache *cache = connected(&seen);
	int sent = 0;

	while (sent < 100000 && SEND(cache, &seen, SLICE("PING")))
		sent++;
	assert_in_range(sent, 1000, 99999);
	UNTIL(seen.answers == sent);
	assert_int_equal(seen.ok, sent);
	cache_free(cache);
}

static void
test_password_and_database(void **state UNUSED)
{
	struct seen seen = {0}, admin = {0};
	struct cache *cache = connected(&admin), *stranger, *friend;
	struct cache_options options = options_for(server_url(), &seen);

	assert_true(SEND(cache, &admin, SLICE("CONFIG"), SLICE("SET"), SLICE("requirepass"), SLICE("p@ss w")));
	UNTIL(admin.answers == 1);
	options.address.db = 3;
	stranger = cache_new(base, &options);
	UNTIL(*cache_last_error(stranger));
	assert_non_null(strstr(cache_last_error(stranger), "NOAUTH"));
	assert_false(cache_up(stranger));
	snprintf(options.address.password, sizeof(options.address.password), "p@ss w");
	friend = cache_new(base, &options);
	UNTIL(cache_up(friend));
	assert_true(SEND(friend, &seen, SLICE("SET"), SLICE("in3"), SLICE("1")));
	UNTIL(seen.answers == 1);
	assert_int_equal(seen.status, CACHE_OK);
	assert_true(SEND(cache, &admin, SLICE("EXISTS"), SLICE("in3")));
	assert_true(SEND(cache, &admin, SLICE("CONFIG"), SLICE("SET"), SLICE("requirepass"), SLICE("")));
	UNTIL(admin.answers == 3);
	assert_int_equal(admin.ok, 3);
	cache_free(stranger);
	cache_free(friend);
	cache_free(cache);
}

/* A replica takes no writes: that is no Redis to count in. */
static void
test_read_only(void **state UNUSED)
{
	struct seen seen = {0};
	struct cache *cache = connected(&seen);

	assert_true(SEND(cache, &seen, SLICE("REPLICAOF"), SLICE("127.0.0.1"), SLICE("1")));
	assert_true(SEND(cache, &seen, SLICE("SET"), SLICE("a"), SLICE("b")));
	UNTIL(seen.answers == 2);
	assert_int_equal(seen.status, CACHE_UNAVAILABLE);
	assert_int_equal(seen.downs, 1);
	UNTIL(cache_up(cache));
	assert_true(SEND(cache, &seen, SLICE("REPLICAOF"), SLICE("NO"), SLICE("ONE")));
	UNTIL(seen.answers == 3);
	assert_int_equal(seen.status, CACHE_OK);
	cache_free(cache);
}

/* A name is looked up beside the loop; what it leads to refuses. */
static void
test_nobody_there(void **state UNUSED)
{
	static const char *const urls[] = {"redis://localhost:1", "redis://127.0.0.1:1/2", "redis://[::1]:1",
	                                   "unix:///nonexistent/redis", "redis://name.invalid"};
	struct seen seen = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
		struct cache_options options = options_for(urls[i], &seen);
		struct cache *cache = cache_new(base, &options);

		UNTIL(*cache_last_error(cache));
		assert_false(cache_up(cache));
		assert_false(SEND(cache, &seen, SLICE("PING")));
		cache_free(cache);
	}
	assert_int_equal(seen.answers, 0);
	assert_int_equal(seen.ups, 0);
	assert_false(cache_up(NULL));
	cache_free(NULL);
}

static void
test_killed(void **state UNUSED)
{
	struct seen seen = {0};
	struct cache_options options = options_for(server_url(), &seen);
	struct cache *cache;

	options.channel = "test:channel";
	cache = cache_new(base, &options);
	UNTIL(cache_up(cache));
	assert_true(SEND(cache, &seen, SLICE("PING")));
	kill(server_pid(), SIGKILL);
	UNTIL(!cache_up(cache) && seen.answers == 1);
	assert_false(SEND(cache, &seen, SLICE("PING")));
	cache_free(cache);
}

static void
test_addresses(void **state UNUSED)
{
	static const char *const wrong[] = {"",
	                                    "localhost:6379",
	                                    "http://localhost",
	                                    "rediss://localhost",
	                                    "redis://",
	                                    "redis://:6379",
	                                    "redis://host:",
	                                    "redis://host:0",
	                                    "redis://host:65536",
	                                    "redis://host:1x",
	                                    "redis://host/16",
	                                    "redis://host/a",
	                                    "redis://user@host",
	                                    "redis://:@host",
	                                    "redis://:p%4@host",
	                                    "redis://:p%00@host",
	                                    "redis://[::1",
	                                    "redis://[::1]x",
	                                    "unix://relative",
	                                    "unix:///a?db=x"};
	struct cache_address address;

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		if (!cache_address_parse(wrong[i], &address))
			fail_msg("%s was taken", wrong[i]);
	assert_null(cache_address_parse("redis://us%65r:p%40ss:w@h.example:1234/15", &address));
	assert_string_equal(address.user, "user");
	assert_string_equal(address.password, "p@ss:w");
	assert_string_equal(address.host, "h.example");
	assert_int_equal(address.port, 1234);
	assert_int_equal(address.db, 15);
	assert_null(cache_address_parse("redis://[::1]", &address));
	assert_string_equal(address.host, "::1");
	assert_int_equal(address.port, 6379);
	assert_null(cache_address_parse("unix://:pw@/run/redis.sock?db=2", &address));
	assert_string_equal(address.host, "/run/redis.sock");
	assert_string_equal(address.password, "pw");
	assert_int_equal(address.db, 2);
}

static int
set_up(void **state UNUSED)
{
	/* As agentd does: a connection that the server has closed is an error, not the end. */
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	return base ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	event_base_free(base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses), cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_scripts),   cmocka_unit_test(test_channel),
	    cmocka_unit_test(test_stopped),   cmocka_unit_test(test_connection_lost),
	    cmocka_unit_test(test_bounded),   cmocka_unit_test(test_password_and_database),
	    cmocka_unit_test(test_read_only), cmocka_unit_test(test_nobody_there),
	    cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
