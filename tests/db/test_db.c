/*
 * test_db.c - shared/db.h on an event loop, against a real PostgreSQL: kinds of queries, batching, failures, lost
 * connections, time limits.
 *
 * Rows that were written by one execution have one xmin: that is how the tests see what went together.
 */
#include "base.h"
#include "clock.h"

#include "db_fixture.h"
#include "db_private.h"
#include "uuid.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct db_fixture fixture;

#define ASK(query, ...) db_fixture_ask(&fixture, QUERY_##query, __VA_ARGS__ __VA_OPT__(, )(char *) NULL)
#define SQL(...) db_fixture_sql(&fixture, __VA_ARGS__)

static void
start(int pool_size, int statement_timeout_ms)
{
	struct db_options options = db_fixture_options();

	options.pool_size = pool_size;
	options.statement_timeout_ms = statement_timeout_ms;
	db_fixture_start(&fixture, options);
}

static struct db_answer *
ask_task(const char *id, const char *run_at)
{
	return ASK(TASK_CREATE_SPECIAL, "id", id, "queue", "sena", "role", "sena", "description", id, "priority", "5",
	           "max_retries", "3", "run_at", run_at);
}

static struct db_answer *
ask_new_task(const char *run_at)
{
	char id[UUID_TEXT_SIZE];

	uuid_new(id);
	return ask_task(id, run_at);
}

static void
make_agent(const char *agent_id)
{
	SQL("INSERT INTO agents (tenant, agent_id, name, role) VALUES (1, '%s', '%s', 'sena')", agent_id, agent_id);
}

static struct db_answer *
ask_beat(const char *agent_id)
{
	return ASK(AGENT_HEARTBEAT, "agent_id", agent_id, "load", "0.5");
}

/* Whether as many statements as arg points to wait for a lock. */
static bool
are_waiting(void *arg)
{
	const char *count = SQL("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
	                        " AND datname = current_database()");

	return strtol(count, NULL, 10) == *(int *)arg;
}

static void
wait_for_waiters(int count)
{
	db_fixture_run(&fixture, are_waiting, &count);
}

static bool
is_ready(void *arg)
{
	return db_ready(arg);
}

/* --- kinds of queries --- */

static void
test_one_many_exec_and_batch(void **state UNUSED)
{
	struct db_answer *one, *many, *none, *exec, *first, *second;

	start(2, 10000);
	make_agent("a");
	make_agent("b");
	one = ASK(DATABASE_PING);
	many = ASK(AGENT_LIST, "limit", "10");
	none = ASK(AGENT_GET, "agent_id", "nobody");
	exec = ASK(USER_LOGGED_IN, "id", "01890a5d-ac96-774b-bcce-b302099a8057");
	first = ask_beat("b");
	second = ask_beat("a");
	db_fixture_wait(&fixture);
	db_answer_expect(one, 0, "read_only", "f");
	assert_int_equal(many->rows, 2);
	assert_int_equal(none->status, DB_OK);
	assert_int_equal(none->rows, 0);
	assert_int_equal(exec->status, DB_OK);
	assert_int_equal(exec->rows, 0);
	db_answer_expect(first, 0, "agent_id", "b"); /* each caller has its own rows */
	db_answer_expect(second, 0, "agent_id", "a");
}

static void
look_at_columns(void *arg, const struct db_result *result)
{
	static const struct {
		const char *name;
		enum db_column_type type;
	} expected[] = {{"id", DB_COLUMN_TEXT},         {"role", DB_COLUMN_TEXT},      {"attempt", DB_COLUMN_NUMBER},
	                {"epoch", DB_COLUMN_NUMBER},    {"lease_s", DB_COLUMN_NUMBER}, {"labels", DB_COLUMN_JSON},
	                {"lease_until", DB_COLUMN_TIME}};

	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
		int column = db_column(result, expected[i].name);
		assert_true(column >= 0);
		assert_int_equal(db_column_type(result, column), expected[i].type);
	}
	assert_int_equal(db_column(result, "ord"), -1); /* a batch's ordinal is not the caller's */
	assert_string_equal(db_column_name(result, 0), "id");
	assert_null(db_get(result, 0, "key").data);
	*(bool *)arg = true;
}

