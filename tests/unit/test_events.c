/* test_events.c - events apart from the server: ids, the elements of a row, filters, and both forms of an event. */
#include "base.h"

#include "event_items.h"
#include "events.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const char *
copy(struct arena *arena, struct slice text)
{
	return text.data ? arena_string(arena, text) : NULL;
}

static void
an_id_is_the_place_behind_its_event(void **state UNUSED)
{
	struct events_place place, again;
	char id[EVENTS_CURSOR_SIZE];

	assert_true(events_place_parse(SLICE("735-12-3"), &place));
	assert_int_equal(place.xid, 735);
	assert_int_equal(place.seq, 12);
	assert_int_equal(place.skip, 4);
	events_place_format(&place, id);
	assert_string_equal(id, "735-12-3");
	assert_true(events_place_parse(SLICE("18446744073709551614-9223372036854775806-2147483647"), &place));
	events_place_format(&place, id);
	assert_string_equal(id, "18446744073709551614-9223372036854775806-2147483647");
	assert_true(events_place_parse(slice_of(id), &again));
	assert_int_equal(events_place_compare(&place, &again), 0);
}

static void
an_end_grows_old(void **state UNUSED)
{
	const int64_t minute = 60000000, now = 1000000 * minute;
	struct events_place end = events_place_end(735, now), again;
	char id[EVENTS_CURSOR_SIZE];

	events_place_format(&end, id);
	assert_string_equal(id, "735-0-1000000");
	assert_true(events_place_parse(slice_of(id), &again));
	assert_int_equal(events_place_compare(&end, &again), 0);
	assert_false(events_place_is_stale(&again, now, 10 * minute));
	assert_false(events_place_is_stale(&again, now + 10 * minute, 10 * minute));
	assert_true(events_place_is_stale(&again, now + 11 * minute, 10 * minute));
	/* The beginning never does, and of an event the table knows. */
	assert_false(events_place_is_stale(&(struct events_place){0}, now, minute));
	assert_false(events_place_is_stale(&(struct events_place){5, 6, 1}, now, minute));
}

static void
what_is_no_id_is_refused(void **state UNUSED)
{
	static const char *const bad[] = {"",
	                                  "1",
	                                  "1-2",
	                                  "1-2-",
	                                  "-1-2-3",
	                                  "1-2-3-4",
	                                  "1-2-3 ",
	                                  " 1-2-3",
	                                  "01-2-3",
	                                  "1-02-3",
	                                  "1-2-+3",
	                                  "a-b-c",
	                                  "1--3",
	                                  "1-2--3",
	                                  "latest",
	                                  "18446744073709551615-1-1",
	                                  "18446744073709551616-1-1",
	                                  "1-9223372036854775807-1",
	                                  "1-2-2147483648"};
	struct events_place place;

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (events_place_parse(slice_of(bad[i]), &place))
			fail_msg("\"%s\" was read as a place", bad[i]);
	assert_false(events_place_parse((struct slice){"1-2-3\0", 6}, &place));
}

static void
places_have_one_order(void **state UNUSED)
{
	static const struct events_place places[] = {{0, 0, 0}, {5, 0, 0}, {5, 0, 1}, {5, 7, 0},
	                                             {5, 7, 2}, {5, 8, 0}, {6, 1, 1}, {UINT64_MAX, 0, 0}};

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
		for (size_t j = 0; j < ARRAY_LENGTH(places); j++)
			assert_int_equal(events_place_compare(&places[i], &places[j]), i < j ? -1 : i > j);
}

static void
a_row_is_taken_apart(void **state UNUSED)
{
	static const char text[] =
	    "[{\"kind\" : \"a\", \"data\" : {\"x\" : [1, {\"y\" : \"],}\"}]}}, {\"kind\" : \"b\\\\\"}, "
	    "\n {\"kind\" : \"\\\"],[\", \"subject\" : \"s\"}]";
	static const char *const kinds[] = {"a", "b\\", "\"],["};
	struct arena arena = ARENA_EMPTY;
	struct event_items items;
	struct slice one;

	event_items_begin(&items, slice_of(text));
	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		struct event_item item = {0};
		assert_true(event_items_next(&items, &one));
		assert_true(events_read_item(one, &arena, &item));
		assert_string_equal(copy(&arena, item.kind), kinds[i]);
		assert_string_equal(i == 2 ? copy(&arena, item.subject) : "s", "s");
		assert_true((i == 0) == (item.data.data != NULL));
	}
	assert_false(event_items_next(&items, &one));
	event_items_end(&items);
	arena_reset(&arena);
}

