/*
 * queries_closely.c - what holds a task back: an agent's max_concurrent and capabilities, concurrency keys, limits, and
 * what lets it go again: the second half of sql/query/task_lease.sql, limits.sql, task_create_special.
 */
#include "base.h"

#include "queries.h"

struct special {
	const char *unique_key, *on_duplicate, *concurrency_key, *requires, *role, *labels;
};

static struct db_answer *
ask_special(struct special task)
{
	const char *role = task.role ? task.role : "sena";

	return ASK(TASK_CREATE_SPECIAL, "id", new_id(), "queue", role, "role", role, "description", "", "priority", "5",
	           "max_retries", "3", "retry_backoff", "fixed", "retry_base_ms", "0", "retry_max_ms", "0", "retry_jitter",
	           "false", "labels", task.labels, "unique_key", task.unique_key, "on_duplicate",
	           task.on_duplicate ? task.on_duplicate : "refuse", "concurrency_key", task.concurrency_key, "requires",
	           task.requires);
}

/* special_task(.requires = "[\"gpu\"]") makes one; its id. */
#define special_task(...) db_answer_cell(queries_wait(ask_special((struct special){__VA_ARGS__})), 0, "id")

static struct db_answer *
ask_closely(const char *queues, const char *agent_id, const char *max, const char *capabilities)
{
	return ASK(TASK_LEASE_CLOSELY, "queues", queues, "agent_id", agent_id, "max", max, "lease_ms", "8000",
	           "capabilities", capabilities);
}

/* How many tasks of sena an agent gets, at most max; what is passed over is asked past, as worker/waiters.c does. */
static int
take(const char *agent_id, const char *max)
{
	struct db_answer *lease;
	int tries = 0;

	do
		lease = queries_wait(ask_closely("[\"sena\"]", agent_id, max, NULL));
	while (lease->rows && !db_answer_cell(lease, 0, "id") && ++tries < 100);
	return lease->rows && db_answer_cell(lease, 0, "id") ? lease->rows : 0;
}

static int
leased(struct db_answer *answer)
{
	return answer->rows && db_answer_cell(answer, 0, "id") ? answer->rows : 0;
}

static const char *
leased_of(const char *agent_id)
{
	return SQL(
	    "SELECT id FROM tasks WHERE tenant = %s AND leased_by = '%s' AND status = 'processing' ORDER BY id LIMIT 1",
	    fixture.tenant, agent_id);
}

/* Ends a lease and does what worker/api_settle.c does then. */
static const char *
end(const char *id, const char *outcome)
{
	const char *epoch = SQL("SELECT epoch FROM tasks WHERE id = '%s'", id);

	EXPECT(CALL(TASK_SETTLE, "id", id, "epoch", epoch, "outcome", outcome, "retryable", "true"), 0, "_result", "ok");
	return db_answer_cell(CALL(TASK_UNPARK, "id", id, "epoch", epoch), 0, "_ready");
}

static void
put_limit(const char *name, const char *kind, const char *key, const char *label, const char *match, const char *value,
          const char *window_s)
{
	CALL(LIMIT_PUT, "name", name, "kind", kind, "key", key, "label", label, "match", match, "value", value, "window_s",
	     window_s, "actor", "neo", "address", "127.0.0.1", "request_id", "r1");
}

static void
register_agent(const char *agent_id, const char *max_concurrent)
{
	CALL(AGENT_REGISTER, "agent_id", agent_id, "name", agent_id, "role", "sena", "capabilities", "[\"sum\",\"gpu\"]",
	     "max_concurrent", max_concurrent, "actor", "neo", "address", "127.0.0.1", "request_id", "r9");
}

/* So that a test is within one window. */
static int
to_next_minute_ms(void)
{
	return (int)strtol(SQL("SELECT 60000 - (extract(epoch FROM now()) * 1000)::int8 %% 60000"), NULL, 10);
}

