/* test_revocations.c - whose tokens are refused, after which changes, and until when. */
#include "base.h"

#include "revocations.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define USER "0192f7c4-0000-7000-8000-00000000000a"
#define SESSION "0192f7c4-0000-7000-8000-00000000000b"
#define OTHER "0192f7c4-0000-7000-8000-00000000000c"

enum { ISSUED_S = 1700000000 };

static const int64_t SECOND = 1000000, HOUR = INT64_C(3600000000);

static int
set_up(void **state)
{
	*state = revocations_new();
	return 0;
}

static int
tear_down(void **state)
{
	revocations_free(*state);
	return 0;
}

/* A token whose issuer had seen the changes up to seen. */
static struct jwt_claims
token(int64_t seen)
{
	return (struct jwt_claims){.user_id = SLICE(USER),
	                           .session = SLICE(SESSION),
	                           .tenant_id = 7,
	                           .changes = seen,
	                           .issued_at = ISSUED_S,
	                           .expires_at = ISSUED_S + 900};
}

static void
take(struct revocations *revocations, enum change_kind kind, const char *subject, int64_t seq, int64_t at_us)
{
	struct change change = {.seq = seq,
	                        .tenant = 7,
	                        .kind = kind,
	                        .subject = slice_of(subject),
	                        .at_us = at_us,
	                        .until_us = at_us + HOUR,
	                        .refused = true};

	revocations_take(revocations, &change);
}

static bool
refused(const struct revocations *revocations, int64_t seen)
{
	struct jwt_claims claims = token(seen);

	return revocations_refuse_token(revocations, &claims) != NULL;
}

static void
test_session_that_has_ended(void **state)
{
	struct revocations *revocations = *state;
	struct jwt_claims claims = token(9);

	assert_false(refused(revocations, 9));
	take(revocations, CHANGE_SESSION, OTHER, 10, ISSUED_S * SECOND);
	assert_false(refused(revocations, 9));
	take(revocations, CHANGE_SESSION, SESSION, 11, ISSUED_S * SECOND);
	assert_true(refused(revocations, 9));
	/* For good: a session does not come back, whatever its token has seen. */
	assert_true(refused(revocations, 12));
	claims.session = SLICE_NONE;
	assert_null(revocations_refuse_token(revocations, &claims));
	claims.session = SLICE("0192F7C4-0000-7000-8000-00000000000B");
	assert_non_null(revocations_refuse_token(revocations, &claims));
}

static void
test_user_that_was_changed_gets_new_tokens(void **state)
{
	struct revocations *revocations = *state;

	/* In the second of the token's issue: only the order of changes can tell. */
	take(revocations, CHANGE_USER, USER, 10, ISSUED_S * SECOND + 500000);
	assert_true(refused(revocations, 9));
	assert_false(refused(revocations, 10));
	assert_false(refused(revocations, 11));
	take(revocations, CHANGE_USER, USER, 20, ISSUED_S * SECOND + 600000);
	assert_true(refused(revocations, 19));
	assert_false(refused(revocations, 20));
	assert_int_equal(revocations_count(revocations), 1);
}

/* A token of a database that was restored since has seen numbers that come again. */
static void
test_user_changed_in_a_later_second(void **state)
{
	struct revocations *revocations = *state;

	take(revocations, CHANGE_USER, USER, 10, (ISSUED_S + 1) * SECOND);
	assert_true(refused(revocations, 1000));
}

static void
test_tenant_goes_and_comes_back(void **state)
{
	struct revocations *revocations = *state;
	struct change change = {.seq = 3, .tenant = 1, .kind = CHANGE_TENANT, .subject = SLICE("7"), .refused = true};

	assert_false(revocations_refuse_tenant(revocations, 7));
	revocations_take(revocations, &change);
	assert_true(revocations_refuse_tenant(revocations, 7));
	assert_false(revocations_refuse_tenant(revocations, 1));
	assert_true(refused(revocations, 100));
	change.refused = false;
	revocations_take(revocations, &change);
	assert_false(revocations_refuse_tenant(revocations, 7));
	assert_false(refused(revocations, 100));
}

