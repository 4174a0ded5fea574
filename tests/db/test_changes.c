/*
 * test_changes.c - the follower of changes (shared/changes.c) on a real database: order, loads, what breaks it off.
 *
 * One process announces on a second connection, the follower reads through a pool of its own, as a worker does.
 */
#include "base.h"

#include "changes.h"
#include "clock.h"
#include "db_fixture.h"
#include "scoreboard.h"

#include <cmocka.h>

static struct db_fixture fixture;
static struct heritage heritage;
static struct changes *changes;
static char told[20000]; /* the subjects, with a space after each; "begin " for a begin */

#define SQL(...) db_fixture_sql(&fixture, __VA_ARGS__)

static void
on_begin(void *arg UNUSED)
{
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "begin ");
}

static void
on_take(void *arg UNUSED, const struct change *change)
{
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%.*s ", SLICE_ARG(change->subject));
}

static bool
has(void *arg)
{
	changes_tick(changes);
	return strstr(told, arg) != NULL;
}

static bool
is_loaded(void *arg UNUSED)
{
	changes_tick(changes);
	return changes_age_us(changes) < CHANGES_STALE_US;
}

static bool
is_stale(void *arg UNUSED)
{
	changes_tick(changes);
	return changes_age_us(changes) > 1000000;
}

static int64_t confirmed_before_us;

/* A look that was sent after confirmed_before_us has come back. */
static bool
is_confirmed(void *arg UNUSED)
{
	changes_tick(changes);
	return clock_steady_us() - changes_age_us(changes) > confirmed_before_us;
}

static void
wait_for_a_look(void)
{
	confirmed_before_us = clock_steady_us();
	db_fixture_run(&fixture, is_confirmed, NULL);
}

static int
set_up(void **state UNUSED)
{
	told[0] = '\0';
	SQL("DELETE FROM changes");
	heritage.board = scoreboard_new(1);
	assert_non_null(heritage.board);
	db_fixture_start(&fixture, db_fixture_options());
	changes = changes_new(fixture.db, &heritage);
	changes_listen(changes, (struct changes_listener){on_begin, on_take, NULL});
	assert_true(changes_age_us(changes) == INT64_MAX);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	db_fixture_stop(&fixture);
	changes_free(changes);
	return 0;
}

static void
announce(const char *kind, const char *subject)
{
	SQL("SELECT agentd_announce(1, '%s', '%s', now(), now() + interval '1 hour')", kind, subject);
}

static void
test_load_then_follow_in_order(void **state UNUSED)
{
	announce("session", "old");
	announce("key", "not-of-interest");
	db_fixture_run(&fixture, is_loaded, NULL);
	assert_string_equal(told, "begin old ");
	announce("key", "one");
	announce("settings", "two");
	announce("session", "three");
	db_fixture_run(&fixture, has, "three ");
	assert_string_equal(told, "begin old one two three ");
	wait_for_a_look();
	assert_string_equal(told, "begin old one two three ");
}

static void
test_a_change_is_known_within_the_interval(void **state UNUSED)
{
	db_fixture_run(&fixture, is_loaded, NULL);
	for (int i = 0; i < 5; i++) {
		char subject[20];
		int64_t begin_us;

		snprintf(subject, sizeof(subject), "change%d ", i);
		SQL("SELECT agentd_announce(1, 'key', 'change%d', now(), NULL)", i);
		begin_us = clock_steady_us();
		db_fixture_run(&fixture, has, subject);
		assert_in_range(clock_steady_us() - begin_us, 0, 600000);
	}
}

static void
test_many_pages(void **state UNUSED)
{
	SQL("SELECT count(agentd_announce(1, 'session', 'l', now(), NULL)) FROM generate_series(1, 2500) n");
	db_fixture_run(&fixture, is_loaded, NULL);
	assert_int_equal(strlen(told), strlen("begin ") + 2500 * strlen("l "));
	told[0] = '\0';
	SQL("SELECT count(agentd_announce(1, 'session', 'f', now(), NULL)) FROM generate_series(1, 2500) n");
	announce("key", "last");
	db_fixture_run(&fixture, has, "last ");
	assert_int_equal(strlen(told), 2500 * strlen("f ") + strlen("last "));
}

