/* fields_schedules.c - fields of templates and schedules. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

static const char *const overlaps[] = {"skip", "queue", "cancel", NULL};
static const char *const catch_ups[] = {"none", "one", "all", NULL};

#define GRAPH \
	ARRAY("tasks", .fields = fields_graph_task, .min = 1, .max = 500, DOC("a graph of tasks, as in POST /workflows"))
#define OVERLAP                                                                                      \
	.choices = overlaps,                                                                             \
	DOC("when it is due and a workflow of it has not ended: skip this time, queue it (one at most) " \
	    "until that has ended, or cancel that workflow")
#define CATCH_UP                                                                                                      \
	.choices = catch_ups, DOC("times that passed while nobody could fire it (for more than a minute): none of them, " \
	                          "one for all, or each, in order (behind one another if overlap is queue)")

const struct field fields_template[] = {TEXT("description", .min = 1, .max = 4000, DOC("what it is for")),
                                        ARRAY("tasks", REQUIRED, .fields = fields_graph_task, .min = 1, .max = 500,
                                              DOC("the graph, as in POST /workflows")),
                                        {0}};

const struct field query_template[] = {
    INT("version", .min = 1, .max = 1000000000, DOC("this version; absent: the newest")), {0}};

#define SCHEDULE_COMMON                                                                                           \
	TEXT("description", .min = 1, .max = 4000, DOC("of its workflows; absent: the schedule's name")),             \
	    TEXT("template", .min = 1, .max = 100, DOC("the newest version of this template; this or tasks")), GRAPH, \
	    JSON("input_data", DOC("given to each of its workflows as it is")), LABELS,                               \
	    INT("deadline_s", .min = 1, .max = 31536000, DOC("a workflow of it fails if it has not ended by then"))

const struct field fields_schedule[] = {
    TEXT("name", REQUIRED, .min = 1, .max = 100, DOC("no two schedules have the same")),
    TEXT("cron", REQUIRED, .min = 1, .max = 500,
         DOC("minute hour day-of-month month day-of-week, such as 0 9 * * mon-fri, or @daily and the like")),
    TEXT("time_zone", .min = 1, .max = 64, .fallback = "UTC", DOC("IANA name, such as Asia/Seoul")),
    SCHEDULE_COMMON,
    TEXT("overlap", .fallback = "skip", OVERLAP),
    TEXT("catch_up", .fallback = "one", CATCH_UP),
    BOOL("active", .fallback = "true", DOC("false: it does not fire until it is resumed")),
    {0}};

const struct field fields_schedule_patch[] = {
    TEXT("name", .min = 1, .max = 100, DOC("no two schedules have the same")),
    TEXT("cron", .min = 1, .max = 500, DOC("the next time is computed anew, from now")),
    TEXT("time_zone", .min = 1, .max = 64, DOC("IANA name; the next time is computed anew, from now")),
    SCHEDULE_COMMON,
    TEXT("overlap", OVERLAP),
    TEXT("catch_up", CATCH_UP),
    BOOL("active", DOC("false: pause it; true: resume it, from now")),
    {0}};

const struct field query_schedules[] = {UUID_PAGE,
                                        BOOL("active", DOC("only those that fire, or only paused ones")),
                                        TEXT("name", .min = 1, .max = 100, DOC("only the one of this name")),
                                        {0}};

SCHEMA(template, "Template", TEXT("name"), INT("version"), BOOL("builtin"), TEXT("description"), INT("task_count"),
       ARRAY("tasks", .element = FIELD_OBJECT), TEXT("created_by"), TIME("created_at"));
SCHEMA(schedule, "Schedule", UUID("id"), TEXT("name"), TEXT("cron"), TEXT("time_zone"), TEXT("description"),
       TEXT("template"), ARRAY("tasks", .element = FIELD_OBJECT), JSON("input_data"), OBJECT("labels"),
       INT("deadline_s"), TEXT("overlap", .choices = overlaps), TEXT("catch_up", .choices = catch_ups), BOOL("active"),
       TIME("next_at"), TIME("queued_at"), TIME("last_at"), UUID("last_workflow_id"), INT("fired"), INT("skipped"),
       INT("failures"), TEXT("error_message"), TEXT("created_by"), TIME("created_at"), TIME("updated_at"),
       ARRAY("upcoming", .element = FIELD_TIME));
