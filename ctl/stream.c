/* stream.c - server-sent events over libcurl. One connection at a time; a silent one is given up and made anew. */
#include "base.h"

#include "duration.h"
#include "http.h"
#include "output.h"
#include "stream.h"

enum {
	LINE_MAX_BYTES = 16 << 20,
	SILENCE_S = 60, /* the server sends something every 15 s */
	BACKOFF_MIN_MS = 200,
	BACKOFF_MAX_MS = 10000
};

struct text {
	char *bytes;
	size_t len, size;
};

struct stream {
	const struct ctl *ctl;
	const char *path;
	bool (*take)(void *arg, const json_t *event);
	void *arg;
	char *last_id;          /* of the last event given out; NULL: none yet */
	struct text line, data; /* of the event that is coming in */
	char *id;
	bool stopped, broken; /* the callback wants no more; what came is no stream of events */
	bool said;            /* the absence of the server was said */
	bool heard;           /* this connection has brought something */
	bool was_there;       /* some connection has */
	int failures;
	int64_t retry_ms; /* asked for by the server; 0: not */
	int64_t end;      /* of --timeout; 0: none */
	struct http_call *call;
};

static void
text_add(struct text *text, const char *bytes, size_t len)
{
	if (text->len + len + 1 > text->size) {
		text->size = (text->len + len + 1) * 2;
		text->bytes = mem_grow(text->bytes, text->size);
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

/* -1, 0 or 1: ids are numbers with '-' between them ("740-12-0"), and grow. Others are equal or later. */
static int
compare_ids(const char *one, const char *other)
{
	while (*one && *other) {
		char *one_end, *other_end;
		unsigned long long a = strtoull(one, &one_end, 10), b = strtoull(other, &other_end, 10);

		if (one_end == one || other_end == other)
			return strcmp(one, other) == 0 ? 0 : 1;
		if (a != b)
			return a < b ? -1 : 1;
		one = one_end + (*one_end == '-');
		other = other_end + (*other_end == '-');
	}
	return *one ? 1 : *other ? -1 : 0;
}

/* True when the event was given out before. */
static bool
is_old(const struct stream *stream, const char *id)
{
	return stream->last_id && id && compare_ids(id, stream->last_id) <= 0;
}

/* An empty line: the event is whole. An id without data only moves the place to go on from. */
static void
dispatch(struct stream *stream)
{
	json_t *event = stream->data.len ? json_loadb(stream->data.bytes, stream->data.len, 0, NULL) : NULL;

	if (event && !is_old(stream, stream->id))
		stream->stopped = !stream->take(stream->arg, event);
	if (stream->id && !is_old(stream, stream->id)) {
		free(stream->last_id);
		stream->last_id = mem_string(stream->id);
	}
	free(stream->id);
	stream->id = NULL;
	stream->data.len = 0;
	json_decref(event);
}

static void
take_field(struct stream *stream, char *line)
{
	char *colon = strchr(line, ':'), *value = line + strlen(line);

	if (colon) {
		*colon = '\0';
		value = colon + 1 + (colon[1] == ' ');
	}
	if (strcmp(line, "data") == 0) {
		if (stream->data.len)
			text_add(&stream->data, "\n", 1);
		text_add(&stream->data, value, strlen(value));
	} else if (strcmp(line, "id") == 0) {
		free(stream->id);
		stream->id = mem_string(value);
	} else if (strcmp(line, "retry") == 0 && *value >= '0' && *value <= '9') {
		stream->retry_ms = MIN(strtoll(value, NULL, 10), (long long)BACKOFF_MAX_MS);
	}
}

static void
take_line(struct stream *stream)
{
	char *line = stream->line.bytes;

	if (stream->line.len && line[stream->line.len - 1] == '\r')
		line[--stream->line.len] = '\0';
	if (stream->line.len == 0)
		dispatch(stream);
	else if (*line != ':')
		take_field(stream, line);
	stream->line.len = 0;
}

static bool
is_event_stream(const struct http_call *call)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	return status == 200 && type && strncmp(type, "text/event-stream", 17) == 0;
}

static void
note_return(struct stream *stream)
{
	if (stream->said)
		output_note(stream->ctl, "the server is back.");
	stream->said = false;
	stream->heard = stream->was_there = true;
	stream->failures = 0;
}

static size_t
receive(char *bytes, size_t size, size_t count, void *arg)
{
	struct stream *stream = arg;
	size_t len = size * count, at = 0;

	/* The words of an error are collected as those of any other answer. */
	if (!is_event_stream(stream->call))
		return stream->call->received + len > LINE_MAX_BYTES
		           ? 0
		           : (stream->call->received += len, fwrite(bytes, 1, len, stream->call->stream));
	if (!stream->heard)
		note_return(stream);
	while (at < len && !stream->stopped) {
		const char *end = memchr(bytes + at, '\n', len - at);
		size_t part = end ? (size_t)(end - bytes) - at : len - at;

		if (stream->line.len + stream->data.len + part > LINE_MAX_BYTES) {
			stream->broken = true;
			return 0;
		}
		text_add(&stream->line, bytes + at, part);
		at += part + (end != NULL);
		if (end)
			take_line(stream);
	}
	return stream->stopped ? 0 : len;
}

/* One connection, for as long as it lasts. */
static struct http_call *
connect_once(struct stream *stream)
{
	int64_t left = stream->end ? MAX(stream->end - duration_now_ms(), 1) : 0;
	struct http_call *call = http_call_new(stream->ctl, "GET", stream->path, NULL, left);

	stream->call = call;
	stream->heard = false;
	stream->line.len = stream->data.len = 0;
	free(stream->id);
	stream->id = NULL;
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)left);
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
	curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, stream);
	http_call_header(call, "Accept", "text/event-stream");
	if (stream->last_id)
		http_call_header(call, "Last-Event-ID", stream->last_id);
	http_call_perform(call);
	return call;
}

