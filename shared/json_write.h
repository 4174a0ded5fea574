/*
 * json_write.h - the one JSON writer.
 *
 * Appends to a buf; commas and colons are placed by the writer, so callers only name what they write. Strings are
 * escaped as RFC 8259 asks (quotes, backslash, control characters; U+2028 and U+2029 too, so that the text is safe in
 * a script); bytes that are not UTF-8 become U+FFFD. A wrong sequence (a value without a key inside an object, a close
 * without its open) is a broken invariant. Nothing blocks, nothing fails.
 */
#ifndef AGENTD_JSON_WRITE_H
#define AGENTD_JSON_WRITE_H

#include "base.h"
#include "buf.h"

enum { JSON_WRITE_DEPTH_MAX = 64 };

struct json_writer {
	struct buf *out;
	uint64_t is_object;  /* one bit a level */
	uint64_t has_member; /* one bit a level: a comma is due */
	int depth;
	bool after_key;
};

/* Starts a writer that appends to out, which stays the caller's. */
void json_write_begin(struct json_writer *writer, struct buf *out);

void json_write_object_open(struct json_writer *writer);
void json_write_object_close(struct json_writer *writer);
void json_write_array_open(struct json_writer *writer);
void json_write_array_close(struct json_writer *writer);
void json_write_key(struct json_writer *writer, const char *key);

void json_write_string(struct json_writer *writer, struct slice text);
void json_write_int(struct json_writer *writer, int64_t value);
/* The shortest text that reads back as the same double; NaN and infinities become null. */
void json_write_double(struct json_writer *writer, double value);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
/* text must be one valid JSON value: it is copied as it is. */
void json_write_raw(struct json_writer *writer, struct slice text);

/* Key and value in one call. An absent slice (data NULL) is written as null. */
void json_write_member_string(struct json_writer *writer, const char *key, struct slice text);
void json_write_member_text(struct json_writer *writer, const char *key, const char *text);
void json_write_member_int(struct json_writer *writer, const char *key, int64_t value);
void json_write_member_bool(struct json_writer *writer, const char *key, bool value);
void json_write_member_raw(struct json_writer *writer, const char *key, struct slice text);

/* Only the escaping, with the quotes: for writers of other formats (logs). */
void json_write_quoted(struct buf *out, struct slice text);

#endif
