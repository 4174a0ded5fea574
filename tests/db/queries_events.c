/* queries_events.c - sql/query/events.sql: what a reader sees from a place on, and what not yet. */
#include "base.h"

#include "queries.h"

static struct db_answer *
ask_read(const char *xid, const char *seq, const char *workflow_id, const char *verify)
{
	return ASK(EVENTS_READ, "xid", xid, "seq", seq, "workflow_id", workflow_id, "verify", verify);
}

static struct db_answer *
read_from(const char *xid, const char *seq)
{
	return queries_wait(ask_read(xid, seq, NULL, "false"));
}

/* Rows of one transaction; item is an SQL expression of i. */
static void
say(int count, const char *workflow_id, const char *item)
{
	SQL("INSERT INTO events (tenant, at, workflow_id, items) SELECT %s, now(), %s, json_build_array(%s)"
	    " FROM generate_series(1, %d) i",
	    fixture.tenant, workflow_id ? text("'%s'", workflow_id) : "NULL", item, count);
}

static const char *
cell(const struct db_answer *answer, int row, const char *column)
{
	return db_answer_cell(answer, row, column);
}

static void
test_events_come_in_pieces_without_a_gap(void **state UNUSED)
{
	struct db_answer *piece;
	int expected = 1; /* each piece begins with the last row of the one before */

	say(450, NULL, "json_build_object('kind', 'n', 'subject', i)");
	piece = read_from("0", "0");
	for (int pieces = 0; pieces < 3; pieces++) {
		int last = piece->rows - 2;
		assert_int_equal(piece->rows, pieces < 2 ? 200 + 1 : 52 + 1);
		for (int row = pieces > 0; row <= last; row++)
			assert_string_equal(cell(piece, row, "items"), text("[{\"kind\" : \"n\", \"subject\" : %d}]", expected++));
		/* The last row is the end of what is to be seen: it has no event. */
		EXPECT(piece, last + 1, "items", NULL);
		EXPECT(piece, last + 1, "pending", "f");
		piece = read_from(cell(piece, last, "xid"), cell(piece, last, "seq"));
	}
	assert_int_equal(expected, 451);
}

static void
test_events_are_bounded_by_their_size(void **state UNUSED)
{
	struct db_answer *piece;

	say(1, NULL, "repeat('a', 1000000)");
	say(5, NULL, "repeat('b', 100000)");
	piece = read_from("0", "0");
	assert_int_equal(piece->rows, 1 + 1);
	piece = read_from(cell(piece, 0, "xid"), text("%lld", strtoll(cell(piece, 0, "seq"), NULL, 10) + 1));
	assert_int_equal(piece->rows, 3 + 1);
	assert_int_equal(strlen(cell(piece, 0, "items")), 100004);
}

static void
test_events_wait_for_older_transactions(void **state UNUSED)
{
	struct db_answer *piece;
	struct pg_conn *old = db_fixture_connect(&fixture);
	const char *before;

	say(1, NULL, "'first'::text");
	db_fixture_sql_on(&fixture, old, "BEGIN");
	db_fixture_sql_on(&fixture, old,
	                  text("INSERT INTO events (tenant, at, items) VALUES (%s, now(), '[\"old\"]')", fixture.tenant));
	say(1, NULL, "'new'::text");
	piece = read_from("0", "0");
	/* The new one is committed, and still must not be seen before the old one. */
	assert_int_equal(piece->rows, 2);
	EXPECT(piece, 0, "items", "[\"first\"]");
	EXPECT(piece, 1, "pending", "t");
	before = cell(piece, 1, "xid");
	db_fixture_sql_on(&fixture, old, "COMMIT");
	database_close(old);
	piece = read_from(before, "0");
	assert_int_equal(piece->rows, 3);
	EXPECT(piece, 0, "items", "[\"old\"]");
	EXPECT(piece, 1, "items", "[\"new\"]");
	EXPECT(piece, 2, "pending", "f");
	/* Who has come to the end goes on from there. */
	assert_int_equal(read_from(cell(piece, 2, "xid"), "0")->rows, 1);
}

