/* otlp.c - see otlp.h. */
#include "otlp.h"
#include "arena.h"
#include "json_read.h"

enum { STATUS_ERROR = 2, FLAG_SAMPLED = 1 };

static void
write_text(struct json_writer *writer, const char *key, struct slice text)
{
	json_write_object_open(writer);
	json_write_member_text(writer, "key", key);
	json_write_key(writer, "value");
	json_write_object_open(writer);
	json_write_member_string(writer, "stringValue", text);
	json_write_object_close(writer);
	json_write_object_close(writer);
}

static void
write_wide(struct json_writer *writer, const char *key, int64_t number, const char *more)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld%s", (long long)number, more);
	json_write_member_text(writer, key, text);
}

/* Text, for JavaScript's numbers are too narrow. */
static void
write_int(struct json_writer *writer, const char *key, int64_t number)
{
	json_write_object_open(writer);
	json_write_member_text(writer, "key", key);
	json_write_key(writer, "value");
	json_write_object_open(writer);
	write_wide(writer, "intValue", number, "");
	json_write_object_close(writer);
	json_write_object_close(writer);
}

static void
write_hex(struct json_writer *writer, const char *key, const uint8_t *bytes, size_t size)
{
	char text[TRACE_ID_TEXT + 1] = "";

	for (size_t i = 0; i < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	json_write_member_text(writer, key, text);
}

static void
write_time(struct json_writer *writer, const char *key, int64_t wall_us)
{
	write_wide(writer, key, MAX(wall_us, (int64_t)0), "000");
}

void
otlp_begin(struct json_writer *writer, struct buf *out, const struct otlp_resource *resource)
{
	json_write_begin(writer, out);
	json_write_object_open(writer);
	json_write_key(writer, "resourceSpans");
	json_write_array_open(writer);
	json_write_object_open(writer);
	json_write_key(writer, "resource");
	json_write_object_open(writer);
	json_write_key(writer, "attributes");
	json_write_array_open(writer);
	write_text(writer, "service.name", SLICE("agentd"));
	write_text(writer, "service.version", slice_of(resource->version));
	write_text(writer, "service.instance.id", slice_of(resource->instance));
	write_text(writer, "host.name", slice_of(resource->host));
	write_text(writer, "deployment.environment.name", slice_of(resource->environment));
	json_write_array_close(writer);
	json_write_object_close(writer);
	json_write_key(writer, "scopeSpans");
	json_write_array_open(writer);
	json_write_object_open(writer);
	json_write_key(writer, "scope");
	json_write_object_open(writer);
	json_write_member_text(writer, "name", "agentd");
	json_write_member_text(writer, "version", resource->version);
	json_write_object_close(writer);
	json_write_key(writer, "spans");
	json_write_array_open(writer);
}

void
otlp_end(struct json_writer *writer)
{
	json_write_array_close(writer);  /* spans */
	json_write_object_close(writer); /* of one scope */
	json_write_array_close(writer);
	json_write_object_close(writer); /* of one resource */
	json_write_array_close(writer);
	json_write_object_close(writer);
}

static void
write_attributes(struct json_writer *writer, const struct span *span, const char *process)
{
	struct span_part part;
	size_t at = 0;

	json_write_key(writer, "attributes");
	json_write_array_open(writer);
	while (span_next(span, &at, &part))
		if (!part.is_event && part.is_text)
			write_text(writer, part.name, part.text);
		else if (!part.is_event)
			write_int(writer, part.name, part.number);
	write_text(writer, "agentd.process", slice_of(process));
	json_write_array_close(writer);
}

static void
write_events(struct json_writer *writer, const struct span *span)
{
	struct span_part part;
	size_t at = 0;

	json_write_key(writer, "events");
	json_write_array_open(writer);
	while (span_next(span, &at, &part)) {
		if (!part.is_event)
			continue;
		json_write_object_open(writer);
		write_time(writer, "timeUnixNano", part.number);
		json_write_member_string(writer, "name", part.text);
		json_write_object_close(writer);
	}
	json_write_array_close(writer);
}

void
otlp_add(struct json_writer *writer, const struct span *span, const char *process)
{
	static const uint8_t none[TRACE_SPAN_SIZE];

	json_write_object_open(writer);
	write_hex(writer, "traceId", span->trace, TRACE_ID_SIZE);
	write_hex(writer, "spanId", span->id, TRACE_SPAN_SIZE);
	if (memcmp(span->parent, none, TRACE_SPAN_SIZE) != 0)
		write_hex(writer, "parentSpanId", span->parent, TRACE_SPAN_SIZE);
	json_write_member_int(writer, "flags", FLAG_SAMPLED);
	json_write_member_text(writer, "name", span->name);
	json_write_member_int(writer, "kind", span->kind);
	write_time(writer, "startTimeUnixNano", span->begin_us);
	write_time(writer, "endTimeUnixNano", MAX(span->begin_us, span->end_us));
	write_attributes(writer, span, process);
	write_events(writer, span);
	json_write_key(writer, "status");
	json_write_object_open(writer);
	if (span->failed)
		json_write_member_int(writer, "code", STATUS_ERROR);
	json_write_object_close(writer);
	json_write_object_close(writer);
}

int64_t
otlp_rejected(struct slice answer)
{
	struct arena arena = ARENA_EMPTY;
	struct json_error error;
	struct json json;
	int64_t count = 0;
	int partial, rejected = JSON_NONE;

	if (json_parse(&arena, answer, &json, &error) && json_type(&json, 0) == JSON_OBJECT) {
		partial = json_get(&json, 0, "partialSuccess");
		if (partial != JSON_NONE && json_type(&json, partial) == JSON_OBJECT)
			rejected = json_get(&json, partial, "rejectedSpans");
		/* As a number or as text: both are right. */
		if (rejected != JSON_NONE && json_type(&json, rejected) == JSON_STRING)
			count = strtoll(arena_string(&arena, json_string(&json, rejected, &arena)), NULL, 10);
		else if (rejected != JSON_NONE && !json_int(&json, rejected, &count))
			count = 0;
	}
	arena_reset(&arena);
	return MAX(count, (int64_t)0);
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

bool
otlp_header(const char **rest, char *out, size_t size, bool *wrong_r)
{
	const char *at = *rest + strspn(*rest, ", ");
	size_t length = 0, name;

	*wrong_r = *at;
	while (is_name(at[length]))
		length++;
	name = length;
	if (name == 0 || at[name] != '=' || name + 3 > size)
		return false;
	memcpy(out, at, name);
	memcpy(out + name, ": ", 2);
	length += 2;
	for (at += name + 1; *at && *at != ','; at++) {
		int high = *at == '%' ? hex_digit(at[1]) : 0, low = *at == '%' && high >= 0 ? hex_digit(at[2]) : 0;
		char c = (char)(*at == '%' ? high * 16 + low : *at);

		/* No line end, nor anything else that would make another header of it. */
		if (high < 0 || low < 0 || c < 0x20 || c == 0x7f || length + 2 > size)
			return false;
		out[length++] = c;
		at += *at == '%' ? 2 : 0;
	}
	out[length] = '\0';
	*rest = at;
	*wrong_r = length == name + 2;
	return !*wrong_r;
}