static void
test_unique_key_refuses_or_returns(void **state UNUSED)
{
	const char *first = special_task(.unique_key = "k");
	struct db_answer *refused = queries_wait(ask_special((struct special){.unique_key = "k"}));
	struct db_answer *same = queries_wait(ask_special((struct special){.unique_key = "k", .on_duplicate = "return"}));

	assert_non_null(strstr(db_answer_cell(refused, 0, "_refused"), first));
	EXPECT(same, 0, "_refused", NULL);
	EXPECT(same, 0, "_status", "200");
	EXPECT(same, 0, "id", first);
	EXPECT_SQL("1", "SELECT count(*) FROM tasks WHERE tenant = %s", fixture.tenant);
	EXPECT_SQL("1", "SELECT count(*) FROM events WHERE tenant = %s", fixture.tenant); /* only what was made */
	assert_int_equal(take("smith", "1"), 1);
	EXPECT(queries_wait(ask_special((struct special){.unique_key = "k", .on_duplicate = "return"})), 0, "status",
	       "processing");
	end(first, "complete");
	assert_string_not_equal(special_task(.unique_key = "k"), first);
}

static void
test_unique_key_within_one_batch(void **state UNUSED)
{
	struct db_answer *answers[6];

	for (int i = 0; i < 6; i++)
		answers[i] = ask_special((struct special){.unique_key = i % 2 ? "odd" : "even", .on_duplicate = "return"});
	db_fixture_wait(&fixture);
	/* The first to ask makes it. */
	for (int i = 0; i < 6; i++) {
		EXPECT(answers[i], 0, "id", db_answer_cell(answers[i % 2], 0, "id"));
		EXPECT(answers[i], 0, "_status", i < 2 ? "201" : "200");
		assert_int_equal(answers[i]->rows, 1);
	}
	EXPECT_SQL("2", "SELECT count(*) FROM tasks WHERE tenant = %s", fixture.tenant);
}

/* Somebody else makes the task, and commits while this statement waits for it: it must see that task. */
static void
test_unique_key_of_a_task_made_at_the_same_time(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *answer;
	const char *id = new_id();

	db_fixture_sql_on(&fixture, other, "BEGIN");
	db_fixture_sql_on(&fixture, other,
	                  text("INSERT INTO tasks (tenant, id, queue, role, status, unique_key, ready_at)"
	                       " VALUES (%s, '%s', 'sena', 'sena', 'pending', 'k', now())",
	                       fixture.tenant, id));
	answer = ask_special((struct special){.unique_key = "k", .on_duplicate = "return"});
	while (!SQL("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"))
		event_base_loop(fixture.base, EVLOOP_NONBLOCK);
	db_fixture_sql_on(&fixture, other, "COMMIT");
	queries_wait(answer);
	database_close(other);
	assert_int_equal(answer->rows, 1);
	EXPECT(answer, 0, "id", id);
	EXPECT(answer, 0, "_status", "200");
}

static void
test_unique_key_is_of_a_tenant(void **state UNUSED)
{
	special_task(.unique_key = "k");
	EXPECT(CALL(TASK_CREATE_SPECIAL, "tenant", "1", "id", new_id(), "queue", "q", "role", "q", "description", "",
	            "priority", "5", "max_retries", "3", "retry_backoff", "fixed", "retry_base_ms", "0", "retry_max_ms",
	            "0", "retry_jitter", "false", "unique_key", "k", "on_duplicate", "refuse"),
	       0, "_status", "201");
	SQL("DELETE FROM tasks WHERE tenant = 1");
	SQL("DELETE FROM events WHERE tenant = 1");
}

