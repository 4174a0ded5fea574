/*
 * test_scenario_parse.c - the language of scenario files: words, forms, conditions, and what a wrong script is told.
 *
 * The parser is used with the real table of statements, so this program is linked with the whole driver.
 */
#include "base.h"

#include "scenario_parse.h"
#include "scenario_run.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena;
static struct failure failure;

static int
clean_up(UNUSED void **state)
{
	arena_reset(&arena);
	return 0;
}

static struct statement *
parse(const char *text)
{
	struct statement *first = NULL;

	failure = (struct failure){0};
	if (!scenario_parse(&arena, slice_of(text), &first, &failure))
		fail_msg("line %d: %s", failure.line, failure.text);
	return first;
}

/* text is refused at the line, and the message says so. */
static void
assert_refused(const char *text, int line, const char *says)
{
	struct statement *first;

	failure = (struct failure){0};
	assert_false(scenario_parse(&arena, slice_of(text), &first, &failure));
	if (!strstr(failure.text, says))
		fail_msg("\"%s\" does not say \"%s\"", failure.text, says);
	assert_int_equal(failure.line, line);
}

static struct slice
value_with(const struct text *text, const struct variables *variables)
{
	struct slice value;

	assert_true(text_value(text, variables, &arena, &value, &failure));
	return value;
}

static void
assert_value(const struct text *text, const char *bytes, size_t size)
{
	struct variables none = {.arena = &arena};
	struct slice value = value_with(text, &none);

	assert_int_equal(value.len, size);
	assert_memory_equal(value.data, bytes, size);
}

static void
test_words(UNUSED void **state)
{
	static const char bytes[] = "a\r\n\t\0\xff\"\\$B'c d";

	assert_value(parse("raw \"a\\r\\n\\t\\0\\xfF\\\"\\\\\\$B\"\"'c d\"")->texts[0], bytes, sizeof(bytes) - 1);
	assert_value(parse("raw 'a\\n\"$B'")->texts[0], "a\\n\"$B", 6);
	assert_value(parse("raw \"<\"repeat(\"ab\",3)'>'")->texts[0], "<ababab>", 8);
	assert_value(parse("raw \"a\"\\\n\t\"b\"\\\n  'c'")->texts[0], "abc", 3);
	assert_value(parse("raw a$b$.c$1 # note")->texts[0], "a$b$.c$1", 8);
}

static void
test_variables(UNUSED void **state)
{
	struct variables variables = {.arena = &arena};
	struct statement *statement = parse("POST /tasks/$ID?x=${ID}9 {\"id\": \"$ID\", \"n\": $N, \"ref\": \"$ref\"}");

	variables_set(&variables, "ID", SLICE("first"));
	variables_set(&variables, "N", SLICE("[1]"));
	variables_set(&variables, "ID", SLICE("a\"b"));
	assert_string_equal(value_with(statement->texts[0], &variables).data, "/tasks/a\"b?x=a\"b9");
	assert_string_equal(value_with(statement->body, &variables).data,
	                    "{\"id\": \"a\\\"b\", \"n\": [1], \"ref\": \"$ref\"}");
}

static void
test_unset_variable(UNUSED void **state)
{
	struct variables none = {.arena = &arena};
	struct slice value;

	assert_false(text_value(parse("raw \"$GONE\"")->texts[0], &none, &arena, &value, &failure));
	assert_non_null(strstr(failure.text, "$GONE is not set"));
}

static void
test_request(UNUSED void **state)
{
	struct statement *statement = parse("# head\n\n"
	                                    "POST /tasks {\n  \"a\": \"}\",  \"b\": [1,\n2]}  -> 200|201 closed  # end\n"
	                                    "  header X-One: two words, \"three\"  # not this\n"
	                                    "  no-header Authorization\n"
	                                    "\n  # a comment between\n"
	                                    "  expect $.a[0] >= 3\n"
	                                    "  let A = header Content-Type\n"
	                                    "GET //livez $.status == \"ok\"\n");
	const struct statement *child = statement->children;

	assert_int_equal(statement->line, 3);
	assert_string_equal(statement->kind->name, "POST");
	assert_int_equal(statement->expected.answers, 1);
	assert_int_equal(statement->expected.choices[0][0], 200);
	assert_int_equal(statement->expected.choices[0][1], 201);
	assert_true(statement->expected.closed);
	assert_string_equal(child->name, "X-One");
	assert_value(child->texts[0], "two words, \"three\"", 18);
	child = child->next;
	assert_string_equal(child->kind->name, "no-header");
	child = child->next;
	assert_int_equal(child->line, 10);
	assert_int_equal(child->condition->compare, COMPARE_AT_LEAST);
	assert_int_equal(child->condition->as, COMPARE_AS_JSON);
	child = child->next;
	assert_string_equal(child->name, "A");
	assert_int_equal(child->condition->subject, SUBJECT_HEADER);
	assert_null(child->next);
	assert_int_equal(statement->next->condition->as, COMPARE_AS_STRING);
	assert_false(statement->next->expected.given);
	assert_null(statement->next->next);
}

