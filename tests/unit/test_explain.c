/*
 * test_explain.c - the facts of a task become reasons: which, in which order, and that any facts give at least one.
 *
 * The sentences themselves are read in the scenarios b_explain*.scn.
 */
#include "base.h"

#include "explain.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena = ARENA_EMPTY;

/* A task that waits in its queue, with an agent that is free for it. */
static const char usual[] =
    "\"id\": \"T\", \"queue\": \"r\", \"role\": \"r\", \"attempt\": 0, \"max_retries\": 3,"
    "\"ahead\": 0, \"queue_ready\": 1, \"registered\": 1, \"live\": 1, \"capable\": 1, \"free\": 1,"
    "\"idle\": 1, \"dependencies\": [], \"limits\": [], \"lacking\": [], \"workflow_id\": \"W\"";

static struct json
explain(const char *facts_text)
{
	struct json facts, answer;
	struct json_error error;
	struct buf out = {0};

	if (!json_parse_payload(&arena, slice_of(facts_text), &facts, &error))
		fail_msg("facts: %s", error.reason);
	explain_write(&facts, &arena, &out);
	if (!json_parse(&arena, slice_of(arena_string(&arena, buf_slice(&out))), &answer, &error))
		fail_msg("the answer is not JSON: %s", error.reason);
	buf_free(&out);
	return answer;
}

static const char *
member(const struct json *json, int at, const char *name)
{
	int value = json_get(json, at, name);

	assert_true(value != JSON_NONE);
	return json_type(json, value) == JSON_STRING ? arena_string(&arena, json_string(json, value, &arena))
	                                             : arena_string(&arena, json_raw(json, value));
}

/* facts: members before the usual ones, which they replace. Codes are in order, with a space between. */
static void
expect(const char *facts, const char *codes, const char *runnable)
{
	struct json answer = explain(arena_printf(&arena, "{%s}", facts));
	int list = json_get(&answer, 0, "reasons");
	char found[200] = "";

	for (int at = json_first(&answer, list); at != JSON_NONE; at = json_next(&answer, list, at)) {
		size_t used = strlen(found);
		snprintf(found + used, sizeof(found) - used, "%s%s", used ? " " : "", member(&answer, at, "code"));
		assert_true(strlen(member(&answer, at, "detail")) > 10);
		(void)member(&answer, at, "frees");
	}
	if (strcmp(found, codes) != 0)
		fail_msg("%s: found %s, expected %s", facts, found, codes);
	assert_string_equal(runnable, member(&answer, 0, "runnable"));
}

#define WAITS "\"status\": \"pending\", \"ready\": true,"
#define EXPECT(codes, runnable, facts) expect(arena_printf(&arena, "%s %s", facts, usual), codes, runnable)

static void
test_one_reason_for_each_state(void **state UNUSED)
{
	EXPECT("queued", "true", WAITS);
	EXPECT("processing", "false", "\"status\": \"processing\", \"leased_by\": \"a\", \"lease_left_s\": 4,");
	EXPECT("processing", "false", "\"status\": \"processing\", \"leased_by\": null, \"lease_left_s\": -1,");
	EXPECT("ended", "false", "\"status\": \"completed\", \"ended_for_s\": 4,");
	EXPECT("ended", "false", "\"status\": \"dead\", \"ended_for_s\": 90000, \"error_message\": \"x\",");
	EXPECT("ended", "false", "\"status\": \"cancelled\", \"skipped\": true,");
	EXPECT("ended", "false", "\"status\": \"failed\", \"archived\": true,");
	EXPECT("schedule", "false", "\"status\": \"pending\", \"ready\": false, \"run_in_s\": 9, \"run_at\": \"then\",");
	EXPECT("backoff", "false", "\"status\": \"retrying\", \"ready\": false, \"run_in_s\": 9, \"run_at\": \"then\",");
	EXPECT("approval", "false", "\"status\": \"pending\", \"ready\": false, \"approval\": true,");
	EXPECT("paused", "false", "\"status\": \"pending\", \"ready\": false, \"paused\": true,");
	/* Between two states of the keeper: never without an answer. */
	EXPECT("queued", "false", "\"status\": \"pending\", \"ready\": false, \"run_in_s\": 0,");
	EXPECT("condition", "false", "\"status\": \"blocked\", \"deps_left\": 0,");
}

