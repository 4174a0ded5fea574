/*
 * test_limit_held.c - using what was borrowed of a shared counter, taking back, counters with a gap in their memory,
 * and what a check costs. Time is an argument, so nothing here waits.
 */
#include "base.h"

#include "limit.h"
#include "limit_model.h"

#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { WINDOW_US = 60 * SECOND_US, PROCESSES = 4 };

static struct limit_table *table;

static struct limit_rule
rule_of(enum limit_strategy strategy, int64_t limit)
{
	return (struct limit_rule){strategy, limit, WINDOW_US, 0};
}

static int64_t
use_up(uint64_t subject, const struct limit_rule *rule, int64_t now_us)
{
	struct limit_verdict verdict;
	int64_t used = 0;

	while (limit_held_take(table, subject, rule, now_us, &verdict) == LIMIT_HELD_ADMITTED)
		used++;
	return used;
}

static void
add(uint64_t subject, const struct limit_rule *rule, int64_t now_us, int64_t units, int64_t end_us)
{
	const struct limit_grant grant = {units, end_us, 7};

	limit_held_add(table, subject, rule, now_us, &grant);
}

/* A window's units are good until it ends. */
static void
test_window_ends(void **state UNUSED)
{
	for (int strategy = LIMIT_FIXED_WINDOW; strategy <= LIMIT_SLIDING_WINDOW; strategy++) {
		struct limit_rule rule = rule_of((enum limit_strategy)strategy, 1000);
		struct limit_verdict verdict;

		assert_int_equal(limit_held_take(table, 1, &rule, 1000, &verdict), LIMIT_HELD_NONE);
		add(1, &rule, 1000, 10, 5 * SECOND_US);
		assert_int_equal(limit_held_take(table, 1, &rule, 1000, &verdict), LIMIT_HELD_ADMITTED);
		assert_true(verdict.admitted);
		assert_int_equal(verdict.limit, 1000);
		assert_int_equal(verdict.remaining, 9 + 7);
		assert_in_range(verdict.reset_us, 4 * SECOND_US, 65 * SECOND_US);
		assert_int_equal(use_up(1, &rule, 4999900), 9);
		add(1, &rule, 4999900, 10, 5 * SECOND_US);
		assert_int_equal(use_up(1, &rule, 5 * SECOND_US), 0);
		/* A new window takes nothing over; two grants of one window are one. */
		add(2, &rule, 4 * SECOND_US, 10, 5 * SECOND_US);
		add(2, &rule, 4 * SECOND_US, 5, 65 * SECOND_US);
		assert_int_equal(use_up(2, &rule, 4 * SECOND_US), 5);
		add(3, &rule, 4 * SECOND_US, 10, 8 * SECOND_US);
		add(3, &rule, 4 * SECOND_US, 5, 8 * SECOND_US - 3000);
		assert_int_equal(use_up(3, &rule, 7 * SECOND_US), 15);
	}
}

/* A bucket's units end one after the other, a token's time apart: the bucket has grown them back then. */
static void
test_bucket_ends(void **state UNUSED)
{
	struct limit_rule rule = rule_of(LIMIT_TOKEN_BUCKET, 60); /* a token is a second */

	for (int64_t s = 0; s <= 10; s++) {
		add(10 + (uint64_t)s, &rule, 0, 10, 10 * SECOND_US);
		assert_int_equal(use_up(10 + (uint64_t)s, &rule, s * SECOND_US), 10 - s);
	}
	/* One behind the other: 4 until 4 s, and 6 from there to 10 s. Apart, they are moved to the earlier time. */
	add(30, &rule, 0, 4, 4 * SECOND_US);
	add(30, &rule, 0, 6, 10 * SECOND_US);
	assert_in_range(use_up(30, &rule, 3 * SECOND_US), 6, 7);
	add(31, &rule, 0, 4, 4 * SECOND_US);
	add(31, &rule, 0, 6, 50 * SECOND_US);
	assert_in_range(use_up(31, &rule, 3 * SECOND_US), 6, 7);
	add(32, &rule, 0, 4, 4 * SECOND_US);
	add(32, &rule, 5 * SECOND_US, 6, 50 * SECOND_US);
	assert_int_equal(use_up(32, &rule, 5 * SECOND_US), 6);
}

