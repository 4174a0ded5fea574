/*
 * events.h - one event: its place in the order, whether somebody wants it, and how it is written.
 *
 * A row of the table holds what one statement changed: items, an array of {kind, subject, data}. The place of an item
 * is (xid, seq, its number), and so is its public id, "<xid>-<seq>-<number>". A reader stands behind an item: skip says
 * how many items of the row (xid, seq) it has had. Pure; nothing blocks.
 */
#ifndef AGENTD_EVENTS_H
#define AGENTD_EVENTS_H

#include "base.h"
#include "arena.h"
#include "buf.h"

enum { EVENTS_CURSOR_SIZE = 64 };

/*
 * Zeros: the beginning of what is kept. seq 0: before all rows of this xid; skip is then the minute when that was the
 * end, because there is no row whose absence would tell that more has been dropped since.
 */
struct events_place {
	uint64_t xid;
	int64_t seq;
	int64_t skip;
};

/* kind: exact, or with * at its end; subject: of the item, or the row's workflow. Absent: any. */
struct events_filter {
	struct slice kind;
	struct slice subject;
};

/* One item, ready to be written. Everything is borrowed. */
struct event_item {
	struct events_place place;
	struct slice at; /* as PostgreSQL writes it */
	struct slice workflow_id;
	struct slice kind;
	struct slice subject;
	struct slice data; /* JSON; absent: none */
};

/* The place behind the event of this id. False: it is none. */
MUST_CHECK bool events_place_parse(struct slice text, struct events_place *place_r);
/* The id of the item that the place is behind. */
void events_place_format(const struct events_place *place, char out[EVENTS_CURSOR_SIZE]);
/* The end of what could be read at wall_us. */
struct events_place events_place_end(uint64_t xid, int64_t wall_us);
/* True if the place was the end longer ago than what is kept reaches. Of the place of an event PostgreSQL knows better.
 */
bool events_place_is_stale(const struct events_place *place, int64_t wall_us, int64_t kept_us);
/* As memcmp(). */
int events_place_compare(const struct events_place *a, const struct events_place *b);

/* Reads {kind, subject, data}; strings may be copied to the arena. False: it is not such an object. */
MUST_CHECK bool events_read_item(struct slice text, struct arena *arena, struct event_item *item_r);
MUST_CHECK bool events_wants(const struct events_filter *filter, const struct event_item *item);

/* {id, at, kind, subject, workflow_id, data} */
void events_write_json(struct buf *out, const struct event_item *item);
/* id, event and data of an event stream (WHATWG HTML 9.2), with the empty line. */
void events_write_stream(struct buf *out, const struct event_item *item);

#endif
