/*
 * log.c - see log.h. Which lines are written, and what becomes of those that cannot be: log_line.c makes a line of an
 * event, log_sink.c says where it goes.
 *
 * A line that could not be written is counted; the next one that is written says how many were lost. errno is kept.
 * Call from one thread.
 */
#include "base.h"

#include "log.h"

#include "log_levels.h"
#include "log_line.h"
#include "log_sink.h"
#include "metrics.h"

#include <errno.h>
#include <unistd.h>

enum { KEEP_BYTES = 64 * 1024 };

static uint64_t levels; /* 0: not set yet */
static enum log_level least_level = LOG_LEVEL_INFO;
static struct log_form form = {.json = true, .process = "agentd"};
static int64_t lost_lines;

void
log_set_levels(uint64_t wanted)
{
	levels = wanted;
	least_level = log_levels_least(wanted);
}

/* https://no-color.org: any text but none. */
static bool
wants_colours(const struct log_options *options)
{
	const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return !options->json && (!options->file || !*options->file) && isatty(STDERR_FILENO) && !(refused && *refused) &&
	       !(terminal && strcmp(terminal, "dumb") == 0);
}

bool
log_open(const struct log_options *options)
{
	log_set_levels(log_levels_of(options->level, options->levels ? options->levels : ""));
	form.json = options->json;
	form.colours = wants_colours(options);
	return log_sink_open(options);
}

void
log_reopen(void)
{
	int problem = errno;

	log_sink_reopen();
	errno = problem;
}

void
log_set_process(const char *name)
{
	snprintf(form.process, sizeof(form.process), "%s", name);
	form.pid = getpid();
}

bool
log_enabled(enum log_level level, const char *category)
{
	return level >= least_level && (!levels || level >= log_levels_get(levels, category));
}

static void
count_lost(int64_t lines)
{
	lost_lines += lines;
	metrics_add(METRIC_LOG_LOST, METRICS_OWN, lines);
}

static void
build(struct buf *lines, const struct log_event *event)
{
	if (!form.pid)
		form.pid = getpid();
	log_line_add(lines, log_sink_limit(), &form, event);
}

void
log_write(enum log_level level, const char *category, const char *message, const struct log_field *fields)
{
	static struct buf line;
	struct log_event event = {level, category, message, fields, lost_lines};
	int problem = errno;

	buf_clear(&line, KEEP_BYTES);
	build(&line, &event);
	if (log_sink_write(buf_slice(&line)))
		lost_lines = 0;
	else
		count_lost(1);
	errno = problem;
}

void
log_add(struct buf *lines, enum log_level level, const char *category, const char *message,
        const struct log_field *fields)
{
	struct log_event event = {level, category, message, fields, 0};

	build(lines, &event);
}

/* As many whole lines as go in one piece; line ends stand nowhere else. */
static struct slice
next_piece(struct slice rest)
{
	size_t limit = log_sink_limit();
	const char *end = rest.len > limit ? memrchr(rest.data, '\n', limit) : NULL;

	return end ? (struct slice){rest.data, (size_t)(end - rest.data) + 1} : rest;
}

static int64_t
count_lines(struct slice lines)
{
	int64_t count = 0;

	for (size_t i = 0; i < lines.len; i++)
		count += lines.data[i] == '\n';
	return count;
}

void
log_send(struct buf *lines)
{
	struct slice rest = buf_slice(lines);
	int problem = errno;

	if (rest.len && lost_lines)
		log_write(LOG_LEVEL_WARNING, "log", "log lines could not be written", (struct log_field[]){{0}});
	while (rest.len) {
		struct slice piece = next_piece(rest);
		if (!log_sink_write(piece))
			count_lost(count_lines(piece));
		rest = (struct slice){rest.data + piece.len, rest.len - piece.len};
	}
	buf_clear(lines, KEEP_BYTES);
	errno = problem;
}
