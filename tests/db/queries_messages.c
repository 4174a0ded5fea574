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
	return ASK(MESSAGE_INBOX, "agent_id", agent_id, "max", max, "setting_ack_s", "60");
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
	CALL(MESSAGE_RETURN, "id", id, "delivery", "1", "tenant", "1");
	CALL(MESSAGE_RETURN, "id", id, "delivery", "2"); /* another's delivery is not taken from it */
	EXPECT(CALL(MESSAGE_GET, "id", id), 0, "status", "received");
	CALL(MESSAGE_RETURN, "id", id, "delivery", "1");
	EXPECT(CALL(MESSAGE_GET, "id", id), 0, "status", "sent");
	EXPECT(CALL(MESSAGE_GET, "id", id), 0, "ack_until", NULL);
	EXPECT(queries_wait(ask_inbox("smith", "10")), 0, "delivery_count", "1");
	EXPECT(CALL(MESSAGE_ACK, "id", id), 0, "status", "processed");
	CALL(MESSAGE_RETURN, "id", id, "delivery", "1");
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

/* Every message is taken once, and none stays while somebody has room for it. */
static void
test_message_batch_of_inboxes_shares_without_doubles(void **state UNUSED)
{
	static const int expected[] = {12, 16, 19, 20};
	struct db_answer *boxes[4];
	int taken = 0;

	for (int i = 0; i < 4; i++)
		register_agent(text("a%d", i), "sena");
	for (int i = 0; i < 20; i++)
		ask_send(i % 2 ? "a0" : NULL, i % 2 ? NULL : "sena");
	db_fixture_wait(&fixture);
	/* a0 has room for 3 of its own 10; the others take 3 each of the role's 10, and the next time what is left. */
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 4; i++)
			boxes[i] = ask_inbox(text("a%d", i), "3");
		db_fixture_wait(&fixture);
		for (int i = 0; i < 4; i++)
			taken += boxes[i]->rows;
		assert_int_equal(taken, expected[round]);
	}
	assert_int_equal(taken, 20);
	EXPECT_SQL("20", "SELECT count(*) FROM messages WHERE tenant = %s AND status = 'received'", fixture.tenant);
	EXPECT_SQL("10", "SELECT count(*) FROM messages WHERE tenant = %s AND to_agent_id = 'a0' AND received_by = 'a0'",
	           fixture.tenant);
}

/* Whoever has no room left does not keep the role's messages from the others. */
static void
test_message_batch_deals_all_there_is(void **state UNUSED)
{
	struct db_answer *boxes[3];

	for (int i = 0; i < 3; i++)
		register_agent(text("a%d", i), "sena");
	for (int i = 0; i < 4; i++) {
		ask_send("a0", NULL);
		ask_send(NULL, "sena");
	}
	db_fixture_wait(&fixture);
	boxes[0] = ask_inbox("a0", "2");
	boxes[1] = ask_inbox("a0", "3"); /* the same agent twice: two of its own are left, and one of the role */
	boxes[2] = ask_inbox("a1", "9");
	db_fixture_wait(&fixture);
	assert_int_equal(boxes[0]->rows, 2);
	assert_int_equal(boxes[1]->rows, 3);
	assert_int_equal(boxes[2]->rows, 3);
	for (int i = 1; i < boxes[1]->rows; i++)
		assert_true(strcmp(db_answer_cell(boxes[1], i - 1, "id"), db_answer_cell(boxes[1], i, "id")) < 0);
}

static const char *
send_reply(const char *reply_to, const char *expected)
{
	struct db_answer *answer = CALL(MESSAGE_SEND, "id", new_id(), "from_agent_id", "neo", "to_agent_id", "smith",
	                                "message_type", "note", "content", "{}", "reply_to", reply_to);

	EXPECT(answer, 0, "_result", expected);
	return db_answer_cell(answer, 0, "id");
}

static void
test_message_thread_gathers_replies(void **state UNUSED)
{
	const char *root = send_reply(NULL, "ok"), *reply = send_reply(root, "ok"), *deep = send_reply(reply, "ok");
	struct db_answer *thread;

	send_reply(NULL, "ok");
	assert_null(send_reply(new_id(), "no_message"));
	thread = CALL(MESSAGE_LIST_THREAD, "thread_id", root, "limit", "9");
	assert_int_equal(thread->rows, 3);
	EXPECT(thread, 0, "id", deep);
	EXPECT(thread, 1, "thread_id", root);
	EXPECT(thread, 2, "id", root);
	assert_int_equal(CALL(MESSAGE_LIST, "thread_id", root, "limit", "9")->rows, 3);
	assert_int_equal(CALL(MESSAGE_LIST_THREAD, "thread_id", root, "limit", "9", "tenant", "1")->rows, 0);
	/* Another tenant's message is not there. */
	EXPECT(CALL(MESSAGE_SEND, "id", new_id(), "from_agent_id", "neo", "to_agent_id", "smith", "message_type", "note",
	            "content", "{}", "reply_to", root, "tenant", "1"),
	       0, "_result", "no_message");
	/* A row of a node of the version before has no thread of its own. */
	SQL("UPDATE messages SET thread_id = NULL WHERE tenant = %s AND id = '%s'", fixture.tenant, root);
	EXPECT(CALL(MESSAGE_GET, "id", send_reply(root, "ok")), 0, "thread_id", root);
}

static struct db_answer *
ask_send_for(const char *task, const char *epoch)
{
	return ASK(MESSAGE_SEND, "id", new_id(), "from_agent_id", "neo", "to_agent_id", "smith", "message_type", "note",
	           "content", "{}", "task_id", task, "epoch", epoch);
}

