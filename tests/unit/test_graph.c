/* test_graph.c - a workflow's graph: what is refused and why, and the rows that a good one becomes. */
#include "base.h"

#include "buf.h"
#include "graph.h"
#include "schemas.h"
#include "templates.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena = ARENA_EMPTY;
static struct graph_plan plan;
static struct field_errors errors;
static struct json whole, tasks;
static bool append; /* how compile() does it */

static int
forget(void **state UNUSED)
{
	arena_reset(&arena);
	append = false;
	return 0;
}

static void
parse(struct slice text, struct json *json_r)
{
	struct json_error error;

	if (!json_parse(&arena, text, json_r, &error))
		fail_msg("%.*s: %s", SLICE_ARG(text), error.reason);
}

/* "pointer code" of each error; "" when the graph is good: then its plan is there. */
static const char *
compile(const char *graph)
{
	struct buf out = {0};
	struct json json;
	const char *text;
	bool good;

	parse(slice_of(graph), &json);
	errors = (struct field_errors){.arena = &arena};
	good = graph_compile(&json, 0, "/tasks", append, &arena, &plan, &errors);
	assert_int_equal(good, errors.count == 0);
	if (good) {
		parse(plan.text, &whole);
		parse(json_raw(&whole, json_get(&whole, 0, "tasks")), &tasks);
	}
	for (int i = 0; i < errors.count; i++)
		buf_printf(&out, "%s%s %s", i ? ", " : "", errors.list[i].pointer, errors.list[i].code);
	text = arena_string(&arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

static int
task_at(const char *key)
{
	for (int at = json_first(&tasks, 0); at != JSON_NONE; at = json_next(&tasks, 0, at))
		if (slice_is(json_string(&tasks, json_get(&tasks, at, "key"), &arena), key))
			return at;
	fail_msg("no row of the task %s", key);
	return JSON_NONE;
}

/* The raw JSON of a member of a task's row; "" when it is not there. */
static const char *
member(const char *key, const char *name)
{
	int at = json_get(&tasks, task_at(key), name);

	return at == JSON_NONE ? "" : arena_string(&arena, json_raw(&tasks, at));
}

/* The key of the n-th task: n is its place in what was submitted. */
static const char *
key_of(const struct json *json, int n)
{
	int64_t wanted = -1, found = -1;

	if (!json_int(json, n, &wanted))
		fail_msg("not a number: %.*s", SLICE_ARG(json_raw(json, n)));
	for (int at = json_first(&tasks, 0); at != JSON_NONE; at = json_next(&tasks, 0, at)) {
		if (json_int(&tasks, json_get(&tasks, at, "n"), &found) && found == wanted)
			return arena_string(&arena, json_string(&tasks, json_get(&tasks, at, "key"), &arena));
	}
	fail_msg("no task has the number %lld", (long long)wanted);
	return NULL;
}

/* Rows of a list as "a>b a>c", with a number after a colon if there is one. A right side may be a key itself. */
static const char *
pairs(const char *list, const char *left, const char *right, const char *number)
{
	char *text = arena_string(&arena, SLICE(""));
	int rows = json_get(&whole, 0, list);

	if (rows == JSON_NONE)
		return "none";
	for (int at = json_first(&whole, rows); at != JSON_NONE; at = json_next(&whole, rows, at)) {
		int to = json_get(&whole, at, right);
		text = arena_printf(&arena, "%s%s%s>%s", text, *text ? " " : "", key_of(&whole, json_get(&whole, at, left)),
		                    json_type(&whole, to) == JSON_STRING ? arena_string(&arena, json_string(&whole, to, &arena))
		                                                         : key_of(&whole, to));
		if (number)
			text = arena_printf(&arena, "%s:%.*s", text, SLICE_ARG(json_raw(&whole, json_get(&whole, at, number))));
	}
	return text;
}

#define DEPENDENCIES pairs("dependencies", "n", "depends_on", NULL)
#define REVISIONS pairs("revisions", "gate", "n", "deps_left")
#define EXTERNAL pairs("external", "n", "key", NULL)

static void
test_single_task(void **state UNUSED)
{
	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"sena\"}]"), "");
	assert_int_equal(json_size(&tasks, 0), 1);
	assert_true(slice_is(plan.keys, "[\"a\"]"));
	assert_string_equal(member("a", "n"), "0");
	assert_string_equal(member("a", "queue"), "\"sena\"");
	assert_string_equal(member("a", "priority"), "5");
	assert_string_equal(member("a", "max_retries"), "3");
	assert_string_equal(member("a", "input_data"), "null");
	assert_string_equal(member("a", "timeout_s"), "null");
	assert_string_equal(member("a", "deps_left"), "0");
	assert_string_equal(member("a", "is_sink"), "true");
	assert_string_equal(member("a", "max_rounds"), "");
	assert_string_equal(member("a", "retry_backoff"), "\"exponential\"");
	assert_string_equal(member("a", "retry_base_ms"), "1000");
	assert_string_equal(member("a", "retry_max_ms"), "60000");
	assert_string_equal(member("a", "retry_jitter"), "true");
	assert_string_equal(member("a", "approval"), "false");
	assert_string_equal(member("a", "condition"), "null");
	assert_string_equal(member("a", "lease_own_ms"), "null");
	assert_string_equal(member("a", "unique_key"), "null");
	assert_string_equal(member("a", "concurrency_key"), "null");
	assert_string_equal(member("a", "requires"), "null");
	assert_string_equal(DEPENDENCIES, "");
	assert_string_equal(REVISIONS, "");
	assert_string_equal(EXTERNAL, "none");
}

