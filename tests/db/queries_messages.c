/* queries_messages.c - sql/query/messages.sql: sent, received once, processed. */
#include "base.h"

#include "queries.h"

static void
register_agent(const char *agent_id, const char *role)
{
	CALL(AGENT_REGISTER, "agent_id", agent_id, "name", agent_id, "role", role, "max_concurrent", "1", "actor", "neo");
}

static struct db_answer *
ask_send(const char *to_agent_id, const char *to_role)
{
	return ASK(MESSAGE_SEND, "id", new_id(), "from_agent_id", "neo", "to_agent_id", to_agent_id, "to_role", to_role,
	           "message_type", "status_update", "content", "{\"at\": 1.50}");
}

static struct db_answer *
ask_inbox(const char *agent_id, const char *max)
{
	return ASK(MESSAGE_INBOX, "agent_id", agent_id, "max", max);
}

static void
test_message_goes_from_sent_to_processed(void **state UNUSED)
{
	struct db_answer *sent = queries_wait(ask_send("smith", NULL)), *taken;
	const char *id = db_answer_cell(sent, 0, "id");

	EXPECT(sent, 0, "status", "sent");
	EXPECT(sent, 0, "content", "{\"at\": 1.50}");
	taken = queries_wait(ask_inbox("smith", "10"));
	assert_int_equal(taken->rows, 1);
	EXPECT(taken, 0, "id", id);
	EXPECT(taken, 0, "status", "received");
	EXPECT(taken, 0, "received_by", "smith");
	assert_int_equal(queries_wait(ask_inbox("smith", "10"))->rows, 0);
	EXPECT(CALL(MESSAGE_ACK, "id", id), 0, "status", "processed");
	EXPECT(CALL(MESSAGE_ACK, "id", id), 0, "status", "processed");
	assert_non_null(db_answer_cell(CALL(MESSAGE_GET, "id", id), 0, "processed_at"));
	assert_int_equal(CALL(MESSAGE_GET, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(MESSAGE_ACK, "id", id, "tenant", "1")->rows, 0);
	assert_int_equal(CALL(MESSAGE_ACK, "id", new_id())->rows, 0);
}

static void
test_message_that_nobody_took_comes_back(void **state UNUSED)
{
	struct db_answer *sent = queries_wait(ask_send("smith", NULL));
	const char *id = db_answer_cell(sent, 0, "id");

	assert_int_equal(queries_wait(ask_inbox("smith", "10"))->rows, 1);
	CALL(MESSAGE_RETURN, "id", id, "tenant", "1");
	EXPECT(CALL(MESSAGE_GET, "id", id), 0, "status", "received");
	CALL(MESSAGE_RETURN, "id", id);
	EXPECT(CALL(MESSAGE_GET, "id", id), 0, "status", "sent");
	assert_int_equal(queries_wait(ask_inbox("smith", "10"))->rows, 1);
	EXPECT(CALL(MESSAGE_ACK, "id", id), 0, "status", "processed");
	CALL(MESSAGE_RETURN, "id", id);
	EXPECT(CALL(MESSAGE_GET, "id", id), 0, "status", "processed");
}

static void
test_message_inbox_is_oldest_first_and_bounded(void **state UNUSED)
{
	const char *ids[5];
	struct db_answer *taken;

	for (int i = 0; i < 5; i++)
		ids[i] = db_answer_cell(queries_wait(ask_send("smith", NULL)), 0, "id");
	taken = queries_wait(ask_inbox("smith", "3"));
	assert_int_equal(taken->rows, 3);
	for (int i = 0; i < 3; i++)
		EXPECT(taken, i, "id", ids[i]);
	taken = queries_wait(ask_inbox("smith", "3"));
	assert_int_equal(taken->rows, 2);
	EXPECT(taken, 0, "id", ids[3]);
}

static void
test_message_of_a_role_goes_to_one_agent(void **state UNUSED)
{
	struct db_answer *one, *two, *other;

	register_agent("a", "sena");
	register_agent("b", "sena");
	register_agent("c", "rune");
	queries_wait(ask_send(NULL, "sena"));
	one = ask_inbox("a", "10");
	two = ask_inbox("b", "10");
	other = ask_inbox("c", "10");
	db_fixture_wait(&fixture);
	assert_int_equal(one->rows + two->rows, 1);
	assert_int_equal(other->rows, 0);
	EXPECT(one->rows ? one : two, 0, "received_by", one->rows ? "a" : "b");
}

/* However they are shared out: every message is taken once, none stays when there is somebody to take it. */
static void
test_message_batch_of_inboxes_shares_without_doubles(void **state UNUSED)
{
	struct db_answer *boxes[4];
	int taken = 0;

	for (int i = 0; i < 4; i++)
		register_agent(text("a%d", i), "sena");
	for (int i = 0; i < 20; i++)
		ask_send(i % 2 ? "a0" : NULL, i % 2 ? NULL : "sena");
	db_fixture_wait(&fixture);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			boxes[i] = ask_inbox(text("a%d", i), "3");
		db_fixture_wait(&fixture);
		for (int i = 0; i < 4; i++) {
			assert_in_range(boxes[i]->rows, 0, 3);
			taken += boxes[i]->rows;
		}
	}
	assert_int_equal(taken, 20);
	EXPECT_SQL("20", "SELECT count(*) FROM messages WHERE tenant = %s AND status = 'received'", fixture.tenant);
	EXPECT_SQL("10", "SELECT count(*) FROM messages WHERE tenant = %s AND to_agent_id = 'a0' AND received_by = 'a0'",
	           fixture.tenant);
}

