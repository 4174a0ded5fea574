/* test_perm_error.c - the tables perm.def and error.def: who may do what, and what a failure is called. */
#include "base.h"

#include "error.h"
#include "perm.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* As SYSTEM.md has them, that of tenants (for the tenant `default`), and that of alerts. */
static const char *const all[] = {
    "workflow:create", "workflow:read", "workflow:update", "workflow:delete", "agent:read",    "agent:manage",
    "metrics:read",    "health:read",   "config:read",     "config:write",    "task:execute",  "message:send",
    "message:read",    "user:manage",   "key:manage",      "audit:read",      "tenant:manage", "alert:manage"};

static const struct {
	const char *role;
	const char *perms[8];
} roles[] = {
    {"operator", {"workflow:create", "workflow:read", "workflow:update", "agent:read", "metrics:read", "health:read"}},
    {"viewer", {"workflow:read", "agent:read", "metrics:read", "health:read"}},
    {"guest", {"metrics:read"}},
    {"agent", {"task:execute", "message:send", "message:read", "workflow:read", "agent:read"}},
};

static bool
may(const char *role, const char *perm)
{
	for (int i = 0; i < PERM_COUNT; i++)
		if (perm_name((enum perm)i) && strcmp(perm_name((enum perm)i), perm) == 0)
			return perm_of_role(slice_of(role)) & 1u << i;
	fail_msg("there is no permission %s", perm);
	return false;
}

static void
test_permissions_are_those_of_the_system(void **state UNUSED)
{
	int named = 0;

	for (int i = 0; i < PERM_COUNT; i++)
		named += perm_name((enum perm)i) != NULL;
	assert_int_equal(named, ARRAY_LENGTH(all));
	for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
		assert_true(may("admin", all[i]));
	assert_null(perm_name(PERM_NONE));
	assert_null(perm_name(PERM_ANY));
	assert_in_range(PERM_COUNT, 1, 32); /* they are bits */
	assert_string_equal(perm_role(0), "admin");
	for (size_t i = 0; i < ARRAY_LENGTH(roles); i++)
		assert_string_equal(perm_role((int)i + 1), roles[i].role);
	assert_null(perm_role(1 + (int)ARRAY_LENGTH(roles)));
	assert_null(perm_role(-1));
}

static void
test_roles_have_exactly_their_permissions(void **state UNUSED)
{
	for (size_t r = 0; r < ARRAY_LENGTH(roles); r++)
		for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
			bool expected = false;
			for (int p = 0; p < 8 && roles[r].perms[p]; p++)
				expected = expected || strcmp(roles[r].perms[p], all[i]) == 0;
			if (may(roles[r].role, all[i]) != expected)
				fail_msg("%s %s %s", roles[r].role, expected ? "lacks" : "has", all[i]);
		}
}

static void
test_known_roles_are_known_and_others_may_nothing(void **state UNUSED)
{
	static const char *const unknown[] = {"", "Admin", "admin ", "administrator", "root", "adm"};

	for (size_t i = 0; i < ARRAY_LENGTH(roles); i++)
		assert_true(perm_of_role(slice_of(roles[i].role)) & 1u << PERM_ANY);
	for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++)
		assert_int_equal(perm_of_role(slice_of(unknown[i])), 0);
	assert_int_equal(perm_of_role(SLICE_NONE), 0);
}

static void
test_errors_have_codes_and_statuses(void **state UNUSED)
{
	for (int i = 0; i < ERROR_COUNT; i++) {
		const struct error_kind *kind = error_kind((enum error)i);
		assert_in_range(kind->status, 400, 599);
		assert_true(strlen(kind->title) > 0);
		assert_int_equal(strspn(kind->code, "abcdefghijklmnopqrstuvwxyz_"), strlen(kind->code));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(kind->code, error_kind((enum error)j)->code);
	}
}