static void
test_fields_are_handed_through(void **state UNUSED)
{
	assert_string_equal(
	    compile(
	        "[{\"key\":\"\\u00e9 \\\"x\\\"\",\"agent_id\":\"smith\",\"description\":\"d\",\"input_data\":{\"n\": 1.50},"
	        "\"priority\":9,\"max_retries\":0,\"timeout_s\":7,\"run_at\":\"2026-11-23T01:02:03Z\",\"labels\":{\"a\":"
	        "\"b\"},"
	        "\"retry\":{\"backoff\":\"fixed\",\"base_s\":0.25,\"max_s\":9,\"jitter\":false},\"lease_s\":1.5,"
	        "\"unique_key\":\"u\",\"concurrency_key\":\"c\",\"requires\":[\"gpu\",\"de\"]}]"),
	    "");
	assert_string_equal(member("\xc3\xa9 \"x\"", "queue"), "\"@smith\"");
	assert_string_equal(member("\xc3\xa9 \"x\"", "agent_id"), "\"smith\"");
	assert_string_equal(member("\xc3\xa9 \"x\"", "role"), "null");
	assert_string_equal(member("\xc3\xa9 \"x\"", "input_data"), "{\"n\": 1.50}");
	assert_string_equal(member("\xc3\xa9 \"x\"", "priority"), "9");
	assert_string_equal(member("\xc3\xa9 \"x\"", "max_retries"), "0");
	assert_string_equal(member("\xc3\xa9 \"x\"", "timeout_s"), "7");
	assert_string_equal(member("\xc3\xa9 \"x\"", "run_at"), "\"2026-11-23T01:02:03Z\"");
	assert_string_equal(member("\xc3\xa9 \"x\"", "labels"), "{\"a\":\"b\"}");
	assert_string_equal(member("\xc3\xa9 \"x\"", "retry_backoff"), "\"fixed\"");
	assert_string_equal(member("\xc3\xa9 \"x\"", "retry_base_ms"), "250");
	assert_string_equal(member("\xc3\xa9 \"x\"", "retry_max_ms"), "9000");
	assert_string_equal(member("\xc3\xa9 \"x\"", "retry_jitter"), "false");
	assert_string_equal(member("\xc3\xa9 \"x\"", "lease_own_ms"), "1500");
	assert_string_equal(member("\xc3\xa9 \"x\"", "unique_key"), "\"u\"");
	assert_string_equal(member("\xc3\xa9 \"x\"", "concurrency_key"), "\"c\"");
	assert_string_equal(member("\xc3\xa9 \"x\"", "requires"), "[\"gpu\",\"de\"]");
}