/* The events of a row, one a line. */
static void
expect_events(const char *row, const char *expected)
{
	struct event_items items;
	struct slice one;
	struct buf all = {0};

	event_items_begin(&items, slice_of(row));
	while (event_items_next(&items, &one)) {
		buf_add_slice(&all, one);
		buf_add_byte(&all, '\n');
	}
	event_items_end(&items);
	if (!slice_is(buf_slice(&all), expected))
		fail_msg("%s\nis read as\n%.*s", row, SLICE_ARG(buf_slice(&all)));
	buf_free(&all);
}

static void
a_group_is_written_out(void **state UNUSED)
{
	expect_events(
	    "[{\"kind\":\"a\"},"
	    "{\"kind\":\"b\",\"subject\":[\"s1\",\"s2\"],\"data\":{\"x\":1},\"each\":{\"y\":[\"],}\",[2]],\"z\":[1,null]}},"
	    "{\"kind\":\"c\",\"subject\":[\"s3\"],\"data\":{},\"each\":{\"y\":[3]}},"
	    "{\"kind\":\"d\",\"subject\":[\"s4\"],\"data\":{},\"each\":{}}]",
	    "{\"kind\":\"a\"}\n"
	    "{\"kind\":\"b\",\"subject\":\"s1\",\"data\":{\"x\":1,\"y\":\"],}\",\"z\":1}}\n"
	    "{\"kind\":\"b\",\"subject\":\"s2\",\"data\":{\"x\":1,\"y\":[2],\"z\":null}}\n"
	    "{\"kind\":\"c\",\"subject\":\"s3\",\"data\":{\"y\":3}}\n"
	    "{\"kind\":\"d\",\"subject\":\"s4\",\"data\":{}}\n");
}

/* A column that is too short ends its group; what only looks like a group is an event like others. */
static void
a_strange_group_does_no_harm(void **state UNUSED)
{
	expect_events("[{\"kind\":\"a\",\"subject\":[\"s\",\"t\"],\"data\":{},\"each\":{\"y\":[1]}},{\"kind\":\"b\"}]",
	              "{\"kind\":\"a\",\"subject\":\"s\",\"data\":{\"y\":1}}\n{\"kind\":\"b\"}\n");
	expect_events("[{\"kind\":\"a\",\"subject\":[],\"data\":{},\"each\":{}}]", "");
	expect_events("[{\"kind\":\"a\",\"subject\":[\"s\"],\"data\":{},\"each\":{\"y\":1}}]",
	              "{\"kind\":\"a\",\"subject\":[\"s\"],\"data\":{},\"each\":{\"y\":1}}\n");
	expect_events("[{\"kind\":\"a\",\"subject\":[\"s\"],\"data\":{},\"each\":{y:[1]}}]",
	              "{\"kind\":\"a\",\"subject\":[\"s\"],\"data\":{},\"each\":{y:[1]}}\n");
	expect_events("[{\"kind\":\"a\",\"subject\":[\"s\"],\"data\":{},\"each\":{\"a\":[1],\"b\":[1],\"c\":[1],\"d\":[1],"
	              "\"e\":[1],\"f\":[1],\"g\":[1],\"h\":[1],\"i\":[1]}}]",
	              "{\"kind\":\"a\",\"subject\":[\"s\"],\"data\":{},\"each\":{\"a\":[1],\"b\":[1],\"c\":[1],\"d\":[1],"
	              "\"e\":[1],\"f\":[1],\"g\":[1],\"h\":[1],\"i\":[1]}}\n");
	expect_events("[{\"kind\":\"a\",\"subject\":[\"s\"],\"data\":{},\"each\":{\"y\":[1]", "");
}

