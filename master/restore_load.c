/*
 * restore_load.c - see restore_load.h. Foreign keys and unique indexes are there while rows come in: what they refuse
 * is not restored. Row level security and the triggers that count quotas and guard the audit log are for a server at
 * work: they rest for the table that is being loaded, which only its owner can have.
 */
#include "restore_load.h"
#include "json_read.h"
#include "migrate.h"
#include "query.h"

#include <errno.h>
#include <inttypes.h>

/* A frame of JSON. */
struct note {
	struct arena arena;
	struct json json;
};

static bool
fail(const struct restore_load *load, const char *why)
{
	fprintf(stderr, "agentd: the backup %s cannot be restored: %s\n", load->path, why);
	return false;
}

/* error is freed; NULL: all is well. */
static bool
report(const struct restore_load *load, const char *what, char *error)
{
	if (error)
		fprintf(stderr, "agentd: the backup %s cannot be restored: %s: %s", load->path, what, error);
	free(error);
	return !error;
}

static bool
note_read(struct note *note, struct slice text)
{
	struct json_error error;

	*note = (struct note){.arena = ARENA_EMPTY};
	return json_parse(&note->arena, text, &note->json, &error) && json_type(&note->json, 0) == JSON_OBJECT;
}

static bool
note_text(struct note *note, const char *name, char *out, size_t size)
{
	int at = json_get(&note->json, 0, name);
	struct slice text = SLICE_NONE;

	if (at != JSON_NONE && json_type(&note->json, at) == JSON_STRING)
		text = json_string(&note->json, at, &note->arena);
	snprintf(out, size, "%.*s", text.data ? (int)text.len : 0, text.data ? text.data : "");
	return text.data && text.len && text.len < size;
}

static bool
note_int(struct note *note, const char *name, int64_t *value_r)
{
	int at = json_get(&note->json, 0, name);

	return at != JSON_NONE && json_int(&note->json, at, value_r);
}

static bool
read_head(struct restore_load *load, struct slice text)
{
	struct note note;
	int64_t schema = 0;
	char agentd[64];
	bool good = note_read(&note, text) && note_int(&note, "schema", &schema) &&
	            note_text(&note, "taken_at", load->taken_at, sizeof(load->taken_at)) &&
	            note_text(&note, "horizon", load->horizon, sizeof(load->horizon)) &&
	            note_text(&note, "agentd", agentd, sizeof(agentd));

	arena_reset(&note.arena);
	if (!good || schema < 1)
		return fail(load, "its head does not say what it is of");
	load->schema = (int)MIN(schema, INT32_MAX);
	if (schema <= query_migration_count)
		return true;
	fprintf(stderr,
	        "agentd: the backup %s has schema version %" PRId64
	        ", but this program knows only %d: agentd %s made it; restore "
	        "it with that or a newer one.\n",
	        load->path, schema, query_migration_count, agentd);
	return false;
}

bool
restore_load_open(struct restore_load *load, const char *path, struct slice secret)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	enum backup_type type;
	struct slice text;

	*load = (struct restore_load){.path = path};
	if (!file) {
		fprintf(stderr, "agentd: the backup %s cannot be read: %s\n", path, strerror(errno));
		return false;
	}
	if (!backup_file_open(&load->file, file, secret) || !backup_file_read(&load->file, &type, &text))
		return fail(load, load->file.fault);
	uuid_format(load->file.id, load->id);
	return type == BACKUP_HEAD ? read_head(load, text) : fail(load, "it does not begin with its head");
}

void
restore_load_close(struct restore_load *load)
{
	if (load->file.file && load->file.file != stdin)
		fclose(load->file.file);
	backup_file_close(&load->file);
	buf_free(&load->tables);
}

/* The names of a JSON array, quoted for SQL. */
static void
add_names(struct note *note, int list, struct buf *out)
{
	for (int at = json_first(&note->json, list); at != JSON_NONE; at = json_next(&note->json, list, at)) {
		struct slice name = json_string(&note->json, at, &note->arena);

		buf_add_text(out, out->len ? ", \"" : "\"");
		for (size_t i = 0; i < name.len; i++)
			if (name.data[i] != '"')
				buf_add_byte(out, name.data[i]);
		buf_add_byte(out, '"');
	}
}

/* The table is there, empty, and its owner sees all of it. */
static bool
open_table(struct restore_load *load)
{
	const char *values[] = {load->table};
	char *error;
	struct pg_result *result = database_query(
	    load->conn,
	    "SELECT c.relforcerowsecurity FROM pg_class c"
	    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = $1 AND c.relkind IN ('r', 'p')",
	    1, values, &error);
	struct buf sql = {0};
	bool there = result && database_rows(result) == 1;

	load->forced = there && database_cell(result, 0, 0)[0] == 't';
	database_clear(result);
	if (error)
		return report(load, load->table, error);
	if (!there) {
		fprintf(stderr, "agentd: the backup %s has a table %s, which agentd of that time did not have: ", load->path,
		        load->table);
		fputs("it belongs to somebody else and cannot be restored by agentd.\n", stderr);
		return false;
	}
	buf_printf(&sql, "ALTER TABLE \"%s\" NO FORCE ROW LEVEL SECURITY, DISABLE TRIGGER USER; DELETE FROM \"%s\"",
	           load->table, load->table);
	buf_add_byte(&sql, '\0');
	error = database_script(load->conn, sql.data);
	buf_free(&sql);
	return report(load, load->table, error);
}