static void
test_diamond(void **state UNUSED)
{
	/* Not in topological order, and with a dependency named twice. */
	assert_string_equal(
	    compile("[{\"key\":\"d\",\"role\":\"r\",\"depends_on\":[\"b\",\"c\",\"b\"]},"
	            "{\"key\":\"b\",\"role\":\"r\",\"depends_on\":[\"a\"]},"
	            "{\"key\":\"c\",\"role\":\"r\",\"depends_on\":[\"a\"]},{\"key\":\"a\",\"role\":\"r\"}]"),
	    "");
	assert_string_equal(DEPENDENCIES, "d>b d>c b>a c>a");
	assert_string_equal(member("d", "deps_left"), "2");
	assert_string_equal(member("b", "deps_left"), "1");
	assert_string_equal(member("a", "deps_left"), "0");
	assert_string_equal(member("d", "is_sink"), "true");
	assert_string_equal(member("b", "is_sink"), "false");
	assert_string_equal(member("a", "is_sink"), "false");
}

static void
test_keys(void **state UNUSED)
{
	assert_string_equal(
	    compile("[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"b\",\"role\":\"r\"},{\"key\":\"a\",\"role\":\"r\"},"
	            "{\"key\":\"\\u0062\",\"role\":\"r\"}]"),
	    "/tasks/2/key duplicate_key, /tasks/3/key duplicate_key");
	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"A\",\"role\":\"r\"}]"), "");
	assert_string_equal(compile("[{\"key\":\"a\"}]"), "/tasks/0/role required");
}

static void
test_unknown_dependencies(void **state UNUSED)
{
	assert_string_equal(
	    compile("[{\"key\":\"a\",\"role\":\"r\",\"depends_on\":[\"b\",\"z\"]},{\"key\":\"b\",\"role\":\"r\"},"
	            "{\"key\":\"c\",\"depends_on\":[\"y\"]}]"),
	    "/tasks/0/depends_on unknown_key, /tasks/2/depends_on unknown_key, /tasks/2/role required");
	assert_non_null(strstr(errors.list[0].detail, "z"));
}

static void
test_cycles(void **state UNUSED)
{
	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"r\",\"depends_on\":[\"a\"]}]"),
	                    "/tasks/0/depends_on cycle");
	assert_string_equal(
	    compile("[{\"key\":\"s\",\"role\":\"r\"},{\"key\":\"a\",\"role\":\"r\",\"depends_on\":[\"c\",\"s\"]},"
	            "{\"key\":\"b\",\"role\":\"r\",\"depends_on\":[\"a\"]},"
	            "{\"key\":\"c\",\"role\":\"r\",\"depends_on\":[\"b\"]}]"),
	    "/tasks/1/depends_on cycle, /tasks/2/depends_on cycle, /tasks/3/depends_on cycle");
}

static void
test_gate_segment(void **state UNUSED)
{
	/* before -> a -> b -> g; side hangs on a, after on g: neither runs again. */
	assert_string_equal(
	    compile("[{\"key\":\"before\",\"role\":\"r\"},{\"key\":\"a\",\"role\":\"r\",\"depends_on\":[\"before\"]},"
	            "{\"key\":\"b\",\"role\":\"r\",\"depends_on\":[\"a\",\"before\"]},"
	            "{\"key\":\"g\",\"role\":\"r\",\"depends_on\":[\"b\",\"a\",\"before\"],\"gate\":{\"on_revision\":\"a\","
	            "\"max_rounds\":2}},"
	            "{\"key\":\"side\",\"role\":\"r\",\"depends_on\":[\"a\"]},"
	            "{\"key\":\"after\",\"role\":\"r\",\"depends_on\":[\"g\"]}]"),
	    "");
	/* What runs again waits for what runs again, not for what came before the segment. */
	assert_string_equal(REVISIONS, "g>a:0 g>b:1 g>g:2");
	assert_string_equal(member("g", "gate_deps"), "2");
	assert_string_equal(member("g", "max_rounds"), "2");
	assert_string_equal(member("g", "deps_left"), "3");
	assert_string_equal(member("a", "max_rounds"), "");
	assert_string_equal(member("side", "is_sink"), "true");
	assert_string_equal(member("after", "is_sink"), "true");
	assert_string_equal(member("g", "is_sink"), "false");
}