static void
a_row_of_nothing_or_half_a_row_ends(void **state UNUSED)
{
	static const char *const texts[] = {"", "[]", "[", "[{\"kind\" : \"a\"", "[\"a", "[\"\\"};
	struct arena arena = ARENA_EMPTY;
	struct event_item item;

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		struct event_items items;
		struct slice one;
		event_items_begin(&items, slice_of(texts[i]));
		assert_false(event_items_next(&items, &one));
		event_items_end(&items);
	}
	assert_false(events_read_item(SLICE("1"), &arena, &item));
	assert_false(events_read_item(SLICE("{\"kind\" : 1}"), &arena, &item));
	assert_false(events_read_item(SLICE("{\"subject\" : \"a\"}"), &arena, &item));
	arena_reset(&arena);
}

static void
a_row_may_be_of_any_length(void **state UNUSED)
{
	struct buf row = {0};
	struct event_items items;
	struct slice one;
	int count = 0;

	for (int i = 0; i < 50000; i++)
		buf_printf(&row, "%s{\"kind\" : \"task.reset\", \"data\" : {\"round\" : %d, \"by\" : null}}", i ? ", " : "[",
		           i);
	buf_add_byte(&row, ']');
	event_items_begin(&items, buf_slice(&row));
	while (event_items_next(&items, &one))
		count++;
	event_items_end(&items);
	assert_int_equal(count, 50000);
	buf_free(&row);
}

static void
a_filter_lets_through_what_it_names(void **state UNUSED)
{
	const struct event_item item = {.kind = SLICE("task.completed"), .subject = SLICE("t"), .workflow_id = SLICE("w")};
	const struct {
		struct slice kind, subject;
		bool wanted;
	} cases[] = {{SLICE_NONE, SLICE_NONE, true},
	             {SLICE("task.completed"), SLICE_NONE, true},
	             {SLICE("task.complete"), SLICE_NONE, false},
	             {SLICE("task.completed.more"), SLICE_NONE, false},
	             {SLICE("task.*"), SLICE_NONE, true},
	             {SLICE("task.completed*"), SLICE_NONE, true},
	             {SLICE("task.completed!*"), SLICE_NONE, false},
	             {SLICE("workflow.*"), SLICE_NONE, false},
	             {SLICE("*"), SLICE_NONE, true},
	             {SLICE_NONE, SLICE("t"), true},
	             {SLICE_NONE, SLICE("w"), true},
	             {SLICE_NONE, SLICE("x"), false},
	             {SLICE("task.*"), SLICE("x"), false},
	             {SLICE("workflow.*"), SLICE("w"), false}};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct events_filter filter = {cases[i].kind, cases[i].subject};
		if (events_wants(&filter, &item) != cases[i].wanted)
			fail_msg("case %zu", i);
	}
	assert_false(
	    events_wants(&(struct events_filter){SLICE_NONE, SLICE("w")}, &(struct event_item){.kind = SLICE("a")}));
}

static void
an_event_is_one_line_of_data(void **state UNUSED)
{
	struct event_item item = {.place = {7, 8, 1},
	                          .at = SLICE("2026-11-23 01:02:03.5+00"),
	                          .kind = SLICE("a\nb"),
	                          .subject = SLICE("s\nt"),
	                          .data = SLICE("{\"x\" :\r\n1}")};
	struct buf out = {0};

	events_write_stream(&out, &item);
	buf_add_byte(&out, '\0');
	assert_string_equal(out.data,
	                    "id: 7-8-0\nevent: a b\ndata: {\"id\":\"7-8-0\",\"at\":\"2026-11-23T01:02:03.500000Z\","
	                    "\"kind\":\"a\\nb\",\"subject\":\"s\\nt\",\"workflow_id\":null,\"data\":{\"x\" :  1}}\n\n");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(an_id_is_the_place_behind_its_event),
	                                   cmocka_unit_test(an_end_grows_old),
	                                   cmocka_unit_test(what_is_no_id_is_refused),
	                                   cmocka_unit_test(places_have_one_order),
	                                   cmocka_unit_test(a_row_is_taken_apart),
	                                   cmocka_unit_test(a_group_is_written_out),
	                                   cmocka_unit_test(a_strange_group_does_no_harm),
	                                   cmocka_unit_test(a_row_of_nothing_or_half_a_row_ends),
	                                   cmocka_unit_test(a_row_may_be_of_any_length),
	                                   cmocka_unit_test(a_filter_lets_through_what_it_names),
	                                   cmocka_unit_test(an_event_is_one_line_of_data)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