static void
test_columns_have_names_and_types(void **state UNUSED)
{
	struct db_answer *lease;
	bool looked = false;

	start(1, 10000);
	lease = ASK(TASK_LEASE, "queues", "[\"nothing\"]", "agent_id", "a", "max", "1", "lease_ms", "8000");
	(void)ask_new_task(NULL);
	db_fixture_wait(&fixture);
	assert_int_equal(lease->rows, 0);
	lease->values[db_param(QUERY_TASK_LEASE, "queues")] = SLICE("[\"sena\"]");
	db_send(fixture.db, QUERY_TASK_LEASE, lease->values, look_at_columns, &looked);
	db_fixture_wait(&fixture);
	assert_true(looked);
	assert_int_equal(db_param(QUERY_TASK_CREATE_SPECIAL, "no_such"), -1);
}

static void
test_values_arrive_as_they_were(void **state UNUSED)
{
	static const char odd[] = "quote ' \" backslash \\ brace {,} NULL \xc3\xa9 \xf0\x9f\x8d\x8b tab \t new\nline";
	char *large = arena_alloc(&fixture.arena, 1000001);
	struct db_answer *answers[4];
	char ids[4][UUID_TEXT_SIZE];

	start(1, 10000);
	memset(large, 'x', 1000000);
	large[0] = large[999999] = '"';
	large[1000000] = '\0';
	for (int i = 0; i < 4; i++) {
		uuid_new(ids[i]);
		answers[i] = ASK(TASK_CREATE_SPECIAL, "id", ids[i], "queue", "q", "role", i == 1 ? NULL : "", "description",
		                 i == 2 ? "" : odd, "input_data",
		                 i == 3 ? large
		                 : i    ? "null"
		                        : NULL,
		                 "priority", "5", "max_retries", "3", "retry_backoff", "fixed", "retry_base_ms", "-2147483648",
		                 "retry_max_ms", "2147483647", "retry_jitter", i % 2 ? "true" : "false");
	}
	db_fixture_wait(&fixture);
	for (int i = 0; i < 4; i++)
		answers[i] = ASK(TASK_GET, "id", ids[i]);
	db_fixture_wait(&fixture);
	db_answer_expect(answers[0], 0, "description", odd);
	db_answer_expect(answers[0], 0, "input_data", NULL);
	db_answer_expect(answers[0], 0, "role", "");
	db_answer_expect(answers[1], 0, "role", NULL);
	db_answer_expect(answers[1], 0, "input_data", "null");
	db_answer_expect(answers[2], 0, "description", "");
	db_answer_expect(answers[3], 0, "input_data", large);
	assert_string_equal(SQL("SELECT string_agg(retry_jitter::text, ' ' ORDER BY id) FROM tasks"),
	                    "false true false true");
	assert_string_equal(SQL("SELECT max(retry_max_ms) - 1 FROM tasks WHERE retry_base_ms = -2147483648"), "2147483646");
}

/* --- batching --- */

static void
test_calls_of_one_turn_go_together(void **state UNUSED)
{
	struct db_answer *answers[1000];

	start(2, 10000);
	for (int i = 0; i < 1000; i++)
		answers[i] = ask_new_task(arena_printf(&fixture.arena, "2130-01-01 00:%02d:%02d+00", i / 60, i % 60));
	assert_int_equal(db_pending(fixture.db), 1000);
	db_fixture_wait(&fixture);
	for (int i = 0; i < 1000; i++)
		db_answer_expect(answers[i], 0, "run_at",
		                 answers[i]->values[db_param(QUERY_TASK_CREATE_SPECIAL, "run_at")].data);
	assert_int_equal(DB_BATCH_MAX, 512);
	assert_string_equal(SQL("SELECT count(DISTINCT xmin::text) FROM tasks"), "2");
}