static void
test_what_has_expired_is_forgotten(void **state)
{
	struct revocations *revocations = *state;

	take(revocations, CHANGE_SESSION, SESSION, 1, ISSUED_S * SECOND);
	take(revocations, CHANGE_USER, USER, 2, ISSUED_S * SECOND + 5 * HOUR);
	assert_int_equal(revocations_count(revocations), 2);
	/* until, and an hour for clocks that differ. */
	revocations_forget(revocations, ISSUED_S * SECOND + 2 * HOUR);
	assert_int_equal(revocations_count(revocations), 2);
	revocations_forget(revocations, ISSUED_S * SECOND + 2 * HOUR + 1);
	assert_int_equal(revocations_count(revocations), 1);
	assert_true(refused(revocations, 1));
}

static void
test_what_need_not_be_forgotten_is_kept_as_long_as_tokens_live(void **state)
{
	struct revocations *revocations = *state;
	struct change change = {
	    .seq = 1, .kind = CHANGE_SESSION, .subject = SLICE(SESSION), .at_us = ISSUED_S * SECOND, .until_us = INT64_MAX};

	revocations_take(revocations, &change);
	revocations_forget(revocations, ISSUED_S * SECOND + 7 * 24 * HOUR);
	assert_int_equal(revocations_count(revocations), 1);
	revocations_forget(revocations, ISSUED_S * SECOND + 9 * 24 * HOUR);
	assert_int_equal(revocations_count(revocations), 0);
}

static void
test_memory_is_bounded_and_the_rest_is_refused(void **state)
{
	struct revocations *revocations = *state;

	for (int i = 0; i < REVOCATIONS_MAX; i++) {
		char id[37];

		snprintf(id, sizeof(id), "0192f7c4-0000-7000-8000-%012x", 0x1000 + i);
		take(revocations, CHANGE_SESSION, id, i + 1, ISSUED_S * SECOND);
	}
	assert_int_equal(revocations_count(revocations), REVOCATIONS_MAX);
	assert_false(refused(revocations, 0));
	take(revocations, CHANGE_SESSION, OTHER, REVOCATIONS_MAX + 1, ISSUED_S * SECOND);
	assert_int_equal(revocations_count(revocations), REVOCATIONS_MAX);
	/* Number 1 is not known any more: whoever might be it is refused. */
	assert_true(refused(revocations, 0));
	assert_false(refused(revocations, 1));
}

/* Whoever it is of: users that the restored database does not know have tokens too. */
static void
test_restore_ends_all_tokens_of_before(void **state)
{
	struct revocations *revocations = *state;

	take(revocations, CHANGE_ALL, "restore", 10, ISSUED_S * SECOND);
	assert_true(refused(revocations, 9));
	assert_false(refused(revocations, 10));
	take(revocations, CHANGE_ALL, "restore", 5, ISSUED_S * SECOND);
	assert_true(refused(revocations, 9));
}

static void
test_begin_anew(void **state)
{
	struct revocations *revocations = *state;

	take(revocations, CHANGE_SESSION, SESSION, 1, ISSUED_S * SECOND);
	take(revocations, CHANGE_TENANT, "7", 2, ISSUED_S * SECOND);
	revocations_clear(revocations);
	assert_int_equal(revocations_count(revocations), 0);
	assert_false(refused(revocations, 1));
}

static void
test_subjects_that_make_no_sense_are_ignored(void **state)
{
	struct revocations *revocations = *state;

	take(revocations, CHANGE_SESSION, "", 1, 0);
	take(revocations, CHANGE_USER, "not an id", 2, 0);
	take(revocations, CHANGE_KEY, "agd_sk_0", 3, 0);
	take(revocations, CHANGE_SETTINGS, "rate_limit", 4, 0);
	assert_int_equal(revocations_count(revocations), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_session_that_has_ended),
	    TEST(test_user_that_was_changed_gets_new_tokens),
	    TEST(test_user_changed_in_a_later_second),
	    TEST(test_tenant_goes_and_comes_back),
	    TEST(test_what_has_expired_is_forgotten),
	    TEST(test_what_need_not_be_forgotten_is_kept_as_long_as_tokens_live),
	    TEST(test_memory_is_bounded_and_the_rest_is_refused),
	    TEST(test_restore_ends_all_tokens_of_before),
	    TEST(test_begin_anew),
	    TEST(test_subjects_that_make_no_sense_are_ignored),
	};

	return cmocka_run_group_tests_name("revocations", tests, NULL, NULL);
}
