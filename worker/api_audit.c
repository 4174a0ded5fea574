/*
 * api_audit.c - parts of the audit log's chain: given away to be checked elsewhere, or checked here.
 *
 * A part is at most 2,000 rows, so that neither holds up the loop; who wants all asks again with next_cursor.
 */
#include "api.h"
#include "audit_chain.h"
#include "rows.h"

struct cursor {
	const struct db_result *result;
	int row;
};

static struct slice
get(void *arg, const char *name)
{
	const struct cursor *cursor = arg;

	return db_get(cursor->result, cursor->row, name);
}

/* The last number in the rows, unless the head is among them: then nothing comes after. */
static void
write_next(struct json_writer *writer, const struct db_result *result)
{
	bool ended = result->count == 0;

	for (int row = 0; row < result->count; row++)
		ended = ended || slice_is(db_get(result, row, "kind"), "head");
	json_write_key(writer, "next_cursor");
	if (ended)
		json_write_null(writer);
	else
		json_write_string(writer, db_get(result, result->count - 1, "n"));
}

void
api_audit_export_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct json_writer writer;

	(void)request;
	json_write_begin(&writer, &call->out);
	json_write_object_open(&writer);
	json_write_key(&writer, "items");
	json_write_array_open(&writer);
	for (int row = 0; row < result->count; row++)
		rows_write_present(&writer, result, row);
	json_write_array_close(&writer);
	write_next(&writer, result);
	json_write_object_close(&writer);
	call->status = 200;
}

static void
write_head(struct json_writer *writer, const struct db_result *result)
{
	json_write_key(writer, "head");
	if (result->count && slice_is(db_get(result, result->count - 1, "kind"), "head"))
		rows_write_present(writer, result, result->count - 1);
	else
		json_write_null(writer);
}

static void
write_problem(struct json_writer *writer, const struct audit_reader *reader)
{
	json_write_key(writer, "problem");
	if (!reader->found) {
		json_write_null(writer);
		return;
	}
	json_write_object_open(writer);
	json_write_member_int(writer, "n", reader->found_n);
	json_write_member_text(writer, "detail", reader->finding);
	json_write_object_close(writer);
}

static void
read_part(struct audit_reader *reader, const struct db_result *result)
{
	for (int row = 0; row < result->count; row++) {
		struct cursor cursor = {result, row};
		struct audit_record record;
		const char *reason;

		if (!audit_record_read(get, &cursor, &record, &reason)) {
			audit_reader_find(reader, reader->n + 1, "the record after row %lld cannot be read: %s",
			                  (long long)reader->n, reason);
			return;
		}
		if (!audit_reader_take(reader, &record))
			return;
	}
}

void
api_audit_verify_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct audit_reader reader = {.keys = request->worker->heritage->audit_keys};
	struct json_writer writer;

	/* Of a row behind which nothing is to be known, there is at least the row, or the anchor that stands for it. */
	reader.n = strtoll(arena_string(&request->arena, call_value(call, "cursor")), NULL, 10);
	reader.behind = reader.n > 0;
	read_part(&reader, result);
	json_write_begin(&writer, &call->out);
	json_write_object_open(&writer);
	json_write_member_bool(&writer, "valid", !reader.found);
	json_write_member_int(&writer, "rows", reader.rows);
	json_write_member_int(&writer, "first", reader.first_n);
	json_write_member_int(&writer, "last", reader.n);
	json_write_member_int(&writer, "checkpoints", reader.checkpoints);
	json_write_member_int(&writer, "unknown_keys", reader.unknown_keys);
	write_problem(&writer, &reader);
	write_head(&writer, result);
	write_next(&writer, result);
	json_write_object_close(&writer);
	call->status = 200;
}