static void
test_gates_in_other_forms(void **state UNUSED)
{
	assert_string_equal(
	    compile("[{\"key\":\"a\",\"role\":\"r\"},"
	            "{\"key\":\"g\",\"role\":\"r\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"a\"}}]"),
	    "");
	assert_string_equal(member("g", "max_rounds"), "3");
	/* With nobody to send it back to, one round is all. */
	assert_string_equal(
	    compile(
	        "[{\"key\":\"g\",\"role\":\"r\",\"gate\":{}},{\"key\":\"h\",\"role\":\"r\",\"gate\":{\"max_rounds\":7}},"
	        "{\"key\":\"i\",\"role\":\"r\",\"gate\":null}]"),
	    "");
	assert_string_equal(member("g", "max_rounds"), "1");
	assert_string_equal(member("h", "max_rounds"), "1");
	assert_string_equal(member("i", "max_rounds"), "");
	assert_string_equal(REVISIONS, "");
}

static void
test_gate_sends_back_only_what_it_depends_on(void **state UNUSED)
{
	assert_string_equal(
	    compile("[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"b\",\"role\":\"r\"},"
	            "{\"key\":\"g\",\"role\":\"r\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"b\"}},"
	            "{\"key\":\"h\",\"role\":\"r\",\"depends_on\":[\"a\"],\"gate\":{\"on_revision\":\"h\"}},"
	            "{\"key\":\"i\",\"role\":\"r\",\"gate\":{\"on_revision\":\"g\"}}]"),
	    "/tasks/2/gate/on_revision not_a_dependency, /tasks/3/gate/on_revision not_a_dependency, "
	    "/tasks/4/gate/on_revision not_a_dependency");
	assert_string_equal(compile("[{\"key\":\"g\",\"role\":\"r\",\"gate\":{\"on_revision\":\"z\"}}]"),
	                    "/tasks/0/gate/on_revision unknown_key");
}

static void
test_conditions(void **state UNUSED)
{
	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"b\",\"role\":\"r\",\"depends_on\":[\"a\"],"
	                            "\"condition\":{\"task\":\"a\",\"path\":\"/n\",\"op\":\"gt\",\"value\": 1.50}},"
	                            "{\"key\":\"c\",\"role\":\"r\",\"condition\":null}]"),
	                    "");
	/* As it was sent: it is judged later, on what the text says. */
	assert_string_equal(member("b", "condition"), "{\"task\":\"a\",\"path\":\"/n\",\"op\":\"gt\",\"value\": 1.50}");
	assert_string_equal(member("a", "condition"), "null");
	assert_string_equal(member("c", "condition"), "null");
}

/* A condition looks at dependencies only, and says where it does not. */
static void
test_conditions_that_are_refused(void **state UNUSED)
{
	assert_string_equal(
	    compile(
	        "[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"b\",\"role\":\"r\"},"
	        "{\"key\":\"c\",\"role\":\"r\",\"depends_on\":[\"b\"],"
	        "\"condition\":{\"any\":[{\"task\":\"b\",\"op\":\"exists\"},{\"not\":{\"task\":\"a\",\"op\":\"exists\"}}]}}"
	        ","
	        "{\"key\":\"d\",\"role\":\"r\",\"condition\":{\"task\":\"z\",\"op\":\"exists\"}},"
	        "{\"key\":\"e\",\"role\":\"r\",\"depends_on\":[\"a\"],\"condition\":{\"task\":\"e\",\"op\":\"exists\"}}]"),
	    "/tasks/2/condition/any/1/not/task not_a_dependency, /tasks/3/condition/task not_a_dependency, "
	    "/tasks/4/condition/task not_a_dependency");
	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"b\",\"role\":\"r\",\"depends_on\":[\"a\"],"
	                            "\"condition\":{\"task\":\"a\",\"op\":\"like\",\"value\":1}}]"),
	                    "/tasks/1/condition/op not_a_choice");
	assert_non_null(strstr(errors.list[0].detail, "eq"));
}

