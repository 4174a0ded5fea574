/* fields_system.c - fields of the open endpoints and of the system. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

const struct field query_page[] = {PAGE, {0}};

SCHEMA(root, "Root", TEXT("name"), TEXT("version"), OBJECT("links"));
SCHEMA(probe, "Probe", TEXT("status"), ARRAY("missing", .element = FIELD_TEXT));
SCHEMA(health, "Health", TEXT("status"), TEXT("version"), NUMBER("uptime_s"), OBJECT("components"));

SCHEMA(
    status, "Status", TEXT("version"), TEXT("environment"), ARRAY("workers", .element = FIELD_OBJECT),
    OBJECT("keeper", DOC("whether this node's keeper leads the cluster, and what each of its duties did")),
    OBJECT("database"), OBJECT("tasks"), OBJECT("agents"), OBJECT("workflows"),
    OBJECT(
        "backups",
        DOC("last_at: when the newest one that is whole was begun; failed_at: the last that failed; proven_at: when a "
            "restore was last proven; null: never, or not for this tenant to see")),
    OBJECT("counted", DOC("all that ever happened, exact to a second ago")));

const struct schema schema_any = {"Any", NULL};
