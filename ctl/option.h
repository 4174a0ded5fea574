/*
 * option.h - the options of all commands in one table, and the parser that reads an argument list with it.
 *
 * An option means the same in every command that takes it. Options may stand anywhere; "--" ends them. No option takes
 * a secret: argument lists are visible to other users.
 */
#ifndef AGENTCTL_OPTION_H
#define AGENTCTL_OPTION_H

#include "base.h"

enum option_id {
	OPTION_OUTPUT,
	OPTION_SERVER,
	OPTION_CONTEXT,
	OPTION_TIMEOUT,
	OPTION_QUIET,
	OPTION_NO_COLOR,
	OPTION_HELP,
	OPTION_YES,
	OPTION_WAIT,
	OPTION_USERNAME,
	OPTION_PASSWORD_FILE,
	OPTION_TEMPLATE,
	OPTION_FILE,
	OPTION_INPUT,
	OPTION_DESCRIPTION,
	OPTION_LABEL,
	OPTION_STATUS,
	OPTION_WORKFLOW,
	OPTION_LIMIT,
	OPTION_DATA,
	OPTION_ROLE,
	OPTION_EXEC,
	OPTION_CONCURRENCY,
	OPTION_AGENT_ID,
	OPTION_NAME,
	OPTION_LEASE,
	OPTION_ONCE,
	OPTION_MAX_TASKS,
	OPTION_COUNT
};

#define OPTION_BIT(id) (UINT64_C(1) << (id))
/* Every command takes these. */
#define OPTION_EVERYWHERE                                                                                              \
	(OPTION_BIT(OPTION_OUTPUT) | OPTION_BIT(OPTION_SERVER) | OPTION_BIT(OPTION_CONTEXT) | OPTION_BIT(OPTION_TIMEOUT) | \
	 OPTION_BIT(OPTION_QUIET) | OPTION_BIT(OPTION_NO_COLOR) | OPTION_BIT(OPTION_HELP))

struct option_spec {
	const char *name;
	const char *value; /* what stands for the value in help texts; NULL: a flag */
	const char *doc;
	char letter; /* 0: none */
};

extern const struct option_spec option_specs[OPTION_COUNT];

/* Borrowed words, in the order given. */
struct option_words {
	const char **items;
	int count;
};

/*
 * Sorts argv[1..] into plain words and options. False: *error_r is a sentence, to be freed. The words borrow from argv.
 */
MUST_CHECK bool option_parse(int argc, char **argv, struct option_words *words_r,
                             struct option_words options_r[OPTION_COUNT], char **error_r);
void option_free(struct option_words *words);

#endif
