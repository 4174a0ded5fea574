/*
 * json_write.c - see json_write.h. Level n (1 is the outermost) keeps its bits at position n - 1.
 *
 * Every value passes before_value() first and after_value() last, so commas and the order of calls are seen to there.
 */
#include "json_write.h"

#include "utf8.h"

#include <math.h>

static uint64_t
level_bit(const struct json_writer *writer)
{
	return (uint64_t)1 << (writer->depth - 1);
}

static bool
in_object(const struct json_writer *writer)
{
	return writer->depth > 0 && (writer->is_object & level_bit(writer));
}

static void
add_comma(struct json_writer *writer)
{
	if (writer->depth == 0)
		return;
	if (writer->has_member & level_bit(writer))
		buf_add_byte(writer->out, ',');
	writer->has_member |= level_bit(writer);
}

static void
before_value(struct json_writer *writer)
{
	INVARIANT(writer->after_key == in_object(writer));
	if (!writer->after_key)
		add_comma(writer);
	writer->after_key = false;
}

void
json_write_begin(struct json_writer *writer, struct buf *out)
{
	*writer = (struct json_writer){.out = out};
}

static void
open_level(struct json_writer *writer, bool is_object)
{
	before_value(writer);
	INVARIANT(writer->depth < JSON_WRITE_DEPTH_MAX);
	writer->depth++;
	writer->has_member &= ~level_bit(writer);
	writer->is_object &= ~level_bit(writer);
	if (is_object)
		writer->is_object |= level_bit(writer);
	buf_add_byte(writer->out, is_object ? '{' : '[');
}

static void
close_level(struct json_writer *writer, bool is_object)
{
	INVARIANT(writer->depth > 0 && in_object(writer) == is_object && !writer->after_key);
	writer->depth--;
	buf_add_byte(writer->out, is_object ? '}' : ']');
}

void
json_write_object_open(struct json_writer *writer)
{
	open_level(writer, true);
}

void
json_write_object_close(struct json_writer *writer)
{
	close_level(writer, true);
}

void
json_write_array_open(struct json_writer *writer)
{
	open_level(writer, false);
}

void
json_write_array_close(struct json_writer *writer)
{
	close_level(writer, false);
}

void
json_write_key(struct json_writer *writer, const char *key)
{
	INVARIANT(in_object(writer) && !writer->after_key);
	add_comma(writer);
	json_write_quoted(writer->out, slice_of(key));
	buf_add_byte(writer->out, ':');
	writer->after_key = true;
}

static void
write_plain(struct json_writer *writer, struct slice text)
{
	before_value(writer);
	buf_add_slice(writer->out, text);
}

void
json_write_string(struct json_writer *writer, struct slice text)
{
	if (!text.data) {
		json_write_null(writer);
		return;
	}
	before_value(writer);
	json_write_quoted(writer->out, text);
}

void
json_write_int(struct json_writer *writer, int64_t value)
{
	before_value(writer);
	buf_add_int(writer->out, value);
}

void
json_write_double(struct json_writer *writer, double value)
{
	char text[32];

	if (!isfinite(value)) {
		json_write_null(writer);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (digits == 17 || strtod(text, NULL) == value)
			break;
	}
	write_plain(writer, slice_of(text));
}

void
json_write_bool(struct json_writer *writer, bool value)
{
	write_plain(writer, value ? SLICE("true") : SLICE("false"));
}

void
json_write_null(struct json_writer *writer)
{
	write_plain(writer, SLICE("null"));
}

void
json_write_raw(struct json_writer *writer, struct slice text)
{
	write_plain(writer, text.data ? text : SLICE("null"));
}

void
json_write_member_string(struct json_writer *writer, const char *key, struct slice text)
{
	json_write_key(writer, key);
	json_write_string(writer, text);
}

void
json_write_member_text(struct json_writer *writer, const char *key, const char *text)
{
	json_write_member_string(writer, key, slice_of(text));
}

void
json_write_member_int(struct json_writer *writer, const char *key, int64_t value)
{
	json_write_key(writer, key);
	json_write_int(writer, value);
}

void
json_write_member_bool(struct json_writer *writer, const char *key, bool value)
{
	json_write_key(writer, key);
	json_write_bool(writer, value);
}

void
json_write_member_raw(struct json_writer *writer, const char *key, struct slice text)
{
	json_write_key(writer, key);
	json_write_raw(writer, text);
}

static void
quote_ascii(struct buf *out, unsigned char byte)
{
	static const char from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";
	const char *letter = byte ? strchr(from, byte) : NULL;

	if (letter) {
		buf_add_byte(out, '\\');
		buf_add_byte(out, to[letter - from]);
	} else {
		buf_printf(out, "\\u%04x", byte);
	}
}

/* Writes the character at text, which is not plain ASCII, and returns how many bytes of text it took. */
static size_t
quote_special(struct buf *out, struct slice text)
{
	size_t length = utf8_length(text.data, text.len);

	if (length == 1)
		quote_ascii(out, (unsigned char)*text.data);
	else if (length == 0)
		buf_add_text(out, "\xEF\xBF\xBD"); /* U+FFFD */
	else if (length == 3 && memcmp(text.data, "\xE2\x80\xA8", 3) == 0)
		buf_add_text(out, "\\u2028");
	else if (length == 3 && memcmp(text.data, "\xE2\x80\xA9", 3) == 0)
		buf_add_text(out, "\\u2029");
	else
		buf_add(out, text.data, length);
	return MAX(length, (size_t)1);
}

static bool
is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

void
json_write_quoted(struct buf *out, struct slice text)
{
	size_t at = 0;

	buf_add_byte(out, '"');
	while (at < text.len) {
		size_t start = at;

		while (at < text.len && is_plain((unsigned char)text.data[at]))
			at++;
		buf_add(out, text.data + start, at - start);
		if (at < text.len)
			at += quote_special(out, (struct slice){text.data + at, text.len - at});
	}
	buf_add_byte(out, '"');
}
