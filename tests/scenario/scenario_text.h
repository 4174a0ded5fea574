/*
 * scenario_text.h - the words of a scenario script: how they are cut from a line and what they stand for when it runs.
 *
 * A word works as in the shell: touching pieces form one word, "..." knows escapes and variables, '...' is taken
 * exactly, repeat(WORD,COUNT) is a long one, $NAME and ${NAME} are variables (upper case only, so that JSON paths and
 * "$ref" need no escape). JSON from { or [ to its balanced end is one word too; it may span lines, and a variable
 * inside one of its strings is escaped as JSON. Cutting is pure; everything is owned by the arena of the cursor.
 */
#ifndef AGENTD_SCENARIO_TEXT_H
#define AGENTD_SCENARIO_TEXT_H

#include "arena.h"
#include "base.h"
#include "buf.h"

/* What went wrong, for people. line is 0 until somebody knows it. */
struct failure {
	int line;
	char text[4000];
};

/* Keeps the text and returns false, so that callers can return its result. A line of 0 leaves the line as it is. */
bool failure_set(struct failure *failure, int line, const char *format, ...) PRINTF_LIKE(3, 4);

struct variable {
	const char *name;
	struct slice value;
	struct variable *next;
};

struct variables {
	struct arena *arena;
	struct variable *first;
};

/* Copies both; a later value of the same name replaces the earlier one. */
void variables_set(struct variables *variables, const char *name, struct slice value);

/* Escapes are decoded already. */
enum text_kind { TEXT_LITERAL, TEXT_VARIABLE, TEXT_VARIABLE_IN_JSON_STRING, TEXT_REPEAT };

struct text_part {
	enum text_kind kind;
	struct slice source; /* the bytes, or the name of the variable */
	struct text *inner;  /* what is repeated */
	size_t count;
	struct text_part *next;
};

struct text {
	struct text_part *parts;
	bool quoted;   /* some of it stood in quotes */
	bool variable; /* some of it is a variable */
	bool json;     /* it is JSON from { or [ */
};

/* A position in a script. line counts from 1. */
struct cursor {
	const char *at;
	const char *end;
	int line;
	struct arena *arena;
	struct failure *failure;
};

/* Skips blanks and a backslash at the end of a line; stays on the statement. */
void cursor_skip(struct cursor *cursor);
/* True where the statement ends: end of line, comment or end of file. Call after cursor_skip(). */
bool cursor_done(const struct cursor *cursor);
/* The characters up to the next blank, for decisions and messages; nothing is consumed. */
struct slice cursor_peek(const struct cursor *cursor);

/* Cuts one word. NULL: cursor->failure says why. Never called where cursor_done(). */
MUST_CHECK struct text *text_take(struct cursor *cursor);
/* The rest of the line as one word, blanks inside kept and around it dropped. */
MUST_CHECK struct text *text_take_line(struct cursor *cursor);
/* A word that stands for these bytes. */
struct text *text_of(struct arena *arena, struct slice bytes);

/*
 * What the word stands for now, terminated by a NUL that value_r does not count, owned by the arena. variables NULL:
 * every variable reads as X (to check a word before anything runs). False: a variable is not set.
 */
MUST_CHECK bool text_value(const struct text *text, const struct variables *variables, struct arena *arena,
                           struct slice *value_r, struct failure *failure);

#endif
