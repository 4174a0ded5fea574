/*
 * buf.c - see buf.h. Capacity doubles, so that appending n bytes costs O(n) in all.
 *
 * Bytes that are no longer part of a buf are wiped, for any of them may be a password: realloc() would leave a copy
 * behind.
 */
#include "buf.h"

#include <stdarg.h>

char *
buf_reserve(struct buf *buf, size_t more)
{
	if (!buf->data || buf->capacity - buf->len < more) {
		size_t capacity = buf->capacity ? buf->capacity : 256;
		char *data;

		INVARIANT(more < SIZE_MAX / 4 && buf->len < SIZE_MAX / 4);
		while (capacity - buf->len < more)
			capacity *= 2;
		data = mem_alloc(capacity);
		if (buf->len) {
			memcpy(data, buf->data, buf->len);
			explicit_bzero(buf->data, buf->len);
		}
		free(buf->data);
		buf->data = data;
		buf->capacity = capacity;
	}
	return buf->data + buf->len;
}

void
buf_add_text(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void
buf_add_int(struct buf *buf, int64_t value)
{
	char digits[24];
	char *at = digits + sizeof(digits);
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		*--at = '-';
	buf_add(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	INVARIANT(length >= 0);
	vsnprintf(buf_reserve(buf, (size_t)length + 1), (size_t)length + 1, format, again);
	buf->len += (size_t)length;
	va_end(again);
	va_end(args);
}

void
buf_drop(struct buf *buf, size_t count)
{
	INVARIANT(count <= buf->len);
	buf->len -= count;
	if (buf->len && count)
		memmove(buf->data, buf->data + count, buf->len);
	if (count)
		explicit_bzero(buf->data + buf->len, count);
}

void
buf_clear(struct buf *buf, size_t keep)
{
	if (buf->capacity > keep) {
		buf_free(buf);
	} else if (buf->len) {
		explicit_bzero(buf->data, buf->len);
		buf->len = 0;
	}
}

void
buf_free(struct buf *buf)
{
	if (buf->len)
		explicit_bzero(buf->data, buf->len);
	free(buf->data);
	*buf = (struct buf){NULL, 0, 0};
}