static void
test_message_for_a_task_is_fenced(void **state UNUSED)
{
	const char *task = make_task("q", "5");
	struct db_answer *stale, *good, *free_one;

	EXPECT(queries_wait(ask_send_for(task, "1")), 0, "_result", "stale");
	lease_one("q");
	stale = ask_send_for(task, "2");
	good = ask_send_for(task, "1");
	free_one = ask_send_for(task, NULL);
	db_fixture_wait(&fixture);
	EXPECT(stale, 0, "_result", "stale");
	EXPECT(stale, 0, "_epoch", "1");
	EXPECT(stale, 0, "_task_status", "processing");
	EXPECT(stale, 0, "id", NULL);
	EXPECT(good, 0, "_result", "ok");
	EXPECT(free_one, 0, "_result", "ok");
	EXPECT(queries_wait(ask_send_for(new_id(), "1")), 0, "_result", "no_task");
	EXPECT(CALL(MESSAGE_BROADCAST, "id", new_id(), "from_agent_id", "neo", "message_type", "note", "content", "{}",
	            "task_id", task, "epoch", "3"),
	       0, "_result", "stale");
	queries_wait(ask_settle(task, "1", "complete", "1", NULL));
	EXPECT(queries_wait(ask_send_for(task, "1")), 0, "_task_status", "completed");
	EXPECT_SQL("2", "SELECT count(*) FROM messages WHERE tenant = %s", fixture.tenant);
}

static void
test_message_is_delivered_again(void **state UNUSED)
{
	const char *id = db_answer_cell(queries_wait(ask_send("smith", NULL)), 0, "id");
	struct db_answer *late, *right, *none;

	queries_wait(ask_inbox("smith", "1"));
	assert_int_equal(CALL(KEEPER_REDELIVER, "deliveries", "2")->rows, 0);
	db_fixture_advance(&fixture, 61000);
	EXPECT(CALL(KEEPER_REDELIVER, "deliveries", "2"), 0, "to_agent_id", "smith");
	assert_int_equal(CALL(KEEPER_REDELIVER, "deliveries", "2")->rows, 0);
	EXPECT(queries_wait(ask_inbox("smith", "1")), 0, "delivery_count", "2");
	/* In one batch: each is judged by itself. */
	late = ASK(MESSAGE_ACK, "id", id, "delivery", "1");
	none = ASK(MESSAGE_ACK, "id", new_id(), "delivery", "1");
	right = ASK(MESSAGE_ACK, "id", id, "delivery", "2");
	db_fixture_wait(&fixture);
	EXPECT(late, 0, "_result", "stale");
	assert_int_equal(none->rows, 0);
	EXPECT(right, 0, "_result", "ok");
	EXPECT(right, 0, "status", "processed");
	EXPECT(right, 0, "ack_until", NULL);
	db_fixture_advance(&fixture, 61000);
	assert_int_equal(CALL(KEEPER_REDELIVER, "deliveries", "2")->rows, 0);
}

static void
test_message_is_given_up(void **state UNUSED)
{
	const char *id = db_answer_cell(queries_wait(ask_send("smith", NULL)), 0, "id");

	queries_wait(ask_inbox("smith", "1"));
	db_fixture_advance(&fixture, 61000);
	EXPECT(CALL(KEEPER_REDELIVER, "deliveries", "1"), 0, "undeliverable", "t");
	EXPECT(CALL(MESSAGE_GET, "id", id), 0, "status", "received");
	EXPECT(CALL(MESSAGE_LIST_UNDELIVERABLE, "limit", "9"), 0, "id", id);
	assert_int_equal(CALL(MESSAGE_LIST_UNDELIVERABLE, "limit", "9", "tenant", "1")->rows, 0);
	assert_int_equal(CALL(MESSAGE_LIST, "limit", "9", "undeliverable", "false")->rows, 0);
	db_fixture_advance(&fixture, 61000);
	assert_int_equal(CALL(KEEPER_REDELIVER, "deliveries", "1")->rows, 0);
	EXPECT(CALL(MESSAGE_ACK, "id", id, "delivery", "1"), 0, "undeliverable", "f");
	assert_int_equal(CALL(MESSAGE_LIST_UNDELIVERABLE, "limit", "9")->rows, 0);
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
	assert_int_equal(CALL(MESSAGE_LIST_FROM, "limit", "9", "from_agent_id", "neo", "status", "sent")->rows, 1);
	assert_int_equal(CALL(MESSAGE_LIST_FROM, "limit", "9", "from_agent_id", "neo", "tenant", "1")->rows, 0);
	assert_int_equal(CALL(MESSAGE_LIST, "limit", "9", "tenant", "1")->rows, 0);
}

const struct CMUnitTest message_tests[] = {
    TEST(test_message_goes_from_sent_to_processed),
    TEST(test_message_inbox_is_oldest_first_and_bounded),
    TEST(test_message_of_a_role_goes_to_one_agent),
    TEST(test_message_batch_of_inboxes_shares_without_doubles),
    TEST(test_message_batch_deals_all_there_is),
    TEST(test_message_thread_gathers_replies),
    TEST(test_message_for_a_task_is_fenced),
    TEST(test_message_is_delivered_again),
    TEST(test_message_is_given_up),
    TEST(test_message_that_nobody_took_comes_back),
    TEST(test_message_broadcast_reaches_all_but_the_sender),
    TEST(test_message_list_filters),
};
const int message_test_count = ARRAY_LENGTH(message_tests);
