/* queries_memory.c - sql/query/memory.sql: one write after the other, each version once, every access on record. */
#include "base.h"

#include "queries.h"

/* owner NULL: shared. version NULL: whatever is there. */
static struct db_answer *
ask_put(const char *owner, const char *key, const char *value, const char *version)
{
	return ASK(MEMORY_PUT, "owner", owner ? owner : "", "key", key, "type", owner ? "agent" : "shared", "value", value,
	           "version", version, "agent_id", owner, "actor", "neo", "is_admin", "false");
}

static struct db_answer *
put(const char *key, const char *value, const char *version, const char *expected)
{
	struct db_answer *answer = queries_wait(ask_put(NULL, key, value, version));

	EXPECT(answer, 0, "_result", expected);
	return answer;
}

static struct db_answer *
get(const char *key, const char *agent_id)
{
	return CALL(MEMORY_GET, "key", key, "agent_id", agent_id);
}

static void
expect_history(const char *key, const char *expected)
{
	EXPECT_SQL(expected,
	           "SELECT string_agg(op || ' ' || version, ', ' ORDER BY id) FROM memory_history"
	           " WHERE tenant = %s AND key = '%s'",
	           fixture.tenant, key);
}

static void
test_memory_is_written_read_and_deleted(void **state UNUSED)
{
	struct db_answer *entry = put("plan", "{\"n\": 1.50}", NULL, "created");

	EXPECT(entry, 0, "_status", "201");
	EXPECT(entry, 0, "version", "1");
	EXPECT(get("plan", NULL), 0, "value", "{\"n\": 1.50}");
	assert_int_equal(CALL(MEMORY_GET, "key", "plan", "tenant", "1")->rows, 0);
	EXPECT(put("plan", "null", NULL, "changed"), 0, "_status", "200");
	EXPECT(get("plan", NULL), 0, "value", "null");
	CALL(MEMORY_READ, "owner", "", "key", "plan", "version", "2", "agent_id", "smith", "actor", "neo");
	assert_int_equal(CALL(MEMORY_DELETE, "key", "plan", "actor", "neo", "is_admin", "true", "tenant", "1")->rows, 0);
	EXPECT(CALL(MEMORY_DELETE, "key", "plan", "actor", "neo", "is_admin", "false"), 0, "_result", "deleted");
	assert_int_equal(get("plan", NULL)->rows, 0);
	assert_int_equal(CALL(MEMORY_DELETE, "key", "plan", "actor", "neo", "is_admin", "false")->rows, 0);
	EXPECT(put("plan", "1", "0", "created"), 0, "version", "3");
	expect_history("plan", "write 1, write 2, read 2, delete 2, write 3");
}

static void
test_memory_batch_of_one_key_takes_turns(void **state UNUSED)
{
	struct db_answer *writes[6];

	writes[0] = ask_put(NULL, "n", "0", "1"); /* there is none yet */
	writes[1] = ask_put(NULL, "n", "1", "0");
	writes[2] = ask_put(NULL, "other", "9", NULL);
	writes[3] = ask_put(NULL, "n", "2", "1");
	writes[4] = ask_put(NULL, "n", "3", "1"); /* it is 2 by now */
	writes[5] = ask_put(NULL, "n", "4", NULL);
	db_fixture_wait(&fixture);
	EXPECT(writes[0], 0, "_result", "version");
	EXPECT(writes[0], 0, "_version", "0");
	EXPECT(writes[1], 0, "_result", "created");
	EXPECT(writes[2], 0, "version", "1");
	EXPECT(writes[3], 0, "version", "2");
	EXPECT(writes[4], 0, "_result", "version");
	EXPECT(writes[4], 0, "_version", "2");
	EXPECT(writes[5], 0, "version", "3");
	EXPECT(writes[5], 0, "value", "4");
	EXPECT(get("n", NULL), 0, "value", "4");
	EXPECT(get("n", NULL), 0, "version", "3");
	expect_history("n", "refused 0, write 1, write 2, refused 2, write 3");
}

/* Another connection holds the key: who comes meanwhile waits and sees what it left. */
static void
test_memory_writers_of_two_nodes_wait_for_each_other(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *write;

	db_fixture_sql_on(&fixture, other,
	                  text("BEGIN; SELECT pg_advisory_xact_lock(%s, hashtext('/n') & 255); INSERT INTO memory VALUES"
	                       " (%s, '', 'n', 'shared', '1', 1, NULL, 'x', 'x', now(), now())",
	                       fixture.tenant, fixture.tenant));
	write = ask_put(NULL, "n", "2", "0");
	for (int i = 0; i < 20 && !write->done; i++)
		event_base_loop(fixture.base, EVLOOP_ONCE);
	assert_int_equal(write->done, 0);
	db_fixture_sql_on(&fixture, other, "COMMIT");
	EXPECT(queries_wait(write), 0, "_result", "version");
	EXPECT(write, 0, "_version", "1");
	database_close(other);
}

