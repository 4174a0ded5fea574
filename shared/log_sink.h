/*
 * log_sink.h - where log lines go: standard error, or a file that is rotated by size. Only log.c includes it.
 *
 * One write(2) a line; nothing waits. Call from one thread.
 */
#ifndef AGENTD_LOG_SINK_H
#define AGENTD_LOG_SINK_H

#include "base.h"

struct log_options;

/* False: errno says why, and lines go to standard error. */
MUST_CHECK bool log_sink_open(const struct log_options *options);
/* Opens the file, if it is one, again by its name. */
void log_sink_reopen(void);
/* The longest line, newline included, that is written in one piece. */
size_t log_sink_limit(void);
/* False: the line is lost, in part or as a whole. */
MUST_CHECK bool log_sink_write(struct slice line);

#endif