static void
test_approval(void **state UNUSED)
{
	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"g\",\"depends_on\":[\"a\"],"
	                            "\"gate\":{\"approval\":true,\"on_revision\":\"a\",\"max_rounds\":2}},"
	                            "{\"key\":\"h\",\"gate\":{\"approval\":true}},"
	                            "{\"key\":\"i\",\"role\":\"r\",\"gate\":{\"approval\":false}}]"),
	                    "");
	assert_string_equal(member("g", "approval"), "true");
	assert_string_equal(member("g", "queue"), "\"\""); /* nobody's: no agent may get it */
	assert_string_equal(member("g", "role"), "null");
	assert_string_equal(member("g", "max_rounds"), "2");
	assert_string_equal(REVISIONS, "g>a:0 g>g:1");
	assert_string_equal(member("h", "max_rounds"), "1");
	assert_string_equal(member("i", "approval"), "false");
	assert_string_equal(member("i", "queue"), "\"r\"");
	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"r\",\"gate\":{\"approval\":true}},"
	                            "{\"key\":\"b\",\"agent_id\":\"smith\",\"gate\":{\"approval\":true}},"
	                            "{\"key\":\"c\",\"gate\":{}}]"),
	                    "/tasks/0/gate/approval conflict, /tasks/1/gate/approval conflict, /tasks/2/role required");
}

/* Appended tasks may wait for what is there already: by key, as their numbers are not known. */
static void
test_append(void **state UNUSED)
{
	append = true;
	assert_string_equal(
	    compile("[{\"key\":\"x\",\"role\":\"r\",\"depends_on\":[\"old\",\"y\",\"old\"],"
	            "\"condition\":{\"task\":\"old\",\"op\":\"exists\"}},"
	            "{\"key\":\"y\",\"role\":\"r\",\"depends_on\":[\"older\"]},{\"key\":\"z\",\"role\":\"r\"}]"),
	    "");
	assert_string_equal(DEPENDENCIES, "x>y");
	assert_string_equal(EXTERNAL, "x>old y>older");
	assert_true(slice_is(plan.keys, "[\"x\",\"y\",\"z\"]"));
	assert_string_equal(member("x", "deps_left"), "1"); /* what is there already is counted by SQL */
	assert_string_equal(member("y", "is_sink"), "false");
	assert_string_equal(compile("[{\"key\":\"x\",\"role\":\"r\",\"depends_on\":[\"y\"]},"
	                            "{\"key\":\"y\",\"role\":\"r\",\"depends_on\":[\"x\",\"old\"]}]"),
	                    "/tasks/0/depends_on cycle, /tasks/1/depends_on cycle");
	/* A gate runs only its own part again. */
	assert_string_equal(
	    compile("[{\"key\":\"x\",\"role\":\"r\",\"depends_on\":[\"old\"],\"gate\":{\"on_revision\":\"old\"}}]"),
	    "/tasks/0/gate/on_revision unknown_key");
	assert_string_equal(compile("[{\"key\":\"z\",\"role\":\"r\"}]"), "");
	assert_string_equal(EXTERNAL, "");
}

/* A gate in another's way runs again with the rest, and keeps its own segment. */
static void
test_gate_inside_a_segment(void **state UNUSED)
{
	assert_string_equal(
	    compile("[{\"key\":\"a\",\"role\":\"r\"},{\"key\":\"b\",\"role\":\"r\",\"depends_on\":[\"a\"]},"
	            "{\"key\":\"g\",\"role\":\"r\",\"depends_on\":[\"b\"],\"gate\":{\"on_revision\":\"b\"}},"
	            "{\"key\":\"h\",\"role\":\"r\",\"depends_on\":[\"g\"],\"gate\":{\"on_revision\":\"a\"}}]"),
	    "");
	assert_string_equal(REVISIONS, "g>b:0 g>g:1 h>a:0 h>b:1 h>g:1 h>h:1");
}

/* How often a text stands in the plan. */
static int
count(const char *needle)
{
	int found = 0;

	for (const char *at = plan.text.data; (at = strstr(at, needle)); at += strlen(needle))
		found++;
	return found;
}

