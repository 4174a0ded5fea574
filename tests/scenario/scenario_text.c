/* scenario_text.c - see scenario_text.h. A word is kept as a list of parts; escapes are decoded while it is cut. */
#include "base.h"
#include "scenario_text.h"

#include <ctype.h>
#include <stdarg.h>

/* A word while it is cut: literal holds what was not made a part yet. */
struct builder {
	struct cursor *cursor;
	struct text *text;
	struct text_part **last;
	struct buf literal;
};

enum { TEXT_REPEAT_MAX = 64 * 1024 * 1024 };

bool
failure_set(struct failure *failure, int line, const char *format, ...)
{
	va_list args;

	if (line)
		failure->line = line;
	va_start(args, format);
	vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
	return false;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
at_continuation(const struct cursor *cursor)
{
	return cursor->end - cursor->at >= 2 && cursor->at[0] == '\\' && cursor->at[1] == '\n';
}

void
cursor_skip(struct cursor *cursor)
{
	while (cursor->at < cursor->end) {
		if (at_continuation(cursor)) {
			cursor->at += 2;
			cursor->line++;
		} else if (is_blank(*cursor->at)) {
			cursor->at++;
		} else {
			return;
		}
	}
}

bool
cursor_done(const struct cursor *cursor)
{
	return cursor->at == cursor->end || *cursor->at == '\n' || *cursor->at == '#';
}

struct slice
cursor_peek(const struct cursor *cursor)
{
	const char *at = cursor->at;

	while (at < cursor->end && !is_blank(*at) && *at != '\n')
		at++;
	return (struct slice){cursor->at, (size_t)(at - cursor->at)};
}

static struct text_part *
add_part(struct builder *builder, enum text_kind kind, struct slice source)
{
	struct text_part *part = arena_zero(builder->cursor->arena, sizeof(*part));

	part->kind = kind;
	part->source = source;
	*builder->last = part;
	builder->last = &part->next;
	return part;
}

static void
flush_literal(struct builder *builder)
{
	struct slice bytes = buf_slice(&builder->literal);

	if (bytes.len)
		add_part(builder, TEXT_LITERAL, (struct slice){arena_string(builder->cursor->arena, bytes), bytes.len});
	builder->literal.len = 0;
}

static void
begin(struct builder *builder, struct cursor *cursor)
{
	*builder = (struct builder){.cursor = cursor, .text = arena_zero(cursor->arena, sizeof(struct text))};
	builder->last = &builder->text->parts;
}

static struct text *
finish(struct builder *builder, bool done)
{
	flush_literal(builder);
	buf_free(&builder->literal);
	return done ? builder->text : NULL;
}

/* At a '$': takes $NAME or ${NAME}. False: it is an ordinary '$'. */
static bool
take_variable(struct builder *builder, enum text_kind kind)
{
	struct cursor *cursor = builder->cursor;
	const char *at = cursor->at + 1;
	bool braces = at < cursor->end && *at == '{';
	const char *name = braces ? ++at : at;

	if (at == cursor->end || !isupper((unsigned char)*at))
		return false;
	while (at < cursor->end && (isupper((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_'))
		at++;
	if (braces && (at == cursor->end || *at != '}'))
		return false;
	flush_literal(builder);
	add_part(builder, kind, (struct slice){name, (size_t)(at - name)});
	builder->text->variable = true;
	cursor->at = at + (braces ? 1 : 0);
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After a backslash inside "...". */
static bool
take_escape(struct builder *builder)
{
	static const char known[] = "rnt0\\\"$";
	static const char meaning[] = "\r\n\t\0\\\"$";
	struct cursor *cursor = builder->cursor;
	char c = cursor->at < cursor->end ? *cursor->at : '\n';
	const char *found = c ? strchr(known, c) : NULL;

	if (found) {
		buf_add_byte(&builder->literal, meaning[found - known]);
		cursor->at++;
		return true;
	}
	if (c == 'x' && cursor->end - cursor->at >= 3 && hex_digit(cursor->at[1]) >= 0 && hex_digit(cursor->at[2]) >= 0) {
		buf_add_byte(&builder->literal, (char)(hex_digit(cursor->at[1]) * 16 + hex_digit(cursor->at[2])));
		cursor->at += 3;
		return true;
	}
	return failure_set(cursor->failure, cursor->line,
	                   "\\%c is not an escape: there are \\r \\n \\t \\0 \\\\ \\\" \\$ and \\xNN; "
	                   "write '...' where backslashes mean themselves",
	                   c == '\n' ? ' ' : c);
}

static bool
take_quotes(struct builder *builder)
{
	struct cursor *cursor = builder->cursor;
	char quote = *cursor->at++;

	builder->text->quoted = true;
	while (cursor->at < cursor->end && *cursor->at != '\n') {
		char c = *cursor->at;

		if (c == '$' && quote == '"' && take_variable(builder, TEXT_VARIABLE))
			continue;
		cursor->at++;
		if (c == quote)
			return true;
		if (c != '\\' || quote == '\'')
			buf_add_byte(&builder->literal, c);
		else if (!take_escape(builder))
			return false;
	}
	return failure_set(cursor->failure, cursor->line,
	                   "the string has no closing %c on this line; \\ at the end of a line joins \"a\"\\ and \"b\"",
	                   quote);
}

/* At repeat(WORD,COUNT); the word is a quoted one. */
static bool
take_repeat(struct builder *builder)
{
	struct cursor *cursor = builder->cursor;
	struct builder inner;
	struct text_part *part;
	unsigned long long count = 0;
	char *after;

	cursor->at += strlen("repeat(");
	begin(&inner, cursor);
	if (cursor->at == cursor->end || (*cursor->at != '"' && *cursor->at != '\''))
		return failure_set(cursor->failure, cursor->line, "write repeat(\"a\",9000): a quoted string comes first");
	if (!finish(&inner, take_quotes(&inner)))
		return false;
	cursor_skip(cursor);
	if (cursor->at < cursor->end && *cursor->at == ',') {
		cursor->at++;
		cursor_skip(cursor);
		/* The script is terminated by a NUL, so strtoull() stops in it. */
		count = isdigit((unsigned char)*cursor->at) ? strtoull(cursor->at, &after, 10) : 0;
		cursor->at = count ? after : cursor->at;
	}
	if (!count || count > TEXT_REPEAT_MAX || *cursor->at != ')')
		return failure_set(cursor->failure, cursor->line, "write repeat(\"a\",9000): a count from 1 to %d, then )",
		                   (int)TEXT_REPEAT_MAX);
	cursor->at++;
	flush_literal(builder);
	part = add_part(builder, TEXT_REPEAT, SLICE_NONE);
	part->inner = inner.text;
	part->count = (size_t)count;
	builder->text->quoted = true;
	builder->text->variable |= inner.text->variable;
	return true;
}

/* From { or [ to the bracket that closes it. */
static bool
take_json(struct builder *builder)
{
	struct cursor *cursor = builder->cursor;
	int line = cursor->line;
	int depth = 0;
	bool string = false;

	while (cursor->at < cursor->end) {
		char c = *cursor->at;

		if (c == '$' && take_variable(builder, string ? TEXT_VARIABLE_IN_JSON_STRING : TEXT_VARIABLE))
			continue;
		cursor->at++;
		buf_add_byte(&builder->literal, c);
		if (c == '\n')
			cursor->line++;
		else if (string && c == '\\' && cursor->at < cursor->end)
			buf_add_byte(&builder->literal, *cursor->at++);
		else if (c == '"')
			string = !string;
		else if (!string && (c == '{' || c == '['))
			depth++;
		else if (!string && (c == '}' || c == ']') && --depth == 0)
			return true;
	}
	return failure_set(cursor->failure, line, "the JSON that begins here is never closed");
}

static bool
take_piece(struct builder *builder)
{
	struct cursor *cursor = builder->cursor;
	struct slice rest = cursor_peek(cursor);

	if (*cursor->at == '"' || *cursor->at == '\'')
		return take_quotes(builder);
	if (rest.len > 7 && memcmp(rest.data, "repeat(", 7) == 0)
		return take_repeat(builder);
	if (*cursor->at == '$' && take_variable(builder, TEXT_VARIABLE))
		return true;
	buf_add_byte(&builder->literal, *cursor->at++);
	return true;
}

struct text *
text_take(struct cursor *cursor)
{
	struct builder builder;
	bool fine = true;

	begin(&builder, cursor);
	builder.text->json = *cursor->at == '{' || *cursor->at == '[';
	if (builder.text->json)
		return finish(&builder, take_json(&builder));
	while (fine && cursor->at < cursor->end && !is_blank(*cursor->at) && *cursor->at != '\n') {
		if (at_continuation(cursor))
			cursor_skip(cursor);
		else
			fine = take_piece(&builder);
	}
	return finish(&builder, fine);
}

struct text *
text_take_line(struct cursor *cursor)
{
	struct builder builder;
	const char *end = cursor->at;

	begin(&builder, cursor);
	while (end < cursor->end && *end != '\n' && !(*end == '#' && is_blank(end[-1])))
		end++;
	while (end > cursor->at && is_blank(end[-1]))
		end--;
	while (cursor->at < end)
		if (*cursor->at != '$' || !take_variable(&builder, TEXT_VARIABLE))
			buf_add_byte(&builder.literal, *cursor->at++);
	return finish(&builder, true);
}

struct text *
text_of(struct arena *arena, struct slice bytes)
{
	struct cursor cursor = {.arena = arena};
	struct builder builder;

	begin(&builder, &cursor);
	buf_add_slice(&builder.literal, bytes);
	return finish(&builder, true);
}
