/* test_node_usage.c - what /proc says becomes percent; what it does not say is not made up. */
#include "base.h"

#include "node_usage.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
expect_near(double expected, double found)
{
	if (!(fabs(expected - found) < 0.001))
		fail_msg("%f, expected %f", found, expected);
}

static void
test_cpu_is_the_share_between_two_readings(void **state UNUSED)
{
	struct node_cpu before = node_cpu_parse("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3 4\n");
	struct node_cpu after = node_cpu_parse("cpu  150 10 70 900 50 5 10 5 40 0\n");

	assert_int_equal(before.total, 1000);
	assert_int_equal(before.busy, 150);
	/* 200 ticks more, 100 of them idle; guest time is in user already. */
	expect_near(50, node_cpu_percent(&before, &after));
}

static void
test_cpu_that_is_not_known(void **state UNUSED)
{
	static const char *const texts[] = {"", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4", "intr 1 2 3 4"};
	struct node_cpu none = {0}, some = {5, 10, false}, less = {1, 5, false}, limited = {6, 20, true};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_int_equal(node_cpu_parse(texts[i]).total, 0);
	assert_true(isnan(node_cpu_percent(&none, &some)));
	assert_true(isnan(node_cpu_percent(&some, &some)));
	assert_true(isnan(node_cpu_percent(&some, &less)));
	assert_true(isnan(node_cpu_percent(&some, &limited)));
}

static void
test_memory_is_what_is_not_available(void **state UNUSED)
{
	expect_near(75, node_memory_parse("MemTotal:       8000 kB\nMemFree:  100 kB\nMemAvailable:   2000 kB\n"));
	assert_true(isnan(node_memory_parse("MemTotal:       8000 kB\nMemFree: 100 kB\n")));
	assert_true(isnan(node_memory_parse("MemTotal: 0 kB\nMemAvailable: 0 kB\n")));
	assert_true(isnan(node_memory_parse("XMemTotal: 8 kB\nMemAvailable: 1 kB\n")));
	assert_true(isnan(node_memory_parse("")));
}

static void
test_this_machine(void **state UNUSED)
{
	double memory = node_memory_percent(""), disk = node_disk_percent("/");

	assert_true(node_cpu_read("", 1000000).total > 0);
	assert_true(memory > 0 && memory <= 100);
	assert_true(disk >= 0 && disk <= 100);
	assert_true(fabs(disk - node_disk_percent("/no/such/folder")) < 5);
	assert_true(isnan(node_disk_percent("no-such-folder")));
	assert_true(isnan(node_disk_percent("")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cpu_is_the_share_between_two_readings),
	    cmocka_unit_test(test_cpu_that_is_not_known),
	    cmocka_unit_test(test_memory_is_what_is_not_available),
	    cmocka_unit_test(test_this_machine),
	};
	return cmocka_run_group_tests_name("node_usage", tests, NULL, NULL);
}
