/*
 * test_audited.c - every endpoint that is not a GET writes the audit log, or stands here with the reason why not.
 *
 * The rule (ARCHITECTURE.md): what a person or a program decides about the system is audited, in the transaction that
 * does it, with who, before and after. The traffic of work is not: it is on record in events, attempts and histories.
 */
#include "base.h"

#include "db.h"
#include "endpoint.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct {
	const char *operation, *reason;
} not_audited[] = {
    {"refresh", "carries a session on; its misuse ends it, which is audited, and a refused one is a refusal"},
    {"verifyToken", "changes nothing"},
    {"verifyKey", "changes nothing"},
    {"createTask", "work itself: the task and its event say when, and a workflow who"},
    {"leaseTasks", "an agent's traffic: events and attempts"},
    {"taskHeartbeat", "an agent's traffic"},
    {"completeTask", "an agent's traffic: events and attempts"},
    {"failTask", "an agent's traffic: events and attempts"},
    {"releaseTask", "an agent's traffic: events and attempts"},
    {"settleTasks", "an agent's traffic: events and attempts"},
    {"appendTasks", "an agent's traffic: events"},
    {"createSubtask", "an agent's own record"},
    {"patchSubtask", "an agent's own record"},
    {"agentHeartbeat", "an agent's traffic"},
    {"sendMessage", "an agent's traffic: the message itself"},
    {"ackMessage", "an agent's traffic: the message has its times"},
    {"putMemory", "has a record of its own, with every reader and writer: GET /memory/{key}/history"},
    {"deleteMemory", "has a record of its own: GET /memory/{key}/history"},
    {"createHealthRecord", "an observation, which is the record itself"},
};

/* Endpoints that are steps: the query by which each writes the audit log. */
static const struct {
	const char *operation;
	enum query_id query;
} audited_by[] = {
    {"login", QUERY_USER_LOGGED_IN},
    {"patchConfig", QUERY_SETTINGS_SET},
    {"changePassword", QUERY_USER_PASSWORD_OWN},
};

static bool
query_says(enum query_id query, const char *word)
{
	for (int i = 0; i < query_table[query].statement_count; i++)
		if (strstr(query_table[query].statements[i].sql, word))
			return true;
	return false;
}

/* Who, from where and in which request: from parameters of its own, or of a decision. */
static bool
says_who(enum query_id query)
{
	return db_param(query, "decided") >= 0 || (db_param(query, "actor") >= 0 && db_param(query, "principal") >= 0 &&
	                                           db_param(query, "address") >= 0 && db_param(query, "request_id") >= 0);
}

static bool
is_audited(const struct endpoint *row)
{
	for (size_t i = 0; i < ARRAY_LENGTH(audited_by); i++)
		if (strcmp(audited_by[i].operation, row->operation) == 0)
			return query_says(audited_by[i].query, "INSERT INTO audit_log");
	if (!row->sql || !query_says((enum query_id)(row->sql - 1), "INSERT INTO audit_log"))
		return false;
	/* What takes a decision says in its row whether it is one. */
	for (int i = 0; i < ENDPOINT_CONSTANTS_MAX && row->constants[i].name; i++)
		if (strcmp(row->constants[i].name, "decided") == 0 && row->constants[i].value != ENDPOINT_DERIVED)
			return false;
	return true;
}

static const char *
reason_of(const char *operation)
{
	for (size_t i = 0; i < ARRAY_LENGTH(not_audited); i++)
		if (strcmp(not_audited[i].operation, operation) == 0)
			return not_audited[i].reason;
	return NULL;
}

static void
test_every_change_is_audited_or_excused(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		bool audited = is_audited(row);
		const char *reason = reason_of(row->operation);

		if (row->method == HTTP_GET && audited)
			fail_msg("%s is a GET that writes the audit log", row->operation);
		if (row->method == HTTP_GET)
			continue;
		if (!audited && !reason)
			fail_msg("%s is not audited: INSERT INTO {AUDIT} in its query, or say here why not", row->operation);
		if (audited && reason)
			fail_msg("%s is audited, and excused here", row->operation);
		if (audited && row->sql && !says_who((enum query_id)(row->sql - 1)))
			fail_msg("%s is audited without who: its query needs @actor, @principal, @address, @request_id",
			         row->operation);
	}
}

static void
test_what_the_archive_does_is_audited_too(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];

		if (row->elsewhere && is_audited(row) &&
		    !query_says((enum query_id)(row->elsewhere - 1), "INSERT INTO audit_log"))
			fail_msg("%s is audited, but not in the archive", row->operation);
	}
}

static void
test_nothing_is_excused_that_is_not_there(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LENGTH(not_audited); i++) {
		bool found = false;

		for (int row = 0; row < endpoint_count; row++)
			found = found || strcmp(endpoint_table[row].operation, not_audited[i].operation) == 0;
		if (!found)
			fail_msg("%s is excused, and no endpoint", not_audited[i].operation);
	}
}

/* Columns by the macro, so that no statement forgets who. */
static void
test_every_query_writes_all_that_is_known(void **state UNUSED)
{
	for (int i = 0; i < QUERY_COUNT; i++) {
		enum query_id query = (enum query_id)i;

		if (query_says(query, "INSERT INTO audit_log") && !query_says(query, "actor_id"))
			fail_msg("%s writes the audit log without actor_id: INSERT INTO {AUDIT}", query_table[i].name);
		if (query_says(query, "UPDATE audit_log") && query != QUERY_AUDIT_SEAL)
			fail_msg("%s changes the audit log", query_table[i].name);
		if (query_says(query, "DELETE FROM audit_log") && query != QUERY_AUDIT_DROP)
			fail_msg("%s deletes from the audit log", query_table[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_change_is_audited_or_excused),
	    cmocka_unit_test(test_what_the_archive_does_is_audited_too),
	    cmocka_unit_test(test_nothing_is_excused_that_is_not_there),
	    cmocka_unit_test(test_every_query_writes_all_that_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
