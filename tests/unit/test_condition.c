/*
 * test_condition.c - when a condition holds, what is refused as a condition and where, and that no text does harm.
 *
 * Every text is read from a heap copy of its exact size, so that the address sanitizer sees a read past its end.
 */
#include "base.h"

#include "buf.h"
#include "condition.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* clang-format off */
static const char outputs[] = "{"
    "\"gate\": {\"verdict\": \"approved\", \"score\": 0.75, \"rounds\": 2, \"done\": true, \"error\": null,"
    " \"notes\": [\"typo\", {\"line\": 3, \"file\": \"a.c\"}, 7, null], \"empty\": \"\", \"none\": [],"
    " \"a/b\": 1, \"m~n\": 2, \"~1\": 3, \"\": 4, \"0\": \"zero\", \"k\\\"q\": 5},"
    "\"text\": \"gr\\u00fc\\u00dfe \\ud83d\\ude00\", \"name/with~signs\": 1, \"skipped\": null,"
    "\"numbers\": {\"odd\": 9007199254740993, \"max\": 9223372036854775807, \"min\": -9223372036854775808,"
    " \"over\": 9223372036854775808, \"huge\": 1e400, \"tiny\": 1e-400, \"one\": 1.0, \"minus\": -0.0},"
    "\"twice\": {\"v\": \"no\", \"w\": 1, \"\\u0076\": \"yes\", \"in\": {\"b\": 1, \"b\": 2}},"
    "\"nul\": {\"a\\u0000b\": \"x\\u0000y\"}, \"list\": [10, [20, 21], {\"x\": 30}]}";
/* clang-format on */

static char *
copy(struct slice text)
{
	char *bytes = mem_alloc(text.len ? text.len : 1);

	if (text.len)
		memcpy(bytes, text.data, text.len);
	return bytes;
}

/* Judges, and asserts that a text is refused exactly when condition_check() refuses it. */
static enum condition_verdict
judge_slice(struct slice condition, struct slice given)
{
	struct slice own = {copy(condition), condition.len}, own_outputs = {copy(given), given.len};
	struct arena arena = ARENA_EMPTY;
	struct condition_report report;
	const char *why;
	enum condition_verdict verdict = condition_judge(own, own_outputs, &arena, &why);

	if (condition_check(own, &arena, &report) != (verdict != CONDITION_BROKEN))
		fail_msg("%.*s: checked and judged differently", SLICE_ARG(condition));
	assert_int_equal(why != NULL, verdict == CONDITION_BROKEN);
	if (why)
		assert_non_null(strstr(why, report.detail));
	arena_reset(&arena);
	free((char *)own.data);
	free((char *)own_outputs.data);
	return verdict;
}

static enum condition_verdict
judge(const char *condition)
{
	return judge_slice(slice_of(condition), SLICE(outputs));
}

static void
assert_verdict(const char *condition, enum condition_verdict expected)
{
	static const char *const names[] = {"holds", "fails", "is broken"};
	enum condition_verdict found = judge(condition);

	if (found != expected)
		fail_msg("%s %s, expected: %s", condition, names[found], names[expected]);
}

/* A leaf on task and path holds or does not; op and value: the rest of the object, "" for none. */
struct leaf_case {
	const char *task;
	const char *path;
	const char *rest;
	bool holds;
};

static void
judge_leaves(const struct leaf_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf text = {0}, negated = {0};

		buf_printf(&text, "{\"task\": \"%s\", \"path\": \"%s\"%s%s}", cases[i].task, cases[i].path,
		           *cases[i].rest ? ", " : "", cases[i].rest);
		buf_printf(&negated, "{\"not\": %.*s}", SLICE_ARG(buf_slice(&text)));
		buf_add(&text, "", 1);
		buf_add(&negated, "", 1);
		assert_verdict(text.data, cases[i].holds ? CONDITION_HOLDS : CONDITION_FAILS);
		assert_verdict(negated.data, cases[i].holds ? CONDITION_FAILS : CONDITION_HOLDS);
		buf_free(&text);
		buf_free(&negated);
	}
}

