/*
 * span.c - see span.h. A part of a span is a byte that says what it is, one with the length of its text, eight with its
 * number, and the text. The reader trusts nothing of it: the writer may be a process that went wrong.
 */
#include "span.h"
#include "shared_memory.h"

enum { PART_HEAD = 10, TEXT_MAX = 255, EVENT = 0x80, TEXT = 0x40, KEY = 0x3f };

static const char *const key_names[SPAN_KEYS] = {
    [SPAN_HTTP_METHOD] = "http.request.method",
    [SPAN_HTTP_ROUTE] = "http.route",
    [SPAN_HTTP_STATUS] = "http.response.status_code",
    [SPAN_URL_PATH] = "url.path",
    [SPAN_CLIENT_ADDRESS] = "client.address",
    [SPAN_USER_ID] = "user.id",
    [SPAN_BODY_SIZE] = "http.response.body.size",
    [SPAN_REQUEST_ID] = "agentd.request_id",
    [SPAN_TENANT] = "agentd.tenant",
    [SPAN_ERROR_TYPE] = "error.type",
    [SPAN_DB_SYSTEM] = "db.system.name",
    [SPAN_DB_OPERATION] = "db.operation.name",
    [SPAN_DB_BATCH_SIZE] = "db.operation.batch.size",
    [SPAN_DB_ROWS] = "db.response.returned_rows",
    [SPAN_DB_STATUS] = "db.response.status_code",
    [SPAN_DB_QUEUED_US] = "agentd.db.queued_us",
    [SPAN_TASK_ID] = "agentd.task.id",
    [SPAN_TASK_ROLE] = "agentd.task.role",
    [SPAN_TASK_ATTEMPT] = "agentd.task.attempt",
    [SPAN_TASK_EPOCH] = "agentd.task.epoch",
    [SPAN_AGENT_ID] = "agentd.agent.id",
    [SPAN_PROCESS] = "agentd.process",
};
_Static_assert((int)SPAN_KEYS <= (int)KEY, "a key has six bits");

static struct span_ring *own_ring;
static bool is_wanted;
static int ring_count;

struct span_ring *
span_rings_map(int count)
{
	ring_count = count;
	return shared_memory_map("spans 1", (size_t)count * sizeof(struct span_ring), NULL);
}

int
span_rings_count(void)
{
	return ring_count;
}

void
span_use(struct span_ring *ring)
{
	own_ring = ring;
}

void
span_record(bool wanted)
{
	is_wanted = wanted;
}

bool
span_is_recorded(const struct trace *trace)
{
	return is_wanted && own_ring && trace->present && trace->sampled;
}

void
span_begin(struct span *span, const struct trace *trace, const uint8_t id[TRACE_SPAN_SIZE],
           const uint8_t parent[TRACE_SPAN_SIZE], enum span_kind kind)
{
	memcpy(span->trace, trace->id, TRACE_ID_SIZE);
	memcpy(span->id, id, TRACE_SPAN_SIZE);
	memcpy(span->parent, parent, TRACE_SPAN_SIZE);
	span->kind = (uint8_t)kind;
	span->failed = false;
	span->length = 0;
	span->name[0] = '\0';
}

static void
add_part(struct span *span, unsigned what, struct slice text, int64_t number)
{
	size_t length = MIN(text.len, (size_t)TEXT_MAX);
	uint8_t *out = span->bytes + span->length;

	if (span->length + PART_HEAD + length > SPAN_BYTES)
		return;
	out[0] = (uint8_t)what;
	out[1] = (uint8_t)length;
	memcpy(out + 2, &number, sizeof(number));
	if (length)
		memcpy(out + PART_HEAD, text.data, length);
	span->length = (uint16_t)(span->length + PART_HEAD + length);
}

void
span_text(struct span *span, enum span_key key, struct slice text)
{
	if (text.data)
		add_part(span, TEXT | (unsigned)key, text, 0);
}

void
span_int(struct span *span, enum span_key key, int64_t number)
{
	add_part(span, (unsigned)key, SLICE_NONE, number);
}

void
span_event(struct span *span, const char *name, int64_t at_us)
{
	add_part(span, EVENT, slice_of(name), at_us);
}

void
span_end(const struct span *span)
{
	struct span_ring *ring = own_ring;
	uint64_t head;

	if (!ring)
		return;
	head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) >= SPAN_RING) {
		atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
		return;
	}
	memcpy(&ring->spans[head % SPAN_RING], span, offsetof(struct span, bytes) + span->length);
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

bool
span_take(struct span_ring *ring, struct span *span_r)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

	if (head == tail)
		return false;
	*span_r = ring->spans[tail % SPAN_RING];
	span_r->name[SPAN_NAME - 1] = '\0';
	span_r->length = MIN(span_r->length, (uint16_t)SPAN_BYTES);
	/* A head that was written over by mistake leads to what was there before, but never beyond. */
	atomic_store_explicit(&ring->tail, head - tail > SPAN_RING ? head : tail + 1, memory_order_release);
	return true;
}

bool
span_next(const struct span *span, size_t *at, struct span_part *part_r)
{
	const uint8_t *in = span->bytes + *at;
	unsigned key;

	if (*at + PART_HEAD > span->length || *at + PART_HEAD + in[1] > span->length)
		return false;
	key = in[0] & KEY;
	*part_r = (struct span_part){
	    .is_event = in[0] & EVENT, .is_text = in[0] & TEXT, .text = {(const char *)in + PART_HEAD, in[1]}};
	memcpy(&part_r->number, in + 2, sizeof(part_r->number));
	if (!part_r->is_event && key >= SPAN_KEYS)
		return false;
	part_r->name = part_r->is_event ? NULL : key_names[key];
	*at += PART_HEAD + (size_t)in[1];
	return true;
}