static void
test_calls_that_come_meanwhile_are_the_next_batch(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *answers[21];

	start(2, 10000);
	for (int i = 0; i <= 20; i++)
		SQL("INSERT INTO agents (tenant, agent_id, name, role) VALUES (1, 'a%d', 'a', 'sena')", i);
	db_fixture_sql_on(&fixture, other, "BEGIN; UPDATE agents SET load = 1 WHERE agent_id = 'a0'");
	answers[0] = ask_beat("a0");
	wait_for_waiters(1);
	for (int i = 1; i <= 20; i++) {
		char name[16];
		snprintf(name, sizeof(name), "a%d", i);
		answers[i] = ask_beat(name);
		event_base_loop(fixture.base, EVLOOP_NONBLOCK); /* each in a turn of its own */
	}
	assert_int_equal(db_pending(fixture.db), 21);
	db_fixture_sql_on(&fixture, other, "COMMIT");
	database_close(other);
	db_fixture_wait(&fixture);
	for (int i = 0; i <= 20; i++)
		assert_int_equal(answers[i]->rows, 1);
	assert_string_equal(SQL("SELECT count(DISTINCT xmin::text) FROM agents WHERE agent_id <> 'a0'"), "1");
	assert_string_equal(SQL("SELECT count(DISTINCT xmin::text) FROM agents"), "2");
}

static void
make_leased(const char *id)
{
	SQL("INSERT INTO tasks (tenant, id, queue, status, epoch, leased_by, leased_at, lease_until)"
	    " VALUES (%s, '%s', 'q', 'processing', 1, 'smith', now(), now() + interval '1 hour')",
	    fixture.tenant, id);
}

/* Whether somebody waits for a lock, within two seconds; without the loop, for it runs inside of it. */
static void
look_for_a_waiter(void *arg, const struct db_result *result)
{
	int64_t until_us = clock_steady_us() + 2000000;
	int one = 1;

	assert_int_equal(result->status, DB_OK);
	while (!*(bool *)arg && clock_steady_us() < until_us)
		*(bool *)arg = are_waiting(&one);
}

/* PostgreSQL has the next statement before the answers of the last one are written, if enough calls waited for it. */
static void
test_enough_calls_that_wait_go_ahead_of_the_answers(void **state UNUSED)
{
	static const char *const ids[] = {"01a20944-e798-7506-82ba-b59f98e823c0", "01a20944-e798-7506-82ba-b59f98e823c2"};
	struct pg_conn *first = db_fixture_connect(&fixture), *second = db_fixture_connect(&fixture);
	struct slice values[QUERY_PARAMS_MAX] = {0};
	bool waited = false;

	start(2, 10000);
	make_leased(ids[0]);
	make_leased(ids[1]);
	db_fixture_sql_on(&fixture, first,
	                  arena_printf(&fixture.arena, "BEGIN; UPDATE tasks SET priority = 6 WHERE id = '%s'", ids[0]));
	db_fixture_sql_on(&fixture, second,
	                  arena_printf(&fixture.arena, "BEGIN; UPDATE tasks SET priority = 6 WHERE id = '%s'", ids[1]));
	values[db_param(QUERY_TASK_COMPLETE, "tenant")] = slice_of(fixture.tenant);
	values[db_param(QUERY_TASK_COMPLETE, "id")] = slice_of(ids[0]);
	values[db_param(QUERY_TASK_COMPLETE, "epoch")] = SLICE("1");
	db_send(fixture.db, QUERY_TASK_COMPLETE, values, look_for_a_waiter, &waited);
	wait_for_waiters(1);
	for (int i = 0; i < 5; i++)
		ASK(TASK_COMPLETE, "id", ids[1], "epoch", "1");
	event_base_loop(fixture.base, EVLOOP_NONBLOCK);
	db_fixture_sql_on(&fixture, first, "ROLLBACK");
	while (!waited && db_pending(fixture.db) == 6)
		event_base_loop(fixture.base, EVLOOP_ONCE);
	assert_true(waited);
	db_fixture_sql_on(&fixture, second, "ROLLBACK");
	database_close(first);
	database_close(second);
	db_fixture_wait(&fixture);
}

