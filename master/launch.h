/*
 * launch.h - how this program was started: its file, arguments and environment, kept to read the settings again (SIGHUP)
 * and to become a newer program (SIGUSR2).
 *
 * The environment may hold secrets, so only the master keeps it: a child calls launch_forget() first of all. Settings
 * come from the environment and, for names that it does not have, from the file that AGENTD_ENV_FILE names: lines of
 * NAME=value, as in systemd's EnvironmentFile: blank lines and lines that begin with # or ; do not count, and a value may
 * stand between quotes, "..." with \" and \\ for those two, or '...'. Nothing else is expanded.
 */
#ifndef AGENTD_LAUNCH_H
#define AGENTD_LAUNCH_H

#include "base.h"

struct config;

/* Copies everything. Call first in main(), before anything else moves argv or the environment. */
void launch_save(int argc, char **argv, char **variables);
/* In a child: wipes the copies. */
void launch_forget(void);

/*
 * Reads the settings, now. NULL: every error was said, one line each, through tell (which gets no newline). Blocks on
 * the files that settings name.
 */
MUST_CHECK struct config *launch_load(bool embedded, void (*tell)(const char *error));
/* What the last launch_load() read, `NAME=value` up to NULL: the caller's from here on, with env_file_free(). */
MUST_CHECK char **launch_take_variables(void);

/* Variables as a memory that a program gets in its handover; -1: errno says why. */
MUST_CHECK int launch_pack(char *const *variables);
/* The next launch_load() reads these, from such a memory, and neither the environment nor its file. */
void launch_unpack(int fd);

/* Nobody will need that variable again. */
void launch_drop(const char *name);

/* The file that was started, which may be a newer one by now; and the descriptor of what is running. */
const char *launch_path(void);
int launch_program(void);

/*
 * The environment, and the arguments with `--resume NUMBER` or the command `command` (one of them NULL) in place of what
 * ran; pointers live until the next call. For execve().
 */
char *const *launch_environment(void);
char *const *launch_arguments(const char *command, const char *resume);

#endif
