/* test_floors.c - when queues get floors, when these move, and when they go. Time is an argument: nothing here waits.
 */
#include "base.h"

#include "floors.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SECOND_US = 1000000 };

static struct floors *floors;
static struct floors_look look;
static struct arena arena;

static int
set_up(void **state UNUSED)
{
	floors = floors_new();
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	floors_free(floors);
	arena_reset(&arena);
	return 0;
}

static void
expect_at(int64_t now_us, int64_t tenant, bool special, const char *queue, const char *expected)
{
	struct slice queues[] = {SLICE("another"), slice_of(queue)};
	struct slice text = floors_write(floors, tenant, special, queues, 2, now_us, &arena);

	if (expected)
		assert_string_equal(arena_string(&arena, text), expected);
	else
		assert_null(text.data);
}

static void
expect(const char *expected)
{
	expect_at(0, 1, false, "sena", expected);
}

static void
expect_look(int64_t now_us, enum floors_kind kind)
{
	assert_true(floors_due(floors, now_us, &look));
	assert_int_equal(look.kind, kind);
	assert_int_equal(look.tenant, 1);
	assert_string_equal(look.queue, "sena");
}

/* A queue whose first look took long. */
static void
make(void)
{
	floors_suspect(floors, 1, false, SLICE("sena"), 0);
	expect_look(0, FLOORS_RAISE);
	floors_looked(floors, &look, 0, 2000);
}

static void
test_without_floors_there_is_no_parameter(void **state UNUSED)
{
	expect(NULL);
	assert_false(floors_due(floors, 0, &look));
}

static void
test_a_slow_lease_alone_makes_no_floors(void **state UNUSED)
{
	floors_suspect(floors, 1, false, SLICE("sena"), 0);
	expect(NULL);
	expect_look(0, FLOORS_RAISE);
	floors_suspect(floors, 1, false, SLICE("sena"), 0);
	floors_found(floors, &look, 5, 700);
	expect(NULL);
	floors_looked(floors, &look, 1999, 1999);
	assert_int_equal(floors_count(floors), 0);
	expect(NULL);
}

static void
test_suspects_are_looked_at_one_by_one(void **state UNUSED)
{
	floors_suspect(floors, 1, false, SLICE("sena"), 0);
	floors_suspect(floors, 1, true, SLICE("sena"), 0);
	assert_int_equal(floors_count(floors), 2);
	expect_look(0, FLOORS_RAISE);
	assert_false(floors_due(floors, 49999, &look));
	expect_look(50000, FLOORS_RAISE);
}

static void
test_floors_are_of_a_tenant_and_a_kind(void **state UNUSED)
{
	make();
	assert_int_equal(floors_count(floors), 1);
	expect("[null,\"{0,0,0,0,0,0,0,0,0,0}\"]");
	/* Others have none, and say so, for all leases go together. */
	expect_at(0, 2, false, "sena", "[null,null]");
	expect_at(0, 11, false, "sena", "[null,null]");
	expect_at(0, 1, true, "sena", "[null,null]");
	expect_at(0, 1, false, "sen", "[null,null]");
	floors_suspect(floors, 1, false, SLICE("sena"), 0); /* it keeps them */
	expect("[null,\"{0,0,0,0,0,0,0,0,0,0}\"]");
}

static void
test_a_look_raises_floors_at_once_and_again_while_leases_ask(void **state UNUSED)
{
	make();
	floors_found(floors, &look, 5, 700);
	floors_found(floors, &look, 10, 9);
	floors_found(floors, &look, 11, 1);
	floors_found(floors, &look, 0, 1);
	floors_looked(floors, &look, 10, 10);
	expect("[null,\"{0,0,0,0,700,0,0,0,0,9}\"]");
	assert_false(floors_due(floors, SECOND_US / 5 - 1, &look));
	expect_look(SECOND_US / 5, FLOORS_RAISE);
	assert_int_equal(look.at_us[4], 700);
	floors_found(floors, &look, 5, 900);
	expect("[null,\"{0,0,0,0,900,0,0,0,0,9}\"]");
}

static void
test_without_leases_floors_rise_rarely(void **state UNUSED)
{
	make();
	expect_look(SECOND_US / 5, FLOORS_RAISE); /* after the lease that made it */
	floors_looked(floors, &look, SECOND_US / 5, 1000);
	assert_false(floors_due(floors, 2 * SECOND_US, &look));
	expect_at(2 * SECOND_US, 1, false, "sena", "[null,\"{0,0,0,0,0,0,0,0,0,0}\"]");
	expect_look(2 * SECOND_US, FLOORS_RAISE);
}

/* What lies between the straggler and the start of the other look was not looked at by it. */
static void
test_a_look_that_began_above_a_straggler_raises_nothing(void **state UNUSED)
{
	struct floors_look raise;

	make();
	floors_found(floors, &look, 5, 700);
	expect_look(3 * SECOND_US, FLOORS_LOWER);
	expect_look(3 * SECOND_US, FLOORS_RAISE);
	raise = look;
	look.kind = FLOORS_LOWER;
	floors_found(floors, &look, 5, 100);
	floors_found(floors, &look, 6, 100); /* it is not above that */
	floors_found(floors, &raise, 5, 900);
	expect("[null,\"{0,0,0,0,100,0,0,0,0,0}\"]");
}