static void
test_comparing(void **state UNUSED)
{
	static const struct leaf_case cases[] = {
	    {"gate", "/verdict", "\"op\": \"eq\", \"value\": \"approved\"", true},
	    {"gate", "/verdict", "\"value\": \"approved\"", true},
	    {"gate", "/verdict", "\"value\": \"appro\\u0076ed\"", true},
	    {"gate", "/verdict", "\"value\": \"Approved\"", false},
	    {"gate", "/verdict", "\"op\": \"ne\", \"value\": \"rejected\"", true},
	    {"gate", "/verdict", "\"op\": \"ne\", \"value\": \"approved\"", false},
	    {"gate", "/done", "\"value\": true", true},
	    {"gate", "/done", "\"value\": false", false},
	    {"gate", "/done", "\"value\": \"true\"", false},
	    {"gate", "/rounds", "\"value\": \"2\"", false},
	    {"gate", "/score", "\"op\": \"ge\", \"value\": 0.75", true},
	    {"gate", "/score", "\"op\": \"gt\", \"value\": 0.75", false},
	    {"gate", "/score", "\"op\": \"lt\", \"value\": 1", true},
	    {"gate", "/score", "\"op\": \"le\", \"value\": 0.5", false},
	    {"gate", "/verdict", "\"op\": \"lt\", \"value\": \"b\"", true},
	    {"gate", "/verdict", "\"op\": \"lt\", \"value\": \"Z\"", false},
	    {"gate", "/verdict", "\"op\": \"lt\", \"value\": \"approved!\"", true},
	    {"gate", "/verdict", "\"op\": \"le\", \"value\": \"approved\"", true},
	    {"gate", "/verdict", "\"op\": \"gt\", \"value\": 1", false},
	    {"gate", "/verdict", "\"op\": \"le\", \"value\": 1", false},
	    {"gate", "/done", "\"op\": \"ge\", \"value\": 0", false},
	    {"gate", "/empty", "\"value\": \"\"", true},
	    {"gate", "/none", "\"value\": []", true},
	    {"gate", "/none", "\"value\": {}", false},
	    {"gate", "/none", "\"value\": [1]", false},
	    {"gate", "/notes", "\"value\": [\"typo\"]", false},
	    {"gate", "/notes/1", "\"value\": {\"file\": \"a.c\", \"line\": 3, \"z\": 1}", false},
	    {"gate", "/notes", "\"value\": [\"typo\", {\"file\": \"a.c\", \"line\": 3.0}, 7, null]", true},
	    {"gate", "/notes", "\"value\": [{\"file\": \"a.c\", \"line\": 3}, \"typo\", 7, null]", false},
	    {"gate", "/notes/1", "\"value\": {\"file\": \"a.c\", \"line\": 3}", true},
	    {"gate", "/notes/1", "\"value\": {\"file\": \"a.c\"}", false},
	    {"gate", "/notes/1", "\"value\": {\"file\": \"a.c\", \"lime\": 3}", false},
	    {"text", "",
	     "\"value\": \"gr\xC3\xBC\xC3\x9F"
	     "e \xF0\x9F\x98\x80\"",
	     true},
	    {"text", "", "\"op\": \"contains\", \"value\": \"\\u00fc\xC3\x9F\"", true},
	    {"text", "", "\"op\": \"lt\", \"value\": \"gs\"", true},
	};

	judge_leaves(cases, ARRAY_LENGTH(cases));
}

