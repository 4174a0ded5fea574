/* test_shared_memory.c - memory by name: what one program made is there for the next, if it expects the same. */
#include "base.h"

#include "shared_memory.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SIZE = 8192 };

struct seen {
	int count;
	int fd; /* a copy of the last one's */
};

static void
look(void *arg, const char *name, int fd)
{
	struct seen *seen = arg;

	assert_string_equal(name, "test 1");
	seen->count++;
	if (seen->fd >= 0)
		close(seen->fd);
	seen->fd = dup(fd);
}

static struct seen
look_at_all(void)
{
	struct seen seen = {.fd = -1};

	shared_memory_each(look, &seen);
	return seen;
}

static void
test_children_share_it(void **state UNUSED)
{
	bool adopted = true;
	char *memory = shared_memory_map("test 1", SIZE, &adopted);
	int status;
	pid_t child;

	assert_non_null(memory);
	assert_false(adopted);
	assert_int_equal(memory[SIZE - 1], 0);
	child = fork();
	if (child == 0) {
		memory[7] = 'x';
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(memory[7], 'x');
	shared_memory_unmap(memory);
	assert_int_equal(look_at_all().count, 0);
}

/* What a program that becomes another one does: the descriptor lives on, the mapping does not. */
static int
leave_behind(char byte)
{
	char *memory = shared_memory_map("test 1", SIZE, NULL);
	struct seen seen;

	assert_non_null(memory);
	memory[0] = byte;
	seen = look_at_all();
	assert_int_equal(seen.count, 1);
	shared_memory_unmap(memory);
	return seen.fd;
}

static void
test_the_next_program_finds_it(void **state UNUSED)
{
	bool adopted = false;
	char *memory;

	shared_memory_adopt("test 1", leave_behind('a'));
	memory = shared_memory_map("test 1", SIZE, &adopted);
	assert_true(adopted);
	assert_int_equal(memory[0], 'a');
	shared_memory_forget_adopted();
	assert_int_equal(memory[0], 'a');
	shared_memory_unmap(memory);
}

static void
test_another_size_is_another_memory(void **state UNUSED)
{
	bool adopted = true;
	char *memory;
	struct seen seen;

	shared_memory_adopt("test 1", leave_behind('a'));
	memory = shared_memory_map("test 1", 2 * SIZE, &adopted);
	assert_false(adopted);
	assert_int_equal(memory[0], 0);
	/* The old one is kept, for the way back. */
	seen = look_at_all();
	assert_int_equal(seen.count, 2);
	close(seen.fd);
	shared_memory_forget_adopted();
	seen = look_at_all();
	assert_int_equal(seen.count, 1);
	close(seen.fd);
	shared_memory_unmap(memory);
}

static void
test_nobody_can_shrink_it(void **state UNUSED)
{
	int fd = leave_behind('a');

	assert_int_not_equal(ftruncate(fd, 1), 0);
	assert_int_not_equal(ftruncate(fd, 2 * SIZE), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_children_share_it),
	    cmocka_unit_test(test_the_next_program_finds_it),
	    cmocka_unit_test(test_another_size_is_another_memory),
	    cmocka_unit_test(test_nobody_can_shrink_it),
	};

	return cmocka_run_group_tests_name("shared_memory", tests, NULL, NULL);
}
