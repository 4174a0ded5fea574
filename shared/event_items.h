/*
 * event_items.h - the items of a row of events, one after the other.
 *
 * A row may be larger than the JSON parser takes at once, and most items are looked at alone. Pure.
 */
#ifndef AGENTD_EVENT_ITEMS_H
#define AGENTD_EVENT_ITEMS_H

#include "base.h"

/*
 * Takes the first element off a JSON array that PostgreSQL wrote, of any length; *rest is the whole array at first.
 * False: there are no more.
 */
MUST_CHECK bool event_items_next(struct slice *rest, struct slice *item_r);

#endif
