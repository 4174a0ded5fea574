/* test_line.c - lines of waiters: first come first served, whoever asked in between. */
#include "base.h"

#include "line.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
assert_order(const struct line *line, const uint64_t *turns, size_t count)
{
	const struct place *place = TAILQ_FIRST(&line->places);

	for (size_t i = 0; i < count; i++, place = TAILQ_NEXT(place, entry)) {
		assert_non_null(place);
		assert_int_equal(place->turn, turns[i]);
	}
	assert_null(place);
}

#define ASSERT_ORDER(line, ...) \
	assert_order((line), (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void
test_turns_decide(void **state UNUSED)
{
	struct lines lines = {0};
	struct line *line = line_join(&lines, 7, SLICE("sena"));
	struct place places[5];

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		places[i] = (struct place){.line = line, .turn = i + 1};
		line_insert(line, &places[i]);
	}
	ASSERT_ORDER(line, 1, 2, 3, 4, 5);
	TAILQ_REMOVE(&line->places, &places[1], entry);
	TAILQ_REMOVE(&line->places, &places[0], entry);
	ASSERT_ORDER(line, 3, 4, 5);
	line_insert(line, &places[1]);
	line_insert(line, &places[0]);
	ASSERT_ORDER(line, 1, 2, 3, 4, 5);
	assert_int_equal(line_next(line)->turn, 1);
	line->passed_upto = 3;
	assert_int_equal(line_next(line)->turn, 4);
	line->passed_upto = 5;
	assert_null(line_next(line));
	lines_free(&lines);
}

static void
test_a_line_is_there_while_somebody_is_in_it(void **state UNUSED)
{
	struct lines lines = {0};
	struct line *line = line_join(&lines, 7, SLICE("sena"));

	assert_ptr_equal(line_join(&lines, 7, SLICE("sena")), line);
	assert_ptr_equal(line_find(&lines, 7, SLICE("sena")), line);
	assert_ptr_equal(lines.buckets[line->bucket], line);
	assert_null(line_find(&lines, 8, SLICE("sena")));
	assert_null(line_find(&lines, 7, SLICE("sen")));
	line_leave(&lines, line);
	assert_ptr_equal(line_find(&lines, 7, SLICE("sena")), line);
	line_leave(&lines, line);
	assert_null(line_find(&lines, 7, SLICE("sena")));
	assert_null(lines.all);
}

/* 4096 entries of the board for 10,000 queues: several lines share one, and each can go first. */
static void
test_lines_that_share_an_entry_of_the_board(void **state UNUSED)
{
	static struct line *made[10000];
	static struct lines lines;
	char name[16];

	for (size_t i = 0; i < ARRAY_LENGTH(made); i++) {
		snprintf(name, sizeof(name), "queue %zu", i);
		made[i] = line_join(&lines, 1, slice_of(name));
	}
	for (size_t i = 0; i < ARRAY_LENGTH(made); i += 2)
		line_leave(&lines, made[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(made); i++) {
		snprintf(name, sizeof(name), "queue %zu", i);
		assert_ptr_equal(line_find(&lines, 1, slice_of(name)), i % 2 ? made[i] : NULL);
	}
	for (size_t i = 1; i < ARRAY_LENGTH(made); i += 2)
		line_leave(&lines, made[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(lines.buckets); i++)
		assert_null(lines.buckets[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_turns_decide),
	    cmocka_unit_test(test_a_line_is_there_while_somebody_is_in_it),
	    cmocka_unit_test(test_lines_that_share_an_entry_of_the_board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
