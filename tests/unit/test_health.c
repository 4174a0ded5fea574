/* test_health.c - what a finding makes of a component, what components make of a node, and how often something is
 * tried. */
#include "base.h"

#include "heal.h"
#include "health.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const int64_t SECOND = 1000000;

static void
test_thresholds(void **state UNUSED)
{
	assert_int_equal(health_of_percent(0), HEALTH_HEALTHY);
	assert_int_equal(health_of_percent(90), HEALTH_HEALTHY);
	assert_int_equal(health_of_percent(90.1), HEALTH_WARNING);
	assert_int_equal(health_of_percent(95), HEALTH_WARNING);
	assert_int_equal(health_of_percent(95.1), HEALTH_CRITICAL);
	assert_int_equal(health_of_percent(NAN), HEALTH_UNKNOWN);
}

static void
test_three_failures_in_a_row(void **state UNUSED)
{
	const struct health_finding bad = {HEALTH_CRITICAL, 4.5, "no answer"}, good = {HEALTH_HEALTHY, 1.5, "answers"};
	struct health_component component = {.name = "redis"};

	assert_true(health_take(&component, &good, 1));
	assert_true(health_take(&component, &bad, 2));
	assert_int_equal(component.status, HEALTH_WARNING);
	assert_int_equal(component.since_us, 2);
	assert_false(health_take(&component, &bad, 3));
	assert_true(health_take(&component, &good, 4)); /* not in a row */
	assert_int_equal(component.failures, 0);
	assert_true(health_take(&component, &bad, 5));
	assert_false(health_take(&component, &bad, 6));
	assert_true(health_take(&component, &bad, 7));
	assert_int_equal(component.status, HEALTH_CRITICAL);
	assert_int_equal(component.failures, 3);
	assert_int_equal(component.since_us, 7);
	assert_int_equal(component.checked_us, 7);
	assert_string_equal(component.message, "no answer");
	assert_false(health_take(&component, &bad, 8));
	assert_int_equal(component.since_us, 7);
	assert_true(health_take(&component, &good, 9));
	assert_int_equal(component.status, HEALTH_HEALTHY);
}

static void
put(struct health_board *board, int part, const char *name, enum health_status status)
{
	const struct health_finding finding = {status, NAN, "said"};

	for (int i = 0; i < HEALTH_FAILURES; i++)
		(void)health_put(board, part, name, &finding, 1);
}

static void
test_a_board_is_as_well_as_what_it_needs(void **state UNUSED)
{
	struct health_board *board = health_board_new();
	struct health_component component;

	assert_non_null(board);
	assert_int_equal(health_overall(board), HEALTH_UNKNOWN);
	assert_false(health_get(board, HEALTH_CPU, &component));
	put(board, HEALTH_DATABASE, "database", HEALTH_HEALTHY);
	assert_int_equal(health_overall(board), HEALTH_HEALTHY);
	/* It does without these. */
	put(board, HEALTH_REDIS, "redis", HEALTH_CRITICAL);
	put(board, health_worker(3), "worker 1", HEALTH_CRITICAL);
	put(board, health_worker(4), "worker 2", HEALTH_HEALTHY);
	put(board, health_pool(4), "pool 2", HEALTH_CRITICAL);
	assert_int_equal(health_overall(board), HEALTH_WARNING);
	/* But not without all workers. */
	put(board, health_worker(4), "worker 2", HEALTH_CRITICAL);
	assert_int_equal(health_overall(board), HEALTH_CRITICAL);
	health_forget(board, health_worker(3));
	health_forget(board, health_worker(4));
	assert_false(health_get(board, health_worker(4), &component));
	assert_int_equal(health_overall(board), HEALTH_WARNING);
	put(board, HEALTH_DISK, "disk", HEALTH_CRITICAL);
	assert_int_equal(health_overall(board), HEALTH_CRITICAL);
	assert_true(health_get(board, HEALTH_DISK, &component));
	assert_string_equal(component.name, "disk");
	assert_int_equal(component.failures, 3);
	assert_int_equal(health_storage(board), HEALTH_STORAGE_OK);
	health_storage_set(board, HEALTH_STORAGE_FULL);
	assert_int_equal(health_storage(board), HEALTH_STORAGE_FULL);
	/* What nobody has looked at for too long is not known. */
	health_round(board, 60 * SECOND);
	assert_int_equal(health_overall(board), HEALTH_CRITICAL);
	health_round(board, 0);
	assert_int_equal(health_overall(board), HEALTH_UNKNOWN);
	assert_true(health_get(board, HEALTH_DISK, &component));
	assert_int_equal(component.status, HEALTH_UNKNOWN);
	assert_non_null(strstr(component.message, "the keeper is not at work"));
	health_round(board, 60 * SECOND);
	health_recovery_count(board);
	assert_int_equal(health_recoveries(board), 1);
}

static void
test_tries_are_few_and_ever_slower(void **state UNUSED)
{
	static const int64_t at_s[HEAL_TRIES] = {10, 15, 25, 45, 85};
	struct heal heal = {0};
	int tries = 0;

	for (int64_t s = 10; s < 200; s++) {
		enum heal_step step = heal_next(&heal, true, false, 5 * SECOND, s * SECOND);
		if (step == HEAL_TRY) {
			assert_in_range(tries, 0, HEAL_TRIES - 1);
			assert_int_equal(s, at_s[tries++]);
		} else if (step == HEAL_GIVE_UP) {
			assert_int_equal(tries, HEAL_TRIES);
			assert_int_equal(s, 145); /* no pause is longer than a minute */
			tries++;
		}
	}
	assert_int_equal(tries, HEAL_TRIES + 1);
	/* A new window, and all begins anew. */
	assert_int_equal(heal_next(&heal, true, false, 5 * SECOND, 609 * SECOND), HEAL_NOTHING);
	assert_int_equal(heal_next(&heal, true, false, 5 * SECOND, 610 * SECOND), HEAL_TRY);
	assert_int_equal(heal_next(&heal, true, false, 5 * SECOND, 615 * SECOND), HEAL_TRY);
}

static void
test_what_helped_is_told_once(void **state UNUSED)
{
	struct heal heal = {0};

	assert_int_equal(heal_next(&heal, false, true, SECOND, 1), HEAL_NOTHING);
	assert_int_equal(heal_next(&heal, true, false, SECOND, 2), HEAL_TRY);
	/* Neither unwell nor well: it is too early to say. */
	assert_int_equal(heal_next(&heal, false, false, SECOND, 3), HEAL_NOTHING);
	assert_int_equal(heal_next(&heal, false, true, SECOND, 4), HEAL_RECOVERED);
	assert_int_equal(heal_next(&heal, false, true, SECOND, 5), HEAL_NOTHING);
	/* What breaks again at once has to wait for its next try all the same. */
	assert_int_equal(heal_next(&heal, true, false, SECOND, 6), HEAL_NOTHING);
	assert_int_equal(heal_next(&heal, true, false, SECOND, 2 + SECOND), HEAL_TRY);
	assert_int_equal(heal.tries, 2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_thresholds),
	    cmocka_unit_test(test_three_failures_in_a_row),
	    cmocka_unit_test(test_a_board_is_as_well_as_what_it_needs),
	    cmocka_unit_test(test_tries_are_few_and_ever_slower),
	    cmocka_unit_test(test_what_helped_is_told_once),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
