/* events.c - see events.h. An item's place is the place behind it, so its id is the cursor to go on from. */
#include "events.h"
#include "json_read.h"
#include "json_write.h"
#include "rows.h"

#include <inttypes.h>

static const int64_t MINUTE_US = 60000000;

/* Digits without a sign and without leading zeros, up to a byte that is none. */
static bool
take_number(struct slice *text, uint64_t max, uint64_t *number_r)
{
	uint64_t number = 0;
	size_t at = 0;

	for (; at < text->len && text->data[at] >= '0' && text->data[at] <= '9'; at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text->data[at] - '0'), &number))
			return false;
	if (at == 0 || number > max || (at > 1 && text->data[0] == '0'))
		return false;
	*text = (struct slice){text->data + at, text->len - at};
	*number_r = number;
	return true;
}

static bool
take_dash(struct slice *text)
{
	if (text->len == 0 || text->data[0] != '-')
		return false;
	*text = (struct slice){text->data + 1, text->len - 1};
	return true;
}

bool
events_place_parse(struct slice text, struct events_place *place_r)
{
	uint64_t xid, seq, number;

	/* The last xid stands for "latest" among readers, and no transaction gets that far. */
	if (!take_number(&text, UINT64_MAX - 1, &xid) || !take_dash(&text) || !take_number(&text, INT64_MAX - 1, &seq) ||
	    !take_dash(&text) || !take_number(&text, INT32_MAX, &number) || text.len)
		return false;
	*place_r = (struct events_place){xid, (int64_t)seq, (int64_t)number + 1};
	return true;
}

void
events_place_format(const struct events_place *place, char out[EVENTS_CURSOR_SIZE])
{
	snprintf(out, EVENTS_CURSOR_SIZE, "%" PRIu64 "-%" PRId64 "-%" PRId64, place->xid, place->seq,
	         MAX(place->skip - 1, 0));
}

struct events_place
events_place_end(uint64_t xid, int64_t wall_us)
{
	return (struct events_place){.xid = xid, .skip = wall_us / MINUTE_US + 1};
}

bool
events_place_is_stale(const struct events_place *place, int64_t wall_us, int64_t kept_us)
{
	return place->xid && !place->seq && (place->skip - 1) * MINUTE_US < wall_us - kept_us;
}

int
events_place_compare(const struct events_place *a, const struct events_place *b)
{
	if (a->xid != b->xid)
		return a->xid < b->xid ? -1 : 1;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return a->skip < b->skip ? -1 : a->skip > b->skip;
}

static struct slice
string_member(const struct json *json, const char *key, struct arena *arena)
{
	int at = json_get(json, 0, key);

	return at != JSON_NONE && json_type(json, at) == JSON_STRING ? json_string(json, at, arena) : SLICE_NONE;
}

bool
events_read_item(struct slice text, struct arena *arena, struct event_item *item_r)
{
	struct json json;
	struct json_error error;
	int data;

	if (!json_parse_payload(arena, text, &json, &error) || json_type(&json, 0) != JSON_OBJECT)
		return false;
	data = json_get(&json, 0, "data");
	item_r->kind = string_member(&json, "kind", arena);
	item_r->subject = string_member(&json, "subject", arena);
	item_r->data = data == JSON_NONE ? SLICE_NONE : json_raw(&json, data);
	return item_r->kind.data != NULL;
}

bool
events_wants(const struct events_filter *filter, const struct event_item *item)
{
	struct slice kind = filter->kind;

	if (filter->subject.data && !slice_equal(filter->subject, item->subject) &&
	    !slice_equal(filter->subject, item->workflow_id))
		return false;
	if (!kind.data)
		return true;
	if (kind.len && kind.data[kind.len - 1] == '*')
		return item->kind.len >= kind.len - 1 && memcmp(kind.data, item->kind.data, kind.len - 1) == 0;
	return slice_equal(kind, item->kind);
}

void
events_write_json(struct buf *out, const struct event_item *item)
{
	struct json_writer writer;
	char id[EVENTS_CURSOR_SIZE], at[40];

	events_place_format(&item->place, id);
	rows_format_time(item->at, at);
	json_write_begin(&writer, out);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "id", id);
	json_write_member_text(&writer, "at", at);
	json_write_member_string(&writer, "kind", item->kind);
	json_write_member_string(&writer, "subject", item->subject);
	json_write_member_string(&writer, "workflow_id", item->workflow_id);
	json_write_key(&writer, "data");
	if (item->data.data)
		json_write_raw(&writer, item->data);
	else
		json_write_null(&writer);
	json_write_object_close(&writer);
}

/* A line end would end the field: JSON has them only between its tokens, where a space says the same. */
static void
keep_one_line(struct buf *out, size_t from)
{
	for (size_t i = from; i < out->len; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
}

void
events_write_stream(struct buf *out, const struct event_item *item)
{
	char id[EVENTS_CURSOR_SIZE];
	size_t from;

	events_place_format(&item->place, id);
	buf_printf(out, "id: %s\nevent: ", id);
	from = out->len;
	buf_add_slice(out, item->kind);
	keep_one_line(out, from);
	buf_add_slice(out, SLICE("\ndata: "));
	from = out->len;
	events_write_json(out, item);
	keep_one_line(out, from);
	buf_add_slice(out, SLICE("\n\n"));
}
