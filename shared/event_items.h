/*
 * event_items.h - the events of a row of `events`, one after the other.
 *
 * A row is a JSON array that PostgreSQL wrote. An item of it is an event, {kind, subject, data}, or a group of events
 * of one kind, which costs a third of as many items to write and to store:
 *
 *     {"kind":K,"subject":[S1,S2],"data":{...},"each":{"a":[A1,A2]}}
 *
 * stands for {"kind":K,"subject":S1,"data":{...,"a":A1}} and the same with 2. Groups are written without spaces, their
 * members in this order. A row may be larger than the JSON parser takes at once, and most items are looked at alone, so
 * it is cut here without one. Nothing blocks.
 */
#ifndef AGENTD_EVENT_ITEMS_H
#define AGENTD_EVENT_ITEMS_H

#include "base.h"
#include "buf.h"

enum { EVENT_COLUMNS_MAX = 8 };

/* A group, and where in it one is; everything is borrowed from the row. */
struct event_group {
	struct slice kind;     /* JSON, as the values below */
	struct slice data;     /* what is the same for all of them, without the braces */
	struct slice subject;  /* of the event; absent before the first */
	struct slice subjects; /* that are left */
	int columns;
	struct event_column {
		struct slice name;
		struct slice value;
		struct slice values;
	} column[EVENT_COLUMNS_MAX];
};

/* Takes the first item off the row; *rest is the whole row at first. False: there are no more. */
MUST_CHECK bool event_items_take(struct slice *rest, struct slice *item_r);
/* False: the item is no group. */
MUST_CHECK bool event_group_begin(struct slice item, struct event_group *group_r);
/* Moves to the next event of the group, the first one at first. False: there are no more. */
MUST_CHECK bool event_group_next(struct event_group *group);
/* The event as it would be alone, into an emptied out; before the first one, what is the same for all, of no subject.
 */
void event_group_write(const struct event_group *group, struct buf *out);
/* The value of the event in the column of this name; absent: there is no such column. */
struct slice event_group_value(const struct event_group *group, const char *name);

/* All events of a row, those of groups written out. */
struct event_items {
	struct slice rest;
	struct event_group group; /* no subjects: none is open */
	struct buf text;
};

/* The row must stay until event_items_end(). */
void event_items_begin(struct event_items *items, struct slice row);
/* The event is valid until the next call. False: there are no more. */
MUST_CHECK bool event_items_next(struct event_items *items, struct slice *event_r);
void event_items_end(struct event_items *items);

#endif