struct chain {
	struct db *db;
	int left;
	bool sending;
};

static void
next_of_chain(void *arg, const struct db_result *result)
{
	struct chain *chain = arg;

	assert_false(chain->sending); /* never from within db_send() */
	assert_int_equal(result->status, DB_OK);
	if (--chain->left == 0)
		return;
	chain->sending = true;
	db_send(chain->db, QUERY_DATABASE_PING, NULL, next_of_chain, chain);
	chain->sending = false;
}

static void
test_a_callback_may_send_the_next_call(void **state UNUSED)
{
	struct chain chain = {.left = 50};

	start(1, 10000);
	chain.db = fixture.db;
	db_send(fixture.db, QUERY_DATABASE_PING, NULL, next_of_chain, &chain);
	assert_int_equal(chain.left, 50);
	db_fixture_wait(&fixture);
	assert_int_equal(chain.left, 0);
}

/* --- failures --- */

static void
test_one_guilty_call_fails_alone(void **state UNUSED)
{
	struct db_answer *answers[100];

	start(2, 10000);
	for (int i = 0; i < 100; i++)
		answers[i] = ask_new_task(i == 41 ? "2026-02-31T00:00:00Z" : NULL);
	db_fixture_wait(&fixture);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(answers[i]->done, 1);
		assert_int_equal(answers[i]->status, i == 41 ? DB_FAILED : DB_OK);
	}
	assert_string_equal(answers[41]->sqlstate, "22008");
	assert_non_null(strstr(answers[41]->message, "out of range"));
	assert_string_equal(SQL("SELECT count(*) FROM tasks"), "99");
}

static void
test_violated_constraint_is_named(void **state UNUSED)
{
	struct db_answer *first, *again;
	char id[UUID_TEXT_SIZE];

	start(1, 10000);
	uuid_new(id);
	first = ask_task(id, NULL);
	again = ask_task(id, NULL);
	db_fixture_wait(&fixture);
	assert_int_equal(first->status, DB_OK);
	assert_int_equal(again->status, DB_FAILED);
	assert_string_equal(again->sqlstate, "23505");
	assert_string_equal(again->constraint, "tasks_pkey");
}

static void
test_value_of_a_wrong_type_fails_alone(void **state UNUSED)
{
	static const char *const ids[] = {"nope", "", "01890a5d-ac96-774b-bcce-b302099a805z"};
	static const char *const limits[] = {"2147483648", "-2147483649", "1.5", "x", "", "99999999999999999999"};
	struct db_answer *good;

	start(1, 10000);
	for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
		struct db_answer *bad = ask_task(ids[i], NULL);
		good = ask_new_task(NULL);
		db_fixture_wait(&fixture);
		assert_int_equal(bad->status, DB_FAILED);
		assert_string_equal(bad->sqlstate, "22P02");
		assert_int_equal(good->status, DB_OK);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
		struct db_answer *bad = ASK(TASK_LIST, "limit", limits[i]);
		good = ASK(TASK_LIST, "limit", "1");
		db_fixture_wait(&fixture);
		assert_int_equal(bad->status, DB_FAILED);
		assert_string_equal(bad->sqlstate, "22P02");
		assert_int_equal(good->rows, 2);
	}
}

static void *
update_first(void *other)
{
	return database_script(other, "UPDATE agents SET load = 2 WHERE agent_id = 'a'; COMMIT");
}

