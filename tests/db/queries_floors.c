/*
 * queries_floors.c - leases that begin to look at floors, and what keeps these: see worker/floors.h. Floors are arrays
 * of microseconds since 1970, one for each priority.
 */
#include "base.h"

#include "queries.h"

/* A task that became ready this many microseconds after 1970. */
static const char *
make_ready(const char *queue, const char *priority, const char *ready_us)
{
	const char *id = make_task(queue, priority);

	SQL("UPDATE tasks SET ready_at = 'epoch'::timestamptz + %s * interval '1 microsecond' WHERE id = '%s'", ready_us,
	    id);
	return id;
}

static struct db_answer *
ask_above(const char *queues, const char *max, const char *floors)
{
	return ASK(TASK_LEASE_ABOVE, "queues", queues, "agent_id", "smith", "max", max, "lease_ms", "8000", "floors",
	           floors);
}

static void
test_lease_with_floors_keeps_the_order_and_leaves_what_is_below(void **state UNUSED)
{
	const char *below = make_ready("sena", "5", "1700000000000006"),
	           *urgent = make_ready("sena", "9", "1700000000000009"),
	           *old = make_ready("sena", "5", "1700000000000007"), *young = make_ready("sena", "5", "1700000000000008"),
	           *last = make_ready("sena", "1", "3");
	const char *floors = "[null,\"{0,0,0,0,1700000000000007,0,0,0,0,1800000000000000}\"]";
	struct db_answer *lease = queries_wait(ask_above("[\"rune\",\"sena\"]", "2", floors));

	assert_int_equal(lease->rows, 2);
	EXPECT(lease, 0, "id", urgent);
	EXPECT(lease, 1, "id", old);
	lease = queries_wait(ask_above("[\"rune\",\"sena\"]", "9", floors));
	assert_int_equal(lease->rows, 2);
	EXPECT(lease, 0, "id", young);
	EXPECT(lease, 1, "id", last);
	assert_int_equal(queries_wait(ask_above("[\"rune\",\"sena\"]", "9", floors))->rows, 0);
	expect_task(below, "status", "pending");
	EXPECT(queries_wait(ask_above("[\"sena\"]", "9", "[]")), 0, "id", below);
}

/* One batch: each has its own floors, and a queue is looked at once for all who want it. */
static void
test_floors_are_of_one_tenant_and_queue(void **state UNUSED)
{
	const char *first = make_ready("sena", "5", "1000"), *second = make_ready("sena", "5", "2000"),
	           *other = make_ready("rune", "5", "1000"), *theirs = make_ready("sena", "5", "1000");
	const char *tenant = SQL("INSERT INTO tenants (name) SELECT 'floors-' || count(*) FROM tenants RETURNING id");
	const char *floors = "[\"{2000,2000,2000,2000,2000,2000,2000,2000,2000,2000}\",null]";
	struct db_answer *ours, *more, *lease;

	SQL("UPDATE tasks SET tenant = %s WHERE id = '%s'", tenant, theirs);
	ours = ask_above("[\"sena\",\"rune\"]", "2", floors);
	more = ask_above("[\"sena\"]", "3", floors);
	lease = ASK(TASK_LEASE_ABOVE, "tenant", tenant, "queues", "[\"sena\"]", "agent_id", "smith", "max", "5", "lease_ms",
	            "8000", "floors", "[]");
	db_fixture_wait(&fixture);
	assert_int_equal(lease->rows, 1);
	EXPECT(lease, 0, "id", theirs);
	assert_int_equal(ours->rows + more->rows, 2);
	expect_task(second, "status", "processing");
	expect_task(other, "status", "processing");
	expect_task(first, "status", "pending");
}

/* The floors of one priority that TASK_FLOORS or TASK_STRAGGLERS answered. */
static const char *
floor_of(const struct db_answer *answer, const char *priority)
{
	for (int row = 0; row < answer->rows; row++)
		if (db_answer_cell(answer, row, "priority") && strcmp(db_answer_cell(answer, row, "priority"), priority) == 0)
			return db_answer_cell(answer, row, "floor_us");
	return NULL;
}

static void
test_floors_are_the_oldest_that_is_ready_or_two_seconds_ago(void **state UNUSED)
{
	const char *zero = "{0,0,0,0,0,0,0,0,0,0}", *id = make_ready("sena", "5", "1700000000000007");
	struct db_answer *floors;

	make_ready("sena", "5", "1700000000000008");
	make_task("sena", "7");
	floors = CALL(TASK_FLOORS, "queue", "sena", "special", "false", "floors", zero);
	assert_int_equal(floors->rows, 11); /* the last says how long it took */
	assert_string_equal(floor_of(floors, "5"), "1700000000000007");
	EXPECT_SQL("t", "SELECT extract(epoch FROM now()) * 1000000 - %s BETWEEN 2000000 AND 10000000",
	           floor_of(floors, "7"));
	assert_string_equal(floor_of(floors, "7"), floor_of(floors, "1")); /* nothing is there */
	/* What was found first is not lost. */
	EXPECT(queries_wait(ask_above("[\"sena\"]", "1", "[\"{0,0,0,0,1700000000000007,0,1,0,0,0}\"]")), 0, "priority",
	       "7");
	EXPECT(queries_wait(ask_above("[\"sena\"]", "1", "[\"{0,0,0,0,1700000000000007,0,1,0,0,0}\"]")), 0, "id", id);
	floors = CALL(TASK_FLOORS, "queue", "sena", "special", "false", "floors", zero, "tenant", "1");
	assert_string_equal(floor_of(floors, "5"), floor_of(floors, "1"));
	floors = CALL(TASK_FLOORS, "queue", "sena", "special", "true", "floors", zero);
	assert_string_equal(floor_of(floors, "5"), floor_of(floors, "1"));
}

