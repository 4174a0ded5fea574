/* test_buf.c - the arena, the buf and the clock: what every other file builds on. */
#include "base.h"

#include "arena.h"
#include "buf.h"
#include "clock.h"

#include <stdalign.h>
#include <unistd.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
assert_content(const struct buf *buf, const char *expected)
{
	if (!slice_is(buf_slice(buf), expected))
		fail_msg("found \"%.*s\", expected \"%s\"", SLICE_ARG(buf_slice(buf)), expected);
}

static void
test_arena_memory_is_aligned_and_separate(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;
	unsigned char *pieces[300];

	for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
		pieces[i] = arena_alloc(&arena, i * 7 + 1);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		memset(pieces[i], (int)(i & 0xFF), i * 7 + 1);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++)
		for (size_t j = 0; j < i * 7 + 1; j++)
			assert_int_equal(pieces[i][j], i & 0xFF);
	arena_reset(&arena);
}

static void
test_arena_zero(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;

	for (int round = 0; round < 50; round++) {
		unsigned char *bytes = arena_zero(&arena, 333);

		for (int i = 0; i < 333; i++)
			assert_int_equal(bytes[i], 0);
		memset(bytes, 0xAA, 333);
	}
	arena_reset(&arena);
}

static void
test_arena_strings(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;
	char large[5000];

	memset(large, 'x', sizeof(large));
	assert_string_equal(arena_string(&arena, (struct slice){"agent smith", 5}), "agent");
	assert_string_equal(arena_string(&arena, SLICE_NONE), "");
	assert_string_equal(arena_printf(&arena, "%s-%03d", "task", 7), "task-007");
	assert_string_equal(arena_printf(&arena, "%s", ""), "");
	assert_int_equal(strlen(arena_printf(&arena, "%.*s", (int)sizeof(large), large)), sizeof(large));
	assert_int_equal(strlen(arena_string(&arena, (struct slice){large, sizeof(large)})), sizeof(large));
	arena_reset(&arena);
}

static void
test_arena_is_usable_after_reset(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;

	arena_reset(&arena);
	assert_string_equal(arena_string(&arena, SLICE("first")), "first");
	arena_reset(&arena);
	assert_null(arena.blocks);
	assert_string_equal(arena_string(&arena, SLICE("second")), "second");
	arena_reset(&arena);
}

static void
test_buf_appends(void **state UNUSED)
{
	struct buf buf = {0};

	assert_content(&buf, "");
	buf_add(&buf, "abXX", 2);
	buf_add(&buf, NULL, 0);
	buf_add_slice(&buf, SLICE("cd"));
	buf_add_slice(&buf, SLICE_NONE);
	buf_add_text(&buf, "ef");
	buf_add_byte(&buf, 'g');
	buf_printf(&buf, "-%s-%d-", "h", 9);
	buf_printf(&buf, "%s", "");
	memcpy(buf_reserve(&buf, 3), "ijk", 3);
	buf.len += 3;
	assert_content(&buf, "abcdefg-h-9-ijk");
	buf_free(&buf);
	assert_content(&buf, "");
}

static void
test_buf_integers(void **state UNUSED)
{
	static const int64_t values[] = {0, 7, -7, 10, -100, 1234567890, INT64_MAX, INT64_MIN};
	struct buf buf = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		buf_add_int(&buf, values[i]);
		buf_add_byte(&buf, ' ');
	}
	assert_content(&buf, "0 7 -7 10 -100 1234567890 9223372036854775807 -9223372036854775808 ");
	buf_free(&buf);
}

static void
test_buf_keeps_its_bytes_as_it_grows(void **state UNUSED)
{
	struct buf buf = {0};

	for (int i = 0; i < 100000; i++)
		buf_add_byte(&buf, (char)('a' + i % 26));
	buf_printf(&buf, "%0*d", 300000, 1);
	assert_int_equal(buf.len, 400000);
	assert_true(buf.capacity >= buf.len);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf.data[i], 'a' + i % 26);
	assert_int_equal(buf.data[100000], '0');
	assert_int_equal(buf.data[399999], '1');
	buf_free(&buf);
}

