/*
 * scenario_operand.h - the operands of statements: the upper-case words of the forms in scenario_kinds.
 */
#ifndef AGENTD_SCENARIO_OPERAND_H
#define AGENTD_SCENARIO_OPERAND_H

#include "base.h"

struct cursor;
struct statement;

enum operand_result {
	OPERAND_TAKEN,
	OPERAND_ABSENT, /* something else stands here; nothing was consumed */
	OPERAND_BROKEN  /* cursor->failure says why */
};

struct operand {
	const char *name;
	const char *what; /* for "expected ..., saw" */
	enum operand_result (*take)(struct cursor *cursor, struct statement *statement);
};

/* NULL: no operand has this name. */
const struct operand *operand_find(struct slice name);

/* Conditions: in scenario_condition.c. */
enum operand_result operand_take_subject(struct cursor *cursor, struct statement *statement);
enum operand_result operand_take_comparison(struct cursor *cursor, struct statement *statement);
enum operand_result operand_take_condition(struct cursor *cursor, struct statement *statement);

/* Parses the statement at the cursor up to the end of its line. NULL: cursor->failure says why. In scenario_parse.c. */
MUST_CHECK struct statement *statement_parse(struct cursor *cursor);

#endif