static void
test_looking_inside(void **state UNUSED)
{
	static const struct leaf_case cases[] = {
	    {"gate", "/verdict", "\"op\": \"in\", \"value\": [\"rejected\", \"approved\"]", true},
	    {"gate", "/verdict", "\"op\": \"in\", \"value\": [\"rejected\"]", false},
	    {"gate", "/verdict", "\"op\": \"in\", \"value\": []", false},
	    {"gate", "/rounds", "\"op\": \"in\", \"value\": [null, \"2\", 2.0]", true},
	    {"gate", "/none", "\"op\": \"in\", \"value\": [[]]", true},
	    {"gate", "/verdict", "\"op\": \"contains\", \"value\": \"prove\"", true},
	    {"gate", "/verdict", "\"op\": \"contains\", \"value\": \"approved\"", true},
	    {"gate", "/verdict", "\"op\": \"contains\", \"value\": \"approved!\"", false},
	    {"gate", "/verdict", "\"op\": \"contains\", \"value\": \"\"", true},
	    {"gate", "/empty", "\"op\": \"contains\", \"value\": \"\"", true},
	    {"gate", "/empty", "\"op\": \"contains\", \"value\": \"a\"", false},
	    {"gate", "/verdict", "\"op\": \"contains\", \"value\": [\"approved\"]", false},
	    {"gate", "/notes", "\"op\": \"contains\", \"value\": \"typo\"", true},
	    {"gate", "/notes", "\"op\": \"contains\", \"value\": \"typ\"", false},
	    {"gate", "/notes", "\"op\": \"contains\", \"value\": {\"file\": \"a.c\", \"line\": 3}", true},
	    {"gate", "/notes", "\"op\": \"contains\", \"value\": null", true},
	    {"gate", "/notes", "\"op\": \"contains\", \"value\": 8", false},
	    {"gate", "", "\"op\": \"contains\", \"value\": \"verdict\"", false},
	    {"gate", "/rounds", "\"op\": \"contains\", \"value\": 2", false},
	    {"nul", "/a", "\"op\": \"absent\"", true},
	    {"nul", "", "\"op\": \"exists\"", true},
	    {"nul", "", "\"value\": {\"a\": \"x\"}", false},
	};

	judge_leaves(cases, ARRAY_LENGTH(cases));
}

