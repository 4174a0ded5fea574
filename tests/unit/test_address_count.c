/* test_address_count.c - connections per address: exact over processes, also when they race and when they die. */
#include "base.h"

#include "address_count.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { OWNERS = 4 };

static struct address_count *
table_of(size_t connections)
{
	struct address_count *table = address_count_new(OWNERS, connections);

	assert_non_null(table);
	for (int i = 0; i < OWNERS; i++)
		address_count_begin(table, i);
	return table;
}

static int
take_all(struct address_count *table, int owner, uint64_t address, int64_t most)
{
	int taken = 0;

	while (address_count_take(table, owner, address, most))
		taken++;
	return taken;
}

static void
test_all_owners_share_the_limit(void **state UNUSED)
{
	struct address_count *table = table_of(100);

	assert_true(address_count_take(table, 0, 7, 3));
	assert_true(address_count_take(table, 1, 7, 3));
	assert_true(address_count_take(table, 2, 7, 3));
	assert_false(address_count_take(table, 3, 7, 3));
	assert_false(address_count_take(table, 0, 7, 3));
	assert_true(address_count_take(table, 3, 8, 3)); /* another address */
	address_count_give(table, 1, 7);
	assert_true(address_count_take(table, 3, 7, 3));
	assert_false(address_count_take(table, 1, 7, 3));
	address_count_free(table);
}

static void
test_the_dead_hold_nothing(void **state UNUSED)
{
	struct address_count *table = table_of(100);

	assert_int_equal(take_all(table, 0, 7, 10), 10);
	assert_false(address_count_take(table, 1, 7, 10));
	address_count_end(table, 0);
	assert_int_equal(take_all(table, 1, 7, 10), 10);
	address_count_begin(table, 0);
	assert_false(address_count_take(table, 0, 7, 10));
	for (int i = 0; i < 10; i++)
		address_count_give(table, 1, 7);
	assert_int_equal(take_all(table, 0, 7, 10), 10);
	address_count_free(table);
}

/* Against a plain model: many addresses, few of them far apart, so that entries of a stripe push each other about. */
static void
test_agrees_with_a_model(void **state UNUSED)
{
	enum { ADDRESSES = 96, MOST = 5, STEPS = 200000 };
	struct address_count *table = table_of(6000);
	static int model[OWNERS][ADDRESSES];
	uint32_t random = 1;

	for (int step = 0; step < STEPS; step++) {
		int owner, which, total = 0;
		uint64_t address;

		random = random * 1664525 + 1013904223;
		owner = (int)(random >> 24) % OWNERS;
		which = (int)(random >> 8) % ADDRESSES;
		/* All in one stripe, and homes that collide. */
		address = ((uint64_t)(which % 48) << 6 | 5) + ((uint64_t)(which / 48) << 40);
		for (int i = 0; i < OWNERS; i++)
			total += model[i][which];
		if ((random >> 4 & 3) == 0 || model[owner][which] == 0) {
			bool room = total < MOST;
			if (address_count_take(table, owner, address, MOST) != room)
				fail_msg("step %d: %d are held, and one more was %s", step, total, room ? "refused" : "given");
			model[owner][which] += room;
		} else {
			address_count_give(table, owner, address);
			model[owner][which]--;
		}
	}
	address_count_free(table);
}

/* More addresses than fit are refused; nothing is lost of those that are there. */
static void
test_full(void **state UNUSED)
{
	struct address_count *table = table_of(1);
	uint64_t count = 0;

	while (address_count_take(table, 0, count << 6, 1))
		count++;
	assert_true(count >= 64);
	for (uint64_t i = 0; i < count; i++)
		assert_false(address_count_take(table, 1, i << 6, 1));
	for (uint64_t i = 0; i < count; i += 2)
		address_count_give(table, 0, i << 6);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(address_count_take(table, 1, i << 6, 1), i % 2 == 0);
	address_count_free(table);
}

static void
race(struct address_count *table, int owner, _Atomic int *held, _Atomic int *worst)
{
	enum { ROUNDS = 20000, MOST = 3 };

	for (int i = 0; i < ROUNDS; i++)
		if (address_count_take(table, owner, 7, MOST)) {
			int now = ++*held;
			if (now > *worst)
				*worst = now;
			--*held;
			address_count_give(table, owner, 7);
		}
}

static void
test_processes_that_race(void **state UNUSED)
{
	struct address_count *table = table_of(100);
	_Atomic int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	assert_ptr_not_equal(shared, MAP_FAILED);
	for (int owner = 0; owner < OWNERS; owner++)
		if (fork() == 0) {
			race(table, owner, &shared[0], &shared[1]);
			_exit(0);
		}
	for (int owner = 0; owner < OWNERS; owner++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_true(shared[1] >= 1 && shared[1] <= 3);
	assert_int_equal(take_all(table, 0, 7, 3), 3);
	munmap((void *)shared, 4096);
	address_count_free(table);
}

/* Killed anywhere, also inside the lock: the others go on, and what it held is free. */
static void
test_processes_that_are_killed(void **state UNUSED)
{
	enum { KILLS = 50, MOST = 4 };
	struct address_count *table = table_of(100);

	assert_true(address_count_take(table, 0, 64 + 7, MOST));
	for (int i = 0; i < KILLS; i++) {
		pid_t child = fork();
		if (child == 0) {
			address_count_begin(table, 1);
			for (uint64_t address = 0;; address = (address + 1) % 50)
				if (address_count_take(table, 1, address << 6 | 7, MOST) && address % 3)
					address_count_give(table, 1, address << 6 | 7);
		}
		usleep((useconds_t)(500 + i * 37));
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		address_count_end(table, 1);
		assert_int_equal(take_all(table, 0, 64 + 7, MOST), MOST - 1);
		for (int j = 1; j < MOST; j++)
			address_count_give(table, 0, 64 + 7);
	}
	address_count_free(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_owners_share_the_limit), cmocka_unit_test(test_the_dead_hold_nothing),
	    cmocka_unit_test(test_agrees_with_a_model),        cmocka_unit_test(test_full),
	    cmocka_unit_test(test_processes_that_race),        cmocka_unit_test(test_processes_that_are_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