static void
test_refused_until(void **state UNUSED)
{
	struct limit_rule rule = rule_of(LIMIT_TOKEN_BUCKET, 600), larger = rule_of(LIMIT_TOKEN_BUCKET, 700);
	struct limit_verdict verdict;

	limit_held_refuse(table, 40, &rule, 0, SECOND_US);
	assert_int_equal(limit_held_take(table, 40, &rule, SECOND_US / 2, &verdict), LIMIT_HELD_REFUSED);
	assert_false(verdict.admitted);
	assert_in_range(verdict.retry_us, SECOND_US / 2 - 64, SECOND_US / 2);
	/* Another limit is another question, as is a later time. */
	assert_int_equal(limit_held_take(table, 40, &larger, SECOND_US / 2, &verdict), LIMIT_HELD_NONE);
	assert_int_equal(limit_held_take(table, 40, &rule, SECOND_US, &verdict), LIMIT_HELD_NONE);
	/* What others hold is not refused away; what comes in ends the refusal. */
	add(41, &rule, 0, 5, SECOND_US);
	limit_held_refuse(table, 41, &rule, 0, SECOND_US);
	assert_int_equal(use_up(41, &rule, 0), 5);
	limit_held_refuse(table, 42, &rule, 0, SECOND_US);
	add(42, &rule, 0, 5, SECOND_US);
	assert_int_equal(use_up(42, &rule, 0), 5);
}

/* What is given back can be used again, but not in a window or at places that it was not taken from. */
static void
test_held_return(void **state UNUSED)
{
	for (int strategy = 0; strategy < 3; strategy++) {
		struct limit_rule rule = rule_of((enum limit_strategy)strategy, 600);
		struct limit_verdict verdict;
		uint64_t subject = 50 + (uint64_t)strategy;

		add(subject, &rule, 0, 3, SECOND_US);
		assert_int_equal(limit_held_take(table, subject, &rule, 0, &verdict), LIMIT_HELD_ADMITTED);
		limit_held_return(table, subject, &rule, 0, verdict.end_us);
		assert_int_equal(use_up(subject, &rule, 0), 3);
		add(subject, &rule, SECOND_US, 3, WINDOW_US + SECOND_US);
		limit_held_return(table, subject, &rule, SECOND_US, verdict.end_us);
		assert_int_equal(use_up(subject, &rule, SECOND_US), 3);
		limit_held_return(table, 59, &rule, SECOND_US, verdict.end_us);
		assert_int_equal(use_up(59, &rule, SECOND_US), 0);
	}
}

static int64_t
burst(uint64_t subject, const struct limit_rule *rule, int64_t now_us)
{
	int64_t admitted = 0;

	while (limit_take(table, subject, rule, now_us).admitted)
		admitted++;
	return admitted;
}

/* Taking back leaves the counter as if the request had not been. */
static void
test_return(void **state UNUSED)
{
	for (int strategy = 0; strategy < 3; strategy++) {
		struct limit_rule rule = rule_of((enum limit_strategy)strategy, 10);
		uint64_t subject = 60 + (uint64_t)strategy;
		int64_t now_us = 90 * SECOND_US;

		for (int i = 0; i < 50; i++) {
			assert_int_equal(limit_take(table, subject, &rule, now_us).remaining, 9);
			limit_return(table, subject, &rule, now_us);
		}
		assert_int_equal(burst(subject, &rule, now_us), 10);
		limit_return(table, subject, &rule, now_us);
		assert_int_equal(burst(subject, &rule, now_us), 1);
		/* A window that has passed takes nothing back. */
		now_us += 5 * WINDOW_US;
		assert_int_equal(burst(subject, &rule, now_us), 10);
		if (strategy != LIMIT_TOKEN_BUCKET) {
			limit_take(table, subject, &rule, now_us + 5 * WINDOW_US);
			limit_return(table, subject, &rule, now_us + 6 * WINDOW_US);
			assert_int_equal(burst(subject, &rule, now_us + 5 * WINDOW_US), 9);
		}
	}
}

