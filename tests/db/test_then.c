/* test_then.c - calls that share a transaction with what goes before and after them, and tenants that take turns. */
#include "base.h"

#include "db_fixture.h"
#include "uuid.h"

#include <cmocka.h>

static struct db_fixture fixture;

#define SQL(...) db_fixture_sql(&fixture, __VA_ARGS__)

/* A creation under a key: what the step says is stored with it. */
struct kept {
	struct slice values[QUERY_PARAMS_MAX];
	struct slice before[QUERY_PARAMS_MAX];
	struct slice after[QUERY_PARAMS_MAX];
	struct db_then then;
	char id[UUID_TEXT_SIZE];
	bool stores;
	int steps, done;
	int seen_at_step; /* tasks that others could see while nothing was committed */
	enum db_status status;
	char sqlstate[6];
};

static void
set(struct slice *values, enum query_id query, const char *name, const char *value)
{
	int param = db_param(query, name);

	assert_true(param >= 0);
	values[param] = slice_of(value);
}

static const struct slice *
step(void *arg, const struct db_result *result)
{
	struct kept *kept = arg;

	kept->steps++;
	assert_int_equal(result->count, 1);
	assert_true(slice_is(db_get(result, 0, "id"), kept->id));
	kept->seen_at_step = (int)strtol(SQL("SELECT count(*) FROM tasks WHERE id = '%s'", kept->id), NULL, 10);
	return kept->stores ? kept->after : NULL;
}

static void
done(void *arg, const struct db_result *result)
{
	struct kept *kept = arg;

	kept->done++;
	kept->status = result->status;
	snprintf(kept->sqlstate, sizeof(kept->sqlstate), "%s", result->sqlstate);
	if (result->status == DB_OK)
		assert_true(slice_is(db_get(result, 0, "id"), kept->id));
}

static bool
is_done(void *arg)
{
	return ((struct kept *)arg)->done > 0;
}

static struct kept *
send_kept(const char *key, bool stores)
{
	struct kept *kept = arena_zero(&fixture.arena, sizeof(*kept));

	uuid_new(kept->id);
	kept->stores = stores;
	set(kept->values, QUERY_TASK_CREATE_SPECIAL, "tenant", "1");
	set(kept->values, QUERY_TASK_CREATE_SPECIAL, "id", kept->id);
	set(kept->values, QUERY_TASK_CREATE_SPECIAL, "queue", "r");
	set(kept->values, QUERY_TASK_CREATE_SPECIAL, "description", "");
	set(kept->values, QUERY_TASK_CREATE_SPECIAL, "priority", "5");
	set(kept->values, QUERY_TASK_CREATE_SPECIAL, "max_retries", "0");
	for (int i = 0; i < 2; i++) {
		struct slice *values = i ? kept->after : kept->before;
		enum query_id query = i ? QUERY_IDEMPOTENCY_STORE : QUERY_IDEMPOTENCY_CLAIM;
		set(values, query, "tenant", "1");
		set(values, query, "owner", "user");
		set(values, query, "key", key);
		set(values, query, "element", "0");
	}
	set(kept->after, QUERY_IDEMPOTENCY_STORE, "digest", "d");
	set(kept->after, QUERY_IDEMPOTENCY_STORE, "status", "201");
	set(kept->after, QUERY_IDEMPOTENCY_STORE, "body", kept->id);
	kept->then = (struct db_then){QUERY_IDEMPOTENCY_CLAIM, kept->before, QUERY_IDEMPOTENCY_STORE, step};
	db_send_then(fixture.db, QUERY_TASK_CREATE_SPECIAL, kept->values, &kept->then, done, kept);
	return kept;
}

static void
expect_made(const struct kept *kept, const char *tasks, const char *keys)
{
	assert_string_equal(SQL("SELECT count(*) FROM tasks WHERE id = '%s'", kept->id), tasks);
	assert_string_equal(SQL("SELECT count(*) FROM idempotency_keys WHERE body = '%s'", kept->id), keys);
}

