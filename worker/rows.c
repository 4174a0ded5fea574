/* rows.c - see rows.h. */
#include "rows.h"

void
rows_format_time(struct slice text, char out[40])
{
	size_t at = 20;

	/* 2026-11-23 01:02:03[.ffffff]+00: the session's zone is UTC. Rows have several of them: no snprintf(). */
	if (text.len < 22 || text.len > 32 || text.data[10] != ' ') {
		snprintf(out, 40, "%.*s", (int)MIN(text.len, 39), text.data); /* infinity, or a year beyond 9999 */
		return;
	}
	memcpy(out, text.data, 19);
	out[10] = 'T';
	memcpy(out + 19, ".000000Z", sizeof(".000000Z"));
	if (text.data[19] == '.')
		for (; at < 26 && at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++)
			out[at] = text.data[at];
}

static void
write_cell(struct json_writer *writer, const struct db_result *result, int row, int column)
{
	struct slice cell = db_cell(result, row, column);
	char time[40];

	if (!cell.data) {
		json_write_null(writer);
		return;
	}
	switch (db_column_type(result, column)) {
	case DB_COLUMN_NUMBER:
	case DB_COLUMN_JSON:
		json_write_raw(writer, cell);
		break;
	case DB_COLUMN_BOOL:
		json_write_bool(writer, cell.data[0] == 't');
		break;
	case DB_COLUMN_TIME:
		rows_format_time(cell, time);
		json_write_string(writer, slice_of(time));
		break;
	case DB_COLUMN_TEXT:
		json_write_string(writer, cell);
	}
}

static void
write_members(struct json_writer *writer, const struct db_result *result, int row, bool nulls)
{
	for (int column = 0; column < db_columns(result); column++) {
		const char *name = db_column_name(result, column);
		if (name[0] == '_' || (!nulls && !db_cell(result, row, column).data))
			continue;
		json_write_key(writer, name);
		write_cell(writer, result, row, column);
	}
}

void
rows_write_members(struct json_writer *writer, const struct db_result *result, int row)
{
	write_members(writer, result, row, true);
}

void
rows_write_object(struct json_writer *writer, const struct db_result *result, int row)
{
	json_write_object_open(writer);
	write_members(writer, result, row, true);
	json_write_object_close(writer);
}

void
rows_write_present(struct json_writer *writer, const struct db_result *result, int row)
{
	json_write_object_open(writer);
	write_members(writer, result, row, false);
	json_write_object_close(writer);
}

void
rows_write_array(struct json_writer *writer, const struct db_result *result)
{
	json_write_array_open(writer);
	for (int row = 0; row < result->count; row++)
		rows_write_object(writer, result, row);
	json_write_array_close(writer);
}

void
rows_write_page(struct json_writer *writer, const struct db_result *result, int limit)
{
	struct db_result page = *result;

	page.count = MIN(result->count, limit);
	json_write_object_open(writer);
	json_write_key(writer, "items");
	rows_write_array(writer, &page);
	json_write_key(writer, "next_cursor");
	if (result->count > limit)
		json_write_string(writer, db_get(result, limit - 1, "_cursor"));
	else
		json_write_null(writer);
	json_write_object_close(writer);
}
