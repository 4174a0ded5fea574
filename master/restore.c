/* restore.c - see restore.h. */
#include "restore.h"
#include "config.h"
#include "database.h"
#include "fence.h"
#include "migrate.h"
#include "restore_load.h"
#include "verify.h"

enum { TRIES = 20 };

struct options {
	const char *path;
	bool verify, beside, replace, suspend_keys, recovered;
};

static const char session_sql[] = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET "
                                  "DateStyle = 'ISO'; SET TimeZone = 'UTC';"
                                  "SET synchronous_commit = on";

/* What stands in the way: our tables and those of others. Views and functions of others do no harm. */
static const char found_sql[] =
    "SELECT count(*), string_agg(relname, ', ' ORDER BY relname) FILTER (WHERE n <= 5), current_schema(), "
    "current_database(),"
    " bool_or(relname = 'tasks') FROM (SELECT relname, row_number() OVER (ORDER BY relname <> 'tasks', relname) AS n "
    "FROM "
    "pg_class c"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype "
    "= "
    "'e')) c";

/* Everything in the schema that is ours and not an extension's; indexes and identity sequences go with their tables. */
static const char move_sql[] =
    "DO $$ DECLARE line text; target text := 'agentd_before_' || to_char(clock_timestamp() AT TIME ZONE 'UTC',"
    " 'YYYYMMDD_HH24MISS_US'); BEGIN"
    " EXECUTE format('CREATE SCHEMA %I', target);"
    " FOR line IN"
    " SELECT format('TABLE %s', c.oid::regclass) FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
    " AND (c.relkind IN ('r', 'p') OR (c.relkind = 'v' AND c.relname LIKE 'agentd%')) AND NOT EXISTS (SELECT FROM "
    "pg_depend d WHERE d.classid = 'pg_class'::regclass"
    " AND d.objid = c.oid AND d.deptype = 'e')"
    " UNION ALL SELECT format('SEQUENCE %s', c.oid::regclass) FROM pg_class c"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d"
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))"
    " UNION ALL SELECT format('ROUTINE %s', p.oid::regprocedure) FROM pg_proc p"
    " WHERE p.pronamespace = current_schema()::regnamespace AND p.proname LIKE 'agentd%'"
    " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype "
    "= 'e')"
    " UNION ALL SELECT format('TYPE %s', c.reltype::regtype) FROM pg_class c"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'c'"
    " LOOP EXECUTE format('ALTER %s SET SCHEMA %I', line, target); END LOOP;"
    " PERFORM set_config('agentd.replaced', target, false); END $$";

/* What was taken from somebody after the backup stays taken. $1: the schema. */
static const char carry_sql[] = "DO $$ DECLARE old text := current_setting('agentd.replaced'); BEGIN"
                                " IF to_regclass(format('%I.api_keys', old)) IS NULL THEN RETURN; END IF;"
                                " EXECUTE format('UPDATE api_keys k SET status = o.status FROM %I.api_keys o WHERE "
                                "o.key_id = k.key_id AND k.status ="
                                " ''active'' AND o.status <> ''active''', old);"
                                " EXECUTE format('UPDATE users u SET active = false FROM %I.users o WHERE o.tenant = "
                                "u.tenant AND o.id = u.id AND u.active"
                                " AND NOT o.active', old); END $$";

static bool
report(char *error, const char *what)
{
	if (error)
		fprintf(stderr, "agentd: %s: %s", what, error);
	free(error);
	return !error;
}

/* True if the schema is empty, or may be emptied. */
static bool
look(struct pg_conn *conn, const struct options *options, bool *found_r)
{
	char *error;
	struct pg_result *result = database_query(conn, found_sql, 0, NULL, &error);

	if (!result)
		return report(error, "looking what is there failed");
	*found_r = strcmp(database_cell(result, 0, 0), "0") != 0;
	if (*found_r && !options->replace) {
		bool ours = database_cell(result, 0, 4) && database_cell(result, 0, 4)[0] == 't';

		fprintf(stderr,
		        "agentd: the database %s is not empty: its schema %s has %s tables (%s%s). Nothing was changed.\n"
		        "agentd: restore into an empty database, or, if %s, add --replace: what is there is then moved to a\n"
		        "agentd: schema of its own, from which it can still be read.\n",
		        database_cell(result, 0, 3), database_cell(result, 0, 2), database_cell(result, 0, 0),
		        database_cell(result, 0, 1), strtol(database_cell(result, 0, 0), NULL, 10) > 5 ? ", ..." : "",
		        ours ? "this agentd is the one to be replaced" : "all of this is agentd's");
	}
	database_clear(result);
	return !*found_r || options->replace;
}

/*
 * Nodes are sent away, and before they are back every table is locked by being moved. Who was faster holds locks for a
 * moment: then again.
 */
static bool
move_aside(struct pg_conn *conn)
{
	char *error = mem_string("");

	for (int i = 0; i < TRIES && error; i++) {
		free(error);
		error = database_script(conn, "ROLLBACK; SET lock_timeout = '1s'; BEGIN");
		if (error || !fence_part(conn))
			break;
		error = database_script(conn, move_sql);
	}
	if (!error)
		error = database_script(conn, "SET lock_timeout = 0");
	return report(error,
	              "what is there cannot be moved aside (does the database user own it, and may he make schemas?)");
}

