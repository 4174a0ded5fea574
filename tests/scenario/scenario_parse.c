/* scenario_parse.c - lines and forms; see scenario_parse.h. The operands themselves are in scenario_operand.c. */
#include "base.h"
#include "scenario_parse.h"

#include "scenario_operand.h"
#include "scenario_run.h"

static const struct statement_kind *
find_kind(struct slice name)
{
	const struct statement_kind *kind = scenario_kinds;

	while (kind->name && !slice_is(name, kind->name))
		kind++;
	return kind->name ? kind : NULL;
}

static bool
unknown_statement(struct cursor *cursor, struct slice word)
{
	char names[2000] = "";
	size_t length = 0;

	for (const struct statement_kind *kind = scenario_kinds; kind->name; kind++)
		length += (size_t)snprintf(names + length, sizeof(names) - length, " %s", kind->name);
	return failure_set(cursor->failure, cursor->line, "`%.*s` is not a statement; there are:%s", SLICE_ARG(word),
	                   names);
}

static bool
misunderstood(struct cursor *cursor, const struct statement_kind *kind, const char *expected)
{
	struct slice seen = cursor_done(cursor) ? SLICE("the end of the line") : cursor_peek(cursor);

	return failure_set(cursor->failure, cursor->line, "%s: expected %s, saw %.*s; the form is: %s %s", kind->name,
	                   expected, SLICE_ARG(seen), kind->name, kind->form);
}

/* One word of a form, such as NAME, [SIGNAL], [TEXT...]. */
struct form_word {
	const struct operand *operand;
	bool optional;
	bool repeated;
};

static struct form_word
read_form(const char **form)
{
	struct slice word = {*form, strcspn(*form, " ")};
	struct form_word read = {0};

	*form += word.len + ((*form)[word.len] == ' ');
	if (*word.data == '[') {
		read.optional = true;
		word = (struct slice){word.data + 1, word.len - 2};
	}
	if (word.len > 3 && memcmp(word.data + word.len - 3, "...", 3) == 0) {
		read.repeated = true;
		word.len -= 3;
	}
	read.operand = operand_find(word);
	INVARIANT(read.operand);
	return read;
}

static bool
parse_form(struct cursor *cursor, struct statement *statement)
{
	const char *form = statement->kind->form;

	while (*form) {
		struct form_word word = read_form(&form);
		enum operand_result result;

		do {
			cursor_skip(cursor);
			result = word.operand->take(cursor, statement);
			if (result == OPERAND_BROKEN)
				return false;
			word.optional |= word.repeated && result == OPERAND_TAKEN;
		} while (word.repeated && result == OPERAND_TAKEN);
		if (result == OPERAND_ABSENT && !word.optional)
			return misunderstood(cursor, statement->kind, word.operand->what);
	}
	cursor_skip(cursor);
	return cursor_done(cursor) || misunderstood(cursor, statement->kind, "nothing more");
}

struct statement *
statement_parse(struct cursor *cursor)
{
	struct slice word = cursor_peek(cursor);
	struct statement *statement = arena_zero(cursor->arena, sizeof(*statement));

	statement->line = cursor->line;
	statement->code = -1;
	statement->kind = find_kind(word);
	if (!statement->kind) {
		unknown_statement(cursor, word);
		return NULL;
	}
	cursor->at += word.len;
	return parse_form(cursor, statement) ? statement : NULL;
}

/* The statement that indented lines below belong to, and what they may be. */
static unsigned
find_taker(struct statement **statement)
{
	unsigned takes = KIND_HEADER | KIND_CHECK;

	for (; (*statement)->inner; *statement = (*statement)->inner)
		takes &= (*statement)->kind->takes;
	return takes & (*statement)->kind->takes;
}

static bool
check_place(struct cursor *cursor, const struct statement *statement, struct statement *above, bool indented)
{
	const struct statement_kind *kind = statement->kind;
	bool line_of_other = kind->is & (KIND_HEADER | KIND_CHECK);

	if (!indented && line_of_other)
		return failure_set(cursor->failure, statement->line, "`%s` must be indented below the statement it is about",
		                   kind->name);
	if (indented && !line_of_other)
		return failure_set(cursor->failure, statement->line,
		                   "`%s` must not be indented; indented may be header, "
		                   "no-header, expect and let",
		                   kind->name);
	if (indented && !above)
		return failure_set(cursor->failure, statement->line, "there is no statement above that `%s` could be about",
		                   kind->name);
	if (indented && !(kind->is & find_taker(&above)))
		return failure_set(cursor->failure, statement->line, "`%s` cannot be about the `%s` of line %d", kind->name,
		                   above->kind->name, above->line);
	return true;
}

static void
add_child(struct statement *above, struct statement *child)
{
	struct statement **last;

	find_taker(&above);
	last = &above->children;
	while (*last)
		last = &(*last)->next;
	*last = child;
}

bool
scenario_parse(struct arena *arena, struct slice text, struct statement **first_r, struct failure *failure)
{
	struct cursor cursor = {text.data, text.data + text.len, 1, arena, failure};
	struct statement *above = NULL, *statement;
	struct statement **last = first_r;

	*first_r = NULL;
	while (cursor.at < cursor.end) {
		const char *begin = cursor.at;
		bool indented;

		cursor_skip(&cursor);
		indented = cursor.at > begin;
		if (!cursor_done(&cursor)) {
			statement = statement_parse(&cursor);
			if (!statement || !check_place(&cursor, statement, above, indented))
				return false;
			if (indented) {
				add_child(above, statement);
			} else {
				*last = above = statement;
				last = &statement->next;
			}
		}
		while (cursor.at < cursor.end && *cursor.at != '\n')
			cursor.at++;
		cursor.at += cursor.at < cursor.end;
		cursor.line++;
	}
	return *first_r || failure_set(failure, 1, "there is no statement in it");
}
