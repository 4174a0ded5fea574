/*
 * scenario_parse.h - from the text of a scenario file to the list of its statements.
 *
 * The language is a table (scenario_kinds in scenario_run.c): a row names a statement and gives its form, and the
 * form is what the parser follows, what errors quote and what `scenario --help` prints. Operands are the upper-case
 * words of a form: see the table in scenario_parse.c. [X] may be missing, X... may repeat. An indented line belongs to
 * the statement above it. Parsing is pure; all memory is the arena's.
 */
#ifndef AGENTD_SCENARIO_PARSE_H
#define AGENTD_SCENARIO_PARSE_H

#include "arena.h"
#include "base.h"
#include "scenario_json.h"
#include "scenario_text.h"

struct scenario;
struct statement;

enum {
	KIND_HEADER = 1,  /* an indented line that shapes a request */
	KIND_CHECK = 2,   /* an indented line about what the statement above got */
	KIND_REQUEST = 4, /* may stand after `background NAME` */
	KIND_AGAIN = 8    /* may stand after `until DURATION` */
};

struct statement_kind {
	const char *name;
	const char *form;
	const char *doc;
	bool (*run)(struct scenario *scenario, const struct statement *statement); /* NULL: KIND_HEADER */
	unsigned is;                                                               /* KIND_... */
	unsigned takes; /* KIND_HEADER, KIND_CHECK: which indented lines may follow */
};

enum subject {
	SUBJECT_JSON,
	SUBJECT_HEADER,
	SUBJECT_STATUS,
	SUBJECT_BODY,
	SUBJECT_STDOUT,
	SUBJECT_STDERR,
	SUBJECT_RESULT
};

struct condition {
	enum subject subject;
	struct text *name; /* the path of SUBJECT_JSON, the name of SUBJECT_HEADER */
	enum compare compare;
	struct text *right; /* NULL for exists and absent */
	enum compare_as as;
};

enum { ANSWERS_MAX = 16, ANSWER_CHOICES_MAX = 4, STATEMENT_TEXTS_MAX = 24 };

/* What stands after ->: how the bytes begin, the statuses of the answers in order, and the end. */
struct expected {
	bool given;
	struct text *begins;
	int choices[ANSWERS_MAX][ANSWER_CHOICES_MAX]; /* 200|201 are two choices; 0 fills up */
	int answers;
	bool closed;
};

struct statement {
	int line;
	const struct statement_kind *kind;
	const char *name; /* NAME, VARIABLE, PROCESS, PROGRAM or the name of a HEADER */
	struct text *texts[STATEMENT_TEXTS_MAX];
	int text_count;
	struct text *body;
	int64_t duration_us;
	int signal;
	int code; /* -1: not given */
	bool eof;
	struct expected expected;
	struct condition *condition;
	struct statement *inner;    /* of until, within, background */
	struct statement *children; /* its indented lines */
	struct statement *next;
};

/* text is terminated by a NUL. False: failure names the line and what is understood there. */
MUST_CHECK bool scenario_parse(struct arena *arena, struct slice text, struct statement **first_r,
                               struct failure *failure);

#endif