/* What is not there, by any road: it is absent, and unequal to everything. */
static void
test_nothing_there(void **state UNUSED)
{
	static const struct {
		const char *task;
		const char *path;
	} places[] = {
	    {"missing", ""},
	    {"missing", "/a/b"},
	    {"skipped", ""},
	    {"skipped", "/verdict"},
	    {"gate", "/missing"},
	    {"gate", "/error"},
	    {"gate", "/error/a"},
	    {"gate", "/notes/3"},
	    {"gate", "/notes/4"},
	    {"gate", "/notes/-"},
	    {"gate", "/notes/01"},
	    {"gate", "/notes/00"},
	    {"gate", "/notes/+1"},
	    {"gate", "/notes/1 "},
	    {"gate", "/notes/"},
	    {"gate", "/notes/18446744073709551616"},
	    {"gate", "/notes/4294967296"},
	    {"gate", "/none/0"},
	    {"gate", "/verdict/0"},
	    {"gate", "/verdict/"},
	    {"gate", "//"},
	    {"gate", "/Verdict"},
	    {"twice", "/v"},
	    {"twice", "/in/b"},
	    {"nul", "/a"},
	};
	static const struct {
		const char *rest;
		bool holds;
	} rests[] = {
	    {"", false},
	    {"\"op\": \"exists\"", false},
	    {"\"op\": \"absent\"", true},
	    {"\"op\": \"ne\", \"value\": \"yes\"", true},
	    {"\"value\": \"yes\"", false},
	    {"\"op\": \"lt\", \"value\": \"yes\"", false},
	    {"\"op\": \"le\", \"value\": 0", false},
	    {"\"op\": \"gt\", \"value\": \"\"", false},
	    {"\"op\": \"ge\", \"value\": 0", false},
	    {"\"op\": \"in\", \"value\": [null, \"yes\", 1]", false},
	    {"\"op\": \"contains\", \"value\": \"\"", false},
	    {"\"op\": \"contains\", \"value\": null", false},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
		for (size_t j = 0; j < ARRAY_LENGTH(rests); j++)
			judge_leaves(&(struct leaf_case){places[i].task, places[i].path, rests[j].rest, rests[j].holds}, 1);
}

static void
test_pointers(void **state UNUSED)
{
	static const struct leaf_case cases[] = {
	    {"gate", "/a~1b", "\"value\": 1", true},
	    {"gate", "/m~0n", "\"value\": 2", true},
	    {"gate", "/~01", "\"value\": 3", true},
	    {"gate", "/", "\"value\": 4", true},
	    {"gate", "/0", "\"value\": \"zero\"", true},
	    {"gate", "/k\\\"q", "\"value\": 5", true},
	    {"gate", "/\\u0076erdict", "\"value\": \"approved\"", true},
	    {"gate", "/a/b", "", false},
	    {"gate", "/notes/0", "\"value\": \"typo\"", true},
	    {"gate", "/notes/1/line", "\"value\": 3", true},
	    {"name/with~signs", "", "\"value\": 1", true},
	    {"list", "/1/0", "\"value\": 20", true},
	    {"list", "/1/1", "\"value\": 21", true},
	    {"list", "/2/x", "\"value\": 30", true},
	    {"list", "/1/0/0", "", false},
	    {"twice", "", "", true},
	    {"twice", "/w", "\"value\": 1", true},
	    {"twice", "/in", "", true},
	    {"twice", "/in", "\"value\": {\"b\": 1}", false},
	    {"twice", "/in", "\"value\": {\"b\": 1, \"c\": 2}", false},
	};

	judge_leaves(cases, ARRAY_LENGTH(cases));
}

static void
test_numbers(void **state UNUSED)
{
	static const struct leaf_case cases[] = {
	    {"numbers", "/one", "\"value\": 1", true},
	    {"numbers", "/one", "\"value\": 10e-1", true},
	    {"numbers", "/minus", "\"value\": 0", true},
	    {"numbers", "/tiny", "\"value\": 0", true},
	    {"numbers", "/odd", "\"value\": 9007199254740993", true},
	    {"numbers", "/odd", "\"value\": 9007199254740992", false},
	    {"numbers", "/odd", "\"op\": \"gt\", \"value\": 9007199254740992", true},
	    {"numbers", "/odd", "\"value\": 9007199254740992.0", true},
	    {"numbers", "/max", "\"op\": \"gt\", \"value\": 9223372036854775806", true},
	    {"numbers", "/min", "\"op\": \"lt\", \"value\": -9223372036854775807", true},
	    {"numbers", "/min", "\"op\": \"lt\", \"value\": 9223372036854775807", true},
	    {"numbers", "/over", "\"value\": 9223372036854775808", true},
	    {"numbers", "/over", "\"op\": \"ge\", \"value\": 9223372036854775807", true},
	    {"numbers", "/huge", "", true},
	    {"numbers", "/huge", "\"value\": 1e400", false},
	    {"numbers", "/huge", "\"op\": \"ne\", \"value\": 1e400", true},
	    {"numbers", "/huge", "\"op\": \"gt\", \"value\": 1", false},
	    {"numbers", "/huge", "\"op\": \"le\", \"value\": 1", false},
	    {"numbers", "/huge", "\"op\": \"in\", \"value\": [1e400, 1]", false},
	    {"numbers", "/one", "\"op\": \"lt\", \"value\": 1e400", false},
	};

	judge_leaves(cases, ARRAY_LENGTH(cases));
}

#define YES "{\"task\": \"gate\"}"
#define NO "{\"task\": \"missing\"}"

static void
test_all_any_not(void **state UNUSED)
{
	assert_verdict("{\"all\": [" YES ", " YES "]}", CONDITION_HOLDS);
	assert_verdict("{\"all\": [" YES ", " NO "]}", CONDITION_FAILS);
	assert_verdict("{\"all\": [" NO ", " YES "]}", CONDITION_FAILS);
	assert_verdict("{\"any\": [" NO ", " YES "]}", CONDITION_HOLDS);
	assert_verdict("{\"any\": [" YES ", " NO "]}", CONDITION_HOLDS);
	assert_verdict("{\"any\": [" NO ", " NO "]}", CONDITION_FAILS);
	assert_verdict("{\"not\": " NO "}", CONDITION_HOLDS);
	assert_verdict("{\"not\": {\"not\": " NO "}}", CONDITION_FAILS);
	assert_verdict("{\"all\": [{\"any\": [" NO ", {\"not\": " NO "}]}, {\"not\": {\"all\": [" YES ", " NO "]}}]}",
	               CONDITION_HOLDS);
	assert_verdict(" {\"op\": null, \"path\": null, \"task\": \"gate\"} ", CONDITION_HOLDS);
}

static void
test_outputs(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;
	const char *why;

	assert_int_equal(condition_judge(SLICE(YES), SLICE_NONE, &arena, &why), CONDITION_FAILS);
	assert_int_equal(condition_judge(SLICE(YES), SLICE("null"), &arena, &why), CONDITION_FAILS);
	assert_int_equal(condition_judge(SLICE(YES), SLICE("[1]"), &arena, &why), CONDITION_FAILS);
	assert_int_equal(condition_judge(SLICE(YES), SLICE("{\"gate\":0}"), &arena, &why), CONDITION_HOLDS);
	assert_null(why);
	/* Nothing is decided on outputs that cannot be read: "absent" would hold. */
	assert_int_equal(condition_judge(SLICE("{\"task\":\"gate\",\"op\":\"absent\"}"), SLICE("{\"gate\":"), &arena, &why),
	                 CONDITION_BROKEN);
	assert_non_null(strstr(why, "outputs"));
	assert_int_equal(condition_judge(SLICE_NONE, SLICE("{}"), &arena, &why), CONDITION_BROKEN);
	assert_non_null(strstr(why, "condition"));
	arena_reset(&arena);
}

/* "pointer code" of the first fault; "" when there is none. In a static buffer. */
static const char *
check(struct slice condition)
{
	static char found[300];
	struct slice own = {copy(condition), condition.len};
	struct arena arena = ARENA_EMPTY;
	struct condition_report report;

	found[0] = '\0';
	if (!condition_check(own, &arena, &report)) {
		assert_true(strlen(report.detail) > 10);
		snprintf(found, sizeof(found), "%s %s", report.pointer, report.code);
	}
	arena_reset(&arena);
	free((char *)own.data);
	return found;
}

static void
test_faults(void **state UNUSED)
{
	static const struct {
		const char *condition;
		const char *fault;
	} cases[] = {
	    {"", " not_json"},
	    {"{\"task\": \"a\"", " not_json"},
	    {"{\"task\": \"a\"} x", " not_json"},
	    {"{\"task\": \"a\", \"task\": \"b\"}", " not_json"},
	    {"{\"task\": \"a\", \"value\": {\"x\": 1, \"\\u0078\": 2}}", " not_json"},
	    {"{\"task\": \"a\", \"value\": \"\\u0000\"}", " not_json"},
	    {"null", " wrong_type"},
	    {"\"a\"", " wrong_type"},
	    {"[" YES "]", " wrong_type"},
	    {"{}", "/task required"},
	    {"{\"op\": \"exists\"}", "/task required"},
	    {"{\"task\": null}", "/task required"},
	    {"{\"task\": \"\"}", "/task wrong_type"},
	    {"{\"task\": [\"a\"]}", "/task wrong_type"},
	    {"{\"task\": \"a\", \"pth\": \"\"}", "/pth unknown_field"},
	    {"{\"task\": \"a\", \"x/y~z\": 1}", "/x~1y~0z unknown_field"},
	    {"{\"\": 1}", "/ unknown_field"},
	    {"{\"task\": \"a\", \"Op\": \"eq\"}", "/Op unknown_field"},
	    {"{\"all\": [" YES "], \"task\": \"a\"}", "/task unknown_field"},
	    {"{\"any\": [" YES "], \"all\": [" YES "]}", "/any unknown_field"},
	    {"{\"not\": " YES ", \"any\": [" YES "]}", "/not unknown_field"},
	    {"{\"task\": \"a\", \"path\": \"verdict\"}", "/path wrong_type"},
	    {"{\"task\": \"a\", \"path\": \"#/verdict\"}", "/path wrong_type"},
	    {"{\"task\": \"a\", \"path\": \"/a~2\"}", "/path wrong_type"},
	    {"{\"task\": \"a\", \"path\": \"/a~\"}", "/path wrong_type"},
	    {"{\"task\": \"a\", \"path\": \"/a~/b\"}", "/path wrong_type"},
	    {"{\"task\": \"a\", \"path\": 1}", "/path wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"==\", \"value\": 1}", "/op not_a_choice"},
	    {"{\"task\": \"a\", \"op\": \"EQ\", \"value\": 1}", "/op not_a_choice"},
	    {"{\"task\": \"a\", \"op\": \"\", \"value\": 1}", "/op not_a_choice"},
	    {"{\"task\": \"a\", \"op\": 1, \"value\": 1}", "/op not_a_choice"},
	    {"{\"task\": \"a\", \"op\": \"eq\"}", "/value required"},
	    {"{\"task\": \"a\", \"op\": \"ne\"}", "/value required"},
	    {"{\"task\": \"a\", \"op\": \"lt\"}", "/value required"},
	    {"{\"task\": \"a\", \"op\": \"in\"}", "/value required"},
	    {"{\"task\": \"a\", \"op\": \"contains\"}", "/value required"},
	    {"{\"task\": \"a\", \"op\": \"exists\", \"value\": false}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"absent\", \"value\": null}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"value\": null}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"ne\", \"value\": null}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"in\", \"value\": \"abc\"}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"lt\", \"value\": true}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"le\", \"value\": null}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"gt\", \"value\": [1]}", "/value wrong_type"},
	    {"{\"task\": \"a\", \"op\": \"ge\", \"value\": {}}", "/value wrong_type"},
	    {"{\"all\": []}", "/all wrong_type"},
	    {"{\"any\": []}", "/any wrong_type"},
	    {"{\"all\": " YES "}", "/all wrong_type"},
	    {"{\"any\": null}", "/any wrong_type"},
	    {"{\"not\": [" YES "]}", "/not wrong_type"},
	    {"{\"not\": null}", "/not wrong_type"},
	    {"{\"all\": [" YES ", 1]}", "/all/1 wrong_type"},
	    {"{\"all\": [" YES ", {\"any\": [{\"not\": {\"task\": \"a\", \"op\": \"is\"}}]}]}",
	     "/all/1/any/0/not/op not_a_choice"},
	    {"{\"any\": [{\"task\": \"a\", \"value\": 0}, {\"not\": {}}]}", "/any/1/not/task required"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const char *found = check(slice_of(cases[i].condition));
		if (strcmp(found, cases[i].fault) != 0)
			fail_msg("%s: found \"%s\", expected \"%s\"", cases[i].condition, found, cases[i].fault);
		assert_verdict(cases[i].condition, CONDITION_BROKEN);
	}
	assert_string_equal(check(SLICE("{\"task\": \"\xFF\"}")), " not_json");
}

/* The pointer of a long unknown name is cut, but not inside a character. */
static void
test_long_names(void **state UNUSED)
{
	for (int before = 0; before < 4; before++) {
		struct buf text = {0};
		const char *found;

		buf_printf(&text, "{\"%.*s", before, "xxx");
		for (int i = 0; i < 1000; i++)
			buf_printf(&text, "\xF0\x9F\x98\x80");
		buf_printf(&text, "\": 1}");
		found = check(buf_slice(&text));
		assert_non_null(strstr(found, "\xF0\x9F\x98\x80 unknown_field"));
		assert_true(strlen(found) > 150 && strlen(found) < 230);
		assert_int_equal((strchr(found, ' ') - found - 1 - before) % 4, 0);
		buf_free(&text);
	}
}

static const char *
nested(struct buf *text, int depth)
{
	for (int i = 0; i < depth; i++)
		buf_printf(text, i % 2 ? "{\"not\":" : "{\"all\":[");
	buf_printf(text, YES);
	for (int i = depth; i-- > 0;)
		buf_printf(text, i % 2 ? "}" : "]}");
	return check(buf_slice(text));
}

static void
test_depth(void **state UNUSED)
{
	struct buf eight = {0}, nine = {0}, sixty = {0}, hundred = {0};

	assert_string_equal(nested(&eight, CONDITION_DEPTH_MAX), "");
	assert_int_equal(judge_slice(buf_slice(&eight), SLICE(outputs)), CONDITION_HOLDS);
	assert_string_equal(nested(&nine, CONDITION_DEPTH_MAX + 1),
	                    "/all/0/not/all/0/not/all/0/not/all/0/not/all out_of_range");
	assert_string_equal(nested(&sixty, 40), "/all/0/not/all/0/not/all/0/not/all/0/not/all out_of_range");
	assert_string_equal(nested(&hundred, 100), " not_json");
	buf_free(&eight);
	buf_free(&nine);
	buf_free(&sixty);
	buf_free(&hundred);
}

/* leaves in groups: {"all": [{"any": [leaf, ..]}, ..]} */
static void
many(struct buf *text, int groups, int leaves)
{
	buf_printf(text, "{\"all\":[");
	for (int i = 0; i < groups; i++) {
		buf_printf(text, "%s{\"any\":[", i ? "," : "");
		for (int j = 0; j < leaves; j++)
			buf_printf(text, "%s{\"task\":\"t%d\",\"op\":\"absent\"}", j ? "," : "", i * leaves + j);
		buf_printf(text, "]}");
	}
	buf_printf(text, "]}");
}

static void
test_tasks_named(void **state UNUSED)
{
	struct arena arena = ARENA_EMPTY;
	struct buf fifty = {0}, more = {0}, flat = {0};
	struct condition_report report;

	many(&fifty, 5, 10);
	assert_true(condition_check(buf_slice(&fifty), &arena, &report));
	assert_int_equal(report.count, 50);
	assert_true(slice_is(report.tasks[0].name, "t0"));
	assert_string_equal(report.tasks[0].pointer, "/all/0/any/0/task");
	assert_true(slice_is(report.tasks[49].name, "t49"));
	assert_string_equal(report.tasks[49].pointer, "/all/4/any/9/task");
	assert_int_equal(judge_slice(buf_slice(&fifty), SLICE(outputs)), CONDITION_HOLDS);
	many(&more, 3, 17);
	assert_string_equal(check(buf_slice(&more)), "/all/2/any/16 too_many");
	many(&flat, 1, 51);
	assert_string_equal(check(buf_slice(&flat)), "/all/0/any too_many");
	assert_true(condition_check(SLICE("{\"any\":[{\"task\":\"caf\\u00e9\"},{\"not\":{\"task\":\"a\\/b\"}}]}"), &arena,
	                            &report));
	assert_int_equal(report.count, 2);
	assert_true(slice_is(report.tasks[0].name, "caf\xC3\xA9"));
	assert_true(slice_is(report.tasks[1].name, "a/b"));
	assert_string_equal(report.tasks[1].pointer, "/any/1/not/task");
	arena_reset(&arena);
	buf_free(&fifty);
	buf_free(&more);
	buf_free(&flat);
}

/* Outputs as deep and as wide as the parser lets through. */
static void
test_large_outputs(void **state UNUSED)
{
	struct buf deep = {0}, wide = {0}, path = {0}, value = {0};

	for (int i = 0; i < 63; i++) {
		buf_printf(&deep, "{\"a\":");
		buf_printf(&path, i ? "/a" : "");
	}
	buf_printf(&deep, "1");
	for (int i = 0; i < 63; i++)
		buf_printf(&deep, "}");
	buf_printf(&value, "{\"task\":\"a\",\"path\":\"%.*s\",\"value\":1}", SLICE_ARG(buf_slice(&path)));
	assert_int_equal(judge_slice(buf_slice(&value), buf_slice(&deep)), CONDITION_HOLDS);

	buf_printf(&wide, "{\"a\":[0");
	for (int i = 0; i < 30000; i++)
		buf_printf(&wide, ",{\"k%d\":%d}", i, i);
	buf_printf(&wide, "]}");
	assert_int_equal(
	    judge_slice(SLICE("{\"task\":\"a\",\"op\":\"contains\",\"value\":{\"k29999\":29999}}"), buf_slice(&wide)),
	    CONDITION_HOLDS);
	assert_int_equal(
	    judge_slice(SLICE("{\"task\":\"a\",\"path\":\"/30000/k29999\",\"value\":29999}"), buf_slice(&wide)),
	    CONDITION_HOLDS);
	assert_int_equal(judge_slice(SLICE("{\"task\":\"a\",\"path\":\"/30001\"}"), buf_slice(&wide)), CONDITION_FAILS);
	buf_free(&deep);
	buf_free(&wide);
	buf_free(&path);
	buf_free(&value);
}

/* xorshift64: the same texts in every run. */
static uint32_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static void
mutate(struct buf *text, uint64_t *random)
{
	static const char *const pieces[] = {"\"",       "{",       "}",       "[",        "]",      ",",       ":",
	                                     "~",        "/",       "null",    "1e400",    "-0",     "\\u0000", "\\ud800",
	                                     "\xFF",     "\"all\"", "\"not\"", "\"task\"", "\"eq\"", "\"lt\"",  "\"in\"",
	                                     "\"gate\"", "/notes",  "true",    " "};

	for (uint32_t left = 1 + next_random(random) % 2; left > 0 && text->len; left--) {
		size_t at = next_random(random) % text->len, cut = next_random(random) % 3;
		const char *piece = next_random(random) % 4 ? pieces[next_random(random) % ARRAY_LENGTH(pieces)] : "";
		struct buf changed = {0};

		cut = MIN(cut, text->len - at);
		buf_add(&changed, text->data, at);
		buf_add(&changed, piece, strlen(piece));
		buf_add(&changed, text->data + at + cut, text->len - at - cut);
		buf_free(text);
		*text = changed;
	}
}

/* A mutated condition is refused by both or judged by both; a mutated output never makes a good condition decide badly.
 */
static void
test_mutations(void **state UNUSED)
{
	static const char *const seeds[] = {
	    "{\"task\":\"gate\",\"path\":\"/verdict\",\"op\":\"eq\",\"value\":\"approved\"}",
	    "{\"all\":[{\"task\":\"gate\",\"path\":\"/notes/1\",\"value\":{\"line\":3,\"file\":\"a.c\"}},{\"not\":" NO
	    "}]}",
	    "{\"any\":[{\"task\":\"numbers\",\"path\":\"/huge\",\"op\":\"lt\",\"value\":9007199254740993}," YES "]}",
	    "{\"not\":{\"task\":\"gate\",\"path\":\"/a~1b\",\"op\":\"in\",\"value\":[1,[2],{\"x\":null},\"\\u00fc\"]}}",
	    "{\"task\":\"text\",\"op\":\"contains\",\"value\":\"\\ud83d\\ude00\"}",
	};
	uint64_t random = 88172645463325252U;
	int seen[3] = {0};

	for (int i = 0; i < 20000; i++) {
		struct buf text = {0};
		const char *seed = seeds[(size_t)i % ARRAY_LENGTH(seeds)];

		buf_add(&text, seed, strlen(seed));
		mutate(&text, &random);
		seen[judge_slice(buf_slice(&text), SLICE(outputs))]++;
		buf_free(&text);
	}
	/* The loop has seen all three outcomes, or it tests nothing. */
	assert_true(seen[CONDITION_HOLDS] > 500 && seen[CONDITION_FAILS] > 500 && seen[CONDITION_BROKEN] > 5000);
}

static void
test_mutated_outputs(void **state UNUSED)
{
	static const char eq[] =
	    "{\"task\":\"gate\",\"path\":\"/notes/1\",\"op\":\"eq\",\"value\":{\"line\":3,\"file\":\"a.c\"}}";
	static const char ne[] =
	    "{\"task\":\"gate\",\"path\":\"/notes/1\",\"op\":\"ne\",\"value\":{\"line\":3,\"file\":\"a.c\"}}";
	uint64_t random = 362436069;
	int seen[3] = {0};

	for (int i = 0; i < 5000; i++) {
		struct buf text = {0};
		struct arena arena = ARENA_EMPTY;
		enum condition_verdict equal, unequal;
		struct slice own;
		const char *why;

		buf_add(&text, outputs, sizeof(outputs) - 1);
		mutate(&text, &random);
		own = (struct slice){copy(buf_slice(&text)), text.len};
		equal = condition_judge(SLICE(eq), own, &arena, &why);
		unequal = condition_judge(SLICE(ne), own, &arena, &why);
		assert_true(equal == CONDITION_BROKEN ? unequal == CONDITION_BROKEN : (int)equal == 1 - (int)unequal);
		seen[equal]++;
		arena_reset(&arena);
		free((char *)own.data);
		buf_free(&text);
	}
	assert_true(seen[CONDITION_HOLDS] > 100 && seen[CONDITION_FAILS] > 10 && seen[CONDITION_BROKEN] > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_comparing), cmocka_unit_test(test_looking_inside),  cmocka_unit_test(test_nothing_there),
	    cmocka_unit_test(test_pointers),  cmocka_unit_test(test_numbers),         cmocka_unit_test(test_all_any_not),
	    cmocka_unit_test(test_outputs),   cmocka_unit_test(test_faults),          cmocka_unit_test(test_long_names),
	    cmocka_unit_test(test_depth),     cmocka_unit_test(test_tasks_named),     cmocka_unit_test(test_large_outputs),
	    cmocka_unit_test(test_mutations), cmocka_unit_test(test_mutated_outputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
