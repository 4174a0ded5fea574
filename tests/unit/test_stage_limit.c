/*
 * test_stage_limit.c - for whom a request counts, what a refusal by one means for the others, and the headers; on one
 * node without Redis. Ends with what the stage costs.
 */
#include "base.h"

#include "config.h"
#include "limit.h"
#include "process.h"
#include "quota.h"
#include "request.h"
#include "tenant_bounds.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { LIMIT = 30, OF_ADDRESS = 50 };

static const struct endpoint ordinary = {.limit = LIMIT_CLASS_DEFAULT}, probe = {.limit = LIMIT_CLASS_NONE},
                             entrance = {.limit = LIMIT_CLASS_LOGIN};
static struct config *config;
static struct scoreboard *board;
static struct heritage heritage;
static struct worker worker;

/* The outcome of one request; its headers are in headers. */
static char headers[600];

static struct request *
request_begin(const struct endpoint *endpoint, enum principal_kind kind, const char *id, const char *network)
{
	struct request *request = mem_zero(sizeof(*request));

	request->worker = &worker;
	request->endpoint = endpoint;
	request->principal.kind = kind;
	request->principal.id = slice_of(id);
	request->network = slice_of(network);
	request->id = SLICE("r");
	return request;
}

static void
request_finish(struct request *request)
{
	arena_reset(&request->arena);
	buf_free(&request->headers);
	buf_free(&request->reply);
	free(request);
}

static bool
passes(struct request *request)
{
	enum step step = stage_limit(request);

	assert_true(step == STEP_NEXT || step == STEP_DONE);
	assert_int_equal(step == STEP_DONE, request->status == 429);
	stage_limit_headers(request);
	snprintf(headers, sizeof(headers), "%.*s", (int)request->headers.len,
	         request->headers.data ? request->headers.data : "");
	if (step == STEP_DONE)
		assert_true(request->retry_after_s > 0);
	request_finish(request);
	return step == STEP_NEXT;
}

static bool
user_passes(const char *id, const char *network)
{
	return passes(request_begin(&ordinary, PRINCIPAL_USER, id, network));
}

static int
users_pass(const char *id, const char *network)
{
	int passed = 0;

	while (user_passes(id, network))
		passed++;
	return passed;
}

/* One that refuses costs the others nothing. */
static void
test_all_or_none(void **state UNUSED)
{
	assert_int_equal(users_pass("ann", "10.0.0.1"), LIMIT);
	assert_non_null(strstr(headers, "RateLimit: \"default\";r=0;"));
	for (int i = 0; i < 100; i++)
		assert_false(user_passes("ann", "10.0.0.1"));
	/* Her refusals did not use up what the address has left, nor does a refusal by the address use up what Bob has. */
	assert_int_equal(users_pass("bob", "10.0.0.1"), OF_ADDRESS - LIMIT);
	assert_non_null(strstr(headers, "RateLimit-Policy: \"address\";q=50;w=60"));
	for (int i = 0; i < 100; i++)
		assert_false(user_passes("bob", "10.0.0.1"));
	assert_int_equal(users_pass("bob", "10.0.0.2"), LIMIT - (OF_ADDRESS - LIMIT));
}

/* A user, a key and an address of one name, strangers and those who log in are counted apart. */
static void
test_apart(void **state UNUSED)
{
	struct request *request;
	int passed = 0;

	assert_int_equal(users_pass("same", "10.1.0.1"), LIMIT);
	for (;;) {
		request = request_begin(&ordinary, PRINCIPAL_KEY, "same", "10.1.0.2");
		request->principal.rate_limit = 7;
		if (!passes(request))
			break;
		passed++;
	}
	assert_int_equal(passed, 7);
	assert_non_null(strstr(headers, "X-RateLimit-Limit: 7\r\n"));
	for (passed = 0; passes(request_begin(&ordinary, PRINCIPAL_NOBODY, "", "same")); passed++)
		continue;
	assert_int_equal(passed, LIMIT);
	for (passed = 0; passes(request_begin(&entrance, PRINCIPAL_NOBODY, "", "same")); passed++)
		continue;
	assert_int_equal(passed, LIMIT / 10);
	assert_non_null(strstr(headers, "\"login\""));
	for (int i = 0; i < 1000; i++)
		assert_true(passes(request_begin(&probe, PRINCIPAL_NOBODY, "", "same")));
	assert_string_equal(headers, "");
}

static void
test_headers(void **state UNUSED)
{
	assert_true(user_passes("headers", "10.2.0.1"));
	assert_string_equal(headers, "X-RateLimit-Limit: 30\r\nX-RateLimit-Remaining: 29\r\nX-RateLimit-Reset: 2\r\n"
	                             "RateLimit-Policy: \"default\";q=30;w=60\r\nRateLimit: \"default\";r=29;t=2\r\n");
}

/* Refused credentials count for the address, whatever they were; then it is told to wait. */
static void
test_strangers(void **state UNUSED)
{
	int refused = 0;

	for (int i = 0; i < 2 * LIMIT; i++) {
		struct request *request = request_begin(&ordinary, PRINCIPAL_NOBODY, "", "10.3.0.1");

		(void)request_fail(request, ERROR_UNAUTHENTICATED, "no");
		stage_limit_stranger(request);
		assert_true(request->status == 401 || (request->status == 429 && request->retry_after_s > 0));
		refused += request->status == 429;
		request_finish(request);
	}
	assert_int_equal(refused, LIMIT);
	/* Those who have a good one at the same address notice nothing. */
	assert_true(user_passes("neighbour", "10.3.0.1"));
}

/* Of the processor's time, for other processes are at work too. */
static int64_t
spent_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Shown, not judged: machines differ. */
static void
test_cost(void **state UNUSED)
{
	enum { ROUNDS = 100000 };
	struct request *request =
	    request_begin(&ordinary, PRINCIPAL_USER, "0193b3a0-0000-7000-8000-000000000000", "10.4.0.1");
	int64_t begun_us;

	config->rate_limit = 1000000;
	config->rate_limit_address = 0;
	begun_us = spent_us();
	for (int i = 0; i < ROUNDS; i++) {
		request->quota = NULL;
		assert_int_equal(stage_limit(request), STEP_NEXT);
		stage_limit_headers(request);
		request->headers.len = 0;
		if (i % 8 == 0)
			arena_reset(&request->arena);
	}
	print_message("the stage and its headers, for a user and an address: %lld ns a request\n",
	              (long long)((spent_us() - begun_us) * 1000 / ROUNDS));
	request_finish(request);
	config->rate_limit = LIMIT;
	config->rate_limit_address = OF_ADDRESS;
}

static int
set_up(void **state UNUSED)
{
	char *variables[] = {"AGENTD_ENV=testing", "AGENTD_RATE_LIMIT=30", "AGENTD_RATE_LIMIT_ADDRESS=50", NULL};
	static struct scoreboard_slot slot;
	struct config_errors errors;

	config = config_load(variables, true, &errors);
	board = scoreboard_new(1);
	if (!config || !board)
		return -1;
	heritage = (struct heritage){.config = config, .board = board, .limits = limit_table_new(10000)};
	worker = (struct worker){.heritage = &heritage, .config = config, .slot = &slot};
	worker.bounds = tenant_bounds_new(NULL);
	worker.quota = quota_new(&worker);
	return heritage.limits ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	quota_free(worker.quota);
	tenant_bounds_free(worker.bounds);
	limit_table_free(heritage.limits);
	config_free(config);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_or_none), cmocka_unit_test(test_apart), cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_strangers),   cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
