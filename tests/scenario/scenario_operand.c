/* scenario_operand.c - see scenario_operand.h. Each function takes one operand and puts it into the statement. */
#include "base.h"
#include "scenario_operand.h"

#include "scenario_parse.h"

#include <ctype.h>
#include <signal.h>

static enum operand_result
broken(struct cursor *cursor, const char *why)
{
	failure_set(cursor->failure, cursor->line, "%s", why);
	return OPERAND_BROKEN;
}

/* Takes the word if it is exactly this one. */
static bool
take_word(struct cursor *cursor, const char *word)
{
	if (!slice_is(cursor_peek(cursor), word))
		return false;
	cursor->at += strlen(word);
	return true;
}

static enum operand_result
take_name(struct cursor *cursor, struct statement *statement)
{
	struct slice word = cursor_peek(cursor);

	if (cursor_done(cursor) || !isalpha((unsigned char)*word.data))
		return OPERAND_ABSENT;
	for (size_t i = 0; i < word.len; i++)
		if (!isalnum((unsigned char)word.data[i]) && word.data[i] != '-' && word.data[i] != '_')
			return OPERAND_ABSENT;
	statement->name = arena_string(cursor->arena, word);
	cursor->at += word.len;
	return OPERAND_TAKEN;
}

static enum operand_result
take_variable(struct cursor *cursor, struct statement *statement)
{
	struct slice word = cursor_peek(cursor);

	if (cursor_done(cursor) || !isupper((unsigned char)*word.data))
		return OPERAND_ABSENT;
	for (size_t i = 0; i < word.len; i++)
		if (!isupper((unsigned char)word.data[i]) && !isdigit((unsigned char)word.data[i]) && word.data[i] != '_')
			return OPERAND_ABSENT;
	return take_name(cursor, statement);
}

static enum operand_result
add_text(struct cursor *cursor, struct statement *statement)
{
	if (statement->text_count == STATEMENT_TEXTS_MAX)
		return broken(cursor, "there are too many words");
	statement->texts[statement->text_count] = text_take(cursor);
	return statement->texts[statement->text_count++] ? OPERAND_TAKEN : OPERAND_BROKEN;
}

static enum operand_result
take_text(struct cursor *cursor, struct statement *statement)
{
	return cursor_done(cursor) || slice_is(cursor_peek(cursor), "->") ? OPERAND_ABSENT : add_text(cursor, statement);
}

static enum operand_result
take_path(struct cursor *cursor, struct statement *statement)
{
	return cursor_done(cursor) || !strchr("/*", *cursor->at) ? OPERAND_ABSENT : add_text(cursor, statement);
}

static enum operand_result
take_body(struct cursor *cursor, struct statement *statement)
{
	struct slice word = cursor_peek(cursor);

	if (cursor_done(cursor) ||
	    !(strchr("{['\"", *cursor->at) || memmem(word.data, word.len, "repeat(", 7) == word.data))
		return OPERAND_ABSENT;
	statement->body = text_take(cursor);
	return statement->body ? OPERAND_TAKEN : OPERAND_BROKEN;
}

static enum operand_result
take_duration(struct cursor *cursor, struct statement *statement)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {{"ms", 1000}, {"s", 1000000}, {"m", 60 * 1000000LL}, {"h", 3600000000LL}, {"d", 86400 * 1000000LL}};
	struct slice word = cursor_peek(cursor);
	size_t digits = 0;

	while (digits < word.len && isdigit((unsigned char)word.data[digits]))
		digits++;
	for (size_t i = 0; digits && digits < 7 && i < ARRAY_LENGTH(units); i++) {
		if (slice_is((struct slice){word.data + digits, word.len - digits}, units[i].name)) {
			statement->duration_us = strtoll(word.data, NULL, 10) * units[i].us;
			cursor->at += word.len;
			return OPERAND_TAKEN;
		}
	}
	return OPERAND_ABSENT;
}