/* The pool's statement has `a` and waits for `b`; the other connection has `b` and then waits for `a`. */
static void
test_deadlock_is_tried_again(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *first, *second;
	pthread_t thread;
	void *error;

	start(1, 10000);
	make_agent("a");
	make_agent("b");
	db_fixture_sql_on(&fixture, other,
	                  "SET deadlock_timeout = '60s'; BEGIN; UPDATE agents SET load = 1 WHERE agent_id = 'b'");
	first = ask_beat("a");
	second = ask_beat("b");
	wait_for_waiters(1);
	assert_int_equal(pthread_create(&thread, NULL, update_first, other), 0);
	db_fixture_wait(&fixture);
	pthread_join(thread, &error);
	database_close(other);
	assert_null(error);
	assert_int_equal(first->status, DB_OK);
	assert_int_equal(second->status, DB_OK);
	assert_string_equal(SQL("SELECT string_agg(load::text, ' ') FROM agents"), "0.5 0.5"); /* after the other's 2 */
}

static void
test_statement_that_waits_too_long_times_out(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *late, *after;
	const char *pid;

	start(1, 300);
	pid = SQL("SELECT pid FROM pg_stat_activity WHERE application_name = 'agentd test'");
	make_agent("a");
	make_agent("b");
	db_fixture_sql_on(&fixture, other, "BEGIN; UPDATE agents SET load = 1 WHERE agent_id = 'a'");
	late = ask_beat("a");
	db_fixture_wait(&fixture);
	assert_int_equal(late->status, DB_TIMEOUT);
	after = ask_beat("b");
	db_fixture_wait(&fixture);
	assert_int_equal(after->status, DB_OK);
	db_fixture_sql_on(&fixture, other, "COMMIT");
	database_close(other);
	assert_string_equal(SQL("SELECT load FROM agents WHERE agent_id = 'a'"), "1");
	/* The statement was at fault, not the connection. */
	assert_string_equal(SQL("SELECT pid FROM pg_stat_activity WHERE application_name = 'agentd test'"), pid);
}

static void
test_server_that_hangs_times_out(void **state UNUSED)
{
	struct db_answer *late, *after;
	pid_t pid;

	start(1, 1000); /* a new connection prepares all statements within this time too */
	pid = (pid_t)strtol(SQL("SELECT pid FROM pg_stat_activity WHERE application_name = 'agentd test'"), NULL, 10);
	if (kill(pid, SIGSTOP) != 0) {
		assert_int_equal(errno, EPERM);
		skip(); /* PostgreSQL runs as somebody else */
	}
	late = ASK(DATABASE_PING);
	db_fixture_wait(&fixture);
	kill(pid, SIGCONT);
	assert_int_equal(late->status, DB_TIMEOUT);
	db_fixture_run(&fixture, is_ready, fixture.db);
	after = ASK(DATABASE_PING);
	db_fixture_wait(&fixture);
	assert_int_equal(after->status, DB_OK);
}

/* A port that takes connections and never says anything. */
static int
listen_in_silence(int *fd_r)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	*fd_r = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd_r, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(*fd_r, 8), 0);
	assert_int_equal(getsockname(*fd_r, (struct sockaddr *)&address, &length), 0);
	return ntohs(address.sin_port);
}

static bool
are_all_up(void *arg)
{
	return db_up(arg) == 2;
}

/* Longer than a statement takes. */
static bool
have_waited(void *arg)
{
	return clock_steady_us() - *(int64_t *)arg > 10000;
}

static bool
are_done(void *arg)
{
	struct db_answer *const *answers = arg;

	return answers[0]->done && answers[1]->done && answers[2]->done;
}

static void
test_nothing_is_sent_behind_what_has_no_answer(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	int64_t since_us;
	struct db_answer *stuck, *others[3];

	start(2, 10000);
	db_fixture_run(&fixture, are_all_up, fixture.db);
	make_agent("a");
	db_fixture_sql_on(&fixture, other, "BEGIN; UPDATE agents SET load = 1 WHERE agent_id = 'a'");
	stuck = ask_beat("a");
	wait_for_waiters(1);
	since_us = clock_steady_us();
	db_fixture_run(&fixture, have_waited, &since_us);
	/* In one turn: two of them find both connections with one statement each. */
	for (int i = 0; i < 3; i++)
		others[i] = ASK(DATABASE_PING);
	db_fixture_run(&fixture, are_done, others);
	assert_int_equal(stuck->done, 0);
	db_fixture_sql_on(&fixture, other, "ROLLBACK");
	database_close(other);
	db_fixture_wait(&fixture);
	assert_int_equal(stuck->status, DB_OK);
}