static void
test_concurrency_key_lets_one_run(void **state UNUSED)
{
	const char *ids[3];

	for (int i = 0; i < 3; i++)
		ids[i] = special_task(.concurrency_key = "disk");
	special_task(.concurrency_key = "net");
	EXPECT_SQL("t", "SELECT throttles FROM tenants WHERE id = %s", fixture.tenant);
	EXPECT(queries_wait(ask_lease("[\"sena\"]", "smith", "9")), 0, "id", NULL); /* the short lease says: look closer */
	assert_int_equal(take("smith", "9"), 2);
	expect_task(ids[0], "status", "processing");
	expect_task(ids[1], "parked", "#disk");
	expect_task(ids[1], "ready_at", NULL);
	assert_int_equal(take("smith", "9"), 0);
	assert_string_equal(end(ids[0], "complete"), "[\"sena\"]");
	expect_task(ids[1], "parked", NULL);
	expect_task(ids[2], "parked", "#disk"); /* one place became free, and one task is let go */
	assert_int_equal(take("smith", "9"), 1);
	expect_task(ids[1], "status", "processing");
	EXPECT_SQL("2", "SELECT count(*) FROM task_slots WHERE tenant = %s", fixture.tenant);
}

/* Leases of two connections at the same moment: the key holds across transactions. */
static void
test_concurrency_key_under_many_leases(void **state UNUSED)
{
	struct db_answer *leases[20];
	int taken = 0;

	for (int i = 0; i < 20; i++)
		special_task(.concurrency_key = "disk");
	for (int i = 0; i < 20; i++)
		leases[i] = ask_closely("[\"sena\"]", text("agent %d", i), "3", NULL);
	db_fixture_wait(&fixture);
	for (int i = 0; i < 20; i++)
		taken += leased(leases[i]);
	assert_int_equal(taken, 1);
	EXPECT_SQL("1", "SELECT count(*) FROM tasks WHERE tenant = %s AND status = 'processing'", fixture.tenant);
}

static void
test_capabilities(void **state UNUSED)
{
	const char *gpu = special_task(.requires = "[\"gpu\"]"), *both = special_task(.requires = "[\"gpu\",\"de\"]");

	register_agent("smith", "9");
	assert_int_equal(leased(queries_wait(ask_closely("[\"sena\"]", "jones", "9", NULL))), 0);
	assert_int_equal(leased(queries_wait(ask_closely("[\"sena\"]", "jones", "9", "[\"de\"]"))), 0);
	assert_int_equal(leased(queries_wait(ask_closely("[\"sena\"]", "smith", "9", "[]"))), 0); /* not now */
	EXPECT(queries_wait(ask_closely("[\"sena\"]", "smith", "9", NULL)), 0, "id", gpu);        /* as it registered */
	EXPECT(queries_wait(ask_closely("[\"sena\"]", "smith", "9", "[\"de\",\"fr\",\"gpu\"]")), 0, "id", both);
}

/* Each goes to one who can do it, in one batch too. */
static void
test_capabilities_within_one_batch(void **state UNUSED)
{
	const char *gpu = special_task(.requires = "[\"gpu\"]"), *plain = make_task("sena", "1");
	struct db_answer *cannot = ask_closely("[\"sena\"]", "jones", "1", NULL);
	struct db_answer *can = ask_closely("[\"sena\"]", "smith", "1", "[\"gpu\"]");

	db_fixture_wait(&fixture);
	EXPECT(can, 0, "id", gpu);
	if (leased(cannot))
		EXPECT(cannot, 0, "id", plain);
	else
		EXPECT(queries_wait(ask_closely("[\"sena\"]", "jones", "1", NULL)), 0, "id", plain);
}

/* However many stand before it that nobody here can take, a task that can be taken is found. */
static void
test_nothing_starves_behind_what_nobody_can_take(void **state UNUSED)
{
	const char *id;

	for (int i = 0; i < 300; i++)
		ask_special((struct special){.requires = "[\"gpu\"]"});
	db_fixture_wait(&fixture);
	id = special_task(.concurrency_key = "disk");
	EXPECT(queries_wait(ask_closely("[\"sena\"]", "jones", "1", NULL)), 0, "id", id);
	/* And those of a key that is taken only by who cannot do it do not hold the key. */
	special_task(.concurrency_key = "net", .requires = "[\"gpu\"]");
	id = special_task(.concurrency_key = "net");
	EXPECT(queries_wait(ask_closely("[\"sena\"]", "jones", "1", NULL)), 0, "id", id);
}

