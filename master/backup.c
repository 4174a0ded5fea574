/*
 * backup.c - see backup.h. A file appears under its name when it is whole and on the disk; until then it is
 * NAME.partial.
 *
 * While it reads, a backup holds an advisory lock, shared, under which the keeper makes and drops partitions: the locks
 * that those need would wait for the backup, and everybody else for them. It also says that the backup still runs.
 */
#include "backup.h"
#include "backup_file.h"
#include "backup_tables.h"
#include "config.h"
#include "database.h"
#include "json_write.h"
#include "query.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PIECE = 256 * 1024, CONNECT_WAIT_S = 10 };

/* One at work. */
struct dump {
	struct backup *backup;
	struct pg_conn *conn;
	struct backup_file file;
	struct buf piece;
	struct buf totals; /* the members of the table counts */
};

static const char session_sql[] =
    "SET statement_timeout = 0; SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = 0;"
    "SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 3;"
    "SET bytea_output = 'hex';"
    "SELECT pg_advisory_lock_shared(107083807650917)";

static const char begin_sql[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

static const char facts_sql[] =
    "SELECT (SELECT max(version) FROM migration_versions), current_setting('server_version'),"
    " to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), agentd_horizon()::text,"
    " (SELECT coalesce(json_agg(c.relname ORDER BY c.relname), '[]')::text FROM pg_class c"
    "  WHERE c.relnamespace = current_schema()::regnamespace AND c.relispartition AND c.relkind = 'r'"
    "  AND c.relname ~ '_[0-9]{8}$'), current_database()";

static const char sequences_sql[] = "SELECT coalesce(json_object_agg(sequencename, last_value), '{}')::text"
                                    " FROM pg_sequences WHERE schemaname = current_schema() AND last_value IS NOT NULL";

static bool
complain(const char *what, char *error)
{
	fprintf(stderr, "agentd: %s: %s%s", what, error, strchr(error, '\n') ? "" : "\n");
	free(error);
	return false;
}

static bool
complain_of_file(const struct dump *dump)
{
	fprintf(stderr, "agentd: the backup %s is not made: %s\n", dump->backup->path, dump->file.fault);
	return false;
}

static bool
put(struct dump *dump, enum backup_type type, struct slice text)
{
	return backup_file_write(&dump->file, type, text) || complain_of_file(dump);
}

static bool
flush_piece(struct dump *dump, size_t most)
{
	size_t done = 0;
	bool written = true;

	for (; written && dump->piece.len - done > most; done += MIN(PIECE, dump->piece.len - done))
		written = backup_file_write(&dump->file, BACKUP_DATA,
		                            (struct slice){dump->piece.data + done, MIN(PIECE, dump->piece.len - done)});
	buf_drop(&dump->piece, MIN(done, dump->piece.len));
	return written;
}

static bool
take_row(void *arg, struct slice row)
{
	struct dump *dump = arg;

	buf_add_slice(&dump->piece, row);
	return flush_piece(dump, PIECE);
}

static bool
write_head(struct dump *dump)
{
	static const char *const names[] = {"schema", "server", "taken_at", "horizon", "partitions", "database"};
	struct json_writer writer;
	struct buf text = {0};
	char *error;
	struct pg_result *facts = database_query(dump->conn, facts_sql, 0, NULL, &error);
	bool written;

	if (!facts)
		return complain("what is to be backed up cannot be read (has this database been migrated by this agentd?)",
		                error);
	json_write_begin(&writer, &text);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "agentd", PACKAGE_VERSION);
	for (int i = 0; i < (int)ARRAY_LENGTH(names); i++)
		if (i == 0 || i == 4)
			json_write_member_raw(&writer, names[i], slice_of(database_cell(facts, 0, i)));
		else
			json_write_member_text(&writer, names[i], database_cell(facts, 0, i));
	json_write_object_close(&writer);
	written = put(dump, BACKUP_HEAD, buf_slice(&text));
	database_clear(facts);
	buf_free(&text);
	return written;
}

static bool
write_rows(struct dump *dump, const char *name, int64_t rows)
{
	struct buf text = {0};
	bool written;

	buf_printf(&text, "{\"rows\":%lld}", (long long)rows);
	written = put(dump, BACKUP_ROWS, buf_slice(&text));
	text.len = 0;
	buf_printf(&dump->totals, "%s\"%s\":%lld", dump->totals.len ? "," : "", name, (long long)rows);
	dump->backup->rows += rows;
	buf_free(&text);
	return written;
}