static void
test_stragglers_are_looked_for_rarely_when_it_takes_long(void **state UNUSED)
{
	make();
	expect_look(3 * SECOND_US, FLOORS_LOWER);
	floors_looked(floors, &look, 3 * SECOND_US, 10000);
	expect_look(3 * SECOND_US, FLOORS_RAISE);
	assert_false(floors_due(floors, 6 * SECOND_US - 1, &look));
	expect_look(6 * SECOND_US, FLOORS_LOWER);
	floors_looked(floors, &look, 7 * SECOND_US, SECOND_US / 2); /* rests for 2 s and comes again after 10 s */
	expect_look(16 * SECOND_US, FLOORS_RAISE);
	expect_look(17 * SECOND_US, FLOORS_LOWER);
	floors_looked(floors, &look, 20 * SECOND_US, -1); /* it failed: the floors stay */
	assert_int_equal(floors_count(floors), 1);
	expect_look(32 * SECOND_US, FLOORS_LOWER);
	floors_looked(floors, &look, 32 * SECOND_US, 1999);
	assert_int_equal(floors_count(floors), 0);
	expect(NULL);
}

static void
test_queues_take_turns(void **state UNUSED)
{
	make();
	floors_suspect(floors, 1, false, SLICE("rune"), 0);
	assert_true(floors_due(floors, 50000, &look));
	assert_string_equal(look.queue, "rune");
	floors_looked(floors, &look, 60000, 10000);
	assert_false(floors_due(floors, 60000, &look));
	assert_true(floors_due(floors, 3 * SECOND_US, &look) && look.kind == FLOORS_LOWER);
	floors_looked(floors, &look, 3 * SECOND_US, SECOND_US);
	for (int i = 0; i < 2; i++)
		assert_true(floors_due(floors, 7 * SECOND_US - 1, &look) && look.kind == FLOORS_RAISE);
	assert_false(floors_due(floors, 7 * SECOND_US - 1, &look));
	assert_true(floors_due(floors, 7 * SECOND_US, &look) && look.kind == FLOORS_LOWER);
}

static void
test_floors_that_nobody_asks_for_are_forgotten(void **state UNUSED)
{
	make();
	expect_look(FLOORS_KEEP_US, FLOORS_LOWER);
	assert_false(floors_due(floors, FLOORS_KEEP_US + 1, &look));
	assert_int_equal(floors_count(floors), 0);
	floors_found(floors, &look, 5, 1);
	floors_looked(floors, &look, FLOORS_KEEP_US + 2, 5);
	assert_int_equal(floors_count(floors), 0);
}

static void
test_there_is_a_bound(void **state UNUSED)
{
	for (int i = 0; i <= FLOORS_MAX; i++) {
		look = (struct floors_look){.kind = FLOORS_RAISE, .tenant = 1};
		snprintf(look.queue, sizeof(look.queue), "queue %d", i);
		floors_suspect(floors, 1, false, slice_of(look.queue), 0);
		floors_looked(floors, &look, 0, 10000); /* it is slow indeed */
	}
	assert_int_equal(floors_count(floors), FLOORS_MAX);
}

static void
test_a_storm_makes_few_suspects(void **state UNUSED)
{
	int looks = 0;

	for (int i = 0; i < 500; i++)
		floors_suspect(floors, 1, false, slice_of(arena_printf(&arena, "queue %d", i)), 0);
	assert_int_equal(floors_count(floors), FLOORS_SUSPECTS_MAX);
	for (; floors_due(floors, 50000 * looks, &look); looks++)
		floors_looked(floors, &look, 50000 * looks, 100);
	assert_int_equal(looks, FLOORS_SUSPECTS_MAX);
	floors_suspect(floors, 1, false, SLICE("sena"), 0); /* there is room again */
	assert_int_equal(floors_count(floors), 1);
}

static void
test_the_list_is_for_the_poll(void **state UNUSED)
{
	struct buf text = {0};

	floors_list(floors, &text);
	assert_true(slice_is(buf_slice(&text), "[]"));
	buf_clear(&text, 0);
	floors_suspect(floors, 7, true, SLICE("se na"), 0);
	floors_list(floors, &text);
	assert_true(slice_is(buf_slice(&text), "[]"));
	buf_clear(&text, 0);
	assert_true(floors_due(floors, 0, &look));
	floors_looked(floors, &look, 0, 2000);
	floors_list(floors, &text);
	assert_true(slice_is(buf_slice(&text), "[{\"tenant\":7,\"queue\":\"se na\",\"special\":true,"
	                                       "\"floors\":\"{0,0,0,0,0,0,0,0,0,0}\"}]"));
	buf_free(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(test_without_floors_there_is_no_parameter),
	    TEST(test_a_slow_lease_alone_makes_no_floors),
	    TEST(test_suspects_are_looked_at_one_by_one),
	    TEST(test_floors_are_of_a_tenant_and_a_kind),
	    TEST(test_a_look_raises_floors_at_once_and_again_while_leases_ask),
	    TEST(test_without_leases_floors_rise_rarely),
	    TEST(test_a_look_that_began_above_a_straggler_raises_nothing),
	    TEST(test_stragglers_are_looked_for_rarely_when_it_takes_long),
	    TEST(test_queues_take_turns),
	    TEST(test_floors_that_nobody_asks_for_are_forgotten),
	    TEST(test_there_is_a_bound),
	    TEST(test_a_storm_makes_few_suspects),
	    TEST(test_the_list_is_for_the_poll),
	};

	return cmocka_run_group_tests_name("floors", tests, NULL, NULL);
}
