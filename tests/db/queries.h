/*
 * queries.h - what the files of test_queries share. Each test has a tenant of its own, so tests do not meet.
 */
#ifndef AGENTD_QUERIES_H
#define AGENTD_QUERIES_H

#include "db_fixture.h"

extern struct db_fixture fixture;

/* ASK(TASK_GET, "id", id) queues a call, CALL() waits for its answer too. @tenant is the test's. */
#define ASK(query, ...) db_fixture_ask(&fixture, QUERY_##query, __VA_ARGS__ __VA_OPT__(, )(char *) NULL)
#define CALL(query, ...) queries_wait(ASK(query, __VA_ARGS__))
struct db_answer *queries_wait(struct db_answer *answer);
#define EXPECT(answer, row, column, expected) db_answer_expect(answer, row, column, expected)
#define SQL(...) db_fixture_sql(&fixture, __VA_ARGS__)
/* Fails the test unless the SQL's first cell is the text. */
#define EXPECT_SQL(expected, ...) queries_expect_sql(__LINE__, expected, SQL(__VA_ARGS__))
void queries_expect_sql(int line, const char *expected, const char *found);

/* A text that lives until the end of the test. */
const char *text(const char *format, ...) PRINTF_LIKE(1, 2);
const char *new_id(void);
const char *make_user(const char *name, const char *role);

/* Before and after each test: a new tenant, a pool, a clean table of waiting work for the keeper. */
int queries_set_up(void **state);
int queries_tear_down(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, queries_set_up, queries_tear_down)

/* Tasks. A queue of one task's tests is a role. */
struct db_answer *ask_create(const char *id, const char *queue, const char *priority);
const char *make_task(const char *queue, const char *priority);
struct db_answer *ask_lease(const char *queues, const char *agent_id, const char *max);
/* Leases one task of the queue, which must be there. */
struct db_answer *lease_one(const char *queue);
struct db_answer *ask_settle(const char *id, const char *epoch, const char *outcome, const char *output,
                             const char *verdict);
/* Fails the test unless the column of the task is the text. */
void expect_task(const char *id, const char *column, const char *expected);

/* Workflows. */
const char *make_workflow(const char *tasks_json);
const char *task_of(const char *workflow, const char *key);
/* Leases the one task of queue and completes it; answers the lease. */
struct db_answer *work(const char *queue, const char *output, const char *verdict);
void expect_workflow(const char *id, const char *column, const char *expected);

extern const struct CMUnitTest agent_tests[];
extern const int agent_test_count;
extern const struct CMUnitTest alert_tests[];
extern const int alert_test_count;
extern const struct CMUnitTest archive_tests[];
extern const int archive_test_count;
extern const struct CMUnitTest change_tests[];
extern const int change_test_count;
extern const struct CMUnitTest audit_tests[];
extern const int audit_test_count;
extern const struct CMUnitTest closely_tests[];
extern const int closely_test_count;
extern const struct CMUnitTest control_tests[];
extern const int control_test_count;
extern const struct CMUnitTest event_tests[];
extern const int event_test_count;
extern const struct CMUnitTest health_tests[];
extern const struct CMUnitTest backup_tests[];
extern const int backup_test_count;
extern const int health_test_count;
extern const struct CMUnitTest graph_tests[];
extern const int graph_test_count;
extern const struct CMUnitTest identity_tests[];
extern const int identity_test_count;
extern const struct CMUnitTest key_tests[];
extern const int key_test_count;
extern const struct CMUnitTest leader_tests[];
extern const int leader_test_count;
extern const struct CMUnitTest memory_tests[];
extern const int memory_test_count;
extern const struct CMUnitTest message_tests[];
extern const int message_test_count;
extern const struct CMUnitTest metrics_tests[];
extern const int metrics_test_count;
extern const struct CMUnitTest schedule_tests[];
extern const int schedule_test_count;
extern const struct CMUnitTest session_tests[];
extern const int session_test_count;
extern const struct CMUnitTest setting_tests[];
extern const int setting_test_count;
extern const struct CMUnitTest settle_tests[];
extern const int settle_test_count;
extern const struct CMUnitTest task_tests[];
extern const int task_test_count;
extern const struct CMUnitTest tenant_tests[];
extern const int tenant_test_count;
extern const struct CMUnitTest floor_tests[];
extern const int floor_test_count;
extern const struct CMUnitTest user_tests[];
extern const int user_test_count;
extern const struct CMUnitTest workflow_tests[];
extern const int workflow_test_count;

#endif