static bool
begin_table(struct restore_load *load, struct slice text)
{
	struct note note;
	struct buf names = {0}, sql = {0};
	bool good = note_read(&note, text) && note_text(&note, "table", load->table, sizeof(load->table)) &&
	            !strchr(load->table, '"') && json_get(&note.json, 0, "columns") != JSON_NONE;

	if (good) {
		add_names(&note, json_get(&note.json, 0, "columns"), &names);
		buf_printf(&sql, "COPY \"%s\" (%.*s) FROM STDIN", load->table, SLICE_ARG(buf_slice(&names)));
		buf_add_byte(&sql, '\0');
	}
	arena_reset(&note.arena);
	good = good ? open_table(load) && report(load, load->table, database_copy_begin(load->conn, sql.data))
	            : fail(load, "it has a table without a name");
	load->copying = good;
	buf_free(&names);
	buf_free(&sql);
	return good;
}

static bool
end_table(struct restore_load *load, struct slice text)
{
	struct note note;
	int64_t rows = 0, expected = -1;
	struct buf sql = {0};
	char *error;
	bool good = note_read(&note, text) && note_int(&note, "rows", &expected);

	arena_reset(&note.arena);
	load->copying = false;
	error = database_copy_end(load->conn, &rows);
	if (error)
		return report(load, load->table, error);
	if (!good || rows != expected) {
		fprintf(stderr,
		        "agentd: the backup %s has %" PRId64 " rows of the table %s, but says %" PRId64 ": rows are missing\n",
		        load->path, rows, load->table, expected);
		return false;
	}
	load->rows += rows;
	buf_printf(&load->tables, "%s\"%s\":%" PRId64, load->tables.len ? "," : "{", load->table, rows);
	buf_printf(&sql, "ALTER TABLE \"%s\" %s ROW LEVEL SECURITY, ENABLE TRIGGER USER", load->table,
	           load->forced ? "FORCE" : "NO FORCE");
	buf_add_byte(&sql, '\0');
	error = database_script(load->conn, sql.data);
	buf_free(&sql);
	return report(load, load->table, error);
}

/* The totals, and where the sequences go on. */
static bool
end_all(struct restore_load *load, struct slice text)
{
	static const char sql[] =
	    "SELECT count(setval(format('%I.%I', s.schemaname, s.sequencename)::regclass, e.value::bigint))"
	    " FROM json_each_text($1::json -> 'sequences') e"
	    " JOIN pg_sequences s ON s.schemaname = current_schema() AND s.sequencename = e.key";
	static const char missing_sql[] = "SELECT e.key FROM json_each_text($1::json -> 'tables') e"
	                                  " LEFT JOIN json_each_text($2::json) l USING (key)"
	                                  " WHERE l.value IS DISTINCT FROM e.value LIMIT 1";
	char *end = strndup(text.data, text.len), *error;
	const char *values[] = {end, NULL};
	struct pg_result *result;
	bool whole;

	if (!end)
		abort();
	buf_add_text(&load->tables, load->tables.len ? "}" : "{}");
	buf_add_byte(&load->tables, '\0');
	values[1] = load->tables.data;
	result = database_query(load->conn, missing_sql, 2, values, &error);
	whole = result && database_rows(result) == 0;
	if (result && !whole)
		fprintf(stderr, "agentd: the backup %s does not have all rows of the table %s\n", load->path,
		        database_cell(result, 0, 0));
	database_clear(result);
	if (whole)
		database_clear(database_query(load->conn, sql, 1, values, &error));
	free(end);
	return report(load, "its end", error) && whole;
}

static bool
take_frame(struct restore_load *load, enum backup_type type, struct slice text)
{
	switch (type) {
	case BACKUP_TABLE:
		return !load->copying ? begin_table(load, text) : fail(load, "a table begins within a table");
	case BACKUP_DATA:
		return load->copying ? report(load, load->table, database_copy_put(load->conn, text))
		                     : fail(load, "it has rows outside of a table");
	case BACKUP_ROWS:
		return load->copying ? end_table(load, text) : fail(load, "a table ends that has not begun");
	case BACKUP_END:
		return !load->copying ? end_all(load, text) : fail(load, "it ends within a table");
	case BACKUP_HEAD:
		break;
	}
	return fail(load, "it has a part that this agentd does not know");
}

/* Days that have passed have their partitions again, so that retention drops them whole. */
static bool
make_partitions(struct restore_load *load)
{
	static const char sql[] =
	    "SELECT agentd_partition(left(n, -9), CASE WHEN n LIKE 'events%' THEN 'at' ELSE 'done_at' END,"
	    " to_date(right(n, 8), 'YYYYMMDD')) FROM json_array_elements_text($1) n"
	    " WHERE n ~ '^[a-z_]+_[0-9]{8}$' AND to_regclass(left(n, -9)) IS NOT NULL";
	struct note note = {.arena = ARENA_EMPTY};
	char *error = NULL, *list = NULL;
	const char *values[1];
	int at;

	if (note_read(&note, buf_slice(&load->file.text)) && (at = json_get(&note.json, 0, "partitions")) != JSON_NONE) {
		struct slice raw = json_raw(&note.json, at);

		values[0] = list = strndup(raw.data, raw.len);
		database_clear(database_query(load->conn, sql, 1, values, &error));
	}
	arena_reset(&note.arena);
	free(list);
	return report(load, "the partitions of its days", error);
}

bool
restore_load_all(struct restore_load *load)
{
	enum backup_type type;
	struct slice text;

	if (!migrate_inside(load->conn, 0, load->schema) || !make_partitions(load))
		return false;
	while (!load->file.ended) {
		if (!backup_file_read(&load->file, &type, &text))
			return fail(load, load->file.fault);
		if (!take_frame(load, type, text))
			return false;
	}
	return migrate_inside(load->conn, load->schema, query_migration_count);
}