static enum operand_result
take_process(struct cursor *cursor, struct statement *statement)
{
	char *end;

	if (take_word(cursor, "master")) {
		statement->name = "master";
		return OPERAND_TAKEN;
	}
	if (take_word(cursor, "keeper")) {
		statement->name = "keeper";
		return OPERAND_TAKEN;
	}
	if (!take_word(cursor, "worker"))
		return OPERAND_ABSENT;
	cursor_skip(cursor);
	if (cursor_done(cursor) || !isdigit((unsigned char)*cursor->at))
		return broken(cursor, "expected the number of the worker, such as `worker 0`");
	statement->name = arena_printf(cursor->arena, "worker %lu", strtoul(cursor->at, &end, 10));
	cursor->at = end;
	return OPERAND_TAKEN;
}

static enum operand_result
take_program(struct cursor *cursor, struct statement *statement)
{
	static const char *const programs[] = {"agentctl", "agentd", "sh"};

	for (size_t i = 0; i < ARRAY_LENGTH(programs); i++) {
		if (take_word(cursor, programs[i])) {
			statement->name = programs[i];
			return OPERAND_TAKEN;
		}
	}
	return OPERAND_ABSENT;
}

/* -9, -KILL, -HUP ... */
static enum operand_result
take_signal(struct cursor *cursor, struct statement *statement)
{
	struct slice word = cursor_peek(cursor);

	if (word.len < 2 || *word.data != '-')
		return OPERAND_ABSENT;
	for (int signal = 1; signal < 32; signal++) {
		char number[8];

		snprintf(number, sizeof(number), "%d", signal);
		word = (struct slice){cursor->at + 1, cursor_peek(cursor).len - 1};
		if (slice_is(word, number) || slice_is(word, sigabbrev_np(signal))) {
			statement->signal = signal;
			cursor->at += word.len + 1;
			return OPERAND_TAKEN;
		}
	}
	return OPERAND_ABSENT;
}

static enum operand_result
take_number(struct cursor *cursor, int *number_r, int max)
{
	struct slice word = cursor_peek(cursor);
	long number = 0;

	for (size_t i = 0; i < word.len; i++) {
		if (!isdigit((unsigned char)word.data[i]) || number > max)
			return OPERAND_ABSENT;
		number = number * 10 + (word.data[i] - '0');
	}
	if (!word.len || number > max)
		return OPERAND_ABSENT;
	*number_r = (int)number;
	cursor->at += word.len;
	return OPERAND_TAKEN;
}

static enum operand_result
take_code(struct cursor *cursor, struct statement *statement)
{
	return take_number(cursor, &statement->code, 255);
}

static enum operand_result
take_exit(struct cursor *cursor, struct statement *statement)
{
	if (!take_word(cursor, "->"))
		return OPERAND_ABSENT;
	cursor_skip(cursor);
	return take_code(cursor, statement) == OPERAND_TAKEN ? OPERAND_TAKEN
	                                                     : broken(cursor, "after -> comes the exit status, 0 to 255");
}

/* 200 or 200|201 */
static bool
take_status(struct cursor *cursor, struct expected *expected)
{
	struct slice word = cursor_peek(cursor);
	int choice = 0;

	if (word.len % 4 != 3 || word.len > 4 * ANSWER_CHOICES_MAX || expected->answers == ANSWERS_MAX)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (i % 4 == 3 ? word.data[i] != '|' : !isdigit((unsigned char)word.data[i]))
			return false;
	for (size_t i = 0; i < word.len; i += 4)
		expected->choices[expected->answers][choice++] = (int)strtol(word.data + i, NULL, 10);
	expected->answers++;
	cursor->at += word.len;
	return true;
}

static enum operand_result
take_answer(struct cursor *cursor, struct statement *statement)
{
	struct expected *expected = &statement->expected;

	if (!take_word(cursor, "->"))
		return OPERAND_ABSENT;
	cursor_skip(cursor);
	if (!cursor_done(cursor) && strchr("'\"", *cursor->at) && !(expected->begins = text_take(cursor)))
		return OPERAND_BROKEN;
	do {
		cursor_skip(cursor);
	} while (!cursor_done(cursor) && take_status(cursor, expected));
	expected->closed = take_word(cursor, "closed");
	expected->given = expected->begins || expected->answers || expected->closed;
	return expected->given ? OPERAND_TAKEN
	                       : broken(cursor, "after -> come the first bytes in quotes, statuses such as 200 or 200|201, "
	                                        "and `closed`, in this order");
}

