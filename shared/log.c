/*
 * log.c - see log.h. What an event looks like as a line; log_sink.c says where it goes.
 *
 * A line is bounded: what does not fit is cut or left out and the line says "truncated". Every byte that came from
 * outside passes add_quoted(), so no value can end the line, forge a field or steer a terminal. A line that could not
 * be written is counted; the next one that is written says how many were lost. errno is kept. Call from one thread.
 */
#include "base.h"

#include "log.h"

#include "buf.h"
#include "clock.h"
#include "json_write.h"
#include "log_sink.h"

#include <errno.h>
#include <unistd.h>

enum { FIELDS_MAX = 16, TAIL_BYTES = 64, KEEP_BYTES = 64 * 1024 };

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *const level_labels[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

static enum log_level least_level = LOG_LEVEL_INFO;
static bool as_json = true;
static char process_name[32] = "agentd";
static int64_t lost_lines;

struct line {
	struct buf *out;
	size_t limit; /* without the tail */
	bool truncated;
};

bool
log_open(const struct log_options *options)
{
	least_level = options->level;
	as_json = options->json;
	return log_sink_open(options);
}

void
log_set_process(const char *name)
{
	snprintf(process_name, sizeof(process_name), "%s", name);
}

void
log_set_level(enum log_level level)
{
	least_level = level;
}

bool
log_enabled(enum log_level level)
{
	return level >= least_level;
}

/* DEL and the C1 controls are legal in JSON, but some terminals obey them. */
static void
quote(struct buf *out, struct slice text)
{
	size_t start = out->len;

	json_write_quoted(out, text);
	for (size_t i = start; i < out->len; i++) {
		if (out->data[i] == 0x7f)
			out->data[i] = '?';
		if ((unsigned char)out->data[i] == 0xc2 && (unsigned char)out->data[i + 1] < 0xa0)
			out->data[i] = out->data[i + 1] = '?';
	}
}

/* How many bytes the escape or character at text takes, in what quote() wrote. */
static size_t
unit_length(const char *text)
{
	unsigned char first = (unsigned char)text[0];

	if (first == '\\')
		return text[1] == 'u' ? 6 : 2;
	return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/*
 * What is longer than the limit is cut twice: before it is escaped, to bound the work, and after, where a character
 * ends. The line stays longer than its limit only if not even two quotes fit.
 */
static void
add_quoted(struct line *line, struct slice text)
{
	struct buf *out = line->out;
	size_t at = out->len + 1;

	quote(out, (struct slice){text.data, MIN(text.len, line->limit)});
	if (out->len > line->limit && at < line->limit) {
		while (at + unit_length(out->data + at) < line->limit)
			at += unit_length(out->data + at);
		out->len = at;
		buf_add_byte(out, '"');
		line->truncated = true;
	}
}

static bool
is_bare(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 0x7f || strchr("\"\\=", text.data[i]))
			return false;
	return text.len > 0;
}

static void
add_text_value(struct line *line, struct slice text)
{
	if (is_bare(text) && line->out->len + text.len <= line->limit)
		buf_add_slice(line->out, text);
	else
		add_quoted(line, text);
}

static void
add_field(struct line *line, const struct log_field *field)
{
	struct buf *out = line->out;
	size_t before = out->len;

	if (as_json) {
		buf_add_byte(out, ',');
		quote(out, slice_of(field->name));
		buf_add_byte(out, ':');
	} else {
		buf_printf(out, " %s=", field->name);
	}
	if (field->type == LOG_FIELD_INT)
		buf_add_int(out, field->number);
	else if (!field->text.data)
		buf_add_text(out, "null");
	else if (as_json)
		add_quoted(line, field->text);
	else
		add_text_value(line, field->text);
	if (out->len > line->limit) {
		out->len = before;
		line->truncated = true;
	}
}

static void
add_json_head(struct line *line, enum log_level level, const char *category, const char *time)
{
	buf_printf(line->out, "{\"time\":\"%s\",\"level\":\"%s\",\"category\":", time, level_names[level]);
	quote(line->out, slice_of(category));
	buf_add_text(line->out, ",\"process\":");
	quote(line->out, slice_of(process_name));
	buf_printf(line->out, ",\"pid\":%ld,\"message\":", (long)getpid());
}

/* The message is escaped like any text, but stands without quotes. */
static void
add_text_message(struct line *line, struct slice message)
{
	size_t start = line->out->len;

	add_quoted(line, message);
	line->out->len -= 2;
	memmove(line->out->data + start, line->out->data + start + 1, line->out->len - start);
}

static void
add_tail(struct line *line)
{
	struct log_field lost = LOG_INT("lost", lost_lines);

	line->limit += TAIL_BYTES;
	if (line->truncated)
		buf_add_text(line->out, as_json ? ",\"truncated\":true" : " truncated=true");
	if (lost_lines)
		add_field(line, &lost);
	buf_add_text(line->out, as_json ? "}\n" : "\n");
}

void
log_write(enum log_level level, const char *category, const char *message, const struct log_field *fields)
{
	static struct buf kept;
	struct line line = {&kept, log_sink_limit() - TAIL_BYTES, false};
	char time[CLOCK_RFC3339_SIZE];
	int problem = errno;

	buf_clear(&kept, KEEP_BYTES);
	clock_format(clock_wall_us(), time);
	if (as_json) {
		add_json_head(&line, level, category, time);
		add_quoted(&line, slice_of(message));
	} else {
		buf_printf(&kept, "%s %s %s %s: ", time, level_labels[level], process_name, category);
		add_text_message(&line, slice_of(message));
	}
	for (int i = 0; i < FIELDS_MAX && fields[i].type != LOG_FIELD_END; i++)
		add_field(&line, &fields[i]);
	add_tail(&line);
	if (log_sink_write(buf_slice(&kept)))
		lost_lines = 0;
	else
		lost_lines++;
	errno = problem;
}
