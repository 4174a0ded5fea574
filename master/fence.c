/*
 * fence.c - see fence.h. Numbers go on from the clock, far beyond what could have been given: the number of restores
 * and what happened between them are on record nowhere that a restore cannot lose.
 */
#include "fence.h"
#include "buf.h"
#include "database.h"
#include "query.h"
#include "uuid.h"

/* Seconds to 2^28 numbers of transactions each: no server makes as many, so every restore is beyond the last one. */
static const char resume_sql[] = "WITH old AS (SELECT coalesce($1, agentd_horizon()::text) AS horizon)"
                                 " SELECT horizon, agentd_resume(greatest(extract(epoch FROM "
                                 "clock_timestamp())::bigint << 28, horizon::bigint + 1)) FROM "
                                 "old";

static const char held_sql[] =
    "SELECT array_agg(tenant)::text AS tenant, array_agg(id)::text AS id, array_agg(epoch)::text AS epoch,"
    " array_agg('release'::text)::text AS outcome, array_agg(true)::text AS retryable, array_agg(NULL::text)::text AS "
    "nothing,"
    " count(*) AS count"
    " FROM (SELECT tenant, id, epoch FROM tasks WHERE status = 'processing' ORDER BY tenant, id LIMIT 500) t";

/*
 * Lease numbers go on at the seconds since 2025, or 2^20 beyond what is there: below that are those of the lost time,
 * of which a task would have had to have one a second.
 */
static const char script_sql[] =
    "UPDATE tasks SET epoch = least(2147000000, greatest(epoch::bigint + 1048576,"
    " extract(epoch FROM clock_timestamp())::bigint - 1735689600));"
    "DELETE FROM task_slots;"
    "UPDATE sessions SET revoked_at = now(), sealed = NULL WHERE revoked_at IS NULL;"
    "WITH head AS (UPDATE changes_head SET seq = greatest(seq + 1, extract(epoch FROM clock_timestamp())::bigint << 14)"
    " RETURNING seq)"
    " INSERT INTO changes (seq, tenant, kind, subject, at, until)"
    " SELECT seq, 0, 'all', 'restore', now(), now() + interval '8 days' FROM head;"
    "SELECT count(setval(format('%I.%I', schemaname, sequencename)::regclass, coalesce(last_value, start_value)"
    " + CASE WHEN max_value > 4294967296 THEN 1000000 ELSE 1000 END)) FROM pg_sequences"
    " WHERE schemaname = current_schema()";

static const char record_sql[] =
    "WITH r AS (INSERT INTO restores (id, kind, at, backup_id, taken_at, lost_from, lost_to, replaced)"
    " VALUES ($1, $2, now(), $3, coalesce($4::timestamptz, now()), $5::xid8, agentd_xid(), $6) RETURNING *)"
    " INSERT INTO audit_log (tenant, at, actor, action, subject_type, subject_id, after)"
    " SELECT 1, now(), 'agentd restore', 'system.' || r.kind, 'restore', r.id, jsonb_build_object('backup_id', "
    "r.backup_id,"
    " 'taken_at', r.taken_at, 'replaced', r.replaced, 'leases_given_back', $7::bigint, 'keys_suspended', $8::boolean) "
    "FROM r";

static bool
report(char *error, const char *what)
{
	if (error)
		fprintf(stderr, "agentd: %s failed: %s", what, error);
	free(error);
	return !error;
}

/* A statement of the server itself, once for many: row 0 of the parameters has an array for each, or nothing. */
static bool
settle(struct pg_conn *conn, const struct pg_result *held)
{
	const struct query *query = &query_table[QUERY_TASK_SETTLE];
	int nothing = database_column(held, "nothing");

	for (int i = 0; i < query->statement_count; i++) {
		const struct query_statement *statement = &query->statements[i];
		const char *values[QUERY_PARAMS_MAX];
		char *error;

		for (int j = 0; j < statement->param_count; j++) {
			int column = database_column(held, query->params[statement->params[j]].name);

			values[j] = database_cell(held, 0, column < 0 ? nothing : column);
		}
		database_clear(database_query(conn, statement->sql, statement->param_count, values, &error));
		if (!report(error, "giving back the leases"))
			return false;
	}
	return true;
}

static bool
give_back_leases(struct pg_conn *conn, int64_t *count_r)
{
	bool good = true, more = true;

	for (*count_r = 0; good && more;) {
		char *error;
		struct pg_result *held = database_query(conn, held_sql, 0, NULL, &error);

		if (!held)
			return report(error, "looking for leases");
		more = database_cell(held, 0, 0) != NULL;
		if (more) {
			*count_r += strtoll(database_cell(held, 0, database_column(held, "count")), NULL, 10);
			good = settle(conn, held);
		}
		database_clear(held);
	}
	return good;
}

static bool
put_on_record(struct pg_conn *conn, const struct fence *fence, const char *horizon)
{
	char id[UUID_TEXT_SIZE], leases[24];
	const char *values[] = {id,      fence->kind,     fence->backup_id, fence->taken_at,
	                        horizon, fence->replaced, leases,           fence->suspend_keys ? "true" : "false"};
	char *error;

	uuid_new(id);
	snprintf(leases, sizeof(leases), "%lld", (long long)fence->leases);
	database_clear(database_query(conn, record_sql, ARRAY_LENGTH(values), values, &error));
	return report(error, "putting the restore on record");
}

bool
fence_raise(struct pg_conn *conn, struct fence *fence)
{
	const char *values[] = {fence->horizon};
	char *error;
	struct pg_result *resumed = database_query(conn, resume_sql, 1, values, &error);
	bool good = resumed && give_back_leases(conn, &fence->leases) &&
	            report(database_script(conn, script_sql), "raising the fence") &&
	            put_on_record(conn, fence, database_cell(resumed, 0, 0));

	if (good && fence->suspend_keys)
		good = report(database_script(conn, "UPDATE api_keys SET status = 'suspended' WHERE status = 'active'"),
		              "suspending the keys");
	database_clear(resumed);
	return report(resumed ? NULL : error, "letting the events go on") && good;
}

bool
fence_part(struct pg_conn *conn)
{
	return report(database_script(conn, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
	                                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
	                                    " AND application_name LIKE 'agentd%' AND application_name <> 'agentd master'"),
	              "ending the connections of the nodes");
}