static bool
write_table(struct dump *dump, const struct pg_result *tables, int row)
{
	const char *name = database_cell(tables, row, BACKUP_TABLE_NAME);
	struct buf text = {0};
	int64_t rows = 0;
	char *error;
	bool begun;

	buf_printf(&text, "{\"table\":\"%s\",\"columns\":%s}", name, database_cell(tables, row, BACKUP_TABLE_COLUMNS));
	begun = put(dump, BACKUP_TABLE, buf_slice(&text));
	text.len = 0;
	buf_printf(&text, "COPY (SELECT %s FROM \"%s\") TO STDOUT", database_cell(tables, row, BACKUP_TABLE_VALUES), name);
	buf_add_byte(&text, '\0');
	error = begun ? database_copy_out(dump->conn, text.data, take_row, dump, &rows) : mem_string("");
	buf_free(&text);
	if (error && *error)
		fprintf(stderr, "agentd: the table %s cannot be read: %s", name, error);
	else if (error && begun)
		begun = complain_of_file(dump);
	if (error) {
		free(error);
		return false;
	}
	return (flush_piece(dump, 0) || complain_of_file(dump)) && write_rows(dump, name, rows);
}

/* Tables of the same name in another order, or those of somebody else, do no harm: a file names its columns. */
static bool
write_tables(struct dump *dump)
{
	char *error;
	struct pg_result *tables = backup_tables(dump->conn, &error);
	struct buf lock = {0};
	bool written;

	if (!tables)
		return complain("the list of tables cannot be read", error);
	buf_add_text(&lock, "LOCK TABLE ");
	for (int i = 0; i < database_rows(tables); i++)
		buf_printf(&lock, "%s\"%s\"", i ? ", " : "", database_cell(tables, i, BACKUP_TABLE_NAME));
	buf_add(&lock, " IN ACCESS SHARE MODE", sizeof(" IN ACCESS SHARE MODE"));
	error = database_script(dump->conn, lock.data);
	written = !error || complain("the tables cannot be locked for reading (is a migration at work? try again)", error);
	for (int i = 0; i < database_rows(tables) && written; i++)
		written = write_table(dump, tables, i);
	database_clear(tables);
	buf_free(&lock);
	return written;
}

/* Numbers that sequences have given meanwhile are beyond those of the rows: they are not of the snapshot. */
static bool
write_end(struct dump *dump)
{
	struct buf text = {0};
	char *error;
	struct pg_result *sequences = database_query(dump->conn, sequences_sql, 0, NULL, &error);
	bool written;

	if (!sequences)
		return complain("the sequences cannot be read", error);
	buf_printf(&text, "{\"rows\":%lld,\"tables\":{%.*s},\"sequences\":%s}", (long long)dump->backup->rows,
	           SLICE_ARG(buf_slice(&dump->totals)), database_cell(sequences, 0, 0));
	written = put(dump, BACKUP_END, buf_slice(&text));
	database_clear(sequences);
	buf_free(&text);
	return written;
}

/* Everything into the file. */
static bool
dump_all(struct dump *dump, FILE *file)
{
	char *error;
	bool written = false;

	if (!backup_file_create(&dump->file, file, dump->backup->id, dump->backup->key))
		return complain_of_file(dump);
	error = database_script(dump->conn, session_sql);
	if (!error)
		error = database_script(dump->conn, begin_sql);
	if (error)
		complain("no transaction for the backup can be begun", error);
	else
		written = write_head(dump) && write_tables(dump) && write_end(dump);
	dump->backup->bytes = dump->file.bytes;
	if (written && fflush(file) != 0) {
		snprintf(dump->file.fault, sizeof(dump->file.fault), "it cannot be written: %s", strerror(errno));
		written = complain_of_file(dump);
	}
	backup_file_close(&dump->file);
	buf_free(&dump->piece);
	buf_free(&dump->totals);
	return written;
}

static bool
sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : mem_string(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool done = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(folder);
	return done;
}