static bool
restore_inside(struct pg_conn *conn, struct restore_load *load, const struct options *options, bool found)
{
	struct fence fence = {.kind = "restore",
	                      .backup_id = load->id,
	                      .taken_at = load->taken_at,
	                      .horizon = load->horizon,
	                      .suspend_keys = options->suspend_keys};
	struct pg_result *replaced = NULL;
	char *error = NULL;
	bool good;

	if (found && !move_aside(conn))
		return false;
	load->conn = conn;
	if (!restore_load_all(load))
		return false;
	if (found) {
		if (!report(database_script(conn, carry_sql), "keeping revoked keys revoked failed"))
			return false;
		replaced = database_query(conn, "SELECT current_setting('agentd.replaced')", 0, NULL, &error);
		fence.replaced = replaced ? database_cell(replaced, 0, 0) : NULL;
	}
	good = report(error, "reading the name of the schema") && fence_raise(conn, &fence) && fence_part(conn) &&
	       report(database_script(conn, "COMMIT"), "the restore cannot be committed");
	if (good)
		fprintf(stderr,
		        "agentd: restored backup %s of %s: %lld rows; %lld leases were given back, all sessions have ended.\n"
		        "agentd: keys that were revoked after that time are %s.\n",
		        load->id, load->taken_at, (long long)load->rows, (long long)fence.leases,
		        options->suspend_keys ? "suspended, as all others: reactivate those that are wanted"
		        : found               ? "still revoked"
		                              : "active again: revoke them, or restore with --suspend-keys");
	if (good && fence.replaced)
		fprintf(stderr,
		        "agentd: what was there before is in the schema %s: when it is not wanted any more,\n"
		        "agentd: DROP SCHEMA %s CASCADE.\n",
		        fence.replaced, fence.replaced);
	database_clear(replaced);
	return good;
}

static bool
restore(struct restore_load *load, const struct options *options, const char *url)
{
	struct pg_conn *conn = database_open(url, 10);
	bool found = false;
	bool good = conn && report(database_script(conn, session_sql), "setting up the connection") && migrate_lock(conn) &&
	            look(conn, options, &found) && report(database_script(conn, "BEGIN"), "beginning");

	if (good && !restore_inside(conn, load, options, found)) {
		fputs("agentd: nothing was changed.\n", stderr);
		good = false;
	}
	if (conn)
		database_close(conn);
	return good;
}

/* The cluster was recovered to a point in time, by PostgreSQL: only the fence is wanting. */
static bool
raise_only(const struct options *options, const char *url)
{
	struct fence fence = {.kind = "recovery", .suspend_keys = options->suspend_keys};
	/* The schema first: it has a lock and a connection of its own. */
	struct pg_conn *conn = migrate_up(url, MIGRATE_LATEST) ? database_open(url, 10) : NULL;
	bool good = conn && report(database_script(conn, session_sql), "setting up the connection") && migrate_lock(conn);

	good = good && report(database_script(conn, "BEGIN"), "beginning") && fence_part(conn) &&
	       report(database_script(
	                  conn, "LOCK TABLE workflows, tasks, events, sessions, changes_head IN ACCESS EXCLUSIVE MODE"),
	              "locking") &&
	       fence_raise(conn, &fence) && fence_part(conn) && report(database_script(conn, "COMMIT"), "committing");
	if (good)
		fprintf(stderr,
		        "agentd: the recovered database is ready: %lld leases were given back, all sessions have ended.\n",
		        (long long)fence.leases);
	if (conn)
		database_close(conn);
	return good;
}

static bool
read_options(struct options *options, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--verify") == 0)
			options->verify = true;
		else if (strcmp(argv[i], "--beside") == 0)
			options->beside = true;
		else if (strcmp(argv[i], "--replace") == 0)
			options->replace = true;
		else if (strcmp(argv[i], "--suspend-keys") == 0)
			options->suspend_keys = true;
		else if (strcmp(argv[i], "--recovered") == 0)
			options->recovered = true;
		else if (options->path || (argv[i][0] == '-' && argv[i][1]))
			return false;
		else
			options->path = argv[i];
	}
	if (options->recovered)
		return !options->path && !options->verify && !options->replace && !options->beside;
	if (options->verify)
		return options->path && !options->replace && !options->suspend_keys;
	return options->path && !options->beside;
}

int
restore_command(const struct config *config, char *(*url)(const struct config *config), int argc, char **argv)
{
	struct options options = {0};
	struct restore_load load = {0};
	char *address;
	bool good = false;

	if (!read_options(&options, argc, argv)) {
		fputs("usage: agentd restore FILE --verify [--beside]\n"
		      "       agentd restore FILE [--replace] [--suspend-keys]\n"
		      "       agentd restore --recovered [--suspend-keys]\n"
		      "FILE is what `agentd backup` wrote; -: standard input. --verify restores into a scratch database, "
		      "checks what is\n"
		      "there, and changes nothing else; --beside: in the server in use, not in one of its own. --replace moves "
		      "what is in the database aside. --suspend-keys: no API key\n"
		      "works before somebody reactivates it. --recovered: after PostgreSQL itself was recovered to a point in "
		      "time.\n",
		      stderr);
		return 2;
	}
	address = url(config);
	if (!address)
		return 1;
	if (options.recovered)
		good = raise_only(&options, address);
	else if (restore_load_open(&load, options.path, slice_of(config->backup_key)))
		good =
		    options.verify ? verify_backup(config, &load, address, options.beside) : restore(&load, &options, address);
	if (!options.recovered)
		restore_load_close(&load);
	free(address);
	return good ? 0 : 1;
}
