/* fields_events.c - fields of events. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

#define EVENT_FILTER                                                                                       \
	TEXT("kind", .min = 1, .max = 100, DOC("only this kind, like task.completed; task.* is all of task")), \
	    TEXT("subject", .min = 1, .max = 128,                                                              \
	         DOC("only about this: the id of a task, an agent, or of a workflow with all its tasks"))

const struct field query_events[] = {
    TEXT(
        "after", .min = 1, .max = 64,
        DOC("next_cursor of the page before, or the id of an event: what comes behind it; latest: only what comes from "
            "now on; absent: from the oldest that is kept")),
    EVENT_FILTER,
    NUMBER("wait_s", .min = 0, .max = 60000, .fallback = "0", DOC("wait this long for an event if there is none")),
    INT("limit", .min = 1, .max = 500, .fallback = "100", DOC("events at most")),
    {0}};

const struct field query_event_stream[] = {
    TEXT("after", .min = 1, .max = 64,
         DOC("the id of an event: what comes behind it, unless the header Last-Event-ID says where to go on; absent: "
             "only what comes from now on")),
    EVENT_FILTER,
    {0}};

SCHEMA(event, "Event", TEXT("id", DOC("opaque; good as a cursor, and as Last-Event-ID")), TIME("at"), TEXT("kind"),
       TEXT("subject"), UUID("workflow_id"), JSON("data"));
SCHEMA(events, "EventPage", ARRAY("items", .fields = event_fields),
       TEXT("next_cursor", DOC("where to go on: always there, and further even if nothing fitted")));
