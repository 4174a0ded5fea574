/*
 * test_throttle.c - delays that grow with failures: against a plain model over random traces, at their edges, and with
 * four processes at once.
 *
 * Time is an argument, so nothing here waits. Random traces begin with a fixed seed.
 */
#include "base.h"

#include "throttle.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SECOND = 1000000, PROCESSES = 4, STEPS = 40000, SUBJECTS = 5 };

static const struct throttle_rule rule = {5, SECOND, 60 * (int64_t)SECOND, 900 * (int64_t)SECOND};

static int
set_up(void **state)
{
	*state = throttle_table_new(1000);
	return *state ? 0 : -1;
}

static int
tear_down(void **state)
{
	throttle_table_free(*state);
	return 0;
}

static uint64_t
random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Free failures, then doubling to the cap, never less than the one before. */
static void
test_delays_grow_to_a_cap(void **state UNUSED)
{
	static const int64_t seconds[] = {0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60};
	int64_t before = 0;

	for (int i = 0; i < (int)ARRAY_LENGTH(seconds); i++)
		assert_int_equal(throttle_delay_us(&rule, i), seconds[i] * SECOND);
	for (int i = 0; i < 100000; i++) {
		int64_t delay = throttle_delay_us(&rule, i);
		assert_true(delay >= before && delay <= rule.longest_us);
		before = delay;
	}
	assert_int_equal(throttle_delay_us(&rule, INT32_MAX), rule.longest_us);
}

/* What a subject is, in the plainest words. */
struct model {
	int failures;
	int64_t refused_until_us, last_failure_us, known_until_us;
};

static int64_t
model_wait(struct model *model, int64_t now_us)
{
	if (model->failures && now_us >= model->last_failure_us + rule.quiet_us)
		model->failures = 0;
	return model->failures ? MAX(model->refused_until_us - now_us, 0) : 0;
}

/* One event for a subject: an attempt that fails, or is right, or a look. */
static void
step(struct throttle_table *table, uint64_t subject, struct model *model, uint64_t dice, int64_t now_us)
{
	int64_t expected = model_wait(model, now_us);

	assert_int_equal(throttle_wait_us(table, subject, &rule, now_us), expected);
	assert_int_equal(throttle_is_known(table, subject, now_us), model->known_until_us > now_us);
	if (dice % 10 == 0)
		return;
	assert_int_equal(throttle_try(table, subject, &rule, now_us), expected);
	if (expected)
		return;
	if (dice % 10 == 1) {
		throttle_succeed(table, subject, now_us, 3600 * (int64_t)SECOND);
		*model = (struct model){.known_until_us = now_us + 3600 * (int64_t)SECOND};
		return;
	}
	throttle_fail(table, subject, &rule, now_us);
	model->failures++;
	model->last_failure_us = now_us;
	model->refused_until_us = now_us + (model->failures < 5    ? 0
	                                    : model->failures > 10 ? 60 * (int64_t)SECOND
	                                                           : ((int64_t)1 << (model->failures - 5)) * SECOND);
}

static void
test_random_traces_agree_with_the_model(void **state)
{
	struct model models[SUBJECTS] = {0};
	uint64_t seed = 20261123;
	int64_t now_us = 1;

	for (int i = 0; i < STEPS; i++) {
		uint64_t dice = random_next(&seed), who = dice % SUBJECTS;

		/* Mostly a moment later; now and then long enough that something is forgotten. */
		now_us += (int64_t)(random_next(&seed) % (dice % 97 == 0 ? 2000 * (uint64_t)SECOND : 8 * (uint64_t)SECOND));
		step(*state, 7 + who * 1000003, &models[who], dice >> 8, now_us);
	}
}

