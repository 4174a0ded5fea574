/* test_graph.c - a workflow's graph: what is refused and why, and the rows that a good one becomes. */
#include "base.h"

#include "buf.h"
#include "graph.h"
#include "schemas.h"
#include "templates.h"
#include "uuid.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena = ARENA_EMPTY;
static struct graph_rows rows;
static struct field_errors errors;
static struct json tasks, dependencies, revisions;

static int
forget(void **state UNUSED)
{
	arena_reset(&arena);
	return 0;
}

static void
parse(struct slice text, struct json *json_r)
{
	struct json_error error;

	if (!json_parse(&arena, text, json_r, &error))
		fail_msg("%.*s: %s", SLICE_ARG(text), error.reason);
}

/* "pointer code" of each error; "" when the graph is good: then tasks, dependencies and revisions are there. */
static const char *
compile(const char *graph)
{
	struct buf out = {0};
	struct json json;
	const char *text;
	bool good;

	parse(slice_of(graph), &json);
	errors = (struct field_errors){.arena = &arena};
	good = graph_compile(&json, 0, "/tasks", &arena, &rows, &errors);
	assert_int_equal(good, errors.count == 0);
	if (good) {
		parse(rows.tasks, &tasks);
		parse(rows.dependencies, &dependencies);
		parse(rows.revisions, &revisions);
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

static const char *
key_of(const struct json *json, int id)
{
	for (int at = json_first(&tasks, 0); at != JSON_NONE; at = json_next(&tasks, 0, at))
		if (slice_equal(json_raw(&tasks, json_get(&tasks, at, "id")), json_raw(json, id)))
			return arena_string(&arena, json_string(&tasks, json_get(&tasks, at, "key"), &arena));
	fail_msg("no task has the id %.*s", SLICE_ARG(json_raw(json, id)));
	return NULL;
}

/* Rows of pairs as "a>b a>c", with a number after a colon if there is one. */
static const char *
pairs(const struct json *json, const char *left, const char *right, const char *number)
{
	char *text = arena_string(&arena, SLICE(""));

	for (int at = json_first(json, 0); at != JSON_NONE; at = json_next(json, 0, at)) {
		text = arena_printf(&arena, "%s%s%s>%s", text, *text ? " " : "", key_of(json, json_get(json, at, left)),
		                    key_of(json, json_get(json, at, right)));
		if (number)
			text = arena_printf(&arena, "%s:%.*s", text, SLICE_ARG(json_raw(json, json_get(json, at, number))));
	}
	return text;
}

#define DEPENDENCIES pairs(&dependencies, "task_id", "depends_on", NULL)
#define REVISIONS pairs(&revisions, "gate_id", "task_id", "deps_left")

static void
test_single_task(void **state UNUSED)
{
	uint8_t id[UUID_SIZE];

	assert_string_equal(compile("[{\"key\":\"a\",\"role\":\"sena\"}]"), "");
	assert_int_equal(json_size(&tasks, 0), 1);
	assert_true(uuid_parse(json_string(&tasks, json_get(&tasks, task_at("a"), "id"), &arena), id));
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
	assert_string_equal(DEPENDENCIES, "");
	assert_string_equal(REVISIONS, "");
}

static void
test_fields_are_handed_through(void **state UNUSED)
{
	assert_string_equal(
	    compile(
	        "[{\"key\":\"\\u00e9 \\\"x\\\"\",\"agent_id\":\"smith\",\"description\":\"d\",\"input_data\":{\"n\": 1.50},"
	        "\"priority\":9,\"max_retries\":0,\"timeout_s\":7,\"run_at\":\"2026-11-23T01:02:03Z\",\"labels\":{\"a\":"
	        "\"b\"},"
	        "\"retry\":{\"backoff\":\"fixed\",\"base_s\":0.25,\"max_s\":9,\"jitter\":false}}]"),
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
	    "/tasks/2/role required, /tasks/0/depends_on unknown_key, /tasks/2/depends_on unknown_key");
	assert_non_null(strstr(errors.list[1].detail, "z"));
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
test_queues_of_tasks_that_are_ready(void **state UNUSED)
{
	assert_string_equal(
	    compile("[{\"key\":\"a\",\"role\":\"sena\"},{\"key\":\"b\",\"agent_id\":\"smith\",\"role\":\"rune\"},"
	            "{\"key\":\"c\",\"role\":\"lubit\",\"depends_on\":[\"a\"]}]"),
	    "");
	assert_int_equal(rows.queue_count, 2);
	assert_true(slice_is(rows.queues[0], "sena"));
	assert_true(slice_is(rows.queues[1], "@smith"));
}

/* As many tasks as a workflow may have, each behind the 30 before it. */
static void
test_large_graph(void **state UNUSED)
{
	struct buf graph = {0};

	buf_add_byte(&graph, '[');
	for (int i = 0; i < GRAPH_TASKS_MAX; i++) {
		buf_printf(&graph, "%s{\"key\":\"%d\",\"role\":\"r\",\"depends_on\":[", i ? "," : "", i);
		for (int d = MAX(0, i - 30); d < i; d++)
			buf_printf(&graph, "%s\"%d\"", d > MAX(0, i - 30) ? "," : "", d);
		buf_printf(&graph, "]%s}", i == GRAPH_TASKS_MAX - 1 ? ",\"gate\":{\"on_revision\":\"0\"}" : "");
	}
	buf_add_text(&graph, "]");
	buf_add_byte(&graph, '\0');
	assert_string_equal(compile(graph.data), "");
	buf_free(&graph);
	assert_int_equal(json_size(&tasks, 0), GRAPH_TASKS_MAX);
	assert_int_equal(json_size(&dependencies, 0), 29 * 30 / 2 + (GRAPH_TASKS_MAX - 30) * 30);
	assert_int_equal(json_size(&revisions, 0), GRAPH_TASKS_MAX);
	assert_int_equal(rows.queue_count, 1);
	assert_string_equal(member("499", "gate_deps"), "30");
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
	assert_int_equal(rows.queue_count, 1);
	assert_true(slice_is(rows.queues[0], "sena"));
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
	    TEST(test_queues_of_tasks_that_are_ready),
	    TEST(test_large_graph),
	    TEST(test_review_compiles),
	    TEST(test_review_passes_the_fields),
	};

	return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