static void
test_host_that_is_silent_is_left_for_the_next(void **state UNUSED)
{
	struct db_options options = db_fixture_options();
	int fd, port = listen_in_silence(&fd);
	struct db_answer *answer;
	char url[500];

	snprintf(url, sizeof(url), "%s host='127.0.0.1,%s' port='%d,%s' target_session_attrs=read-write", fixture.url,
	         PQhost((PGconn *)fixture.sql), port, PQport((PGconn *)fixture.sql));
	options.url = url;
	options.pool_size = 1;
	options.connect_timeout_ms = 1500; /* all statements are prepared within this time too */
	fixture.db = db_new(fixture.base, &options);
	db_fixture_run(&fixture, is_ready, fixture.db);
	answer = ASK(DATABASE_PING);
	db_fixture_wait(&fixture);
	close(fd);
	assert_int_equal(answer->status, DB_OK);
}

static void
test_lost_connection_is_made_again(void **state UNUSED)
{
	struct pg_conn *other = db_fixture_connect(&fixture);
	struct db_answer *in_flight[3], *queued, *meanwhile, *after;

	start(2, 10000);
	make_agent("a");
	db_fixture_sql_on(&fixture, other, "BEGIN; UPDATE agents SET load = 1 WHERE agent_id = 'a'");
	for (int i = 0; i < 3; i++)
		in_flight[i] = ask_beat("a");
	wait_for_waiters(1);
	queued = ask_beat("a");
	SQL("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'agentd test'");
	db_fixture_wait(&fixture);
	for (int i = 0; i < 3; i++)
		assert_int_equal(in_flight[i]->status, DB_UNAVAILABLE);
	assert_int_equal(queued->status, DB_UNAVAILABLE);
	assert_false(db_ready(fixture.db));
	assert_string_not_equal(db_last_error(fixture.db), "");
	meanwhile = ASK(DATABASE_PING);
	db_fixture_wait(&fixture);
	assert_int_equal(meanwhile->status, DB_UNAVAILABLE);
	db_fixture_run(&fixture, is_ready, fixture.db);
	db_fixture_sql_on(&fixture, other, "ROLLBACK");
	database_close(other);
	after = ask_beat("a");
	db_fixture_wait(&fixture);
	assert_int_equal(after->rows, 1);
}

static void
test_connection_lost_while_idle_is_made_again(void **state UNUSED)
{
	struct db_answer *after;

	start(1, 10000);
	SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentd test'");
	while (db_ready(fixture.db))
		event_base_loop(fixture.base, EVLOOP_ONCE);
	db_fixture_run(&fixture, is_ready, fixture.db);
	after = ASK(DATABASE_PING);
	db_fixture_wait(&fixture);
	assert_int_equal(after->status, DB_OK);
}

static void
test_too_many_waiting_calls_are_refused(void **state UNUSED)
{
	const int surplus = 100;
	struct db_answer **answers = mem_zero((DB_QUEUE_MAX + 100) * sizeof(struct db_answer *));
	int refused = 0;

	start(1, 10000);
	for (int i = 0; i < DB_QUEUE_MAX + surplus; i++)
		answers[i] = ASK(AGENT_SEEN, "agent_id", "a");
	db_fixture_wait(&fixture);
	for (int i = 0; i < DB_QUEUE_MAX + surplus; i++) {
		assert_int_equal(answers[i]->done, 1);
		assert_int_equal(answers[i]->status, i < DB_QUEUE_MAX ? DB_OK : DB_OVERLOADED); /* the last to come */
		refused += answers[i]->status == DB_OVERLOADED;
	}
	free(answers);
	assert_int_equal(refused, surplus);
}

/* --- starting and ending --- */

