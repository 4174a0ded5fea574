/* scenario_condition.c - the operands SUBJECT, COMPARISON and CONDITION; all that can be checked before running is. */
#include "base.h"
#include "scenario_operand.h"

#include "scenario_parse.h"

static enum operand_result
broken(struct cursor *cursor, const char *what, struct slice text, const char *why)
{
	failure_set(cursor->failure, cursor->line, "the %s %.*s cannot be read: %s", what, SLICE_ARG(text), why);
	return OPERAND_BROKEN;
}

static struct condition *
condition_of(struct cursor *cursor, struct statement *statement)
{
	if (!statement->condition) {
		statement->condition = arena_zero(cursor->arena, sizeof(*statement->condition));
		statement->condition->subject = SUBJECT_RESULT;
		statement->condition->compare = COMPARE_EXISTS;
	}
	return statement->condition;
}

static enum operand_result
take_path(struct cursor *cursor, struct condition *condition)
{
	struct slice path;
	const char *why;

	condition->subject = SUBJECT_JSON;
	condition->name = text_take(cursor);
	if (!condition->name || !text_value(condition->name, NULL, cursor->arena, &path, cursor->failure))
		return OPERAND_BROKEN;
	why = json_path_error(path.data);
	return why ? broken(cursor, "path", path, why) : OPERAND_TAKEN;
}

enum operand_result
operand_take_subject(struct cursor *cursor, struct statement *statement)
{
	static const struct {
		const char *name;
		enum subject subject;
	} names[] = {{"header", SUBJECT_HEADER}, {"status", SUBJECT_STATUS}, {"body", SUBJECT_BODY},
	             {"stdout", SUBJECT_STDOUT}, {"stderr", SUBJECT_STDERR}, {"result", SUBJECT_RESULT}};
	struct slice word = cursor_done(cursor) ? SLICE_NONE : cursor_peek(cursor);

	if (word.len && *word.data == '$')
		return take_path(cursor, condition_of(cursor, statement));
	for (size_t i = 0; word.len && i < ARRAY_LENGTH(names); i++) {
		if (!slice_is(word, names[i].name))
			continue;
		cursor->at += word.len;
		cursor_skip(cursor);
		condition_of(cursor, statement)->subject = names[i].subject;
		if (names[i].subject != SUBJECT_HEADER)
			return OPERAND_TAKEN;
		if (cursor_done(cursor))
			return broken(cursor, "subject", SLICE("header"), "the name of the header is missing");
		statement->condition->name = text_take(cursor);
		return statement->condition->name ? OPERAND_TAKEN : OPERAND_BROKEN;
	}
	return OPERAND_ABSENT;
}

static enum compare_as
compare_as(const struct condition *condition)
{
	const struct text *right = condition->right;

	if (condition->subject != SUBJECT_JSON)
		return COMPARE_AS_TEXT;
	if (right->json || (!right->quoted && !right->variable))
		return COMPARE_AS_JSON;
	return right->quoted ? COMPARE_AS_STRING : COMPARE_AS_TEXT;
}

enum operand_result
operand_take_comparison(struct cursor *cursor, struct statement *statement)
{
	struct slice word = cursor_done(cursor) ? SLICE_NONE : cursor_peek(cursor);
	struct condition *condition;
	struct slice right;
	enum compare compare = 0;
	const char *why;

	while (compare < COMPARE_COUNT && !slice_is(word, compare_name(compare)))
		compare++;
	if (compare == COMPARE_COUNT)
		return OPERAND_ABSENT;
	condition = condition_of(cursor, statement);
	condition->compare = compare;
	cursor->at += word.len;
	if (compare == COMPARE_EXISTS || compare == COMPARE_ABSENT)
		return OPERAND_TAKEN;
	cursor_skip(cursor);
	if (cursor_done(cursor))
		return broken(cursor, "comparison", word, "its right side is missing");
	condition->right = text_take(cursor);
	if (!condition->right || !text_value(condition->right, NULL, cursor->arena, &right, cursor->failure))
		return OPERAND_BROKEN;
	condition->as = compare_as(condition);
	/* JSON with variables is checked when they are known. */
	if (condition->right->json && condition->right->variable)
		return OPERAND_TAKEN;
	why = json_compare_error(compare, right.data, condition->as);
	return why ? broken(cursor, "right side", right, why) : OPERAND_TAKEN;
}

enum operand_result
operand_take_condition(struct cursor *cursor, struct statement *statement)
{
	enum operand_result result = operand_take_subject(cursor, statement);

	if (result != OPERAND_TAKEN)
		return result;
	cursor_skip(cursor);
	result = operand_take_comparison(cursor, statement);
	if (result == OPERAND_ABSENT)
		return broken(cursor, "condition", cursor_peek(cursor),
		              "after the subject comes ==, !=, <, >, <=, >=, ~, !~, exists or absent");
	return result;
}
