/*
 * test_limit_script.c - limit.lua in a real Redis: the same verdicts as the strategies in C, never more than a plain
 * model allows when nodes borrow in advance, and careful when memory was lost.
 *
 * Time is an argument of the script, so nothing here waits. Random traces begin with a fixed seed, which a failure
 * prints.
 */
#include "base.h"

#include "cache.h"
#include "clock.h"
#include "limit.h"
#include "limit_model.h"
#include "limit_script.h"

#include <event2/event.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { NODES = 3, COUNTERS_MAX = 3, STEPS = 1500, BURST_MOST = 5000 };

#define BEGIN_US (1700000000LL * SECOND_US)

static struct event_base *base;
static struct cache *cache;
static struct cache_script script;

struct asked {
	const char *key;
	struct limit_rule rule;
	int64_t wanted, share, least;
	int64_t granted, left, end_us, retry_us, reset_us; /* the answer */
};

struct check {
	const char *memory; /* what the caller knows */
	bool away, connected;
	int64_t now_us;
	int count;
	struct asked asked[COUNTERS_MAX];
	bool answered;
	int64_t refused;
	char name[40]; /* of Redis's memory */
};

static void
on_answer(void *arg, const struct cache_result *result)
{
	struct check *check = arg;

	if (result->status != CACHE_OK)
		fail_msg("the script failed: %s", result->message);
	assert_int_equal(cache_count(result), LIMIT_SCRIPT_HEAD + check->count * LIMIT_SCRIPT_ANSWERS);
	check->refused = cache_int(result, 0);
	assert_int_equal(cache_int(result, 1), check->now_us);
	snprintf(check->name, sizeof(check->name), "%.*s", SLICE_ARG(cache_text(result, 2)));
	for (int i = 0; i < check->count; i++) {
		struct asked *asked = &check->asked[i];
		int at = LIMIT_SCRIPT_HEAD + i * LIMIT_SCRIPT_ANSWERS;

		asked->granted = cache_int(result, at);
		asked->left = cache_int(result, at + 1);
		asked->end_us = cache_int(result, at + 2);
		asked->retry_us = cache_int(result, at + 3);
		asked->reset_us = cache_int(result, at + 4);
		assert_int_equal(asked->granted > 0, check->refused == 0);
	}
	check->answered = true;
}

static struct slice
number(char (*texts)[24], int *count, int64_t value)
{
	snprintf(texts[*count], sizeof(texts[*count]), "%lld", (long long)value);
	return slice_of(texts[(*count)++]);
}

static void
await(const bool *done)
{
	int64_t end_us = clock_steady_us() + 20 * SECOND_US;

	while (!*done && clock_steady_us() < end_us)
		event_base_loop(base, EVLOOP_ONCE);
	assert_true(*done);
}

static void
ask(struct check *check)
{
	struct slice words[1 + COUNTERS_MAX + LIMIT_SCRIPT_WORDS + COUNTERS_MAX * LIMIT_SCRIPT_COUNTER_WORDS];
	char texts[1 + COUNTERS_MAX * LIMIT_SCRIPT_COUNTER_WORDS][24];
	static int names;
	char name[24];
	int count = 0, used = 0;

	snprintf(name, sizeof(name), "memory%d", names++);
	words[count++] = SLICE("test:limits");
	for (int i = 0; i < check->count; i++)
		words[count++] = slice_of(check->asked[i].key);
	words[count++] = slice_of(check->memory ? check->memory : "");
	words[count++] = slice_of(name);
	words[count++] = check->away ? SLICE("1") : SLICE("0");
	words[count++] = check->connected ? SLICE("1") : SLICE("0");
	words[count++] = number(texts, &used, check->now_us);
	for (int i = 0; i < check->count; i++) {
		const struct asked *asked = &check->asked[i];
		const int64_t numbers[] = {asked->rule.strategy, asked->rule.limit, asked->rule.window_us,
		                           asked->wanted,        asked->share,      asked->least};

		for (size_t j = 0; j < ARRAY_LENGTH(numbers); j++)
			words[count++] = number(texts, &used, numbers[j]);
	}
	check->answered = false;
	assert_true(cache_run(cache, &script, words, 1 + check->count, count, on_answer, check));
	await(&check->answered);
}

static void
on_done(void *arg, const struct cache_result *result)
{
	assert_int_equal(result->status, CACHE_OK);
	*(bool *)arg = true;
}

