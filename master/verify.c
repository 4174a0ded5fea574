/*
 * verify.c - see verify.h. The backup is restored into a scratch database, with every constraint in force and every row
 * counted; then the checks below look at what hangs together; then the audit log is held against its chain; and in the
 * end the fence is raised, so that all of a restore has been done once with these rows.
 */
#include "verify.h"
#include "audit.h"
#include "clock.h"
#include "config.h"
#include "database.h"
#include "fence.h"
#include "scratch.h"

#include <unistd.h>

/* Each gives the names of what is wrong, at most five; no row: all is well. */
static const struct check {
	const char *what;
	const char *sql;
} checks[] = {
    {"tasks of workflows that are not there",
     "SELECT t.id FROM tasks t WHERE t.workflow_id IS NOT NULL"
     " AND NOT EXISTS (SELECT FROM workflows w WHERE w.tenant = t.tenant AND w.id = t.workflow_id)"},
    {"tasks that depend on what is not there",
     "SELECT d.task_id FROM task_dependencies d"
     " WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.tenant = d.tenant AND t.id = d.depends_on)"
     " OR NOT EXISTS (SELECT FROM tasks t WHERE t.tenant = d.tenant AND t.id = d.task_id)"},
    {"archived tasks that depend on what is not there",
     "SELECT d.task_id FROM task_dependencies_done d JOIN tasks_done t ON t.tenant = d.tenant AND t.id = d.task_id"
     " WHERE NOT EXISTS (SELECT FROM tasks_done p WHERE p.tenant = d.tenant AND p.id = d.depends_on)"},
    {"blocked tasks that wait for another number of dependencies than they have open",
     "SELECT t.id FROM tasks t WHERE t.status = 'blocked' AND t.deps_left <> (SELECT count(*) FROM task_dependencies d"
     " JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on WHERE d.tenant = t.tenant AND d.task_id = t.id"
     " AND NOT (p.status = 'completed' OR p.skipped))"},
    {"tasks that are ready before what they depend on is done",
     "SELECT t.id FROM tasks t WHERE t.status IN ('pending', 'retrying', 'processing') AND EXISTS (SELECT FROM "
     "task_dependencies d"
     " JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on WHERE d.tenant = t.tenant AND d.task_id = t.id"
     " AND NOT (p.status = 'completed' OR p.skipped))"},
    {"workflows whose progress is not that of their tasks",
     "SELECT w.id FROM workflows w CROSS JOIN LATERAL (SELECT count(*) AS total,"
     " count(*) FILTER (WHERE t.status = 'completed') AS completed FROM tasks t"
     " WHERE t.tenant = w.tenant AND t.workflow_id = w.id) c"
     " WHERE (w.tasks_total, w.tasks_completed) IS DISTINCT FROM (c.total, c.completed)"},
    {"workflows that have ended while a task of theirs has not",
     "SELECT w.id FROM workflows w WHERE w.status IN ('completed', 'failed', 'cancelled') AND EXISTS (SELECT FROM "
     "tasks t"
     " WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.status IN ('blocked', 'pending', 'retrying', "
     "'processing'))"},
    {"tasks whose state and lease contradict each other",
     "SELECT t.id FROM tasks t WHERE (t.status = 'processing') <> (t.lease_until IS NOT NULL)"
     " OR (t.status = 'processing' AND (t.epoch < 1 OR t.leased_by IS NULL))"},
    {"tasks with a lease in force that was settled already",
     "SELECT t.id FROM tasks t JOIN task_attempts a ON a.tenant = t.tenant AND a.task_id = t.id"
     " WHERE t.status = 'processing' AND a.epoch >= t.epoch"},
    {"tasks with a record of a lease that they have not had",
     "SELECT t.id FROM tasks t JOIN task_attempts a ON a.tenant = t.tenant AND a.task_id = t.id WHERE a.epoch > "
     "t.epoch"},
};

static char *scratch_url;

static char *
give_scratch_url(const struct config *config)
{
	(void)config;
	return mem_string(scratch_url);
}

