/*
 * problem.h - the one writer of errors: application/problem+json (RFC 9457) with a stable code.
 */
#ifndef AGENTD_PROBLEM_H
#define AGENTD_PROBLEM_H

#include "base.h"
#include "buf.h"
#include "error.h"
#include "field.h"

struct problem {
	enum error error;
	struct slice detail;
	struct slice request_id;
	const struct field_errors *errors; /* may be NULL */
	/* Members that some errors add; absent: none. */
	struct slice task_status;
	struct slice current_epoch;
	struct slice current_version;
};

void problem_write(struct buf *out, const struct problem *problem);

#endif
