/*
 * help.h - the help texts: of a command, of a group, of everything.
 */
#ifndef AGENTCTL_HELP_H
#define AGENTCTL_HELP_H

#include "command.h"

/* A name and what it means; ends with a row of zeros. */
struct help_row {
	const char *name, *doc;
};
extern const struct help_row help_environment[], help_exits[];

void help_command(FILE *out, const struct command *command);
/* group NULL: all groups. */
void help_overview(FILE *out, const struct command_group *group);
/* The manual page of agentctl, as roff. */
void manual_print(FILE *out);

#endif
