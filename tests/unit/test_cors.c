/* test_cors.c - the four policies of SYSTEM.md, and which origins each lets in. */
#include "base.h"

#include "config.h"
#include "cors.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const char listed[] = "https://app.example,https://b.example:8443";
static const char internal[] = "http://10.0.0.5:3000";

static const char *const origins[] = {"https://app.example",
                                      "https://b.example:8443",
                                      "http://10.0.0.5:3000",
                                      "http://app.example",
                                      "https://app.example:443",
                                      "https://app.example/",
                                      "https://APP.example",
                                      "https://app.example.evil",
                                      "https://app.exampl",
                                      "https://sub.app.example",
                                      "https://b.example",
                                      "https://evil.example",
                                      "https://app.example,https://b.example:8443",
                                      ",",
                                      "*",
                                      "",
                                      "null"};

static struct cors_verdict
judge(int policy, const char *origin)
{
	struct config config = {.cors_policy = policy, .cors_origins = listed, .cors_internal_origins = internal};

	return cors_judge(&config, slice_of(origin));
}

static void
expect_allowed(int policy, const char *const *expected, size_t count)
{
	for (size_t i = 0; i < ARRAY_LENGTH(origins); i++) {
		bool good = false;
		for (size_t j = 0; j < count; j++)
			good = good || strcmp(expected[j], origins[i]) == 0;
		if (judge(policy, origins[i]).allowed != good)
			fail_msg("policy %d %s the origin '%s'", policy, good ? "refuses" : "allows", origins[i]);
	}
}

static void
test_policies_say_what_they_should(void **state UNUSED)
{
	struct cors_verdict development = judge(CORS_DEVELOPMENT, "https://x.example");
	struct cors_verdict production = judge(CORS_PRODUCTION, "https://app.example");
	struct cors_verdict public = judge(CORS_PUBLIC, "https://x.example"), inside = judge(CORS_INTERNAL, internal);

	assert_true(development.any && !development.credentials);
	assert_string_equal(development.methods, "GET, POST, PUT, DELETE, PATCH, OPTIONS");
	assert_null(development.headers); /* any */
	assert_string_equal(development.exposed, "Content-Type, X-Total-Count, X-RateLimit-Limit, X-RateLimit-Remaining");
	assert_int_equal(development.max_age_s, 3600);
	assert_true(!production.any && production.credentials);
	assert_string_equal(production.methods, "GET, POST, PUT, DELETE, OPTIONS");
	assert_string_equal(production.headers, "Content-Type, Authorization, X-API-Key, Accept, Accept-Language");
	assert_string_equal(production.exposed,
	                    "Content-Type, X-Total-Count, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset");
	assert_int_equal(production.max_age_s, 7200);
	assert_true(public.any && !public.credentials);
	assert_string_equal(public.methods, "GET, OPTIONS");
	assert_string_equal(public.headers, "Content-Type, Accept");
	assert_string_equal(public.exposed, "X-RateLimit-Limit, X-RateLimit-Remaining");
	assert_int_equal(public.max_age_s, 86400);
	assert_true(!inside.any && inside.credentials);
	assert_string_equal(inside.methods, "GET, POST, PUT, DELETE, PATCH, OPTIONS");
	assert_null(inside.headers);
	assert_int_equal(inside.max_age_s, 3600);
}

static void
test_lists_are_matched_exactly(void **state UNUSED)
{
	static const char *const production[] = {"https://app.example", "https://b.example:8443"};
	static const char *const inside[] = {internal};

	expect_allowed(CORS_PRODUCTION, production, 2);
	expect_allowed(CORS_INTERNAL, inside, 1);
	expect_allowed(CORS_OFF, NULL, 0);
}

static void
test_open_policies_allow_all_but_null(void **state UNUSED)
{
	expect_allowed(CORS_DEVELOPMENT, origins, ARRAY_LENGTH(origins) - 1);
	expect_allowed(CORS_PUBLIC, origins, ARRAY_LENGTH(origins) - 1);
}

static void
test_absent_and_null_origins_are_never_allowed(void **state UNUSED)
{
	struct config config = {.cors_origins = "null,https://a.example", .cors_internal_origins = "null"};

	for (int policy = CORS_OFF; policy <= CORS_INTERNAL; policy++) {
		config.cors_policy = policy;
		assert_false(cors_judge(&config, SLICE_NONE).allowed);
		assert_false(cors_judge(&config, SLICE("null")).allowed); /* even if somebody lists it */
	}
}

/* Any page could act as the user. */
static void
test_wildcard_never_goes_with_credentials(void **state UNUSED)
{
	static const char *const lists[] = {"", "*", "https://app.example", "https://app.example,*", ",,"};

	for (int policy = CORS_OFF; policy <= CORS_INTERNAL; policy++)
		for (size_t l = 0; l < ARRAY_LENGTH(lists); l++)
			for (size_t i = 0; i < ARRAY_LENGTH(origins); i++) {
				struct config config = {
				    .cors_policy = policy, .cors_origins = lists[l], .cors_internal_origins = lists[l]};
				struct cors_verdict verdict = cors_judge(&config, slice_of(origins[i]));
				assert_false(verdict.any && verdict.credentials);
				/* With credentials only what stands in the list. */
				if (verdict.allowed && verdict.credentials)
					assert_non_null(strstr(lists[l], origins[i]));
			}
}

static void
test_empty_list_allows_nobody(void **state UNUSED)
{
	struct config config = {.cors_policy = CORS_PRODUCTION, .cors_origins = "", .cors_internal_origins = ""};

	for (size_t i = 0; i < ARRAY_LENGTH(origins); i++)
		assert_false(cors_judge(&config, slice_of(origins[i])).allowed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policies_say_what_they_should),
	    cmocka_unit_test(test_lists_are_matched_exactly),
	    cmocka_unit_test(test_open_policies_allow_all_but_null),
	    cmocka_unit_test(test_absent_and_null_origins_are_never_allowed),
	    cmocka_unit_test(test_wildcard_never_goes_with_credentials),
	    cmocka_unit_test(test_empty_list_allows_nobody),
	};

	return cmocka_run_group_tests_name("cors", tests, NULL, NULL);
}
