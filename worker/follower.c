/* follower.c - see follower.h. The id that a client knows is always behind what was written to it, never before. */
#include "follower.h"
#include "metrics.h"

enum { BEAT_US = 15000000, READS_MAX = 20 };

static void
add_place(struct follower *follower, struct buf *out)
{
	char id[EVENTS_CURSOR_SIZE];

	events_place_format(&follower->place, id);
	follower->told = follower->place;
	/* Without data nothing is dispatched, but the client knows where to go on. */
	buf_printf(out, "id: %s\n\n", id);
}

static void
write_and_clear(struct follower *follower, struct buf *text, int64_t now_us)
{
	stage_stream_write(follower->request, buf_slice(text));
	buf_free(text);
	follower->deadline_us = now_us + BEAT_US;
}

void
follower_begin(struct follower *follower, int64_t now_us)
{
	struct request *request = follower->request;
	struct buf hello = {0};

	follower->begun = true;
	if (follower->wish.stream) {
		stage_stream_begin(request);
		buf_add_slice(&hello, SLICE("retry: 1000\n"));
		add_place(follower, &hello);
		write_and_clear(follower, &hello, now_us);
		conn_watch_close(request->conn);
		return;
	}
	json_write_begin(&follower->page, &request->reply);
	json_write_object_open(&follower->page);
	json_write_key(&follower->page, "items");
	json_write_array_open(&follower->page);
}

static bool
has_room(const struct follower *follower)
{
	return follower->wish.stream ? conn_has_room(follower->request->conn) : follower->count < follower->wish.limit;
}

void
follower_take(struct follower *follower, struct follower_item *item)
{
	if (follower->full || events_place_compare(&item->item.place, &follower->place) <= 0)
		return;
	if (!events_wants(&follower->wish.filter, &item->item)) {
		follower->place = item->item.place;
		return;
	}
	if (!has_room(follower)) {
		follower->full = true;
		metrics_add(METRIC_EVENT_STREAMS_BEHIND, 0, follower->wish.stream);
		return;
	}
	follower->place = item->item.place;
	follower->count++;
	if (!follower->wish.stream) {
		if (!item->json.len)
			events_write_json(&item->json, &item->item);
		json_write_raw(&follower->page, buf_slice(&item->json));
		return;
	}
	if (!item->stream.len)
		events_write_stream(&item->stream, &item->item);
	stage_stream_write(follower->request, buf_slice(&item->stream));
	follower->told = follower->place;
}

bool
follower_is_done(const struct follower *follower, bool more, int64_t now_us)
{
	if (follower->request->worker->draining)
		return true;
	if (follower->wish.stream)
		return false;
	if (follower->count > 0 && (!more || follower->full || follower->count >= follower->wish.limit))
		return true;
	return (!more || follower->reads >= READS_MAX) && (follower->count > 0 || now_us >= follower->deadline_us);
}

void
follower_finish(struct follower *follower)
{
	struct request *request = follower->request;
	char cursor[EVENTS_CURSOR_SIZE];

	if (follower->wish.stream) {
		stage_stream_write(request, SLICE(": bye\n\n"));
		return;
	}
	events_place_format(&follower->place, cursor);
	json_write_array_close(&follower->page);
	json_write_member_text(&follower->page, "next_cursor", cursor);
	json_write_object_close(&follower->page);
	request->status = 200;
}

void
follower_beat(struct follower *follower, int64_t now_us)
{
	struct buf text = {0};

	if (now_us < follower->deadline_us || !conn_has_room(follower->request->conn))
		return;
	buf_add_slice(&text, SLICE(": beat\n"));
	if (events_place_compare(&follower->place, &follower->told) != 0)
		add_place(follower, &text);
	else
		buf_add_byte(&text, '\n');
	write_and_clear(follower, &text, now_us);
}