/* Clients depend on these. */
static void
test_codes_are_stable(void **state UNUSED)
{
	static const struct {
		enum error error;
		int status;
		const char *code;
	} kinds[] = {
	    {ERROR_BAD_REQUEST, 400, "bad_request"},
	    {ERROR_BAD_JSON, 400, "bad_json"},
	    {ERROR_BAD_QUERY, 400, "bad_query"},
	    {ERROR_UNAUTHENTICATED, 401, "unauthenticated"},
	    {ERROR_BAD_CREDENTIALS, 401, "bad_credentials"},
	    {ERROR_FORBIDDEN, 403, "forbidden"},
	    {ERROR_QUOTA_EXCEEDED, 403, "quota_exceeded"},
	    {ERROR_NOT_FOUND, 404, "not_found"},
	    {ERROR_METHOD_NOT_ALLOWED, 405, "method_not_allowed"},
	    {ERROR_REQUEST_TIMEOUT, 408, "request_timeout"},
	    {ERROR_CONFLICT, 409, "conflict"},
	    {ERROR_STALE_EPOCH, 409, "stale_epoch"},
	    {ERROR_PRECONDITION_FAILED, 412, "precondition_failed"},
	    {ERROR_BODY_TOO_LARGE, 413, "body_too_large"},
	    {ERROR_UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type"},
	    {ERROR_VALIDATION_FAILED, 422, "validation_failed"},
	    {ERROR_RATE_LIMITED, 429, "rate_limited"},
	    {ERROR_HEADERS_TOO_LARGE, 431, "headers_too_large"},
	    {ERROR_INTERNAL, 500, "internal"},
	    {ERROR_UNAVAILABLE, 503, "unavailable"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		assert_int_equal(error_kind(kinds[i].error)->status, kinds[i].status);
		assert_string_equal(error_kind(kinds[i].error)->code, kinds[i].code);
	}
}

/* The HTTP parser names its failures by status. */
static void
test_errors_by_status(void **state UNUSED)
{
	static const int statuses[] = {400, 408, 413, 414, 417, 431, 501, 505};

	for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++)
		assert_int_equal(error_kind(error_of_status(statuses[i]))->status, statuses[i]);
	assert_int_equal(error_of_status(400), ERROR_BAD_REQUEST);
	assert_int_equal(error_of_status(409), ERROR_CONFLICT);
	assert_int_equal(error_of_status(418), ERROR_INTERNAL);
	assert_int_equal(error_of_status(200), ERROR_INTERNAL);
}

static void
test_errors_by_sqlstate(void **state UNUSED)
{
	static const struct {
		const char *sqlstate;
		enum error error;
	} cases[] = {
	    {"AG403", ERROR_QUOTA_EXCEEDED},    {"23505", ERROR_CONFLICT},          {"23503", ERROR_CONFLICT},
	    {"23514", ERROR_VALIDATION_FAILED}, {"22P02", ERROR_VALIDATION_FAILED}, {"22007", ERROR_VALIDATION_FAILED},
	    {"22008", ERROR_VALIDATION_FAILED}, {"22009", ERROR_VALIDATION_FAILED}, /* a time zone beyond 15:59, which
	                                                                               field.c lets through */
	    {"22003", ERROR_VALIDATION_FAILED}, {"22P05", ERROR_VALIDATION_FAILED}, {"42P01", ERROR_INTERNAL},
	    {"23502", ERROR_INTERNAL},          {"XX000", ERROR_INTERNAL},          {"", ERROR_INTERNAL},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		if (error_of_sqlstate(cases[i].sqlstate, "") != cases[i].error)
			fail_msg("%s is %s", cases[i].sqlstate, error_kind(error_of_sqlstate(cases[i].sqlstate, ""))->code);
		assert_int_equal(error_of_sqlstate(cases[i].sqlstate, "some_key"), cases[i].error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_permissions_are_those_of_the_system),
	    cmocka_unit_test(test_roles_have_exactly_their_permissions),
	    cmocka_unit_test(test_known_roles_are_known_and_others_may_nothing),
	    cmocka_unit_test(test_errors_have_codes_and_statuses),
	    cmocka_unit_test(test_codes_are_stable),
	    cmocka_unit_test(test_errors_by_status),
	    cmocka_unit_test(test_errors_by_sqlstate),
	};

	return cmocka_run_group_tests_name("perm_error", tests, NULL, NULL);
}
