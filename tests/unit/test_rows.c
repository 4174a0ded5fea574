/* test_rows.c - database rows as JSON. The rows are made by hand; no database is asked. */
#include "base.h"

#include "rows.h"

#include <libpq-fe.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void
test_times_are_rfc3339_with_microseconds(void **state UNUSED)
{
	static const struct {
		const char *postgres, *expected;
	} times[] = {
	    {"2026-11-23 01:02:03+00", "2026-11-23T01:02:03.000000Z"},
	    {"2026-11-23 01:02:03.5+00", "2026-11-23T01:02:03.500000Z"},
	    {"2026-11-23 01:02:03.000004+00", "2026-11-23T01:02:03.000004Z"},
	    {"2026-11-23 01:02:03.123456+00", "2026-11-23T01:02:03.123456Z"},
	    {"2026-11-23 23:59:59.99999+00", "2026-11-23T23:59:59.999990Z"},
	    {"1970-01-01 00:00:00+00", "1970-01-01T00:00:00.000000Z"},
	    {"0001-01-01 00:00:00+00", "0001-01-01T00:00:00.000000Z"},
	    {"9999-12-31 23:59:59.999999+00", "9999-12-31T23:59:59.999999Z"},
	    /* What RFC 3339 has no form for stays as it is. */
	    {"infinity", "infinity"},
	    {"-infinity", "-infinity"},
	    {"10000-01-01 00:00:00+00", "10000-01-01 00:00:00+00"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
		char out[40];
		rows_format_time(slice_of(times[i].postgres), out);
		assert_string_equal(out, times[i].expected);
	}
}

static void
test_time_of_any_length_is_bounded(void **state UNUSED)
{
	char text[100], out[40];

	memset(text, '2', sizeof(text));
	text[10] = ' ';
	for (size_t length = 0; length <= sizeof(text); length++) {
		rows_format_time((struct slice){text, length}, out);
		assert_in_range(strnlen(out, sizeof(out)), 0, 39);
	}
}

enum {
	COLUMNS = 8,
	OID_INT8 = 20,
	OID_BOOL = 16,
	OID_TEXT = 25,
	OID_JSON = 114,
	OID_FLOAT8 = 701,
	OID_TIME = 1184,
	OID_UUID = 2950
};

static PGresult *
make_rows(int count)
{
	static const struct {
		const char *name;
		Oid type;
		const char *value;
	} columns[COLUMNS] = {{"id", OID_UUID, "01890a5d-ac96-774b-bcce-b302099a8057"},
	                      {"name", OID_TEXT, "a \"b\"\n\xc3\xa9"},
	                      {"n", OID_INT8, "9007199254740993"},
	                      {"load", OID_FLOAT8, "0.25"},
	                      {"ok", OID_BOOL, "t"},
	                      {"data", OID_JSON, "{\"x\": 1.50}"},
	                      {"at", OID_TIME, "2026-11-23 01:02:03+00"},
	                      {"_cursor", OID_TEXT, NULL}};
	PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc attributes[COLUMNS] = {{0}};

	for (int i = 0; i < COLUMNS; i++) {
		attributes[i].name = (char *)columns[i].name;
		attributes[i].typid = columns[i].type;
	}
	assert_true(PQsetResultAttrs(rows, COLUMNS, attributes));
	for (int row = 0; row < count; row++)
		for (int i = 0; i < COLUMNS; i++) {
			char cursor[16], *value = (char *)columns[i].value;
			if (!value) {
				snprintf(cursor, sizeof(cursor), "c%d", row);
				value = cursor;
			}
			/* The second row has nothing but NULLs and its cursor. */
			if (row == 1 && columns[i].value)
				assert_true(PQsetvalue(rows, row, i, NULL, -1));
			else
				assert_true(PQsetvalue(rows, row, i, value, (int)strlen(value)));
		}
	return rows;
}

static const char row_json[] = "{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"name\":\"a \\\"b\\\"\\n\xc3\xa9\","
                               "\"n\":9007199254740993,\"load\":0.25,\"ok\":true,\"data\":{\"x\": 1.50},"
                               "\"at\":\"2026-11-23T01:02:03.000000Z\"}";
static const char null_json[] =
    "{\"id\":null,\"name\":null,\"n\":null,\"load\":null,\"ok\":null,\"data\":null,\"at\":null}";

static void PRINTF_LIKE(2, 3) expect(struct buf *out, const char *format, ...)
{
	char expected[2000];
	va_list list;

	va_start(list, format);
	vsnprintf(expected, sizeof(expected), format, list);
	va_end(list);
	if (!slice_is(buf_slice(out), expected))
		fail_msg("found %.*s\nexpected %s", SLICE_ARG(buf_slice(out)), expected);
	out->len = 0;
}

static void
test_columns_become_members_by_type(void **state UNUSED)
{
	PGresult *rows = make_rows(3);
	struct db_result result = {.status = DB_OK, .rows = rows, .count = 3};
	struct json_writer writer;
	struct buf out = {0};

	json_write_begin(&writer, &out);
	rows_write_object(&writer, &result, 0);
	expect(&out, "%s", row_json);
	json_write_begin(&writer, &out);
	rows_write_array(&writer, &result);
	expect(&out, "[%s,%s,%s]", row_json, null_json, row_json);
	/* A call's part of a batch begins later, and has columns that are not its own. */
	result.first = 1;
	result.count = 1;
	result.skip = 6;
	json_write_begin(&writer, &out);
	rows_write_array(&writer, &result);
	expect(&out, "[{\"at\":null}]");
	buf_free(&out);
	PQclear(rows);
}

static void
test_pages_end_with_a_cursor_while_there_is_more(void **state UNUSED)
{
	struct db_result result = {.status = DB_OK};
	struct json_writer writer;
	struct buf out = {0};
	PGresult *rows;

	rows = make_rows(3);
	result.rows = rows;
	result.count = 3;
	json_write_begin(&writer, &out);
	rows_write_page(&writer, &result, 2);
	expect(&out, "{\"items\":[%s,%s],\"next_cursor\":\"c1\"}", row_json, null_json);
	json_write_begin(&writer, &out);
	rows_write_page(&writer, &result, 3);
	expect(&out, "{\"items\":[%s,%s,%s],\"next_cursor\":null}", row_json, null_json, row_json);
	PQclear(rows);
	rows = make_rows(0);
	result.rows = rows;
	result.count = 0;
	json_write_begin(&writer, &out);
	rows_write_page(&writer, &result, 50);
	expect(&out, "{\"items\":[],\"next_cursor\":null}");
	buf_free(&out);
	PQclear(rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_times_are_rfc3339_with_microseconds),
	    cmocka_unit_test(test_time_of_any_length_is_bounded),
	    cmocka_unit_test(test_columns_become_members_by_type),
	    cmocka_unit_test(test_pages_end_with_a_cursor_while_there_is_more),
	};

	return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