static void
test_raw_answers(UNUSED void **state)
{
	struct statement *statement = parse("raw \"x\" eof -> \"HTTP/1.1 200\" 200 404 closed\nraw \"x\" -> closed");

	assert_true(statement->eof);
	assert_value(statement->expected.begins, "HTTP/1.1 200", 12);
	assert_int_equal(statement->expected.answers, 2);
	assert_int_equal(statement->expected.choices[1][0], 404);
	assert_true(statement->expected.closed);
	assert_int_equal(statement->next->expected.answers, 0);
	assert_true(statement->next->expected.closed);
}

static void
test_wrapped(UNUSED void **state)
{
	struct statement *statement = parse("until 1500ms POST /tasks/lease {\"max\": 1} $.tasks.length == 1\n"
	                                    "\tlet E = $.tasks[0].epoch\n"
	                                    "background one GET /agents/a/inbox?wait_s=60\n"
	                                    "\theader A: b\n"
	                                    "join one -> 200\n"
	                                    "\texpect $.items absent\n");

	assert_int_equal(statement->duration_us, 1500000);
	assert_string_equal(statement->inner->kind->name, "POST");
	assert_non_null(statement->inner->condition);
	assert_string_equal(statement->inner->children->name, "E");
	assert_null(statement->children);
	statement = statement->next;
	assert_string_equal(statement->name, "one");
	assert_string_equal(statement->inner->children->name, "A");
	assert_int_equal(statement->next->children->condition->compare, COMPARE_ABSENT);
}

static void
test_others(UNUSED void **state)
{
	struct statement *statement = parse("kill worker 12 -9\nkill keeper -HUP\nkill master\nadvance 2h\n"
	                                    "run agentctl task list -o json \"a b\" -> 3\nsql \"SELECT 1\" == \"1\"\n"
	                                    "expect-start-fails 78 'AGENTD_PORT'\nas key $KEY");

	assert_string_equal(statement->name, "worker 12");
	assert_int_equal(statement->signal, 9);
	statement = statement->next;
	assert_int_equal(statement->signal, 1);
	statement = statement->next;
	assert_int_equal(statement->signal, 0);
	statement = statement->next;
	assert_int_equal(statement->duration_us, 7200 * 1000000LL);
	statement = statement->next;
	assert_int_equal(statement->text_count, 5);
	assert_value(statement->texts[4], "a b", 3);
	assert_int_equal(statement->code, 3);
	statement = statement->next;
	assert_int_equal(statement->condition->as, COMPARE_AS_TEXT);
	statement = statement->next;
	assert_int_equal(statement->code, 78);
	assert_string_equal(statement->next->name, "key");
}

static void
test_refusals(UNUSED void **state)
{
	assert_refused("", 1, "no statement");
	assert_refused("start\n\nfetch /x", 3, "`fetch` is not a statement; there are: set");
	assert_refused("kill worker", 1, "the number of the worker");
	assert_refused("kill nobody", 1,
	               "expected a process: worker N, keeper or master, saw nobody; the form is: kill PROCESS");
	assert_refused("advance 10", 1, "a duration such as");
	assert_refused("GET tasks", 1, "begins with /");
	assert_refused("GET /tasks 200", 1, "expected nothing more, saw 200; the form is: GET PATH");
	assert_refused("GET /tasks -> ok", 1, "after -> come");
	assert_refused("start\nPOST /tasks {\"a\": [1}\nstop", 2, "never closed");
	assert_refused("raw \"abc", 1, "no closing \"");
	assert_refused("raw \"\\q\"", 1, "\\q is not an escape");
	assert_refused("raw repeat(\"a\")", 1, "a count from 1");
	assert_refused("GET /x $.a is 3", 1, "after the subject comes ==");
	assert_refused("GET /x $.a == pending", 1, "a string must be in quotes");
	assert_refused("GET /x $.a ~ \"(\"", 1, "regular expression");
	assert_refused("GET /x $.a. == 1", 1, "a step without a name");
	assert_refused("run agentctl x -> zero", 1, "the exit status");
	assert_refused("let a = $.x", 1, "expected a variable's name");
}

static void
test_misplaced(UNUSED void **state)
{
	assert_refused("GET /x\nexpect $.a exists", 2, "must be indented");
	assert_refused("start\n  GET /x", 2, "must not be indented");
	assert_refused("  expect $.a exists", 1, "no statement above");
	assert_refused("start\n  expect $.a exists", 2, "cannot be about the `start` of line 1");
	assert_refused("join a\n  header A: b", 2, "cannot be about the `join`");
	assert_refused("background a GET /x -> 200", 1, "written at its `join`");
	assert_refused("background a GET /x\n  expect $.a exists", 2, "cannot be about");
	assert_refused("background a start", 1, "comes a request");
	assert_refused("until 5s start", 1, "only looks");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_words, clean_up),          cmocka_unit_test_teardown(test_variables, clean_up),
	    cmocka_unit_test_teardown(test_unset_variable, clean_up), cmocka_unit_test_teardown(test_request, clean_up),
	    cmocka_unit_test_teardown(test_raw_answers, clean_up),    cmocka_unit_test_teardown(test_wrapped, clean_up),
	    cmocka_unit_test_teardown(test_others, clean_up),         cmocka_unit_test_teardown(test_refusals, clean_up),
	    cmocka_unit_test_teardown(test_misplaced, clean_up),
	};

	return cmocka_run_group_tests_name("scenario_parse", tests, NULL, NULL);
}