/* False: something is wrong with what is there, or it could not be looked at. */
static bool
run_check(struct pg_conn *conn, const struct check *check)
{
	char *error;
	struct buf sql = {0};
	struct pg_result *result;
	bool good;

	buf_printf(&sql,
	           "SELECT count(*), string_agg(x.id, ', ') FILTER (WHERE x.n <= 5)"
	           " FROM (SELECT y.id::text, row_number() OVER () AS n FROM (%s) AS y(id)) x",
	           check->sql);
	buf_add_byte(&sql, '\0');
	result = database_query(conn, sql.data, 0, NULL, &error);
	buf_free(&sql);
	if (!result) {
		fprintf(stderr, "agentd: the check for %s failed: %s", check->what, error);
		free(error);
		return false;
	}
	good = strcmp(database_cell(result, 0, 0), "0") == 0;
	if (!good)
		printf("Found %s %s: %s%s\n", database_cell(result, 0, 0), check->what, database_cell(result, 0, 1),
		       strtoll(database_cell(result, 0, 0), NULL, 10) > 5 ? ", ..." : "");
	database_clear(result);
	return good;
}

static bool
look_at_all(const struct config *config, struct restore_load *load)
{
	char *const audit[] = {(char *)(uintptr_t) "verify"};
	struct fence fence = {
	    .kind = "restore", .backup_id = load->id, .taken_at = load->taken_at, .horizon = load->horizon};
	bool good = true;
	char *error;

	for (size_t i = 0; i < ARRAY_LENGTH(checks); i++)
		good = run_check(load->conn, &checks[i]) && good;
	good = audit_command(config, give_scratch_url, 1, (char **)(uintptr_t)audit) == 0 && good;
	if (!good)
		return false;
	error = database_script(load->conn, "BEGIN");
	good = !error && fence_raise(load->conn, &fence);
	free(error);
	free(database_script(load->conn, "ROLLBACK"));
	return good;
}

static bool
verify_in(const struct config *config, struct restore_load *load, struct scratch *scratch)
{
	bool good;

	scratch_url = scratch->url;
	load->conn = database_open(scratch->url, 10);
	if (!load->conn)
		return false;
	good = restore_load_all(load) && look_at_all(config, load);
	database_close(load->conn);
	return good;
}

/* In the table of the database in use. That it is not there (a restore is proven elsewhere too) is no fault. */
static void
put_on_record(const struct restore_load *load, const char *url, int64_t took_ms, bool good)
{
	static const char sql[] =
	    "INSERT INTO backups (id, status, scheduled, node, file, encrypted, started_at, finished_at, bytes, rows, "
	    "verified_at,"
	    " verify_ms, verify_error) VALUES ($1, 'done', false, $2, $3, $4, $5, $5::timestamptz, $6, $7,"
	    " CASE WHEN $9::text IS NULL THEN now() END, $8, $9)"
	    " ON CONFLICT (id) DO UPDATE SET verified_at = coalesce(excluded.verified_at, backups.verified_at),"
	    " verify_ms = excluded.verify_ms, verify_error = excluded.verify_error";
	char node[65] = "unknown", bytes[24], rows[24], took[24];
	const char *values[] = {load->id,
	                        node,
	                        strcmp(load->path, "-") == 0 ? "(standard input)" : load->path,
	                        load->file.sealed ? "true" : "false",
	                        load->taken_at,
	                        bytes,
	                        rows,
	                        took,
	                        good ? NULL : "it cannot be restored, or what it holds is not whole"};
	struct pg_conn *conn = database_open(url, 0);
	char *error = NULL;

	if (gethostname(node, sizeof(node) - 1) != 0)
		snprintf(node, sizeof(node), "unknown");
	snprintf(bytes, sizeof(bytes), "%lld", (long long)load->file.bytes);
	snprintf(rows, sizeof(rows), "%lld", (long long)load->rows);
	snprintf(took, sizeof(took), "%lld", (long long)took_ms);
	if (conn)
		database_clear(database_query(conn, sql, ARRAY_LENGTH(values), values, &error));
	if (!conn || error)
		fprintf(stderr, "agentd: the proof is not on record in the table backups of this node's database: %s",
		        error ? error : "see above\n");
	free(error);
	if (conn)
		database_close(conn);
}

bool
verify_backup(const struct config *config, struct restore_load *load, const char *url, bool beside)
{
	int64_t started_us = clock_steady_us(), took_ms;
	struct scratch scratch;
	bool good;

	if (!scratch_make(&scratch, config, url, beside))
		return false;
	good = verify_in(config, load, &scratch);
	scratch_drop(&scratch);
	took_ms = (clock_steady_us() - started_us) / 1000;
	fflush(stdout);
	put_on_record(load, url, took_ms, good);
	if (good)
		printf("The backup %s of %s can be restored: %lld rows, every check passed, in %lld ms.\n", load->id,
		       load->taken_at, (long long)load->rows, (long long)took_ms);
	else
		printf(
		    "The backup %s of %s is NOT proven: see above. Make another one, and look at what has changed this file.\n",
		    load->id, load->taken_at);
	return good;
}