static void
test_memory_private_entries_are_their_agents(void **state UNUSED)
{
	struct db_answer *page;

	queries_wait(ask_put("smith", "note", "1", NULL));
	queries_wait(ask_put("jones", "note", "2", NULL));
	assert_int_equal(get("note", NULL)->rows, 0);
	assert_int_equal(get("note", "neo")->rows, 0);
	EXPECT(get("note", "smith"), 0, "value", "1");
	put("note", "3", NULL, "created");
	EXPECT(get("note", "neo"), 0, "value", "3");
	EXPECT(get("note", "jones"), 0, "value", "2");
	EXPECT(get("note", "jones"), 0, "agent_id", "jones");
	page = CALL(MEMORY_LIST, "prefix", "", "agent_id", "smith", "limit", "9");
	assert_int_equal(page->rows, 2);
	EXPECT(page, 0, "type", "shared");
	EXPECT(page, 1, "agent_id", "smith");
	page = CALL(MEMORY_LIST, "prefix", "", "agent_id", "smith", "limit", "9", "cursor",
	            db_answer_cell(page, 0, "_cursor"));
	assert_int_equal(page->rows, 1);
	EXPECT(page, 0, "agent_id", "smith");
	assert_int_equal(CALL(MEMORY_HISTORY, "key", "note", "agent_id", "smith", "limit", "9")->rows, 1);
	EXPECT(CALL(MEMORY_HISTORY, "key", "note", "agent_id", "neo", "limit", "9"), 0, "agent_id", NULL);
	CALL(MEMORY_DELETE, "key", "note", "agent_id", "smith", "actor", "neo", "is_admin", "false");
	EXPECT(get("note", "smith"), 0, "value", "3");
}

static void
put_law(const char *is_admin, const char *expected)
{
	struct db_answer *answer = CALL(MEMORY_PUT, "owner", "", "key", "law", "type", "read_only", "value", "1", "actor",
	                                "neo", "is_admin", is_admin);

	EXPECT(answer, 0, "_result", expected);
}

static void
test_memory_read_only_is_written_once(void **state UNUSED)
{
	put_law("false", "created");
	put_law("false", "read_only");
	put_law("true", "changed");
	EXPECT(CALL(MEMORY_DELETE, "key", "law", "actor", "neo", "is_admin", "false"), 0, "_result", "read_only");
	EXPECT(CALL(MEMORY_DELETE, "key", "law", "actor", "neo", "is_admin", "true", "if_match", "\"1\""), 0, "_result",
	       "precondition");
	EXPECT(CALL(MEMORY_DELETE, "key", "law", "actor", "neo", "is_admin", "true", "if_match", "\"2\""), 0, "_result",
	       "deleted");
	expect_history("law", "write 1, refused 1, write 2, refused 2, refused 2, delete 2");
}

static void
test_memory_ends_when_its_time_has_come(void **state UNUSED)
{
	for (int i = 0; i < 2; i++)
		CALL(MEMORY_PUT, "owner", "", "key", text("k%d", i), "type", "read_only", "value", "1", "ttl_s", "10", "actor",
		     "neo", "is_admin", "false");
	assert_int_equal(CALL(KEEPER_EXPIRE_MEMORY)->rows, 0);
	db_fixture_advance(&fixture, 10000);
	assert_int_equal(get("k0", NULL)->rows, 0);
	assert_int_equal(CALL(MEMORY_LIST, "prefix", "k", "limit", "9")->rows, 0);
	assert_int_equal(CALL(MEMORY_DELETE, "key", "k0", "actor", "neo", "is_admin", "true")->rows, 0);
	/* It is free for the next, removed or not, and its versions go on. */
	EXPECT(put("k0", "2", "0", "created"), 0, "version", "2");
	EXPECT(CALL(KEEPER_EXPIRE_MEMORY), 0, "count", "1");
	EXPECT(put("k1", "2", "0", "created"), 0, "version", "2");
	expect_history("k0", "write 1, write 2");
	expect_history("k1", "write 1, expire 1, write 2");
}

static void
test_memory_list_is_by_key(void **state UNUSED)
{
	static const char *const keys[] = {"p.b", "p.A", "p", "p.%", "q", "P.z", "p.\xc3\xa9"};
	static const char *const sorted[] = {"p.%", "p.A", "p.b", "p.\xc3\xa9"};
	struct db_answer *page;

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		ask_put(NULL, keys[i], "1", NULL);
	db_fixture_wait(&fixture);
	page = CALL(MEMORY_LIST, "prefix", "p.", "limit", "9");
	assert_int_equal(page->rows, 4);
	for (int i = 0; i < 4; i++)
		EXPECT(page, i, "key", sorted[i]);
	page = CALL(MEMORY_LIST, "prefix", "p.", "limit", "1", "cursor", db_answer_cell(page, 1, "_cursor"));
	assert_int_equal(page->rows, 2);
	EXPECT(page, 0, "key", "p.b");
	assert_int_equal(CALL(MEMORY_LIST, "prefix", "p.", "limit", "9", "tenant", "1")->rows, 0);
	assert_int_equal(CALL(MEMORY_LIST, "prefix", "", "limit", "9")->rows, 7);
	page = CALL(MEMORY_HISTORY, "key", "q", "limit", "9");
	EXPECT(page, 0, "op", "write");
	assert_int_equal(CALL(MEMORY_HISTORY, "key", "q", "limit", "9", "cursor", db_answer_cell(page, 0, "_cursor"))->rows,
	                 0);
}

const struct CMUnitTest memory_tests[] = {
    TEST(test_memory_is_written_read_and_deleted),
    TEST(test_memory_batch_of_one_key_takes_turns),
    TEST(test_memory_writers_of_two_nodes_wait_for_each_other),
    TEST(test_memory_private_entries_are_their_agents),
    TEST(test_memory_read_only_is_written_once),
    TEST(test_memory_ends_when_its_time_has_come),
    TEST(test_memory_list_is_by_key),
};
const int memory_test_count = ARRAY_LENGTH(memory_tests);
