/*
 * buf.h - a growing run of bytes: what writers append to.
 *
 * A buf of zeros is empty and usable; it owns its memory until buf_free(). Appending never fails (see mem_alloc) and
 * may move data, so keep offsets, not pointers. The bytes are not NUL-terminated. What leaves a buf is wiped.
 */
#ifndef AGENTD_BUF_H
#define AGENTD_BUF_H

#include "base.h"

struct buf {
	char *data;
	size_t len;
	size_t capacity;
};

/* Makes room for at least more bytes and returns where to put them; add what you wrote to len. */
char *buf_reserve(struct buf *buf, size_t more);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_int(struct buf *buf, int64_t value);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Drops the first count bytes; the rest moves down. */
void buf_drop(struct buf *buf, size_t count);
/* Empties it and keeps the memory, unless it is more than keep bytes: then that is freed too. */
void buf_clear(struct buf *buf, size_t keep);
void buf_free(struct buf *buf);

/* Inline, because JSON is written a few bytes at a time. */
static inline void
buf_add(struct buf *buf, const void *data, size_t len)
{
	if (!len)
		return;
	memcpy(buf->data && buf->capacity - buf->len >= len ? buf->data + buf->len : buf_reserve(buf, len), data, len);
	buf->len += len;
}

static inline void
buf_add_slice(struct buf *buf, struct slice text)
{
	buf_add(buf, text.data, text.len);
}

static inline void
buf_add_byte(struct buf *buf, char byte)
{
	if (!buf->data || buf->len == buf->capacity)
		(void)buf_reserve(buf, 1);
	buf->data[buf->len++] = byte;
}

static inline struct slice
buf_slice(const struct buf *buf)
{
	return (struct slice){buf->data ? buf->data : "", buf->len};
}

#endif