/* A counter with a gap in its memory admits an eighth, and with time what anyone would; once. */
static void
test_since(void **state UNUSED)
{
	static const int64_t limits[] = {1, 4, 8, 800};

	for (int strategy = 0; strategy < 3; strategy++) {
		for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
			struct limit_rule rule = rule_of((enum limit_strategy)strategy, limits[i]);
			uint64_t subject = 70 + (uint64_t)strategy * 10 + i;
			int64_t begun_us = 100 * (int64_t)WINDOW_US, now_us = begun_us + 7 * SECOND_US,
			        eighth = MAX(limits[i] / 8, 1);

			assert_int_equal(burst(subject, &rule, now_us), limits[i]);
			rule.since_us = now_us + 1;
			assert_in_range(burst(subject, &rule, now_us + 1), 0, eighth);
			/* Another one, of whom nothing is known here at all. */
			assert_int_equal(burst(subject + 1000, &rule, now_us + 1), eighth);
			assert_int_equal(burst(subject + 1000, &rule, now_us + 1), 0);
			/* Within the window the bucket grows, and windows stay as they are. */
			assert_in_range(burst(subject + 1000, &rule, now_us + WINDOW_US / 4), 0, limits[i] / 4 + 1);
			/* What is in doubt is over when the gap is out of sight. */
			assert_int_equal(burst(subject + 2000, &rule, begun_us + 2 * (int64_t)WINDOW_US), limits[i]);
			/* The window before counts for a sliding one: it may have been full. */
			if (strategy == LIMIT_SLIDING_WINDOW)
				assert_in_range(burst(subject + 3000, &rule, begun_us + WINDOW_US + WINDOW_US / 2), 0,
				                limits[i] / 2 + 1);
		}
	}
}

/* Four processes use up one grant: exactly what it had. */
static void
test_processes(void **state UNUSED)
{
	for (int strategy = 0; strategy < 3; strategy++) {
		struct limit_rule rule = rule_of((enum limit_strategy)strategy, 1000000);
		int fds[2], status;
		int64_t used, total = 0;

		assert_int_equal(pipe(fds), 0);
		add(90, &rule, 0, 40000, 30LL * SECOND_US);
		for (int i = 0; i < PROCESSES; i++)
			if (fork() == 0) {
				used = use_up(90, &rule, 0);
				_exit(write(fds[1], &used, sizeof(used)) == sizeof(used) ? 0 : 1);
			}
		for (int i = 0; i < PROCESSES; i++) {
			assert_int_equal(read(fds[0], &used, sizeof(used)), sizeof(used));
			total += used;
			assert_true(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
		}
		assert_int_equal(total, 40000);
		close(fds[0]);
		close(fds[1]);
	}
}

/* Of the processor's time, for other processes are at work too. */
static int64_t
spent_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Shown, not judged: machines differ. That it is done at all without a system call is bounded generously. */
static void
test_cost(void **state UNUSED)
{
	enum { ROUNDS = 200000 };
	static const char *const names[] = {"token_bucket", "fixed_window", "sliding_window"};

	for (int strategy = 0; strategy < 3; strategy++) {
		struct limit_rule rule = rule_of((enum limit_strategy)strategy, 1000000000);
		struct limit_verdict verdict;
		int64_t begun_us = spent_us(), counted_us, held_us;

		for (int i = 0; i < ROUNDS; i++)
			assert_true(limit_take(table, 1000 + (uint64_t)i % 64, &rule, begun_us + i).admitted);
		counted_us = spent_us() - begun_us;
		for (uint64_t i = 0; i < 64; i++)
			add(1000 + i, &rule, begun_us, ROUNDS, begun_us + 30LL * SECOND_US);
		begun_us = spent_us();
		for (int i = 0; i < ROUNDS; i++)
			assert_int_equal(limit_held_take(table, 1000 + (uint64_t)i % 64, &rule, begun_us, &verdict),
			                 LIMIT_HELD_ADMITTED);
		held_us = spent_us() - begun_us;
		print_message("%s: %lld ns counted here, %lld ns from what is held\n", names[strategy],
		              (long long)(counted_us * 1000 / ROUNDS), (long long)(held_us * 1000 / ROUNDS));
		assert_true(counted_us + held_us < 2LL * ROUNDS * 20);
	}
}

static int
set_up(void **state UNUSED)
{
	table = limit_table_new(100000);
	return table ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	limit_table_free(table);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_window_ends), cmocka_unit_test(test_bucket_ends), cmocka_unit_test(test_refused_until),
	    cmocka_unit_test(test_held_return), cmocka_unit_test(test_return),      cmocka_unit_test(test_since),
	    cmocka_unit_test(test_processes),   cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