/* The connection has ended without our wish: pause, and say so once. False: *code_r says why it is of no use. */
static bool
may_go_on(struct stream *stream, const struct http_call *call, enum ctl_exit *code_r)
{
	bool over = stream->end && duration_now_ms() >= stream->end;
	/* The end of a stream is an answer that is well. */
	bool lost = http_call_may_retry(call) || (http_call_ok(call) && stream->heard);
	int64_t pause = duration_jitter(MIN((int64_t)BACKOFF_MIN_MS << MIN(stream->failures, 10), (int64_t)BACKOFF_MAX_MS));

	if (over) {
		*code_r = CTL_TIMED_OUT;
		return false;
	}
	if (stream->broken || !lost || (!stream->was_there && !call->status && stream->ctl->timeout_s <= 0)) {
		*code_r = http_call_report(stream->ctl, call, "cannot follow the events.");
		return false;
	}
	if (!stream->said && (stream->failures > 0 || !http_call_ok(call))) {
		char *why = http_call_ok(call) ? mem_string("the server ended the stream") : http_call_why(call);

		output_note(stream->ctl, "%s; trying again.", why);
		stream->said = true;
		free(why);
	}
	stream->failures++;
	pause = MAX(pause, MAX(stream->retry_ms, call->retry_after_ms));
	duration_sleep_ms(stream->end ? MIN(pause, MAX(stream->end - duration_now_ms(), 1)) : pause);
	return true;
}

enum ctl_exit
stream_follow(const struct ctl *ctl, const char *path, const char *after, bool (*take)(void *arg, const json_t *event),
              void *arg)
{
	struct stream stream = {.ctl = ctl, .path = path, .take = take, .arg = arg};
	enum ctl_exit code = CTL_DONE;
	bool more = true;

	stream.last_id = after ? mem_string(after) : NULL;
	if (ctl->timeout_s > 0)
		stream.end = duration_now_ms() + (int64_t)(ctl->timeout_s * 1000);
	while (more) {
		struct http_call *call = connect_once(&stream);

		more = !stream.stopped && may_go_on(&stream, call, &code);
		http_call_free(call);
	}
	free(stream.last_id);
	free(stream.id);
	free(stream.line.bytes);
	free(stream.data.bytes);
	return code;
}