static void
test_stragglers_are_what_is_ready_below_a_floor(void **state UNUSED)
{
	const char *floors = "{0,0,0,0,1700000000000007,0,0,1700000000000007,0,0}";
	struct db_answer *found;

	make_ready("sena", "5", "1700000000000006");
	make_ready("sena", "5", "1700000000000005");
	make_ready("sena", "8", "1700000000000007");
	make_ready("rune", "8", "1700000000000001");
	found = CALL(TASK_STRAGGLERS, "queue", "sena", "special", "false", "floors", floors);
	assert_int_equal(found->rows, 2);
	EXPECT(found, 1, "priority", NULL);
	assert_non_null(db_answer_cell(found, 1, "took_us"));
	EXPECT(found, 0, "priority", "5");
	EXPECT(found, 0, "floor_us", "1700000000000005");
	assert_int_equal(CALL(TASK_STRAGGLERS, "queue", "sena", "special", "true", "floors", floors)->rows, 1);
	assert_int_equal(CALL(TASK_STRAGGLERS, "queue", "sena", "special", "false", "floors", floors, "tenant", "1")->rows,
	                 1);
}

static void
test_special_tasks_have_floors_of_their_own(void **state UNUSED)
{
	const char *plain = make_ready("sena", "5", "1000"), *special = make_ready("sena", "5", "1000"), *floors;
	struct db_answer *lease, *found;

	SQL("UPDATE tasks SET special = true, requires = '[\"gpu\"]' WHERE id = '%s'", special);
	floors = "[\"{1001,1001,1001,1001,1001,1001,1001,1001,1001,1001}\"]";
	lease = CALL(TASK_LEASE_CLOSELY, "queues", "[\"sena\"]", "agent_id", "smith", "max", "5", "lease_ms", "8000",
	             "capabilities", "[\"gpu\"]", "floors", floors, "floors_special", floors);
	assert_int_equal(lease->rows, 0);
	found = CALL(TASK_STRAGGLERS, "queue", "sena", "special", "true", "floors",
	             "{1001,1001,1001,1001,1001,1001,1001,1001,1001,1001}");
	EXPECT(found, 0, "floor_us", "1000");
	lease = CALL(TASK_LEASE_CLOSELY, "queues", "[\"sena\"]", "agent_id", "smith", "max", "5", "lease_ms", "8000",
	             "capabilities", "[]", "floors", floors, "floors_special", "[\"{0,0,0,0,0,0,0,0,0,0}\"]");
	assert_int_equal(lease->rows, 0);
	lease = CALL(TASK_LEASE_CLOSELY, "queues", "[\"sena\"]", "agent_id", "smith", "max", "5", "lease_ms", "8000",
	             "capabilities", "[\"gpu\"]", "floors", floors, "floors_special", "[\"{0,0,0,0,1000,0,0,0,0,0}\"]");
	assert_int_equal(lease->rows, 1);
	EXPECT(lease, 0, "id", special);
	lease = CALL(TASK_LEASE_CLOSELY, "queues", "[\"sena\"]", "agent_id", "smith", "max", "5", "lease_ms", "8000",
	             "capabilities", "[]", "floors", "[\"{0,0,0,0,1000,0,0,0,0,0}\"]", "floors_special", "[null]");
	assert_int_equal(lease->rows, 1);
	EXPECT(lease, 0, "id", plain);
}

static const char *
ready_above(const char *special, const char *floor)
{
	struct db_answer *found =
	    CALL(READY_QUEUES, "heavy",
	         text("[{\"tenant\":%s,\"queue\":\"sena\",\"special\":%s,\"floors\":\"{0,0,0,0,%s,0,0,0,0,0}\"},"
	              "{\"tenant\":%s,\"queue\":\"none\",\"special\":false,\"floors\":\"{0,0,0,0,0,0,0,0,0,0}\"}]",
	              fixture.tenant, special, floor, fixture.tenant));
	const char *all = "";

	for (int row = 0; row < found->rows; row++)
		if (strcmp(db_answer_cell(found, row, "tenant"), fixture.tenant) == 0)
			all = text("%s%s,", all, db_answer_cell(found, row, "queue"));
	return SQL("SELECT string_agg(q, ' ' ORDER BY q) FROM regexp_split_to_table('%s', ',') q WHERE q <> ''", all);
}

static void
test_ready_queues_looks_at_heavy_ones_above_their_floors(void **state UNUSED)
{
	const char *special = make_ready("tank", "5", "1000");

	make_ready("sena", "5", "1000");
	make_ready("rune", "5", "1000");
	make_ready("sena2", "5", "1000");
	SQL("UPDATE tasks SET special = true WHERE id = '%s'", special);
	assert_string_equal(ready_above("false", "1000"), "rune sena sena2 tank");
	assert_string_equal(ready_above("false", "1001"), "rune sena2 tank");
	/* The floors of its special tasks say nothing about the others. */
	assert_string_equal(ready_above("true", "1001"), "rune sena sena2 tank");
}

const struct CMUnitTest floor_tests[] = {
    TEST(test_lease_with_floors_keeps_the_order_and_leaves_what_is_below),
    TEST(test_floors_are_of_one_tenant_and_queue),
    TEST(test_floors_are_the_oldest_that_is_ready_or_two_seconds_ago),
    TEST(test_stragglers_are_what_is_ready_below_a_floor),
    TEST(test_special_tasks_have_floors_of_their_own),
    TEST(test_ready_queues_looks_at_heavy_ones_above_their_floors),
};
const int floor_test_count = ARRAY_LENGTH(floor_tests);
