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
	OPTION_TASKS,
	OPTION_FILE,
	OPTION_INPUT,
	OPTION_DESCRIPTION,
	OPTION_LABEL,
	OPTION_DEADLINE,
	OPTION_STATUS,
	OPTION_SCHEDULE,
	OPTION_WORKFLOW,
	OPTION_LIMIT,
	OPTION_DATA,
	OPTION_ROLE,
	OPTION_CAPABILITY,
	OPTION_EXEC,
	OPTION_CONCURRENCY,
	OPTION_AGENT_ID,
	OPTION_NAME,
	OPTION_LEASE,
	OPTION_ONCE,
	OPTION_MAX_TASKS,
	OPTION_EVENTS,
	OPTION_DOT,
	OPTION_MAN,
	OPTION_CRON,
	OPTION_ZONE,
	OPTION_OVERLAP,
	OPTION_CATCH_UP,
	OPTION_PRIORITY,
	OPTION_RUN_AT,
	OPTION_MAX_RETRIES,
	OPTION_TASK_TIMEOUT,
	OPTION_REQUIRES,
	OPTION_UNIQUE_KEY,
	OPTION_ON_DUPLICATE,
	OPTION_CONCURRENCY_KEY,
	OPTION_DEAD,
	OPTION_COMMENT,
	OPTION_SEND_BACK,
	OPTION_EPOCH,
	OPTION_BEFORE,
	OPTION_RESULT,
	OPTION_ERROR,
	OPTION_MAX,
	OPTION_KIND,
	OPTION_KEY,
	OPTION_VALUE,
	OPTION_WINDOW,
	OPTION_MATCH,
	OPTION_FROM,
	OPTION_TO,
	OPTION_TO_ROLE,
	OPTION_BROADCAST,
	OPTION_TYPE,
	OPTION_CONTENT,
	OPTION_REPLY_TO,
	OPTION_TASK,
	OPTION_PREFIX,
	OPTION_TTL,
	OPTION_IF_VERSION,
	OPTION_FOLLOW,
	OPTION_AFTER,
	OPTION_SUBJECT,
	OPTION_SCOPE,
	OPTION_RATE_LIMIT,
	OPTION_EXPIRES,
	OPTION_ALLOW_IP,
	OPTION_ALLOW_ORIGIN,
	OPTION_OVERLAP_S,
	OPTION_INTERVAL,
	OPTION_QUOTA,
	OPTION_TENANT,
	OPTION_ACTOR,
	OPTION_ACTION,
	OPTION_SINCE,
	OPTION_COMPONENT,
	OPTION_UNTIL,
	OPTION_SEVERITY,
	OPTION_RULE,
	OPTION_METRIC,
	OPTION_COMPARISON,
	OPTION_THRESHOLD,
	OPTION_FOR,
	OPTION_KEEP,
	OPTION_URL,
	OPTION_COUNT
};

/* True for the options that every command takes. */
bool option_is_common(enum option_id id);

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
