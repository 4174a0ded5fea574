/*
 * env_file.h - the file of settings that AGENTD_ENV_FILE names, put behind the environment, which wins.
 *
 * Its form is in launch.h. The file must belong to root or to who runs agentd, and nobody else may write to it. Blocks
 * on the disk.
 */
#ifndef AGENTD_ENV_FILE_H
#define AGENTD_ENV_FILE_H

#include "base.h"

#define ENV_FILE_NAME "AGENTD_ENV_FILE"

/*
 * A copy of the variables (`NAME=value` up to NULL) without ENV_FILE_NAME itself, and what the file adds. To be freed
 * with env_file_free(). NULL: *problem_r, to be freed, is one sentence that says why.
 */
MUST_CHECK char **env_file_merge(char *const *variables, char **problem_r);
/* Wipes the variables of that name and takes them out of the list. */
void env_file_drop(char **variables, const char *name);
/* Wipes and frees. */
void env_file_free(char **variables);

/*
 * One line of a file, without its line end, changed in place. 1: *entry_r is NAME=value, inside the line; 0: it says
 * nothing; -1: it is wrong, *why_r says why. Pure.
 */
MUST_CHECK int env_file_line(char *line, char **entry_r, const char **why_r);

#endif