static void
test_without_a_server_calls_fail_at_once(void **state UNUSED)
{
	struct db_options options = db_fixture_options();
	struct db_answer *answer;

	options.url = "host=/nonexistent dbname=x";
	fixture.db = db_new(fixture.base, &options);
	answer = ASK(DATABASE_PING);
	db_fixture_wait(&fixture);
	assert_int_equal(answer->status, DB_UNAVAILABLE);
	assert_false(db_ready(fixture.db));
	assert_non_null(strstr(db_last_error(fixture.db), "/nonexistent"));
	assert_null(strchr(db_last_error(fixture.db), '\n'));
}

static bool
has_error(void *arg)
{
	return *db_last_error(arg) != '\0';
}

static void
test_schema_that_does_not_fit_is_not_ready(void **state UNUSED)
{
	struct db_options options = db_fixture_options();

	options.url = fixture.url;
	SQL("ALTER TABLE messages RENAME TO letters");
	fixture.db = db_new(fixture.base, &options);
	db_fixture_run(&fixture, has_error, fixture.db);
	assert_false(db_ready(fixture.db));
	assert_non_null(strstr(db_last_error(fixture.db), "relation \"messages\" does not exist (has it been migrated?)"));
	SQL("ALTER TABLE letters RENAME TO messages");
	db_fixture_run(&fixture, is_ready, fixture.db);
	assert_string_equal(db_last_error(fixture.db), "");
}

static void
must_not_run(void *arg, const struct db_result *result)
{
	(void)result;
	*(bool *)arg = true;
}

static void
test_free_leaves_no_callback_behind(void **state UNUSED)
{
	bool ran = false;

	start(1, 10000);
	db_send(fixture.db, QUERY_DATABASE_PING, NULL, must_not_run, &ran); /* on its way */
	event_base_loop(fixture.base, EVLOOP_NONBLOCK);
	db_send(fixture.db, QUERY_KEEPER_DUE, NULL, must_not_run, &ran); /* still queued */
	ran = false;
	db_fixture_stop(&fixture);
	event_base_loop(fixture.base, EVLOOP_NONBLOCK);
	assert_false(ran);
}

/* --- --- */

static int
group_set_up(void **state UNUSED)
{
	db_fixture_create(&fixture, "db");
	db_fixture_migrate(&fixture);
	fixture.tenant = "1";
	return 0;
}

static int
group_tear_down(void **state UNUSED)
{
	db_fixture_drop(&fixture);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	db_fixture_stop(&fixture);
	SQL("TRUNCATE tasks, agents CASCADE");
	db_fixture_forget(&fixture);
	return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_one_many_exec_and_batch),
	    TEST(test_columns_have_names_and_types),
	    TEST(test_values_arrive_as_they_were),
	    TEST(test_calls_of_one_turn_go_together),
	    TEST(test_calls_that_come_meanwhile_are_the_next_batch),
	    TEST(test_a_callback_may_send_the_next_call),
	    TEST(test_one_guilty_call_fails_alone),
	    TEST(test_enough_calls_that_wait_go_ahead_of_the_answers),
	    TEST(test_violated_constraint_is_named),
	    TEST(test_value_of_a_wrong_type_fails_alone),
	    TEST(test_deadlock_is_tried_again),
	    TEST(test_statement_that_waits_too_long_times_out),
	    TEST(test_server_that_hangs_times_out),
	    TEST(test_nothing_is_sent_behind_what_has_no_answer),
	    TEST(test_host_that_is_silent_is_left_for_the_next),
	    TEST(test_lost_connection_is_made_again),
	    TEST(test_connection_lost_while_idle_is_made_again),
	    TEST(test_too_many_waiting_calls_are_refused),
	    TEST(test_without_a_server_calls_fail_at_once),
	    TEST(test_schema_that_does_not_fit_is_not_ready),
	    TEST(test_free_leaves_no_callback_behind),
	};

	return cmocka_run_group_tests_name("db", tests, group_set_up, group_tear_down);
}