static void
test_events_of_a_workflow_and_of_a_tenant(void **state UNUSED)
{
	const char *workflow = new_id();
	struct db_answer *all, *one, *other, *stranger, *behind;
	const char *xid, *seq;

	say(1, workflow, "'inside'::text");
	say(2, NULL, "'outside'::text");
	/* Side by side in one execution, as the server sends them. */
	all = ask_read("0", "0", NULL, "false");
	one = ask_read("0", "0", workflow, "false");
	other = ask_read("0", "0", new_id(), "false");
	behind = ask_read("18446744073709551615", "0", NULL, "false");
	stranger = ASK(EVENTS_READ, "tenant", "1", "xid", "0", "seq", "0", "workflow_id", workflow, "verify", "false");
	queries_wait(all);
	assert_int_equal(all->rows, 4);
	assert_int_equal(one->rows, 2);
	EXPECT(one, 0, "workflow_id", workflow);
	assert_int_equal(other->rows, 1);
	assert_int_equal(behind->rows, 1);
	assert_int_equal(stranger->rows, 1);
	/* A place that was found by one way is known by the other. */
	xid = cell(all, 2, "xid");
	seq = cell(all, 2, "seq");
	EXPECT(queries_wait(ask_read(xid, seq, workflow, "true")), 0, "kept", "t");
	EXPECT(queries_wait(ask_read(xid, seq, workflow, "false")), 0, "kept", NULL);
	SQL("DELETE FROM events WHERE tenant = %s AND xid = '%s' AND seq = %s", fixture.tenant, xid, seq);
	EXPECT(queries_wait(ask_read(xid, seq, workflow, "true")), 0, "kept", "f");
}

/* What a restore took back: the places between, neither the last one before nor the first one behind. */
static void
test_places_in_a_lost_part(void **state UNUSED)
{
	static const struct {
		const char *xid, *seq, *lost;
	} places[] = {{"0", "0", "f"},   {"499", "7", "f"}, {"500", "0", "f"}, {"500", "1", "t"},
	              {"700", "0", "t"}, {"899", "9", "t"}, {"900", "0", "f"}, {"18446744073709551615", "0", "f"}};

	SQL("INSERT INTO restores (id, kind, at, lost_from, lost_to) VALUES ('%s', 'restore', now(), '500', '900')",
	    new_id());
	for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
		struct db_answer *answer = read_from(places[i].xid, places[i].seq);

		EXPECT(answer, answer->rows - 1, "lost", places[i].lost);
	}
	SQL("DELETE FROM restores");
}

/* As after a restore into a server that counts its transactions from elsewhere. */
static void
test_events_go_on_behind_a_number(void **state UNUSED)
{
	struct db_answer *answer;

	SQL("SELECT agentd_resume(1000000000000)");
	say(1, NULL, "'far ahead'::text");
	answer = read_from("1000000000000", "0");
	assert_int_equal(answer->rows, 2);
	EXPECT(answer, 0, "items", "[\"far ahead\"]");
	EXPECT(answer, 1, "pending", "f");
	EXPECT_SQL("t", "SELECT %s > %s AND %s < 1000001000000", cell(answer, 1, "xid"), cell(answer, 0, "xid"),
	           cell(answer, 1, "xid"));
	EXPECT_SQL("t", "SELECT agentd_horizon() > max(xid) FROM events");
}

const struct CMUnitTest event_tests[] = {
    TEST(test_events_come_in_pieces_without_a_gap),
    TEST(test_events_are_bounded_by_their_size),
    TEST(test_events_wait_for_older_transactions),
    TEST(test_events_of_a_workflow_and_of_a_tenant),
    TEST(test_places_in_a_lost_part),
    TEST(test_events_go_on_behind_a_number),
};
const int event_test_count = ARRAY_LENGTH(event_tests);
