/*
 * log_line.h - what an event looks like as a line. Only log.c includes it. Pure.
 */
#ifndef AGENTD_LOG_LINE_H
#define AGENTD_LOG_LINE_H

#include "base.h"
#include "buf.h"
#include "log.h"

struct log_form {
	bool json;
	bool colours;     /* of text */
	char process[32]; /* which every line names, */
	long pid;         /* with its number */
};

struct log_event {
	enum log_level level;
	const char *category;
	const char *message;
	const struct log_field *fields; /* up to LOG_FIELD_END, at most 16 */
	int64_t lost;                   /* lines before this one that could not be written */
};

/* Appends the line, at most limit bytes of it, newline included. */
void log_line_add(struct buf *out, size_t limit, const struct log_form *form, const struct log_event *event);

#endif