static void
test_buf_drop(void **state UNUSED)
{
	struct buf buf = {0};

	buf_drop(&buf, 0);
	buf_add_text(&buf, "headbody");
	buf_drop(&buf, 4);
	assert_content(&buf, "body");
	buf_drop(&buf, 0);
	assert_content(&buf, "body");
	buf_drop(&buf, 4);
	assert_content(&buf, "");
	buf_add_text(&buf, "next");
	assert_content(&buf, "next");
	buf_free(&buf);
}

static void
test_buf_clear_keeps_or_frees(void **state UNUSED)
{
	struct buf buf = {0};
	char *memory;

	buf_add_text(&buf, "abc");
	memory = buf.data;
	buf_clear(&buf, buf.capacity);
	assert_content(&buf, "");
	assert_ptr_equal(buf.data, memory);
	buf_add_text(&buf, "abc");
	buf_clear(&buf, buf.capacity - 1);
	assert_content(&buf, "");
	assert_int_equal(buf.capacity, 0);
	buf_add_text(&buf, "again");
	assert_content(&buf, "again");
	buf_free(&buf);
}

static void
test_clock_format(void **state UNUSED)
{
	static const struct {
		int64_t wall_us;
		const char *text;
	} times[] = {
	    {0, "1970-01-01T00:00:00.000000Z"},
	    {1, "1970-01-01T00:00:00.000001Z"},
	    {951782400000000, "2000-02-29T00:00:00.000000Z"},
	    {1795395723000004, "2026-11-23T01:02:03.000004Z"},
	    {4102444799999999, "2099-12-31T23:59:59.999999Z"},
	    {253402300799999999, "9999-12-31T23:59:59.999999Z"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
		char text[CLOCK_RFC3339_SIZE];

		clock_format(times[i].wall_us, text);
		assert_string_equal(text, times[i].text);
	}
}

static void
test_clocks_follow_the_offset_file(void **state UNUSED)
{
	static const int64_t hour_us = 3600000000;
	char path[] = "clock-offset-XXXXXX";
	int64_t wall, mono, offset = 0;
	int fd;

	assert_false(clock_use_offset_file("no-such-folder/offset"));
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &offset, sizeof(offset), 0), sizeof(offset));
	assert_true(clock_use_offset_file(path));
	assert_int_equal(unlink(path), 0);
	wall = clock_wall_us();
	mono = clock_mono_us();
	offset = hour_us;
	assert_int_equal(pwrite(fd, &offset, sizeof(offset), 0), sizeof(offset));
	assert_true(clock_wall_us() - wall > hour_us / 2);
	assert_in_range(clock_mono_us() - mono, hour_us, hour_us + hour_us / 2);
	close(fd);
}

/* What a buf gives up may be a password: nothing of it stays in memory that is used again. */
static void
test_buf_wipes_what_leaves_it(void **state UNUSED)
{
	struct buf buf = {0};

	buf_add_text(&buf, "secret and more");
	buf_drop(&buf, 7);
	assert_content(&buf, "and more");
	for (size_t i = buf.len; i < 15; i++)
		assert_int_equal(buf.data[i], 0);
	buf_clear(&buf, 1000);
	assert_int_equal(buf.len, 0);
	for (size_t i = 0; i < 15; i++)
		assert_int_equal(buf.data[i], 0);
	buf_free(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_arena_memory_is_aligned_and_separate),
	    cmocka_unit_test(test_arena_zero),
	    cmocka_unit_test(test_arena_strings),
	    cmocka_unit_test(test_arena_is_usable_after_reset),
	    cmocka_unit_test(test_buf_appends),
	    cmocka_unit_test(test_buf_integers),
	    cmocka_unit_test(test_buf_keeps_its_bytes_as_it_grows),
	    cmocka_unit_test(test_buf_drop),
	    cmocka_unit_test(test_buf_clear_keeps_or_frees),
	    cmocka_unit_test(test_clock_format),
	    cmocka_unit_test(test_clocks_follow_the_offset_file),
	    cmocka_unit_test(test_buf_wipes_what_leaves_it),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