/* Trying during a delay is refused, costs nothing and prolongs nothing; the right password does not help. */
static void
test_refused_tries_do_not_count(void **state)
{
	for (int i = 0; i < 5; i++) {
		assert_int_equal(throttle_try(*state, 1, &rule, 10), 0);
		throttle_fail(*state, 1, &rule, 10);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(throttle_try(*state, 1, &rule, 10 + i), SECOND - i);
	assert_int_equal(throttle_try(*state, 1, &rule, 10 + SECOND), 0);
	assert_int_equal(throttle_wait_us(*state, 2, &rule, 10), 0);
}

/* Behind the free failures one try at a time: the second one is refused before the first one has ended. */
static void
test_many_at_once_get_one_try(void **state)
{
	int admitted = 0;

	for (int i = 0; i < 6; i++)
		throttle_fail(*state, 1, &rule, 10);
	for (int i = 0; i < 100; i++)
		admitted += throttle_try(*state, 1, &rule, 10 + 2 * SECOND) == 0;
	assert_int_equal(admitted, 1);
}

/* Who keeps trying is never refused for longer than the cap, and has one try a minute at least. */
static void
test_nobody_is_locked_out_for_good(void **state)
{
	int64_t now_us = 10;
	int tries = 0;

	for (; now_us < 3600 * (int64_t)SECOND; now_us += SECOND) {
		int64_t wait = throttle_try(*state, 1, &rule, now_us);
		assert_true(wait <= rule.longest_us);
		if (wait)
			continue;
		throttle_fail(*state, 1, &rule, now_us);
		tries++;
	}
	assert_in_range(tries, 59, 80);
	assert_int_equal(throttle_wait_us(*state, 1, &rule, now_us + rule.quiet_us), 0);
}

static void
test_success_clears_and_is_remembered(void **state)
{
	for (int i = 0; i < 7; i++)
		throttle_fail(*state, 1, &rule, 10);
	assert_false(throttle_is_known(*state, 1, 10));
	throttle_succeed(*state, 1, 20, 100);
	assert_int_equal(throttle_try(*state, 1, &rule, 20), 0);
	assert_true(throttle_is_known(*state, 1, 119));
	assert_false(throttle_is_known(*state, 1, 120));
	/* A failure takes nothing away from that; forgotten failures neither. */
	throttle_succeed(*state, 2, 20, 2000 * (int64_t)SECOND);
	for (int i = 0; i < 6; i++)
		throttle_fail(*state, 2, &rule, 30);
	assert_true(throttle_is_known(*state, 2, 40));
	assert_int_equal(throttle_wait_us(*state, 2, &rule, 30), 2 * SECOND);
	assert_true(throttle_is_known(*state, 2, 30 + rule.quiet_us));
	throttle_fail(*state, 2, &rule, 30 + rule.quiet_us);
	assert_int_equal(throttle_wait_us(*state, 2, &rule, 30 + rule.quiet_us), 0);
}

/* A crowd of strangers with one failure each does not make the table forget the one who fails again and again. */
static void
test_crowds_wash_nobody_clean(void **state)
{
	uint64_t seed = 4711;

	for (int i = 0; i < 12; i++)
		throttle_fail(*state, 1, &rule, 10);
	for (int i = 0; i < 200000; i++)
		throttle_fail(*state, random_next(&seed), &rule, 20);
	assert_int_equal(throttle_wait_us(*state, 1, &rule, 20), 60 * SECOND - 10);
}

/* Four processes fail for the same subject at once: none of it is lost, and then they get one try between them. */
static void
test_processes_share_the_table(void **state)
{
	enum { EACH = 1000 };
	const struct throttle_rule patient = {PROCESSES * EACH, SECOND, 60 * (int64_t)SECOND, 900 * (int64_t)SECOND};
	_Atomic int *shared = mmap(NULL, 2 * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	assert_ptr_not_equal(shared, MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid > 0)
			continue;
		for (int n = 0; n < EACH; n++)
			throttle_fail(*state, 9, &patient, 10);
		atomic_fetch_add(&shared[0], 1);
		while (atomic_load(&shared[0]) < PROCESSES)
			sched_yield();
		for (int n = 0; n < EACH; n++)
			if (throttle_try(*state, 9, &patient, 10 + SECOND) == 0)
				atomic_fetch_add(&shared[1], 1);
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(atomic_load(&shared[1]), 1);
	assert_int_equal(throttle_wait_us(*state, 9, &patient, 10 + SECOND), SECOND);
	munmap(shared, 2 * sizeof(*shared));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_delays_grow_to_a_cap),
	    cmocka_unit_test_setup_teardown(test_random_traces_agree_with_the_model, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_refused_tries_do_not_count, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_many_at_once_get_one_try, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_nobody_is_locked_out_for_good, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_success_clears_and_is_remembered, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_crowds_wash_nobody_clean, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_processes_share_the_table, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
