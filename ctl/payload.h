/*
 * payload.h - options turned into the members of a request's body, or into the query of its path, by a table.
 */
#ifndef AGENTCTL_PAYLOAD_H
#define AGENTCTL_PAYLOAD_H

#include "ctl.h"

enum payload_kind {
	PAYLOAD_TEXT,
	PAYLOAD_NUMBER, /* written as an integer when it is one */
	PAYLOAD_FLAG,   /* true when given */
	PAYLOAD_JSON,   /* JSON or @FILE */
	PAYLOAD_TEXTS,  /* an array of every value given */
	PAYLOAD_LABELS  /* KEY=VALUE of every one given, as an object */
};

/* Ends with a row without a key. */
struct payload_field {
	const char *key;
	enum option_id option;
	enum payload_kind kind;
	bool required;
	double low, high; /* of a PAYLOAD_NUMBER; both 0: any */
};

/* An object of the options that were given. NULL: what is wrong has been said, and *code_r is set. */
MUST_CHECK json_t *payload_build(const struct ctl *ctl, const struct payload_field *fields, enum ctl_exit *code_r);
/* Appends the options that were given to the path: each value of one that was given several times. */
void payload_query(const struct ctl *ctl, const struct payload_field *fields, char **path);

/* What an option that takes JSON or @FILE says. NULL: said why. */
MUST_CHECK json_t *payload_json(const char *given, enum option_id option);
/* The JSON in a file ("-": standard input). NULL: said why. */
MUST_CHECK json_t *payload_file(const char *path);
/* The array of tasks in a file: the whole of it, or its member "tasks". NULL: said why. */
MUST_CHECK json_t *payload_tasks(const char *path);

#endif
