/* test_trace.c - W3C Trace Context: what is taken, what is refused, what goes out, and bytes at random. */
#include "base.h"

#include "trace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static bool
is_taken(const char *text)
{
	struct trace trace;

	return trace_parse(slice_of(text), &trace);
}

static void
test_good_one(UNUSED void **state)
{
	static const uint8_t parent[] = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7};
	char text[TRACE_PARENT_TEXT + 1], id[TRACE_ID_TEXT + 1];
	struct trace trace;

	assert_true(trace_parse(SLICE(GOOD), &trace));
	assert_true(trace.present && trace.sampled);
	assert_memory_equal(trace.parent, parent, sizeof(parent));
	assert_memory_not_equal(trace.span, parent, sizeof(parent));
	trace_id_write(&trace, id);
	assert_string_equal(id, "4bf92f3577b34da6a3ce929d0e0e4736");
	assert_int_equal(trace_write(&trace, trace.parent, text).len, TRACE_PARENT_TEXT);
	assert_string_equal(text, GOOD);
	assert_true(trace_parse(SLICE("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe"), &trace));
	assert_false(trace.sampled);
	trace_write(&trace, trace.parent, text);
	assert_string_equal(text + 52, "-00");
}

static void
test_versions(UNUSED void **state)
{
	assert_true(is_taken("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
	assert_true(is_taken("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings"));
	assert_false(is_taken("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what-the-future-brings"));
	assert_false(is_taken("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
	assert_false(is_taken(GOOD "-"));
	assert_false(is_taken(GOOD "-01"));
}

static void
test_refused(UNUSED void **state)
{
	static const char *const bad[] = {
	    "",
	    "00",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
	    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
	    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
	    "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01-",
	    "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	    "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
	    " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	    "00-4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7-01",
	};
	struct trace trace;

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (is_taken(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_false(trace_parse(SLICE_NONE, &trace));
	assert_false(trace.present || trace.sampled);
}

static void
test_begun_here(UNUSED void **state)
{
	static const uint8_t none[TRACE_SPAN_SIZE];
	char text[TRACE_PARENT_TEXT + 1];
	int sampled = 0;

	for (int i = 0; i < 2000; i++) {
		struct trace trace, read;

		trace_begin(&trace, 0.1);
		assert_true(trace.present);
		assert_memory_equal(trace.parent, none, sizeof(none));
		sampled += trace.sampled;
		assert_true(trace_parse(trace_write(&trace, trace.span, text), &read));
		assert_memory_equal(read.id, trace.id, TRACE_ID_SIZE);
		assert_memory_equal(read.parent, trace.span, TRACE_SPAN_SIZE);
		assert_int_equal(read.sampled, trace.sampled);
	}
	/* 200 expected, 13 the standard deviation. */
	assert_in_range(sampled, 110, 290);
	for (int i = 0; i < 100; i++) {
		struct trace all, nothing;

		trace_begin(&all, 1);
		trace_begin(&nothing, 0);
		assert_true(all.sampled && !nothing.sampled);
	}
}

static void
test_states(UNUSED void **state)
{
	static const char *const good[] = {"rojo=00f067aa0ba902b7",
	                                   "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
	                                   "fw529a3039@dt=FfT8H4",
	                                   " a=b ,\t c=d\t",
	                                   "a=b,,c=d",
	                                   "0a=b c",
	                                   "a_-*/=!~"};
	static const char *const bad[] = {"",        ",",      "a",       "=b",   "a=",   "A=b",     "a=b,a=c", "a=b=c",
	                                  "a=b\x01", "a=\x7f", "a=b\xc3", "@a=b", "a@=b", "a@b@c=d", "-a=b",    "a b=c"};
	char most[5 * 33 + 1] = "";
	char longest[TRACE_STATE_MAX + 2];

	for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
		if (!trace_state_is_valid(slice_of(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (trace_state_is_valid(slice_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
	for (int i = 0; i < 33; i++)
		snprintf(most + 5 * (size_t)i, 6, "%c%c=b,", 'a' + i / 26, 'a' + i % 26);
	assert_false(trace_state_is_valid((struct slice){most, 5 * 33 - 1}));
	assert_true(trace_state_is_valid((struct slice){most, 5 * 32 - 1}));
	memset(longest, ',', sizeof(longest));
	memcpy(longest, "a=b", 3);
	assert_true(trace_state_is_valid((struct slice){longest, TRACE_STATE_MAX}));
	assert_false(trace_state_is_valid((struct slice){longest, TRACE_STATE_MAX + 1}));
}

static void
test_mark(UNUSED void **state)
{
	char id[] = "01a20805-9679-7527-a756-8563a024ed8a", odd[] = "01a20805-9679-7527-a756-8563a02fed8a";

	trace_mark(id, true);
	assert_string_equal(id, "01a20805-9679-7527-a756-8563a025ed8a");
	trace_mark(id, true);
	assert_string_equal(id, "01a20805-9679-7527-a756-8563a025ed8a");
	trace_mark(id, false);
	assert_string_equal(id, "01a20805-9679-7527-a756-8563a024ed8a");
	trace_mark(odd, false);
	assert_string_equal(odd, "01a20805-9679-7527-a756-8563a02eed8a");
}

/* Whatever is read reads back as itself; a byte beyond the end is never looked at (ASAN sees it). */
static void
test_random_bytes(UNUSED void **state)
{
	uint32_t random = 4711;

	for (int round = 0; round < 200000; round++) {
		size_t length = round % 3 ? TRACE_PARENT_TEXT : (size_t)round % 70;
		char *text = mem_alloc(length + 1), written[TRACE_PARENT_TEXT + 1];
		struct trace trace;

		for (size_t i = 0; i < length; i++) {
			random = random * 1664525u + 1013904223u;
			text[i] = i < TRACE_PARENT_TEXT ? GOOD[i] : '-';
			if (random >> 24 < 8)
				text[i] = round % 2 ? "0123456789abcdefABCDEF-"[(random >> 8) % 23] : (char)(random >> 8);
		}
		text = mem_grow(text, length ? length : 1);
		if (trace_parse((struct slice){text, length}, &trace)) {
			trace_write(&trace, trace.parent, written);
			assert_memory_equal(written + 3, text + 3, 50);
		}
		(void)!trace_state_is_valid((struct slice){text, length});
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_one),   cmocka_unit_test(test_versions), cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_begun_here), cmocka_unit_test(test_states),   cmocka_unit_test(test_random_bytes),
	    cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