static void
test_all_three_are_one_transaction(void **state UNUSED)
{
	struct kept *batch[20], *plain;

	for (int i = 0; i < 20; i++)
		batch[i] = send_kept(arena_printf(&fixture.arena, "one %d", i), i % 4 != 3);
	for (int i = 0; i < 20; i++) {
		db_fixture_run(&fixture, is_done, batch[i]);
		assert_int_equal(batch[i]->status, DB_OK);
		assert_int_equal(batch[i]->steps, 1);
		assert_int_equal(batch[i]->seen_at_step, 0);
		expect_made(batch[i], "1", i % 4 != 3 ? "1" : "0");
	}
	assert_string_equal(SQL("SELECT count(DISTINCT xmin::text) FROM tasks WHERE id IN ('%s', '%s')", batch[0]->id, batch[19]->id), "1");
	plain = send_kept("nothing is stored", false);
	db_fixture_run(&fixture, is_done, plain);
	expect_made(plain, "1", "0");
}

static void
test_a_key_that_is_taken_undoes_the_call(void **state UNUSED)
{
	struct kept *first = send_kept("two", true), *other, *second;

	db_fixture_run(&fixture, is_done, first);
	second = send_kept("two", true);
	other = send_kept("three", true);
	db_fixture_run(&fixture, is_done, second);
	db_fixture_run(&fixture, is_done, other);
	assert_int_equal(second->status, DB_FAILED);
	assert_string_equal(second->sqlstate, "AG200");
	expect_made(second, "0", "0");
	/* Only the guilty one of the batch fails; the other was stepped once more. */
	assert_int_equal(other->status, DB_OK);
	expect_made(other, "1", "1");
}

static void
test_a_key_at_work_elsewhere_is_refused(void **state UNUSED)
{
	struct pg_conn *elsewhere = db_fixture_connect(&fixture);
	struct kept *kept;

	(void)!db_fixture_sql_on(&fixture, elsewhere, "BEGIN; SELECT agentd_claim('1 user four 0')");
	kept = send_kept("four", true);
	db_fixture_run(&fixture, is_done, kept);
	assert_int_equal(kept->status, DB_FAILED);
	assert_string_equal(kept->sqlstate, "AG409");
	assert_int_equal(kept->steps, 0);
	expect_made(kept, "0", "0");
	(void)!db_fixture_sql_on(&fixture, elsewhere, "COMMIT");
	database_close(elsewhere);
	kept = send_kept("four", true);
	db_fixture_run(&fixture, is_done, kept);
	assert_int_equal(kept->status, DB_OK);
}