static void
flush(void)
{
	const struct slice words[] = {SLICE("FLUSHALL")};
	bool done = false;

	assert_true(cache_send(cache, words, 1, on_done, &done));
	await(&done);
}

static struct check
check_of(const struct limit_rule *rule, int64_t now_us)
{
	return (struct check){.now_us = now_us, .count = 1, .asked = {{.key = "test:a", .rule = *rule, .wanted = 1}}};
}

/* One by one, the script says what the strategies in C say. */
static void
same_as_c(const struct limit_rule *rule, uint64_t seed)
{
	struct limit_table *table = limit_table_new(1);
	uint64_t random = seed;
	int64_t now_us = BEGIN_US + random_below(&random, rule->window_us);

	assert_non_null(table);
	flush();
	for (int i = 0; i < STEPS; i++) {
		struct check check;
		struct limit_verdict verdict;

		now_us += random_step_us(&random, rule);
		check = check_of(rule, now_us);
		ask(&check);
		verdict = limit_take(table, 1, rule, now_us);
		if (verdict.admitted != (check.asked[0].granted == 1) || verdict.remaining != check.asked[0].left ||
		    verdict.reset_us != check.asked[0].reset_us ||
		    (!verdict.admitted && verdict.retry_us != check.asked[0].retry_us))
			fail_msg("seed %llu, strategy %d, limit %lld in %lld us, step %d: C %d %lld %lld %lld, script %lld %lld "
			         "%lld %lld",
			         (unsigned long long)seed, (int)rule->strategy, (long long)rule->limit, (long long)rule->window_us,
			         i, verdict.admitted, (long long)verdict.remaining, (long long)verdict.retry_us,
			         (long long)verdict.reset_us, (long long)check.asked[0].granted, (long long)check.asked[0].left,
			         (long long)check.asked[0].retry_us, (long long)check.asked[0].reset_us);
		if (!verdict.admitted && random_below(&random, 4) == 0)
			now_us += verdict.retry_us;
	}
	limit_table_free(table);
}

static void
test_same_as_c(void **state UNUSED)
{
	static const int64_t limits[] = {1, 3, 7, 60, 1000};
	static const int64_t windows_us[] = {1000, 999983, 60LL * SECOND_US, 86400LL * SECOND_US};
	uint64_t seed = 20261001;

	for (int strategy = 0; strategy < 3; strategy++)
		for (size_t l = 0; l < ARRAY_LENGTH(limits); l++)
			for (size_t w = 0; w < ARRAY_LENGTH(windows_us); w++)
				same_as_c(&(struct limit_rule){.strategy = (enum limit_strategy)strategy,
				                               .limit = limits[l],
				                               .window_us = windows_us[w]},
				          seed++);
}

struct borrowing {
	struct limit_rule rule;
	struct limit_table *tables[NODES];
	struct model model;
	uint64_t random, seed;
	int64_t now_us;
	int64_t checks, trips, admitted, refused;
};

/* The nodes' clocks begin elsewhere. */
static int64_t
own_us(const struct borrowing *borrowing)
{
	return borrowing->now_us - BEGIN_US + 12345;
}

static void
admit(struct borrowing *borrowing)
{
	double room = model_room(&borrowing->model, &borrowing->rule, borrowing->now_us);

	if (room < 1 - 1e-6)
		fail_msg("seed %llu, strategy %d, limit %lld in %lld us: admitted with room for %f",
		         (unsigned long long)borrowing->seed, (int)borrowing->rule.strategy, (long long)borrowing->rule.limit,
		         (long long)borrowing->rule.window_us, room);
	model_take(&borrowing->model);
	borrowing->admitted++;
}

/* A node asks: the way there and back takes time, in which its view of the time is that of the sending. */
static void
borrow(struct borrowing *borrowing, struct limit_table *table)
{
	struct limit_rule *rule = &borrowing->rule;
	int64_t sent_us = own_us(borrowing), most_us = MIN(rule->window_us / 50 + 1, 2000);
	struct check check;
	const struct asked *answer = &check.asked[0];

	borrowing->now_us += random_below(&borrowing->random, most_us);
	check = check_of(rule, borrowing->now_us);
	check.asked[0].wanted = 1 + random_below(&borrowing->random, 3);
	check.asked[0].share = 1 + random_below(&borrowing->random, 6);
	check.asked[0].least = random_below(&borrowing->random, 4);
	ask(&check);
	borrowing->trips++;
	if (answer->granted)
		admit(borrowing);
	borrowing->now_us += random_below(&borrowing->random, most_us);
	if (answer->granted > 1)
		limit_held_add(table, 1, rule, own_us(borrowing),
		               &(struct limit_grant){answer->granted - 1, sent_us + answer->end_us, answer->left});
	if (answer->granted)
		return;
	borrowing->refused++;
	limit_held_refuse(table, 1, rule, own_us(borrowing), sent_us + answer->retry_us);
}