static void
test_nothing_starves_behind_a_full_limit(void **state UNUSED)
{
	put_limit("slow", "concurrency", "label", "kind", "slow", "1", NULL);
	for (int i = 0; i < 300; i++)
		ask_special((struct special){.labels = "{\"kind\":\"slow\"}"});
	db_fixture_wait(&fixture);
	special_task(.labels = "{\"kind\":\"fast\"}");
	assert_int_equal(take("smith", "1") + take("smith", "1"), 2);
	EXPECT_SQL("fast slow",
	           "SELECT string_agg(labels ->> 'kind', ' ' ORDER BY labels ->> 'kind') FROM tasks"
	           " WHERE tenant = %s AND status = 'processing'",
	           fixture.tenant);
}

static void
test_max_concurrent_of_an_agent(void **state UNUSED)
{
	struct db_answer *leases[6];
	int taken = 0;

	register_agent("smith", "3");
	for (int i = 0; i < 10; i++)
		make_task("sena", "5");
	for (int i = 0; i < 6; i++)
		leases[i] = ask_closely("[\"sena\"]", "smith", "2", NULL);
	db_fixture_wait(&fixture);
	for (int i = 0; i < 6; i++)
		taken += leased(leases[i]);
	assert_int_equal(taken, 3);
	assert_int_equal(take("smith", "9"), 0);
	assert_int_equal(take("jones", "2"), 2); /* nobody bounds who is not registered */
	end(leased_of("smith"), "complete");
	assert_int_equal(take("smith", "9"), 1);
	assert_int_equal(take("smith", "9"), 0);
	EXPECT_SQL("3", "SELECT count(*) FROM tasks WHERE tenant = %s AND leased_by = 'smith' AND status = 'processing'",
	           fixture.tenant);
}

static void
test_limits_are_put_listed_and_deleted(void **state UNUSED)
{
	struct db_answer *limit;

	put_limit("calls", "rate", "role", NULL, "sena", "10", "60");
	put_limit("big", "concurrency", "label", "size", NULL, "2", NULL);
	limit = CALL(LIMIT_GET, "name", "calls");
	EXPECT(limit, 0, "kind", "rate");
	EXPECT(limit, 0, "window_s", "60");
	EXPECT(limit, 0, "match", "sena");
	assert_int_equal(CALL(LIMIT_GET, "name", "calls", "tenant", "1")->rows, 0);
	limit = CALL(LIMIT_LIST, "limit", "1");
	assert_int_equal(limit->rows, 2); /* one more says that there is another page */
	EXPECT(limit, 0, "name", "big");
	EXPECT(CALL(LIMIT_LIST, "limit", "5", "cursor", "big"), 0, "name", "calls");
	EXPECT(CALL(LIMIT_PUT, "name", "big", "kind", "concurrency", "key", "label", "label", "size", "value", "3", "actor",
	            "neo"),
	       0, "_status", "200");
	EXPECT(CALL(LIMIT_GET, "name", "big"), 0, "value", "3");
	assert_int_equal(CALL(LIMIT_DELETE, "name", "big", "actor", "neo", "tenant", "1")->rows, 0);
	EXPECT(CALL(LIMIT_DELETE, "name", "big", "actor", "neo"), 0, "name", "big");
	assert_int_equal(CALL(LIMIT_DELETE, "name", "big", "actor", "neo")->rows, 0);
	EXPECT_SQL("limit.put limit.put limit.put limit.delete",
	           "SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE tenant = %s", fixture.tenant);
}

