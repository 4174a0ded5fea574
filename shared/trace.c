/* trace.c - see trace.h. Random bytes are fetched many at a time: a call of the source costs more than all the rest. */
#include "trace.h"
#include "crypto.h"

#include <unistd.h>

enum { POOL_BYTES = 1024, MEMBERS_MAX = 32, KEY_MAX = 256, TENANT_MAX = 241, SYSTEM_MAX = 14, VALUE_MAX = 256 };

/* A child after fork() does not use what its parent has left. */
static void
take_random(void *out, size_t size)
{
	static uint8_t pool[POOL_BYTES];
	static size_t left;
	static pid_t owner;

	if (left < size || owner != getpid()) {
		crypto_random(pool, sizeof(pool));
		left = sizeof(pool);
		owner = getpid();
	}
	left -= size;
	memcpy(out, pool + left, size);
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower case only, as the grammar says. */
static bool
read_hex(const char *text, uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void
write_hex(const uint8_t *bytes, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
}

static bool
is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Of a version that is not known yet, the fields of version 00 count, and others may follow. */
static bool
parse(struct slice text, struct trace *trace)
{
	uint8_t version, flags;

	if (text.len < TRACE_PARENT_TEXT || !read_hex(text.data, &version, 1) || version == 0xff)
		return false;
	if (version == 0 ? text.len != TRACE_PARENT_TEXT
	                 : text.len > TRACE_PARENT_TEXT && text.data[TRACE_PARENT_TEXT] != '-')
		return false;
	if (text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-' ||
	    !read_hex(text.data + 3, trace->id, TRACE_ID_SIZE) ||
	    !read_hex(text.data + 36, trace->parent, TRACE_SPAN_SIZE) || !read_hex(text.data + 53, &flags, 1))
		return false;
	trace->sampled = flags & 1;
	return !is_zero(trace->id, TRACE_ID_SIZE) && !is_zero(trace->parent, TRACE_SPAN_SIZE);
}

bool
trace_parse(struct slice traceparent, struct trace *trace_r)
{
	*trace_r = (struct trace){0};
	trace_r->present = parse(traceparent, trace_r);
	if (trace_r->present)
		trace_new_span(trace_r->span);
	return trace_r->present;
}

void
trace_begin(struct trace *trace_r, double rate)
{
	uint32_t chance;

	*trace_r = (struct trace){.present = true};
	take_random(&chance, sizeof(chance));
	trace_r->sampled = chance < rate * 4294967296.0;
	do
		take_random(trace_r->id, TRACE_ID_SIZE);
	while (is_zero(trace_r->id, TRACE_ID_SIZE));
	trace_new_span(trace_r->span);
}

void
trace_new_span(uint8_t span_r[TRACE_SPAN_SIZE])
{
	do
		take_random(span_r, TRACE_SPAN_SIZE);
	while (is_zero(span_r, TRACE_SPAN_SIZE));
}

struct slice
trace_write(const struct trace *trace, const uint8_t span[TRACE_SPAN_SIZE], char out[TRACE_PARENT_TEXT + 1])
{
	memcpy(out, "00-", 3);
	write_hex(trace->id, TRACE_ID_SIZE, out + 3);
	out[35] = '-';
	write_hex(span, TRACE_SPAN_SIZE, out + 36);
	memcpy(out + 52, trace->sampled ? "-01" : "-00", 4);
	return (struct slice){out, TRACE_PARENT_TEXT};
}

void
trace_id_write(const struct trace *trace, char out[TRACE_ID_TEXT + 1])
{
	write_hex(trace->id, TRACE_ID_SIZE, out);
	out[TRACE_ID_TEXT] = '\0';
}

void
trace_mark(char *id, bool traced)
{
	enum { LOW_DIGIT_OF_BYTE_13 = 31 };

	id[LOW_DIGIT_OF_BYTE_13] = "0123456789abcdef"[(digit(id[LOW_DIGIT_OF_BYTE_13]) & 14) | (traced ? 1 : 0)];
}

static bool
is_key_part(struct slice part, size_t most)
{
	if (part.len == 0 || part.len > most)
		return false;
	for (size_t i = 0; i < part.len; i++) {
		char c = part.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (i > 0 && c && strchr("_-*/", c))))
			return false;
	}
	return true;
}

/* Either a name, or tenant@system. */
static bool
is_key(struct slice key)
{
	const char *at = memchr(key.data, '@', key.len);
	size_t before = at ? (size_t)(at - key.data) : 0;

	if (!at)
		return is_key_part(key, KEY_MAX);
	return is_key_part((struct slice){key.data, before}, TENANT_MAX) &&
	       is_key_part((struct slice){at + 1, key.len - before - 1}, SYSTEM_MAX);
}

static bool
is_value(struct slice value)
{
	if (value.len == 0 || value.len > VALUE_MAX || value.data[value.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] < 0x20 || value.data[i] > 0x7e || value.data[i] == ',' || value.data[i] == '=')
			return false;
	return true;
}

static struct slice
trim(struct slice text)
{
	while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = (struct slice){text.data + 1, text.len - 1};
	while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

static bool
is_member(struct slice member, struct slice *key_r)
{
	const char *equals = memchr(member.data, '=', member.len);
	size_t before = equals ? (size_t)(equals - member.data) : 0;

	*key_r = (struct slice){member.data, before};
	return equals && is_key(*key_r) && is_value((struct slice){equals + 1, member.len - before - 1});
}

bool
trace_state_is_valid(struct slice tracestate)
{
	struct slice keys[MEMBERS_MAX], rest = tracestate;
	size_t count = 0;

	if (tracestate.len > TRACE_STATE_MAX)
		return false;
	while (rest.len) {
		const char *comma = memchr(rest.data, ',', rest.len);
		size_t length = comma ? (size_t)(comma - rest.data) : rest.len;
		struct slice member = trim((struct slice){rest.data, length});

		rest = (struct slice){rest.data + length + (comma ? 1 : 0), rest.len - length - (comma ? 1 : 0)};
		if (member.len == 0)
			continue;
		if (count == MEMBERS_MAX || !is_member(member, &keys[count]))
			return false;
		for (size_t i = 0; i < count; i++)
			if (slice_equal(keys[i], keys[count]))
				return false;
		count++;
	}
	return count > 0;
}