static void
expect_agents(const char *codes, const char *ahead, const char *live, const char *capable, const char *free_agents)
{
	expect(arena_printf(&arena,
	                    WAITS
	                    "\"id\": \"T\", \"role\": \"r\", \"ahead\": %s, \"live\": %s, \"capable\": %s, \"free\": %s,"
	                    "\"limits\": [], \"lacking\": [\"gpu\"], \"requires\": [\"gpu\"]",
	                    ahead, live, capable, free_agents),
	       codes, "true");
}

static void
test_agents_come_before_the_queue(void **state UNUSED)
{
	expect_agents("no_agent", "0", "0", "0", "0");
	expect_agents("no_agent queued", "3", "0", "0", "0");
	expect_agents("capability", "0", "2", "0", "0");
	expect_agents("agent_busy", "0", "2", "2", "0");
	expect_agents("agent_busy queued", "10000", "2", "2", "0");
	expect_agents("queued", "0", "2", "1", "1");
}

#define LIMIT(kind)                       \
	"{\"name\": \"l\", \"kind\": \"" kind \
	"\", \"key\": \"role\", \"of\": \"r\", \"value\": 1, \"held\": 1, \"holders\": []}"

static void
expect_limits(const char *codes, const char *limits, const char *more)
{
	expect(arena_printf(&arena, "\"status\": \"pending\", \"id\": \"T\", \"limits\": [%s], \"workflow_id\": \"W\", %s",
	                    limits, more),
	       codes, "false");
}

static void
test_what_holds_back_hides_the_queue(void **state UNUSED)
{
	expect_limits("limit", LIMIT("concurrency"), "\"ready\": true, \"live\": 0");
	expect_limits("limit concurrency_key", LIMIT("rate") "," LIMIT("concurrency_key"), "\"ready\": false");
	/* For a task that is for later, limits that are full now are of no interest. */
	expect_limits("schedule", LIMIT("rate"), "\"ready\": false, \"run_in_s\": 30, \"run_at\": \"then\"");
	expect_limits("limit", LIMIT("rate"), "\"ready\": false, \"run_in_s\": -30, \"parked\": \"l:r\"");
	expect_limits("paused limit", LIMIT("concurrency"), "\"ready\": false, \"paused\": true");
}

static void
test_dependencies(void **state UNUSED)
{
	static const char list[] =
	    "\"status\": \"blocked\", \"id\": \"T\", \"workflow_id\": \"W\", \"limits\": [], \"dependencies\": ["
	    "{\"id\": \"A\", \"key\": \"a\", \"status\": \"pending\"},"
	    "{\"id\": \"G\", \"key\": null, \"status\": \"blocked\", \"gate\": true, \"round\": 1, \"max_rounds\": 3},"
	    "{\"id\": \"P\", \"key\": \"p\", \"status\": \"pending\", \"approval\": true}], ";

	expect(arena_printf(&arena, "%s \"deps_left\": 3", list), "dependency gate approval", "false");
	expect(arena_printf(&arena, "%s \"deps_left\": 5", list), "dependency gate approval dependency", "false");
	expect(arena_printf(&arena, "%s \"deps_left\": 3, \"has_condition\": true", list),
	       "dependency gate approval condition", "false");
	expect(arena_printf(&arena, "%s \"deps_left\": 3, \"paused\": true", list), "paused dependency gate approval",
	       "false");
}

static void
test_time_is_told_in_two_units(void **state UNUSED)
{
	static const struct {
		const char *seconds, *words;
	} cases[] = {{"59", "in 59 s"},
	             {"60", "in 1 min 0 s"},
	             {"3599", "in 59 min 59 s"},
	             {"3600", "in 1 h 0 min"},
	             {"90061", "in 1 d 1 h"}};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct json answer = explain(
		    arena_printf(&arena, "{\"status\": \"pending\", \"run_at\": \"then\", \"run_in_s\": %s, \"limits\": []}",
		                 cases[i].seconds));
		int first = json_first(&answer, json_get(&answer, 0, "reasons"));
		if (!strstr(member(&answer, first, "detail"), cases[i].words))
			fail_msg("%s s: %s", cases[i].seconds, member(&answer, first, "detail"));
	}
}

static int
forget(void **state UNUSED)
{
	arena_reset(&arena);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_one_reason_for_each_state, forget),
	    cmocka_unit_test_teardown(test_agents_come_before_the_queue, forget),
	    cmocka_unit_test_teardown(test_what_holds_back_hides_the_queue, forget),
	    cmocka_unit_test_teardown(test_dependencies, forget),
	    cmocka_unit_test_teardown(test_time_is_told_in_two_units, forget),
	};
	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
