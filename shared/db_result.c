/* db_result.c - what a callback may ask of its rows: names, types and cells of columns. See db.h. */
#include "db_private.h"

int
db_columns(const struct db_result *result)
{
	return PQnfields(result->rows) - result->skip;
}

const char *
db_column_name(const struct db_result *result, int column)
{
	return PQfname(result->rows, column + result->skip);
}

enum db_column_type
db_column_type(const struct db_result *result, int column)
{
	switch (PQftype(result->rows, column + result->skip)) {
	case 20:   /* int8 */
	case 21:   /* int2 */
	case 23:   /* int4 */
	case 700:  /* float4 */
	case 701:  /* float8 */
	case 1700: /* numeric */
		return DB_COLUMN_NUMBER;
	case 16:
		return DB_COLUMN_BOOL;
	case 114:  /* json */
	case 3802: /* jsonb */
		return DB_COLUMN_JSON;
	case 1184: /* timestamptz */
		return DB_COLUMN_TIME;
	default:
		return DB_COLUMN_TEXT;
	}
}

int
db_column(const struct db_result *result, const char *name)
{
	int count = db_columns(result);

	/* Asked for every row of a batch, mostly in vain: the first byte tells nearly always. */
	for (int i = 0; i < count; i++) {
		const char *column = db_column_name(result, i);
		if (column[0] == name[0] && strcmp(column, name) == 0)
			return i;
	}
	return -1;
}

struct slice
db_cell(const struct db_result *result, int row, int column)
{
	const PGresult *rows = result->rows;

	row += result->first;
	column += result->skip;
	if (PQgetisnull(rows, row, column))
		return SLICE_NONE;
	return (struct slice){PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column)};
}

struct slice
db_get(const struct db_result *result, int row, const char *name)
{
	int column = db_column(result, name);

	INVARIANT(column >= 0);
	return db_cell(result, row, column);
}
