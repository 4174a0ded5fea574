/*
 * log.h - one line an event: JSON by default, text for people.
 *
 * A line is built in memory and written with one write(2) to standard error or the log file, so lines of several
 * processes never mix. Control characters are escaped; secrets never belong here. Writing to a full pipe is given up
 * rather than waited for: logging never stops an event loop. A line has the request_id and the trace_id of what is
 * being worked on (context.h). Each has a category of the list in log_levels.c, whose level says whether it is written.
 *
 *     log_info("worker", "ready", LOG_INT("slot", slot), LOG_TEXT("address", address));
 */
#ifndef AGENTD_LOG_H
#define AGENTD_LOG_H

#include "base.h"

#include <sys/types.h>

struct buf;

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log_field {
	const char *name;
	enum { LOG_FIELD_END, LOG_FIELD_SLICE, LOG_FIELD_INT } type;
	struct slice text;
	int64_t number;
};

#define LOG_TEXT(name, value) ((struct log_field){(name), LOG_FIELD_SLICE, slice_of(value), 0})
#define LOG_SLICE(name, value) ((struct log_field){(name), LOG_FIELD_SLICE, (value), 0})
#define LOG_INT(name, value) ((struct log_field){(name), LOG_FIELD_INT, SLICE_NONE, (int64_t)(value)})

struct log_options {
	enum log_level level;
	bool json;
	const char *file;  /* NULL or "": standard error */
	int64_t max_bytes; /* 0: never rotate */
	int backups;       /* file.1 .. file.N */
	uid_t owner;       /* whose the file is to be, when root opens it: who rotates it; 0: root's */
	gid_t group;
	const char *levels; /* of single categories: "database=debug,http=warning"; NULL or "": none */
};

/* Opens the file, if any. False: errno says why; the log goes to standard error then. Call before the first fork. */
MUST_CHECK bool log_open(const struct log_options *options);
/* The process name that every line carries from now on: "master", "worker-0", "keeper". Copied. */
void log_set_process(const char *name);
/* From the next line on: see log_levels.h. */
void log_set_levels(uint64_t levels);
/* Opens the file again: somebody has renamed it. */
void log_reopen(void);
bool log_enabled(enum log_level level, const char *category);

/* message is a short constant phrase; what varies goes into fields, at most 16. */
void log_write(enum log_level level, const char *category, const char *message, const struct log_field *fields);
/* The same in two steps, for many lines with one write(2). */
void log_add(struct buf *lines, enum log_level level, const char *category, const char *message,
             const struct log_field *fields);
void log_send(struct buf *lines);

#define LOG_AT(level, category, message, ...)                                                                     \
	do {                                                                                                          \
		if (log_enabled(level, category))                                                                         \
			log_write((level), (category), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}}); \
	} while (0)
#define log_debug(category, ...) LOG_AT(LOG_LEVEL_DEBUG, category, __VA_ARGS__)
#define log_info(category, ...) LOG_AT(LOG_LEVEL_INFO, category, __VA_ARGS__)
#define log_warning(category, ...) LOG_AT(LOG_LEVEL_WARNING, category, __VA_ARGS__)
#define log_error(category, ...) LOG_AT(LOG_LEVEL_ERROR, category, __VA_ARGS__)

#endif