/* Others may not be sent into the open transaction: they take another connection, or wait. */
static void
test_others_stay_out_of_the_open_transaction(void **state UNUSED)
{
	struct kept *kept[3];
	struct db_answer *pings[50];

	for (int i = 0; i < 3; i++)
		kept[i] = send_kept(arena_printf(&fixture.arena, "five %d", i), true);
	for (int i = 0; i < 50; i++)
		pings[i] = db_fixture_ask(&fixture, QUERY_DATABASE_PING, (const char *)NULL);
	for (int i = 0; i < 3; i++)
		db_fixture_run(&fixture, is_done, kept[i]);
	db_fixture_wait(&fixture);
	for (int i = 0; i < 50; i++)
		assert_int_equal(pings[i]->status, DB_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(kept[i]->status, DB_OK);
}

static void
test_a_connection_lost_in_between_undoes_all(void **state UNUSED)
{
	struct pg_conn *elsewhere = db_fixture_connect(&fixture);
	struct kept *kept;

	/* The store waits for this row's transaction. */
	(void)!db_fixture_sql_on(&fixture, elsewhere,
	                         "BEGIN; INSERT INTO idempotency_keys (tenant, owner, key, element, digest, created_at)"
	                         " VALUES (1, 'user', 'six', 0, 'd', now())");
	kept = send_kept("six", true);
	while (kept->steps == 0)
		event_base_loop(fixture.base, EVLOOP_ONCE);
	SQL("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'agentd test'");
	db_fixture_run(&fixture, is_done, kept);
	assert_int_equal(kept->status, DB_UNAVAILABLE);
	(void)!db_fixture_sql_on(&fixture, elsewhere, "ROLLBACK");
	database_close(elsewhere);
	expect_made(kept, "0", "0");
}

static int order;

static void
note_order(void *arg, const struct db_result *result)
{
	assert_int_equal(result->status, DB_OK);
	*(int *)arg = ++order;
}

/* A tenant with a thousand calls in line does not keep another's one call waiting for all of them. */
static void
test_tenants_take_turns(void **state UNUSED)
{
	static struct slice flood[QUERY_PARAMS_MAX], calm[QUERY_PARAMS_MAX];
	static int flooded[5000], calm_at;

	order = 0;
	set(flood, QUERY_AGENT_HEARTBEAT, "tenant", "1");
	set(flood, QUERY_AGENT_HEARTBEAT, "agent_id", "a");
	set(calm, QUERY_AGENT_HEARTBEAT, "tenant", "2");
	set(calm, QUERY_AGENT_HEARTBEAT, "agent_id", "a");
	for (int i = 0; i < 5000; i++)
		db_send(fixture.db, QUERY_AGENT_HEARTBEAT, flood, note_order, &flooded[i]);
	db_send(fixture.db, QUERY_AGENT_HEARTBEAT, calm, note_order, &calm_at);
	while (db_pending(fixture.db))
		event_base_loop(fixture.base, EVLOOP_ONCE);
	assert_in_range(calm_at, 1, 600); /* in the first batch, or close behind it */
	assert_int_equal(order, 5001);
	for (int i = 1; i < 5000; i++)
		assert_true(flooded[i] > flooded[i - 1]);
}

/* When there is too much, who has the most is refused, not who came last. */
static void
test_the_flood_is_refused_first(void **state UNUSED)
{
	static struct slice calm[QUERY_PARAMS_MAX];
	static int calm_at;
	struct db_answer *last = NULL;
	int refused = 0;

	order = 0;
	set(calm, QUERY_AGENT_SEEN, "tenant", "2");
	set(calm, QUERY_AGENT_SEEN, "agent_id", "a");
	set(calm, QUERY_AGENT_SEEN, "wait_ms", "0");
	fixture.tenant = "1";
	for (int i = 0; i < 20500; i++)
		last = db_fixture_ask(&fixture, QUERY_AGENT_SEEN, "agent_id", "a", "wait_ms", "0", (const char *)NULL);
	db_send(fixture.db, QUERY_AGENT_SEEN, calm, note_order, &calm_at);
	while (db_pending(fixture.db))
		event_base_loop(fixture.base, EVLOOP_ONCE);
	refused = last->status == DB_OVERLOADED;
	assert_int_equal(refused, 1);
	assert_int_equal(order, 1);
}

static int
set_up(void **state UNUSED)
{
	struct db_options options = db_fixture_options();

	db_fixture_create(&fixture, "then");
	db_fixture_migrate(&fixture);
	options.pool_size = 2;
	db_fixture_start(&fixture, options);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	db_fixture_stop(&fixture);
	db_fixture_forget(&fixture);
	db_fixture_drop(&fixture);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_all_three_are_one_transaction),
	    TEST(test_a_key_that_is_taken_undoes_the_call),
	    TEST(test_a_key_at_work_elsewhere_is_refused),
	    TEST(test_others_stay_out_of_the_open_transaction),
	    TEST(test_a_connection_lost_in_between_undoes_all),
	    TEST(test_tenants_take_turns),
	    TEST(test_the_flood_is_refused_first),
	};

	return cmocka_run_group_tests_name("then", tests, NULL, NULL);
}
