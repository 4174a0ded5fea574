/* test_scoreboard_wake.c - the board in shared memory, and who is woken when a queue gets work. */
#include "base.h"

#include "scoreboard.h"
#include "wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SLOTS = 3 };

static struct scoreboard *board;
static int fds[SLOTS];
static struct heritage heritage;

static int
set_up(void **state UNUSED)
{
	board = scoreboard_new(SLOTS);
	assert_non_null(board);
	for (int i = 0; i < SLOTS; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	heritage = (struct heritage){.board = board, .wake_fds = fds};
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	for (int i = 0; i < SLOTS; i++)
		close(fds[i]);
	munmap(board, sizeof(*board));
	return 0;
}

static uint32_t
mark(int64_t tenant, const char *queue)
{
	return atomic_load(&board->ready[scoreboard_queue(tenant, slice_of(queue))]);
}

/* How often the slot was woken since the last look; 0: not at all. */
static uint64_t
woken(int slot)
{
	uint64_t count;

	if (read(fds[slot], &count, sizeof(count)) == sizeof(count))
		return count;
	assert_int_equal(errno, EAGAIN);
	return 0;
}

static uint64_t
sum_of_marks(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < SCOREBOARD_QUEUES; i++)
		sum += atomic_load(&board->ready[i]);
	return sum;
}

static void
test_board_begins_with_zeros(void **state UNUSED)
{
	assert_int_equal(board->slot_count, SLOTS);
	assert_int_equal(sum_of_marks(), 0);
	for (int i = 0; i < SLOTS; i++) {
		assert_int_equal(atomic_load(&board->slots[i].state), PROCESS_NONE);
		assert_false(atomic_load(&board->slots[i].waiting));
	}
}

static void
test_queues_spread_over_the_board(void **state UNUSED)
{
	bool *taken = mem_zero(SCOREBOARD_QUEUES);
	char name[32];
	int places = 0;

	for (int i = 0; i < 2000; i++) {
		unsigned place;
		snprintf(name, sizeof(name), "role-%d", i / 2);
		place = scoreboard_queue(1 + i % 2, slice_of(name)); /* the same names for two tenants */
		assert_in_range(place, 0, SCOREBOARD_QUEUES - 1);
		assert_int_equal(place, scoreboard_queue(1 + i % 2, slice_of(name)));
		places += !taken[place];
		taken[place] = true;
	}
	free(taken);
	assert_in_range(places, 1450, 2000); /* 1,582 are expected of a good hash */
	assert_int_not_equal(scoreboard_queue(1, SLICE("sena")), scoreboard_queue(2, SLICE("sena")));
	assert_in_range(scoreboard_queue(1, SLICE("")), 0, SCOREBOARD_QUEUES - 1);
}

static void
test_wake_marks_the_queue_and_only_it(void **state UNUSED)
{
	wake_queue(&heritage, 7, SLICE("sena"));
	wake_queue(&heritage, 7, SLICE("sena"));
	wake_queue(&heritage, 8, SLICE("sena"));
	assert_int_equal(mark(7, "sena"), 2);
	assert_int_equal(mark(8, "sena"), 1);
	assert_int_equal(mark(7, "rune"), 0);
	assert_int_equal(sum_of_marks(), 3);
}

static void
test_wake_is_for_those_who_wait(void **state UNUSED)
{
	atomic_store(&board->slots[1].waiting, true);
	wake_queue(&heritage, 1, SLICE("sena"));
	assert_int_equal(woken(0), 0);
	assert_int_equal(woken(1), 1);
	assert_int_equal(woken(1), 0);
	assert_int_equal(woken(2), 0);
	atomic_store(&board->slots[2].waiting, true);
	atomic_store(&board->slots[1].waiting, false);
	wake_queue(&heritage, 1, SLICE("sena"));
	wake_queue(&heritage, 1, SLICE("rune"));
	assert_int_equal(woken(1), 0);
	assert_int_equal(woken(2), 2);
}

/* A process that does not read its wake-ups must not stop the others. */
static void
test_wake_never_blocks(void **state UNUSED)
{
	const uint64_t full = UINT64_MAX - 1;

	atomic_store(&board->slots[0].waiting, true);
	atomic_store(&board->slots[1].waiting, true);
	assert_int_equal(write(fds[0], &full, sizeof(full)), sizeof(full));
	wake_queue(&heritage, 1, SLICE("sena"));
	assert_int_equal(woken(0), full);
	assert_int_equal(woken(1), 1);
	assert_int_equal(mark(1, "sena"), 1);
}

static void
test_wake_queues_of_a_json_array(void **state UNUSED)
{
	atomic_store(&board->slots[0].waiting, true);
	wake_queues(&heritage, 3, SLICE("[\"sena\", \"@smith\", \"a \\\"b\\\" \\u00e9\"]"));
	assert_int_equal(mark(3, "sena"), 1);
	assert_int_equal(mark(3, "@smith"), 1);
	assert_int_equal(mark(3, "a \"b\" \xc3\xa9"), 1);
	assert_int_equal(sum_of_marks(), 3);
	assert_int_equal(woken(0), 3);
	wake_queues(&heritage, 3, SLICE_NONE);
	wake_queues(&heritage, 3, SLICE("[]"));
	wake_queues(&heritage, 3, SLICE("[\"sena\""));
	assert_int_equal(sum_of_marks(), 3);
	assert_int_equal(woken(0), 0);
}

static void
test_children_share_the_board(void **state UNUSED)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		atomic_store(&board->slots[2].waiting, true);
		atomic_store(&board->slots[2].state, PROCESS_READY);
		wake_queue(&heritage, 1, SLICE("sena"));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(mark(1, "sena"), 1);
	assert_int_equal(woken(2), 1);
	assert_int_equal(atomic_load(&board->slots[2].state), PROCESS_READY);
}

static void
test_states_have_names(void **state UNUSED)
{
	assert_string_equal(scoreboard_state_name(PROCESS_NONE), "none");
	assert_string_equal(scoreboard_state_name(PROCESS_STARTING), "starting");
	assert_string_equal(scoreboard_state_name(PROCESS_READY), "ready");
	assert_string_equal(scoreboard_state_name(PROCESS_DRAINING), "draining");
	/* The board is not trusted. */
	assert_string_equal(scoreboard_state_name(-1), "unknown");
	assert_string_equal(scoreboard_state_name(1000000), "unknown");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_board_begins_with_zeros),
	    TEST(test_queues_spread_over_the_board),
	    TEST(test_wake_marks_the_queue_and_only_it),
	    TEST(test_wake_is_for_those_who_wait),
	    TEST(test_wake_never_blocks),
	    TEST(test_wake_queues_of_a_json_array),
	    TEST(test_children_share_the_board),
	    TEST(test_states_have_names),
	};

	return cmocka_run_group_tests_name("scoreboard_wake", tests, NULL, NULL);
}
