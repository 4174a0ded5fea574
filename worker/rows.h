/*
 * rows.h - database rows as JSON: the column's alias is the key, its type says how the value is written.
 *
 * Columns whose name begins with an underscore are for the server, not for the client. Times become RFC 3339 UTC with
 * microseconds. Pure.
 */
#ifndef AGENTD_ROWS_H
#define AGENTD_ROWS_H

#include "db.h"
#include "json_write.h"

/* One row as an object. */
void rows_write_object(struct json_writer *writer, const struct db_result *result, int row);
/* The same without the braces, for who has members to add. */
void rows_write_members(struct json_writer *writer, const struct db_result *result, int row);
/* All rows as an array of objects. */
/* The same without the members that are null. */
void rows_write_present(struct json_writer *writer, const struct db_result *result, int row);
void rows_write_array(struct json_writer *writer, const struct db_result *result);
/* A page: {"items": [...], "next_cursor": ...}. The query gave one row more than limit if there is a next page. */
void rows_write_page(struct json_writer *writer, const struct db_result *result, int limit);
/* The text of a timestamptz ("2026-11-23 01:02:03.5+00") as RFC 3339; out has room for 40 bytes. */
void rows_format_time(struct slice text, char out[40]);

#endif