static bool
dump_to_file(struct dump *dump)
{
	const char *path = dump->backup->path;
	char *partial;
	bool made = false;
	FILE *file;
	int fd;

	if (asprintf(&partial, "%s.partial", path) < 0)
		abort();
	fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	file = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (!file) {
		fprintf(stderr, "agentd: the backup %s cannot be written: %s\n", partial, strerror(errno));
	} else {
		made = dump_all(dump, file);
		if (made && (fsync(fd) != 0 || rename(partial, path) != 0 || !sync_folder(path))) {
			fprintf(stderr, "agentd: the backup %s cannot be written: %s\n", path, strerror(errno));
			made = false;
		}
		fclose(file);
		if (!made)
			unlink(partial);
	}
	free(partial);
	return made;
}

/* A record that cannot be written (a standby takes none) is no reason to have no backup. */
static void
record(const struct backup *backup, const char *sql, int count, const char *const *values)
{
	struct pg_conn *conn = database_open(backup->url, CONNECT_WAIT_S);
	char *error = NULL;

	if (!conn)
		return;
	database_clear(database_query(conn, sql, count, values, &error));
	if (error)
		fprintf(stderr, "agentd: the backup is not on record in the table backups: %s", error);
	free(error);
	database_close(conn);
}

static void
record_start(const struct backup *backup)
{
	char node[65] = "unknown";
	const char *values[] = {backup->id, backup->scheduled ? "true" : "false", node,
	                        strcmp(backup->path, "-") == 0 ? "(standard output)" : backup->path,
	                        backup->key.len ? "true" : "false"};

	if (gethostname(node, sizeof(node) - 1) != 0)
		snprintf(node, sizeof(node), "unknown");
	record(backup,
	       "INSERT INTO backups (id, status, scheduled, node, file, encrypted, started_at)"
	       " VALUES ($1, 'running', $2, $3, $4, $5, now())",
	       ARRAY_LENGTH(values), values);
}

static void
record_end(const struct backup *backup, bool made)
{
	char rows[24], bytes[24];
	const char *values[] = {backup->id, made ? "done" : "failed", bytes, rows,
	                        made ? NULL : "it could not be made; what agentd said tells why"};

	snprintf(rows, sizeof(rows), "%lld", (long long)backup->rows);
	snprintf(bytes, sizeof(bytes), "%lld", (long long)backup->bytes);
	record(backup,
	       "UPDATE backups SET status = $2, finished_at = now(), bytes = $3, rows = $4, error = $5 WHERE id = $1",
	       ARRAY_LENGTH(values), values);
}

bool
backup_make(struct backup *backup)
{
	struct dump dump = {.backup = backup, .conn = database_open(backup->url, CONNECT_WAIT_S)};
	bool made;

	if (!dump.conn)
		return false;
	uuid_new(backup->id);
	record_start(backup);
	made = strcmp(backup->path, "-") == 0 ? dump_all(&dump, stdout) : dump_to_file(&dump);
	database_close(dump.conn);
	record_end(backup, made);
	return made;
}

int
backup_command(const struct config *config, char *(*url)(const struct config *config), int argc, char **argv)
{
	struct backup backup = {.key = slice_of(config->backup_key), .path = argc == 1 ? argv[0] : ""};
	char *address;
	bool made;

	if (argc != 1 || !*backup.path || (*backup.path == '-' && backup.path[1])) {
		fputs("usage: agentd backup FILE\n"
		      "Writes everything that agentd keeps in PostgreSQL, as of one moment, to FILE (-: standard output), "
		      "while the\n"
		      "nodes go on. With AGENTD_BACKUP_KEY (or AGENTD_BACKUP_KEY_FILE) it is encrypted. `agentd restore FILE "
		      "--verify`\n"
		      "proves that it can be restored.\n",
		      stderr);
		return 2;
	}
	if (strcmp(backup.path, "-") == 0 ? isatty(STDOUT_FILENO) : access(backup.path, F_OK) == 0) {
		fprintf(stderr, "agentd: %s: remove it first, or name another file.\n",
		        strcmp(backup.path, "-") == 0 ? "a backup is no text for a terminal" : "the file is there already");
		return 2;
	}
	address = url(config);
	backup.url = address;
	made = address && backup_make(&backup);
	if (made)
		fprintf(stderr, "agentd: backup %s: %lld rows, %lld bytes, %s.\n", backup.id, (long long)backup.rows,
		        (long long)backup.bytes, backup.key.len ? "encrypted" : "not encrypted (AGENTD_BACKUP_KEY is not set)");
	if (address)
		crypto_wipe(address, strlen(address));
	free(address);
	return made ? 0 : 1;
}