static void
test_limit_of_a_role(void **state UNUSED)
{
	put_limit("few", "concurrency", "role", NULL, NULL, "2", NULL);
	for (int i = 0; i < 5; i++)
		make_task("sena", "5");
	make_task("rune", "5");
	assert_int_equal(take("smith", "9"), 2);
	assert_int_equal(take("jones", "9"), 0);
	EXPECT_SQL("3", "SELECT count(*) FROM tasks WHERE tenant = %s AND parked = 'few:sena'", fixture.tenant);
	assert_int_equal(leased(queries_wait(ask_closely("[\"rune\"]", "jones", "9", NULL))), 1); /* counted apart */
	end(leased_of("smith"), "complete");
	assert_int_equal(take("jones", "9"), 1);
	/* Raised: the keeper lets go as many as there is room for. Taken away: all. */
	put_limit("few", "concurrency", "role", NULL, NULL, "3", NULL);
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 1);
	assert_int_equal(take("jones", "9"), 1);
	CALL(LIMIT_DELETE, "name", "few", "actor", "neo");
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 1);
	assert_int_equal(take("jones", "9"), 1);
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 0);
}

/* A worker that has not heard of the first limit yet does not go past it. */
static void
test_short_lease_of_a_tenant_with_limits(void **state UNUSED)
{
	struct db_answer *answer;

	make_task("sena", "5");
	make_task("sena", "5");
	assert_int_equal(queries_wait(ask_lease("[\"sena\"]", "smith", "1"))->rows, 1);
	put_limit("one", "concurrency", "role", NULL, "rune", "1", NULL);
	answer = queries_wait(ask_lease("[\"sena\"]", "smith", "1"));
	assert_int_equal(answer->rows, 1);
	EXPECT(answer, 0, "id", NULL);
	assert_int_equal(take("smith", "1"), 1);
}

static void
test_limit_of_a_label(void **state UNUSED)
{
	put_limit("per customer", "concurrency", "label", "customer", NULL, "1", NULL);
	for (int i = 0; i < 4; i++)
		special_task(.labels = i % 2 ? "{\"customer\":\"a\"}" : "{\"customer\":\"b\"}");
	special_task(.labels = "{\"other\":\"a\"}");
	make_task("sena", "5");
	assert_int_equal(take("smith", "9"), 4);
	EXPECT_SQL("per customer:a per customer:b",
	           "SELECT string_agg(parked, ' ' ORDER BY parked) FROM tasks WHERE tenant = %s", fixture.tenant);
}

static void
test_limit_of_an_agent(void **state UNUSED)
{
	struct db_answer *first, *second;

	put_limit("one each", "concurrency", "agent", NULL, NULL, "2", NULL);
	put_limit("smith", "concurrency", "agent", NULL, "smith", "1", NULL);
	for (int i = 0; i < 6; i++)
		make_task("sena", "5");
	first = ask_closely("[\"sena\"]", "smith", "5", NULL);
	second = ask_closely("[\"sena\"]", "jones", "5", NULL);
	db_fixture_wait(&fixture);
	assert_int_equal(leased(first), 1);
	assert_int_equal(leased(second), 2);
	assert_int_equal(take("smith", "5") + take("jones", "5"), 0);
	end(leased_of("smith"), "complete");
	assert_int_equal(take("smith", "5"), 1);
}