/* As many tasks as a workflow may have, each behind the `width` before it, with a gate at the end of all. */
static struct slice
large_graph(int width)
{
	struct buf graph = {0};
	struct slice text;

	buf_add_byte(&graph, '[');
	for (int i = 0; i < GRAPH_TASKS_MAX; i++) {
		buf_printf(&graph, "%s{\"key\":\"%d\",\"role\":\"r\",\"depends_on\":[", i ? "," : "", i);
		for (int d = MAX(0, i - width); d < i; d++)
			buf_printf(&graph, "%s\"%d\"", d > MAX(0, i - width) ? "," : "", d);
		buf_printf(&graph, "]%s}", i == GRAPH_TASKS_MAX - 1 ? ",\"gate\":{\"on_revision\":\"0\"}" : "");
	}
	buf_add_byte(&graph, ']');
	text = (struct slice){arena_string(&arena, buf_slice(&graph)), graph.len};
	buf_free(&graph);
	return text;
}

/* The plan is longer than what a request may be: it is only counted. */
static void
test_large_graph(void **state UNUSED)
{
	struct json json;

	parse(large_graph(30), &json);
	errors = (struct field_errors){.arena = &arena};
	assert_true(graph_compile(&json, 0, "/tasks", false, &arena, &plan, &errors));
	assert_int_equal(count("\"key\":"), GRAPH_TASKS_MAX);
	assert_int_equal(count("\"depends_on\":"), 29 * 30 / 2 + (GRAPH_TASKS_MAX - 30) * 30);
	assert_int_equal(count("\"gate\":"), GRAPH_TASKS_MAX);
	assert_int_equal(count("\"gate_deps\":30"), 1);
}

static void
test_too_many_dependencies(void **state UNUSED)
{
	struct json json;

	parse(large_graph(60), &json);
	errors = (struct field_errors){.arena = &arena};
	assert_false(graph_compile(&json, 0, "/tasks", false, &arena, &plan, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].code, "too_many");
	assert_string_equal(errors.list[0].pointer, "/tasks");
}

static void
test_review_compiles(void **state UNUSED)
{
	struct slice review = templates_find(SLICE("review"));

	assert_non_null(review.data);
	assert_null(templates_find(SLICE("revie")).data);
	assert_null(templates_find(SLICE("")).data);
	assert_string_equal(compile(review.data), "");
	assert_string_equal(member("analyst", "queue"), "\"sena\"");
	assert_string_equal(member("gatekeeper", "queue"), "\"lubit\"");
	assert_string_equal(member("executor", "queue"), "\"gitcode\"");
	assert_string_equal(member("reviewer", "queue"), "\"rune\"");
	assert_string_equal(member("gatekeeper", "max_rounds"), "3");
	assert_string_equal(REVISIONS, "gatekeeper>analyst:0 gatekeeper>gatekeeper:1");
	assert_string_equal(member("reviewer", "is_sink"), "true");
	assert_string_equal(member("executor", "is_sink"), "false");
}

/* What is built in obeys the fields that others must obey. */
static void
test_review_passes_the_fields(void **state UNUSED)
{
	static const struct field body[] = {{.name = "tasks", .type = FIELD_ARRAY, .fields = fields_graph_task, .min = 1},
	                                    {0}};
	struct field_value values[FIELD_COUNT_MAX];
	struct json json;

	parse(slice_of(arena_printf(&arena, "{\"tasks\":%s}", templates_find(SLICE("review")).data)), &json);
	errors = (struct field_errors){.arena = &arena};
	if (!field_check_object(body, &json, 0, false, "", values, &errors))
		fail_msg("%s %s", errors.list[0].pointer, errors.list[0].detail);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_single_task),
	    TEST(test_fields_are_handed_through),
	    TEST(test_diamond),
	    TEST(test_keys),
	    TEST(test_unknown_dependencies),
	    TEST(test_cycles),
	    TEST(test_gate_segment),
	    TEST(test_gates_in_other_forms),
	    TEST(test_gate_sends_back_only_what_it_depends_on),
	    TEST(test_conditions),
	    TEST(test_conditions_that_are_refused),
	    TEST(test_approval),
	    TEST(test_append),
	    TEST(test_gate_inside_a_segment),
	    TEST(test_large_graph),
	    TEST(test_too_many_dependencies),
	    TEST(test_review_compiles),
	    TEST(test_review_passes_the_fields),
	};

	return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
