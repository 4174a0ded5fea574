/* error.c - see error.h. */
#include "error.h"

static const struct error_kind kinds[ERROR_COUNT] = {
#define ERROR(name, status, code, title) [ERROR_##name] = {status, code, title},
#include "error.def"
};

static const struct {
	const char *sqlstate;
	const char *constraint;
	enum error error;
} sql_errors[] = {
#define SQL_ERROR(sqlstate, constraint, name) {sqlstate, constraint, ERROR_##name},
#include "error.def"
};

const struct error_kind *
error_kind(enum error error)
{
	return &kinds[error];
}

enum error
error_of_status(int status)
{
	for (int i = 0; i < ERROR_COUNT; i++)
		if (kinds[i].status == status)
			return (enum error)i;
	return ERROR_INTERNAL;
}

enum error
error_of_sqlstate(const char *sqlstate, const char *constraint)
{
	for (size_t i = 0; i < ARRAY_LENGTH(sql_errors); i++)
		if (strcmp(sql_errors[i].sqlstate, sqlstate) == 0 &&
		    (!*sql_errors[i].constraint || strcmp(sql_errors[i].constraint, constraint) == 0))
			return sql_errors[i].error;
	return ERROR_INTERNAL;
}