static void
test_rate_of_a_role(void **state UNUSED)
{
	const char *first;

	/* To the beginning of a minute, so that the test is within one window. */
	db_fixture_advance(&fixture, to_next_minute_ms());
	put_limit("calls", "rate", "role", NULL, NULL, "2", "60");
	for (int i = 0; i < 5; i++)
		make_task("sena", "5");
	assert_int_equal(take("smith", "1"), 1);
	first = leased_of("smith");
	assert_int_equal(take("smith", "9"), 1);
	end(first, "complete"); /* what has started has started */
	assert_int_equal(take("smith", "9"), 0);
	EXPECT_SQL("3",
	           "SELECT count(*) FROM tasks WHERE tenant = %s AND ready_at IS NULL AND parked = 'calls:sena'"
	           " AND run_at IS NULL AND status = 'pending'",
	           fixture.tenant);
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 0); /* the window is full */
	db_fixture_advance(&fixture, 60000);
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 2);
	assert_int_equal(take("smith", "9"), 2);
	assert_int_equal(take("smith", "9"), 0);
	/* Raised: within the window. Taken away: all. */
	put_limit("calls", "rate", "role", NULL, NULL, "3", "60");
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 1);
	make_task("sena", "5");
	make_task("sena", "5");
	assert_int_equal(take("smith", "9"), 1);
	CALL(LIMIT_DELETE, "name", "calls", "actor", "neo");
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 2);
	assert_int_equal(take("smith", "9"), 2);
}

static void
test_rate_of_an_agent(void **state UNUSED)
{
	db_fixture_advance(&fixture, to_next_minute_ms());
	put_limit("pace", "rate", "agent", NULL, NULL, "2", "60");
	for (int i = 0; i < 6; i++)
		make_task("sena", "5");
	assert_int_equal(take("smith", "1"), 1);
	assert_int_equal(take("smith", "9"), 1);
	assert_int_equal(take("smith", "9"), 0);
	assert_int_equal(take("jones", "9"), 2);
	db_fixture_advance(&fixture, 60000);
	assert_int_equal(take("smith", "9"), 2);
}

/* A place is counted while its task is processing with that epoch: whoever ends it, and whether anybody says so. */
static void
test_places_do_not_leak(void **state UNUSED)
{
	const char *ids[3];

	for (int i = 0; i < 3; i++)
		ids[i] = special_task(.concurrency_key = "disk");
	assert_int_equal(take("smith", "3"), 1);
	/* The worker died before task_unpark: the keeper finds what waits. */
	CALL(TASK_SETTLE_ALONE, "id", ids[0], "epoch", "1", "outcome", "release", "retryable", "true");
	assert_int_equal(CALL(KEEPER_UNPARK)->rows, 1);
	assert_int_equal(take("smith", "3"), 1);
	expect_task(ids[0], "status", "processing"); /* the oldest again */
	expect_task(ids[0], "epoch", "2");
	/* A late task_unpark of the first lease does not give away the place of the second. */
	EXPECT(CALL(TASK_UNPARK, "id", ids[0], "epoch", "1"), 0, "_ready", NULL);
	assert_int_equal(take("smith", "3"), 0);
	EXPECT_SQL("1", "SELECT count(*) FROM tasks WHERE tenant = %s AND status = 'processing'", fixture.tenant);
	/* A holder that falls silent. */
	db_fixture_advance(&fixture, 9000);
	assert_string_equal(end(ids[0], "expire"), "[\"sena\"]");
	assert_int_equal(take("smith", "3"), 1);
}

/* Letting go obeys run_at, whatever it was set to meanwhile. */
static void
test_unparked_before_its_time(void **state UNUSED)
{
	const char *first = special_task(.concurrency_key = "disk"), *second = special_task(.concurrency_key = "disk");

	assert_int_equal(take("smith", "3"), 1);
	EXPECT(CALL(TASK_PATCH, "id", second, "run_at", SQL("SELECT now() + interval '1 hour'"), "actor", "neo"), 0,
	       "_refused", NULL);
	expect_task(second, "parked", "#disk");
	end(first, "complete");
	assert_int_equal(take("smith", "3"), 0);
	expect_task(second, "parked", NULL);
	db_fixture_advance(&fixture, 3601000);
	assert_int_equal(CALL(KEEPER_DUE)->rows, 1);
	assert_int_equal(take("smith", "3"), 1);
}