static enum operand_result
take_eof(struct cursor *cursor, struct statement *statement)
{
	statement->eof = take_word(cursor, "eof");
	return statement->eof ? OPERAND_TAKEN : OPERAND_ABSENT;
}

static enum operand_result
take_equals(struct cursor *cursor, UNUSED struct statement *statement)
{
	return take_word(cursor, "=") ? OPERAND_TAKEN : OPERAND_ABSENT;
}

/* Name: value */
static enum operand_result
take_header(struct cursor *cursor, struct statement *statement)
{
	struct slice word = cursor_peek(cursor);
	struct text *value;

	if (word.len < 2 || word.data[word.len - 1] != ':')
		return OPERAND_ABSENT;
	statement->name = arena_string(cursor->arena, (struct slice){word.data, word.len - 1});
	cursor->at += word.len;
	cursor_skip(cursor);
	if (!cursor_done(cursor) && strchr("'\"", *cursor->at))
		value = text_take(cursor);
	else
		value = text_take_line(cursor);
	statement->texts[statement->text_count++] = value;
	return value ? OPERAND_TAKEN : OPERAND_BROKEN;
}

static enum operand_result
take_statement(struct cursor *cursor, struct statement *statement)
{
	struct statement *inner;
	bool background = slice_is(slice_of(statement->kind->name), "background");

	if (cursor_done(cursor))
		return OPERAND_ABSENT;
	statement->inner = inner = statement_parse(cursor);
	if (!inner)
		return OPERAND_BROKEN;
	if (background && !(inner->kind->is & KIND_REQUEST))
		return broken(cursor, "after `background NAME` comes a request: GET, POST ... or raw");
	if (background && (inner->expected.given || inner->condition))
		return broken(cursor, "what a background request must get is written at its `join`");
	if (!background && !(inner->kind->is & KIND_AGAIN) && !slice_is(slice_of(statement->kind->name), "within"))
		return broken(cursor, "after `until` comes a statement that only looks: a request, raw, sql, run, log-has, "
		                      "log-hasnt, alive, gone or refuses");
	return OPERAND_TAKEN;
}

static const struct operand operands[] = {
    {"NAME", "a name of letters, digits, _ and -", take_name},
    {"VARIABLE", "a variable's name in capitals", take_variable},
    {"TEXT", "a word or a string in quotes", take_text},
    {"PATH", "a path that begins with / (below /api/v1) or // (from the root)", take_path},
    {"BODY", "a body: {JSON}, [JSON] or a string in quotes", take_body},
    {"DURATION", "a duration such as 500ms, 10s, 5m, 2h, 30d", take_duration},
    {"PROCESS", "a process: worker N, keeper or master", take_process},
    {"PROGRAM", "a program: agentctl, agentd or sh", take_program},
    {"SIGNAL", "a signal such as -9 or -HUP", take_signal},
    {"CODE", "an exit code, 0 to 255", take_code},
    {"EXIT", "-> and the exit status", take_exit},
    {"ANSWER", "-> and the answers, such as -> 201", take_answer},
    {"eof", "eof", take_eof},
    {"=", "=", take_equals},
    {"HEADER", "a header such as `Accept: text/html`", take_header},
    {"STATEMENT", "a statement", take_statement},
    {"CONDITION", "a condition such as $.status == \"pending\"", operand_take_condition},
    {"COMPARISON", "a comparison such as == \"1\"", operand_take_comparison},
    {"SUBJECT", "$.path, header NAME, status, body, stdout, stderr or result", operand_take_subject},
};

const struct operand *
operand_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(operands); i++)
		if (slice_is(name, operands[i].name))
			return &operands[i];
	return NULL;
}