static void
borrow_step(struct borrowing *borrowing)
{
	struct limit_table *table = borrowing->tables[random_below(&borrowing->random, NODES)];
	struct limit_verdict verdict;

	if (random_below(&borrowing->random, 3) == 0)
		borrowing->now_us += random_step_us(&borrowing->random, &borrowing->rule);
	borrowing->checks++;
	switch (limit_held_take(table, 1, &borrowing->rule, own_us(borrowing), &verdict)) {
	case LIMIT_HELD_NONE:
		borrow(borrowing, table);
		break;
	case LIMIT_HELD_ADMITTED:
		if (random_below(&borrowing->random, 10) == 0)
			limit_held_return(table, 1, &borrowing->rule, own_us(borrowing), verdict.end_us);
		else
			admit(borrowing);
		break;
	case LIMIT_HELD_REFUSED:
		borrowing->refused++;
		if (random_below(&borrowing->random, 4) == 0)
			borrowing->now_us += verdict.retry_us;
		break;
	}
}

/* Three nodes that borrow in advance never admit together what one counter would not. */
static void
test_borrowing(void **state UNUSED)
{
	static const int64_t limits[] = {1, 5, 40, 1000, 20000};
	static const int64_t windows_us[] = {1000, 999983, 60LL * SECOND_US};
	int64_t checks = 0, trips = 0;
	uint64_t seed = 20261101;

	for (int i = 0; i < 3 * 5 * 3; i++) {
		struct limit_rule rule = {(enum limit_strategy)(i % 3), limits[i / 3 % 5], windows_us[i / 15], 0};
		struct borrowing borrowing = {.rule = rule, .random = seed, .seed = seed, .now_us = BEGIN_US + i};

		seed++;
		flush();
		model_init(&borrowing.model, &rule, borrowing.now_us);
		for (int node = 0; node < NODES; node++)
			assert_non_null(borrowing.tables[node] = limit_table_new(1));
		for (int step = 0; step < 2 * STEPS; step++)
			borrow_step(&borrowing);
		assert_true(borrowing.admitted > 0);
		assert_true(borrowing.refused > 0 || rule.limit >= 1000);
		for (int node = 0; node < NODES; node++)
			limit_table_free(borrowing.tables[node]);
		checks += borrowing.checks;
		trips += borrowing.trips;
	}
	print_message("%lld checks, %lld round trips\n", (long long)checks, (long long)trips);
}

/* A burst, with everything that can be had in advance. */
static int64_t
burst(struct check *check)
{
	int64_t admitted = 0;

	for (int i = 0; i < BURST_MOST; i++) {
		ask(check);
		if (check->refused)
			return admitted;
		admitted += check->asked[0].granted;
	}
	fail_msg("a burst without an end");
	return 0;
}

/* Whatever Redis has forgotten, one who remembers its memory lets no second full burst through. */
static void
test_lost_memory(void **state UNUSED)
{
	for (int strategy = 0; strategy < 3; strategy++) {
		struct limit_rule rule = {(enum limit_strategy)strategy, 800, 60LL * SECOND_US, 0};
		struct check check = check_of(&rule, BEGIN_US + 7 * SECOND_US);
		char known[40];

		flush();
		check.asked[0].share = 1;
		assert_int_equal(burst(&check), 800);
		snprintf(known, sizeof(known), "%s", check.name);
		check.memory = known;

		/* Flushed under those who knew it. */
		flush();
		assert_int_equal(burst(&check), 100);
		assert_int_equal(burst(&check), 0);

		/* Flushed, and a stranger was quicker to come back. */
		flush();
		check.memory = "";
		check.asked[0].key = "test:other";
		assert_int_equal(burst(&check), 800);
		check.asked[0].key = "test:a";
		check.memory = known;
		assert_int_equal(burst(&check), 100);

		/* Somebody counted by himself for a while: everything is in doubt, once. */
		flush();
		check.memory = "";
		assert_int_equal(check.asked[0].granted, 0);
		ask(&check);
		assert_int_equal(check.refused, 0);
		check.away = check.connected = true;
		check.now_us += SECOND_US;
		ask(&check);
		check.away = check.connected = false;
		assert_true(burst(&check) <= 100);

		/* After a window (two, where the one before counts) nothing is in doubt any more. */
		check.now_us += 2 * rule.window_us;
		assert_int_equal(burst(&check), 800);
	}
}

