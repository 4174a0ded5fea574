/* migrate.c - see migrate.h. The record of what is applied is the table migration_versions. */
#include "migrate.h"
#include "clock.h"
#include "database.h"
#include "query.h"

#include <inttypes.h>

enum { CONNECT_WAIT_S = 30 };

/* A number of our own: the key of the advisory lock under which schemas change; those that follow it are of backups. */
static const char lock_sql[] = "SET lock_timeout = '120s'; SELECT pg_advisory_lock(107083807650916)";

static const char versions_sql[] =
    "CREATE TABLE IF NOT EXISTS migration_versions (version integer PRIMARY KEY, name text NOT NULL,"
    " description text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), duration_ms bigint NOT NULL,"
    " status text NOT NULL)";

static bool
report(char *error, const char *what)
{
	if (error)
		fprintf(stderr, "agentd: %s: %s", what, error);
	free(error);
	return !error;
}

/* Connects, locks and reads the version; -1 when that failed. The caller ends *conn_r, which may be NULL. */
static int
begin(const char *url, struct pg_conn **conn_r)
{
	struct pg_conn *conn = *conn_r = database_open(url, CONNECT_WAIT_S);
	struct pg_result *result;
	char *error;
	int version;

	if (!conn)
		return -1;
	if (!report(database_script(conn, lock_sql), "waiting for another migration") ||
	    !report(database_script(conn, versions_sql), "making the table migration_versions"))
		return -1;
	result = database_query(conn, "SELECT coalesce(max(version), 0) FROM migration_versions", 0, NULL, &error);
	if (!result)
		return report(error, "reading the table migration_versions"), -1;
	version = (int)strtol(database_cell(result, 0, 0), NULL, 10);
	database_clear(result);
	if (version > query_migration_count) {
		fprintf(stderr,
		        "agentd: the database has schema version %d, but this program knows only %d.\n"
		        "agentd: a newer agentd has been here; start that one, or go back with its `agentd migrate down %d`.\n",
		        version, query_migration_count, query_migration_count);
		return -1;
	}
	return version;
}

/* Gives the lock back at once, rather than when the server notices that the connection is closed. */
static void
end(struct pg_conn *conn)
{
	if (conn)
		free(database_script(conn, "SELECT pg_advisory_unlock_all()"));
	database_close(conn);
}

/* The first comment line of the script, as the description on record. */
static void
describe(const struct query_migration *migration, char *out, size_t size)
{
	const char *line = strncmp(migration->up, "-- ", 3) == 0 ? migration->up + 3 : migration->name;

	snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static bool
record(struct pg_conn *conn, const struct query_migration *migration, bool up, int64_t started_us)
{
	char version[16], duration[24], description[200];
	const char *values[] = {version, migration->name, description, duration};
	char *error;

	snprintf(version, sizeof(version), "%d", migration->version);
	snprintf(duration, sizeof(duration), "%" PRId64, (clock_steady_us() - started_us) / 1000);
	describe(migration, description, sizeof(description));
	database_clear(
	    up ? database_query(conn,
	                        "INSERT INTO migration_versions (version, name, description, duration_ms, status)"
	                        " VALUES ($1, $2, $3, $4, 'applied')",
	                        4, values, &error)
	       : database_query(conn, "DELETE FROM migration_versions WHERE version = $1", 1, values, &error));
	return report(error, "recording the migration");
}

static bool
apply(struct pg_conn *conn, const struct query_migration *migration, bool up)
{
	int64_t started_us = clock_steady_us();
	char what[160];

	snprintf(what, sizeof(what), "migration %d %s (%s) failed and left nothing behind", migration->version,
	         migration->name, up ? "up" : "down");
	if (!report(database_script(conn, "BEGIN"), what))
		return false;
	if (!report(database_script(conn, up ? migration->up : migration->down), what) ||
	    !record(conn, migration, up, started_us)) {
		free(database_script(conn, "ROLLBACK"));
		return false;
	}
	if (!report(database_script(conn, "COMMIT"), what))
		return false;
	fprintf(stderr, "agentd: migration %d %s: %s\n", migration->version, migration->name,
	        up ? "applied" : "taken back");
	return true;
}

bool
migrate_up(const char *url, int target)
{
	struct pg_conn *conn;
	int version = begin(url, &conn);
	bool done = version >= 0;

	if (target == MIGRATE_LATEST)
		target = query_migration_count;
	if (target > query_migration_count) {
		fprintf(stderr, "agentd: there is no migration %d; this program knows %d.\n", target, query_migration_count);
		done = false;
	}
	for (; done && version < target; version++)
		done = apply(conn, &query_migrations[version], true);
	end(conn);
	return done;
}

bool
migrate_down(const char *url, int target)
{
	struct pg_conn *conn;
	int version = begin(url, &conn);
	bool done = version >= 0;

	for (; done && version > target; version--)
		done = apply(conn, &query_migrations[version - 1], false);
	if (done && target == 0)
		done = report(database_script(conn, "DROP TABLE migration_versions"), "dropping migration_versions");
	end(conn);
	return done;
}

bool
migrate_lock(struct pg_conn *conn)
{
	return report(database_script(conn, lock_sql), "waiting for another migration");
}

bool
migrate_inside(struct pg_conn *conn, int from, int target)
{
	bool done = from > 0 || report(database_script(conn, versions_sql), "making the table migration_versions");

	for (int version = from; done && version < target; version++) {
		const struct query_migration *migration = &query_migrations[version];
		int64_t started_us = clock_steady_us();

		done = report(database_script(conn, migration->up), migration->name) && record(conn, migration, true, started_us);
	}
	return done;
}

bool
migrate_status(const char *url, FILE *out)
{
	struct pg_conn *conn;
	struct pg_result *result = NULL;
	char *error = NULL;

	if (begin(url, &conn) >= 0)
		result =
		    database_query(conn,
		                   "SELECT version, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
		                   " duration_ms FROM migration_versions ORDER BY version",
		                   0, NULL, &error);
	if (!result) {
		end(conn);
		return report(error, "reading migration_versions") && false;
	}
	fprintf(out, "%-8s %-14s %-9s %-21s %s\n", "VERSION", "NAME", "STATUS", "APPLIED", "MS");
	for (int i = 0; i < query_migration_count; i++) {
		bool applied = i < database_rows(result);
		fprintf(out, "%-8d %-14s %-9s %-21s %s\n", query_migrations[i].version, query_migrations[i].name,
		        applied ? "applied" : "pending", applied ? database_cell(result, i, 1) : "-",
		        applied ? database_cell(result, i, 2) : "-");
	}
	database_clear(result);
	end(conn);
	return true;
}
