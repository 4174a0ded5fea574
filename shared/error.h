/*
 * error.h - the errors of the API as an enum and a table, from error.def. Constant data.
 */
#ifndef AGENTD_ERROR_H
#define AGENTD_ERROR_H

#include "base.h"

enum error {
#define ERROR(name, status, code, title) ERROR_##name,
#include "error.def"
	ERROR_COUNT
};

struct error_kind {
	int status;
	const char *code;
	const char *title;
};

const struct error_kind *error_kind(enum error error);
/* The error that answers a client with this HTTP status: for failures that the HTTP parser names by status. */
enum error error_of_status(int status);
/* What PostgreSQL's refusal means; ERROR_INTERNAL when it should never happen. */
enum error error_of_sqlstate(const char *sqlstate, const char *constraint);

#endif
