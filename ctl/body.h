/*
 * body.h - options turned into the members of a request's body, or into the query of its path, by a table.
 */
#ifndef AGENTCTL_BODY_H
#define AGENTCTL_BODY_H

#include "ctl.h"

enum body_kind {
	BODY_TEXT,
	BODY_NUMBER, /* written as an integer when it is one */
	BODY_FLAG,   /* true when given */
	BODY_JSON,   /* JSON or @FILE */
	BODY_TEXTS,  /* an array of every value given */
	BODY_LABELS  /* KEY=VALUE of every one given, as an object */
};

/* Ends with a row without a key. */
struct body_field {
	const char *key;
	enum option_id option;
	enum body_kind kind;
	bool required;
	double low, high; /* of a BODY_NUMBER; both 0: any */
};

/* An object of the options that were given. NULL: what is wrong has been said, and *code_r is set. */
MUST_CHECK json_t *body_build(const struct ctl *ctl, const struct body_field *fields, enum ctl_exit *code_r);
/* Appends the options that were given to the path: each value of one that was given several times. */
void body_query(const struct ctl *ctl, const struct body_field *fields, char **path);

/* What an option that takes JSON or @FILE says. NULL: said why. */
MUST_CHECK json_t *body_json(const char *given, enum option_id option);
/* The JSON in a file ("-": standard input). NULL: said why. */
MUST_CHECK json_t *body_file(const char *path);
/* The array of tasks in a file: the whole of it, or its member "tasks". NULL: said why. */
MUST_CHECK json_t *body_tasks(const char *path);

#endif
