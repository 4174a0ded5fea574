/*
 * command.h - the command table: what agentctl can do, and the help that is made from it.
 *
 * To add a command: write its function in the file of its group, declare it here, add a row in command.c, and an
 * assertion in tests/http/test_agentctl.sh.
 */
#ifndef AGENTCTL_COMMAND_H
#define AGENTCTL_COMMAND_H

#include "ctl.h"

struct command {
	const char *group; /* the first word; NULL when the command is one word */
	const char *name;
	const char *args; /* for the usage line: "ID"; NULL: none */
	const char *doc;  /* one line */
	const char *more; /* further help, or NULL */
	uint64_t options; /* OPTION_BITs besides those that every command takes */
	int min_args;
	int max_args;
	bool offline;         /* needs no server, and so no context */
	bool ignores_context; /* a context that is not there yet is no error */
	enum ctl_exit (*run)(struct ctl *ctl);
};

/* The command that words begin with; *used_r is how many words name it. NULL when there is none. */
const struct command *command_find(const struct option_words *words, int *used_r);
/* True if word is the first word of some commands. */
bool command_is_group(const char *word);
/* Help for one command, for a group, or for everything (group NULL). */
void command_help(FILE *out, const struct command *command);
void command_overview(FILE *out, const char *group);

enum ctl_exit login_run(struct ctl *ctl);
enum ctl_exit login_logout(struct ctl *ctl);
enum ctl_exit system_whoami(struct ctl *ctl);
enum ctl_exit system_status(struct ctl *ctl);
enum ctl_exit agent_list(struct ctl *ctl);
enum ctl_exit agent_get(struct ctl *ctl);
enum ctl_exit workflow_run(struct ctl *ctl);
enum ctl_exit workflow_list(struct ctl *ctl);
enum ctl_exit workflow_get(struct ctl *ctl);
enum ctl_exit workflow_cancel(struct ctl *ctl);
enum ctl_exit task_list(struct ctl *ctl);
enum ctl_exit task_get(struct ctl *ctl);
enum ctl_exit work_run(struct ctl *ctl);
enum ctl_exit api_run(struct ctl *ctl);

#endif
