/*
 * terminal.h - talking with the person: questions, secrets, and what Ctrl-C does.
 */
#ifndef AGENTCTL_TERMINAL_H
#define AGENTCTL_TERMINAL_H

#include "base.h"

/* From now on SIGINT and SIGTERM end the program with 130 (143), the terminal as it was. */
void terminal_init(void);
/* What an interrupted wait says before it exits; NULL: nothing. Borrowed. */
void terminal_set_farewell(const char *text);

/* Asks on standard error and reads a line; NULL when standard input is no terminal or ended. free() it. */
MUST_CHECK char *terminal_ask(const char *question, bool secret);
/* False when the answer is not yes. */
MUST_CHECK bool terminal_confirm(const char *question);

/* Single keys, not shown, without waiting for a line; off: as before. Nothing where standard input is no terminal. */
void terminal_read_keys(bool on);

/* True if fd is a terminal that can move its cursor. */
bool terminal_can_redraw(int fd);
void terminal_size(int fd, int *columns_r, int *rows_r);

#endif