static void
test_restored_database_is_read_anew(void **state UNUSED)
{
	announce("session", "kept");
	SQL("CREATE TABLE backup AS SELECT seq FROM changes_head");
	announce("session", "lost");
	db_fixture_run(&fixture, is_loaded, NULL);
	assert_string_equal(told, "begin kept lost ");
	SQL("DELETE FROM changes WHERE subject = 'lost'");
	SQL("UPDATE changes_head SET seq = (SELECT seq FROM backup)");
	SQL("DROP TABLE backup");
	db_fixture_run(&fixture, has, "lost begin kept ");
	assert_string_equal(told, "begin kept lost begin kept ");
	announce("session", "after");
	db_fixture_run(&fixture, has, "after ");
	assert_string_equal(told, "begin kept lost begin kept after ");
}

/* Rows that were forgotten while this process was away might have been keys. */
static void
test_missing_rows_are_noticed(void **state UNUSED)
{
	announce("session", "first");
	db_fixture_run(&fixture, is_loaded, NULL);
	SQL("BEGIN");
	announce("key", "forgotten");
	announce("session", "second");
	SQL("DELETE FROM changes WHERE subject = 'forgotten'");
	SQL("COMMIT");
	db_fixture_run(&fixture, has, "begin first second ");
	assert_string_equal(told, "begin first begin first second ");
	SQL("BEGIN");
	announce("key", "forgotten");
	SQL("DELETE FROM changes WHERE subject = 'forgotten'");
	SQL("COMMIT");
	db_fixture_run(&fixture, has, "begin first second begin first second ");
}

static void
test_age_grows_while_the_database_is_silent(void **state UNUSED)
{
	db_fixture_run(&fixture, is_loaded, NULL);
	SQL("BEGIN");
	SQL("LOCK TABLE changes IN ACCESS EXCLUSIVE MODE");
	db_fixture_run(&fixture, is_stale, NULL);
	SQL("COMMIT");
	wait_for_a_look();
	assert_in_range(changes_age_us(changes), 0, 1000000);
}

static void
test_a_mark_makes_it_look_sooner(void **state UNUSED)
{
	int64_t least_us = INT64_MAX;

	db_fixture_run(&fixture, is_loaded, NULL);
	for (int i = 0; i < 5; i++) {
		char subject[20];
		int64_t begin_us;

		wait_for_a_look();
		snprintf(subject, sizeof(subject), "marked%d ", i);
		SQL("SELECT agentd_announce(1, 'key', 'marked%d', now(), NULL)", i);
		begin_us = clock_steady_us();
		changes_mark(&heritage);
		db_fixture_run(&fixture, has, subject);
		least_us = MIN(least_us, clock_steady_us() - begin_us);
	}
	/* The pause between two looks is 200 ms at least. */
	assert_in_range(least_us, 0, 150000);
}

static void
test_a_hint_during_a_look_is_not_lost(void **state UNUSED)
{
	int64_t begin_us;

	db_fixture_run(&fixture, is_loaded, NULL);
	wait_for_a_look();
	begin_us = clock_steady_us();
	for (int i = 0; i < 3; i++)
		changes_hint(changes);
	wait_for_a_look();
	wait_for_a_look();
	assert_in_range(clock_steady_us() - begin_us, 0, 2 * CHANGES_POLL_US);
}

static int
group_set_up(void **state UNUSED)
{
	db_fixture_create(&fixture, "changes");
	db_fixture_migrate(&fixture);
	return 0;
}

static int
group_tear_down(void **state UNUSED)
{
	db_fixture_drop(&fixture);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_load_then_follow_in_order),
	    TEST(test_a_change_is_known_within_the_interval),
	    TEST(test_many_pages),
	    TEST(test_restored_database_is_read_anew),
	    TEST(test_missing_rows_are_noticed),
	    TEST(test_age_grows_while_the_database_is_silent),
	    TEST(test_a_mark_makes_it_look_sooner),
	    TEST(test_a_hint_during_a_look_is_not_lost),
	};

	return cmocka_run_group_tests_name("changes", tests, group_set_up, group_tear_down);
}