/* What a workflow that ends drops gives its places back. */
static void
test_places_of_a_workflow_that_ends(void **state UNUSED)
{
	const char *workflow = make_workflow(
	    "[{\"key\":\"a\",\"role\":\"sena\",\"concurrency_key\":\"disk\"},{\"key\":\"b\",\"role\":\"b\"}]");
	const char *waiting = special_task(.concurrency_key = "disk");

	assert_int_equal(take("smith", "3"), 1);
	expect_task(waiting, "parked", "#disk");
	CALL(WORKFLOW_CANCEL, "id", workflow, "actor", "neo");
	CALL(KEEPER_UNPARK);
	assert_int_equal(take("smith", "3"), 1);
	EXPECT_SQL(waiting, "SELECT string_agg(task_id::text, ' ') FROM task_slots WHERE tenant = %s", fixture.tenant);
}

static void
test_ready_queues_are_found(void **state UNUSED)
{
	struct db_answer *found;
	char all[400] = "";

	make_task("sena", "5");
	make_task("sena", "5");
	make_task("rune", "5");
	special_task(.role = "lubit", .concurrency_key = "disk");
	special_task(.role = "sena", .concurrency_key = "disk");
	CALL(MESSAGE_SEND, "id", new_id(), "from_agent_id", "a", "to_agent_id", "smith", "message_type", "t", "content",
	     "{}");
	found = CALL(READY_QUEUES);
	for (int i = 0; i < found->rows; i++)
		if (strcmp(db_answer_cell(found, i, "tenant"), fixture.tenant) == 0)
			snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s,", db_answer_cell(found, i, "queue"));
	EXPECT_SQL("inbox smith,lubit,rune,sena",
	           "SELECT string_agg(q, ',' ORDER BY q) FROM string_to_table(trim(',' FROM '%s'), ',') q", all);
}

/* Where leases begin to look, and what stands below that after all. */
static void
test_floors_and_stragglers(void **state UNUSED)
{
	const char *none = "{0,0,0,0,0,0,0,0,0,0}", *high;
	struct db_answer *answer;

	high = SQL("SELECT array_agg(9000000000000000) FROM generate_series(1, 10)");
	make_task("sena", "5");
	answer = CALL(TASK_FLOORS, "queue", "sena", "special", "false", "floors", none);
	assert_int_equal(answer->rows, 11); /* one for each priority */
	answer = CALL(TASK_STRAGGLERS, "queue", "sena", "special", "false", "floors", high);
	assert_int_equal(answer->rows, 2);
	EXPECT(answer, 0, "priority", "5");
	assert_int_equal(CALL(TASK_STRAGGLERS, "queue", "sena", "special", "true", "floors", high)->rows, 1);
	assert_int_equal(CALL(TASK_STRAGGLERS, "queue", "sena", "special", "false", "floors", none)->rows, 1);
}

const struct CMUnitTest closely_tests[] = {
    TEST(test_unique_key_refuses_or_returns),
    TEST(test_unique_key_within_one_batch),
    TEST(test_unique_key_of_a_task_made_at_the_same_time),
    TEST(test_unique_key_is_of_a_tenant),
    TEST(test_concurrency_key_lets_one_run),
    TEST(test_concurrency_key_under_many_leases),
    TEST(test_capabilities),
    TEST(test_capabilities_within_one_batch),
    TEST(test_nothing_starves_behind_what_nobody_can_take),
    TEST(test_nothing_starves_behind_a_full_limit),
    TEST(test_max_concurrent_of_an_agent),
    TEST(test_limits_are_put_listed_and_deleted),
    TEST(test_limit_of_a_role),
    TEST(test_short_lease_of_a_tenant_with_limits),
    TEST(test_limit_of_a_label),
    TEST(test_limit_of_an_agent),
    TEST(test_rate_of_a_role),
    TEST(test_rate_of_an_agent),
    TEST(test_places_do_not_leak),
    TEST(test_unparked_before_its_time),
    TEST(test_places_of_a_workflow_that_ends),
    TEST(test_ready_queues_are_found),
    TEST(test_floors_and_stragglers),
};
const int closely_test_count = ARRAY_LENGTH(closely_tests);