static void
test_message_broadcast_reaches_all_but_the_sender(void **state UNUSED)
{
	struct db_answer *answer;

	register_agent("neo", "sena");
	register_agent("a", "sena");
	register_agent("b", "rune");
	answer = CALL(MESSAGE_BROADCAST, "id", new_id(), "from_agent_id", "neo", "message_type", "status_update", "content",
	              "{}");
	EXPECT(answer, 0, "recipients", "[\"a\", \"b\"]");
	assert_int_equal(queries_wait(ask_inbox("a", "5"))->rows, 1);
	assert_int_equal(queries_wait(ask_inbox("b", "5"))->rows, 1);
	assert_int_equal(queries_wait(ask_inbox("neo", "5"))->rows, 0);
	EXPECT_SQL("2", "SELECT count(DISTINCT id) FROM messages WHERE tenant = %s AND substr(id::text, 15, 1) = '7'",
	           fixture.tenant);
}

static void
test_message_list_filters(void **state UNUSED)
{
	const char *first = db_answer_cell(queries_wait(ask_send("smith", NULL)), 0, "id");
	const char *second = db_answer_cell(queries_wait(ask_send("jones", NULL)), 0, "id");
	struct db_answer *page = CALL(MESSAGE_LIST, "limit", "1");

	assert_int_equal(page->rows, 2); /* one more than asked for: there is a next page */
	EXPECT(page, 0, "id", second);
	EXPECT(CALL(MESSAGE_LIST, "limit", "1", "cursor", second), 0, "id", first);
	queries_wait(ask_inbox("jones", "1"));
	EXPECT(CALL(MESSAGE_LIST, "limit", "9", "status", "received"), 0, "id", second);
	EXPECT(CALL(MESSAGE_LIST, "limit", "9", "to_agent_id", "smith"), 0, "id", first);
	assert_int_equal(CALL(MESSAGE_LIST, "limit", "9", "from_agent_id", "neo", "message_type", "status_update")->rows,
	                 2);
	assert_int_equal(CALL(MESSAGE_LIST, "limit", "9", "message_type", "error_report")->rows, 0);
	assert_int_equal(CALL(MESSAGE_LIST, "limit", "9", "tenant", "1")->rows, 0);
}

const struct CMUnitTest message_tests[] = {
    TEST(test_message_goes_from_sent_to_processed),
    TEST(test_message_inbox_is_oldest_first_and_bounded),
    TEST(test_message_of_a_role_goes_to_one_agent),
    TEST(test_message_batch_of_inboxes_shares_without_doubles),
    TEST(test_message_that_nobody_took_comes_back),
    TEST(test_message_broadcast_reaches_all_but_the_sender),
    TEST(test_message_list_filters),
};
const int message_test_count = ARRAY_LENGTH(message_tests);
