/*
 * command.h - the command table: what agentctl can do. Help, completion and the manual page are made from it.
 *
 * Each group has its rows in the file of its functions; command.c lists the groups. To add a command: its function and
 * its row in the file of its group, and an assertion in tests/http/test_agentctl.sh or tests/http/agentctl_*.sh.
 */
#ifndef AGENTCTL_COMMAND_H
#define AGENTCTL_COMMAND_H

#include "ctl.h"

/* A table ends with a row of zeros. */
struct command {
	const char *name;              /* one word, or several with one space between: "status", "task dead list" */
	const char *args;              /* the words that follow: "ID", "[NAME]", "[ID]..."; NULL: none */
	const char *doc;               /* one line */
	const enum option_id *options; /* besides those that every command takes; NULL: none */
	enum ctl_exit (*run)(struct ctl *ctl);
	const char *more;     /* further help, or NULL */
	bool offline;         /* needs no server, and so no context */
	bool ignores_context; /* a context that is not there yet is no error */
};

#define OPTIONS(...) ((const enum option_id[]){__VA_ARGS__, OPTION_COUNT})

/* Commands that begin with the same word, or (name NULL) commands of one word each. */
struct command_group {
	const char *name, *doc;
	const struct command *commands;
};

extern const struct command_group command_groups[];
extern const int command_group_count;

/* The command that words begin with, by the longest name; *used_r is how many words name it. NULL: there is none. */
const struct command *command_find(const struct option_words *words, int *used_r);
/* The command of exactly this name, or NULL. */
const struct command *command_named(const char *name);
/* The group whose commands begin with the word, or NULL. */
const struct command_group *command_group_named(const char *word);
/* How many words the command takes; *most_r is INT_MAX when there is no limit. */
int command_least_args(const struct command *command, int *most_r);
bool command_takes(const struct command *command, enum option_id id);

extern const struct command alert_commands[], login_commands[], session_commands[], system_commands[], health_commands[], doctor_commands[], top_commands[], agent_commands[], workflow_commands[],
    template_commands[], schedule_commands[], task_commands[], limit_commands[], audit_commands[], config_commands[], message_commands[], memory_commands[],
    event_commands[], user_commands[], password_commands[], key_commands[], role_commands[], tenant_commands[], work_commands[], api_commands[],
    completion_commands[], help_commands[];

#endif
