/*
 * log_line.c - see log_line.h.
 *
 * A line is bounded: what does not fit is cut or left out and the line says "truncated". Every byte that came from
 * outside passes add_quoted(), so no value can end the line, forge a field or steer a terminal.
 */
#include "base.h"

#include "log_line.h"

#include "clock.h"
#include "context.h"
#include "json_write.h"

enum { FIELDS_MAX = 16, TAIL_BYTES = 64, CATEGORY_WIDTH = 10, MESSAGE_WIDTH = 32 };

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *const level_labels[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
static const char *const level_colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[1;31m"};

#define PLAIN "\033[0m"
#define DIM "\033[2m"

struct line {
	struct buf *out;
	const struct log_form *form;
	size_t limit; /* of out, without the tail */
	bool truncated;
};

/* DEL and the C1 controls are legal in JSON, but some terminals obey them. */
static void
quote(struct buf *out, struct slice text)
{
	size_t start = out->len;
	char *at, *end;

	json_write_quoted(out, text);
	at = out->data + start;
	end = out->data + out->len;
	while ((at = memchr(at, 0x7f, (size_t)(end - at))))
		*at = '?';
	at = out->data + start;
	while ((at = memchr(at, 0xc2, (size_t)(end - at)))) {
		if ((unsigned char)at[1] < 0xa0)
			at[0] = at[1] = '?';
		at++;
	}
}

/* The calendar is asked once a second. */
static void
write_time(char out[CLOCK_RFC3339_SIZE])
{
	static char second[CLOCK_RFC3339_SIZE];
	static int64_t known_s = -1;
	int64_t now_us = clock_wall_us(), fraction = now_us % 1000000;

	if (now_us / 1000000 != known_s) {
		clock_format(now_us, second);
		known_s = now_us / 1000000;
	}
	memcpy(out, second, CLOCK_RFC3339_SIZE);
	for (int i = CLOCK_RFC3339_SIZE - 3; i >= CLOCK_RFC3339_SIZE - 8; i--, fraction /= 10)
		out[i] = (char)('0' + fraction % 10);
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

/* Names are constants of the program: nothing in them needs an escape. */
static void
add_name(struct line *line, const char *name)
{
	struct buf *out = line->out;

	if (line->form->json) {
		buf_add(out, ",\"", 2);
		buf_add_text(out, name);
		buf_add(out, "\":", 2);
		return;
	}
	buf_add_text(out, line->form->colours ? " " DIM : " ");
	buf_add_text(out, name);
	buf_add_text(out, line->form->colours ? "=" PLAIN : "=");
}

static void
add_field(struct line *line, const struct log_field *field)
{
	struct buf *out = line->out;
	size_t before = out->len;

	add_name(line, field->name);
	if (field->type == LOG_FIELD_INT)
		buf_add_int(out, field->number);
	else if (!field->text.data)
		buf_add_text(out, "null");
	else if (line->form->json)
		add_quoted(line, field->text);
	else
		add_text_value(line, field->text);
	if (out->len > line->limit) {
		out->len = before;
		line->truncated = true;
	}
}

static void
add_json_head(struct line *line, const struct log_event *event, const char *time)
{
	struct buf *out = line->out;

	buf_add_text(out, "{\"time\":\"");
	buf_add_text(out, time);
	buf_add_text(out, "\",\"level\":\"");
	buf_add_text(out, level_names[event->level]);
	buf_add_text(out, "\",\"category\":");
	quote(out, slice_of(event->category));
	buf_add_text(out, ",\"process\":");
	quote(out, slice_of(line->form->process));
	buf_add_text(out, ",\"pid\":");
	buf_add_int(out, line->form->pid);
	buf_add_text(out, ",\"message\":");
}

/* The message is escaped like any text, but stands without quotes. With fields behind it, they begin in one column. */
static void
add_text_message(struct line *line, const struct log_event *event)
{
	struct buf *out = line->out;
	size_t start = out->len;

	add_quoted(line, slice_of(event->message));
	out->len -= 2;
	memmove(out->data + start, out->data + start + 1, out->len - start);
	while (event->fields[0].type != LOG_FIELD_END && out->len - start < MESSAGE_WIDTH && out->len < line->limit)
		buf_add_byte(out, ' ');
}

static void
add_text_head(struct line *line, const struct log_event *event, const char *time)
{
	bool colours = line->form->colours;

	buf_printf(line->out, "%s%s%s %s%s%s %-9s %-*s ", colours ? DIM : "", time, colours ? PLAIN : "",
	           colours ? level_colours[event->level] : "", level_labels[event->level], colours ? PLAIN : "",
	           line->form->process, CATEGORY_WIDTH, event->category);
}

/* Whose request it was and in which trace, unless the fields say so. */
static void
add_context(struct line *line, const struct log_field *fields)
{
	const struct context *context = context_now();
	char id[TRACE_ID_TEXT + 1];

	for (int i = 0; i < FIELDS_MAX && fields[i].type != LOG_FIELD_END; i++)
		if (strcmp(fields[i].name, "request_id") == 0)
			return;
	if (!context)
		return;
	if (context->id_length)
		add_field(line, &LOG_SLICE("request_id", context_id(context)));
	if (context->trace.present) {
		trace_id_write(&context->trace, id);
		add_field(line, &LOG_TEXT("trace_id", id));
	}
}

static void
add_tail(struct line *line, int64_t lost)
{
	line->limit += TAIL_BYTES;
	if (line->truncated)
		buf_add_text(line->out, line->form->json ? ",\"truncated\":true" : " truncated=true");
	if (lost)
		add_field(line, &LOG_INT("lost", lost));
	buf_add_text(line->out, line->form->json ? "}\n" : "\n");
}

void
log_line_add(struct buf *out, size_t limit, const struct log_form *form, const struct log_event *event)
{
	struct line line = {out, form, out->len + limit - TAIL_BYTES, false};
	char time[CLOCK_RFC3339_SIZE];

	write_time(time);
	if (form->json) {
		add_json_head(&line, event, time);
		add_quoted(&line, slice_of(event->message));
	} else {
		add_text_head(&line, event, time);
		add_text_message(&line, event);
	}
	for (int i = 0; i < FIELDS_MAX && event->fields[i].type != LOG_FIELD_END; i++)
		add_field(&line, &event->fields[i]);
	add_context(&line, event->fields);
	add_tail(&line, event->lost);
}