/* Another process of Redis may have an old memory; the same one connected to again has not. */
static void
test_restarted(void **state UNUSED)
{
	struct limit_rule rule = {LIMIT_FIXED_WINDOW, 80, 60LL * SECOND_US, 0};
	struct check check = check_of(&rule, BEGIN_US);
	const struct slice words[] = {SLICE("SET"), SLICE("test:limits"), SLICE("new 0 0123456789")};
	bool done = false;

	flush();
	check.asked[0].share = 1;
	check.connected = true;
	ask(&check);
	assert_int_equal(check.refused, 0);
	check.now_us += 60LL * SECOND_US;
	assert_int_equal(burst(&check), 80);
	check.now_us += 60LL * SECOND_US;
	assert_true(cache_send(cache, words, (int)ARRAY_LENGTH(words), on_done, &done));
	await(&done);
	check.now_us += SECOND_US;
	assert_int_equal(burst(&check), 10);
	check.now_us += 60LL * SECOND_US;
	assert_int_equal(burst(&check), 80);
}

/* One that refuses changes nothing in the others. */
static void
test_all_or_none(void **state UNUSED)
{
	for (int strategy = 0; strategy < 3; strategy++) {
		struct limit_rule few = {(enum limit_strategy)strategy, 2, 60LL * SECOND_US, 0}, many = few;
		struct check check = {.now_us = BEGIN_US,
		                      .count = 3,
		                      .asked = {{.key = "test:many", .wanted = 1},
		                                {.key = "test:few", .rule = few, .wanted = 1},
		                                {.key = "test:third", .wanted = 1}}};

		many.limit = 1000;
		check.asked[0].rule = check.asked[2].rule = many;
		flush();
		for (int i = 0; i < 2; i++) {
			ask(&check);
			assert_int_equal(check.refused, 0);
			assert_int_equal(check.asked[0].left, 999 - i);
		}
		for (int i = 0; i < 10; i++) {
			ask(&check);
			assert_int_equal(check.refused, 2);
			assert_int_equal(check.asked[1].left, 0);
			assert_true(check.asked[1].retry_us > 0);
			assert_int_equal(check.asked[0].left, 998);
			assert_int_equal(check.asked[2].left, 998);
			assert_int_equal(check.asked[0].granted, 0);
		}
	}
}

/* Redis's clock goes back: nobody gets a second window, and nobody waits longer than a window. */
static void
test_clock_back(void **state UNUSED)
{
	for (int strategy = 0; strategy < 3; strategy++) {
		struct limit_rule rule = {(enum limit_strategy)strategy, 50, 60LL * SECOND_US, 0};
		struct check check = check_of(&rule, BEGIN_US);

		flush();
		assert_int_equal(burst(&check), 50);
		for (int hours = 0; hours < 2; hours++) {
			check.now_us -= (hours ? 3600LL : 25LL) * SECOND_US;
			assert_int_equal(burst(&check), 0);
			assert_true(check.asked[0].retry_us <= 3 * rule.window_us);
			check.now_us += check.asked[0].retry_us;
			assert_true(burst(&check) >= 1);
		}
	}
}

static int
set_up(void **state UNUSED)
{
	const char *url = getenv("AGENTD_TEST_REDIS_URL");
	struct cache_options options = {.connect_timeout_ms = 5000, .timeout_ms = 20000};
	int64_t end_us = clock_steady_us() + 20 * SECOND_US;

	base = event_base_new();
	script.text = limit_script_text;
	if (!url || cache_address_parse(url, &options.address))
		fail_msg("AGENTD_TEST_REDIS_URL is not set; run this with tests/with-redis");
	cache = cache_new(base, &options);
	while (!cache_up(cache) && clock_steady_us() < end_us)
		event_base_loop(base, EVLOOP_ONCE);
	return cache_up(cache) ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	cache_free(cache);
	event_base_free(base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_as_c), cmocka_unit_test(test_borrowing),   cmocka_unit_test(test_lost_memory),
	    cmocka_unit_test(test_restarted), cmocka_unit_test(test_all_or_none), cmocka_unit_test(test_clock_back),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
