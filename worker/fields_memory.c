/* fields_memory.c - fields of the memory that agents share. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const memory_types[] = {"shared", "agent", "read_only", NULL};
static const char *const memory_ops[] = {"read", "write", "delete", "refused", "expire", NULL};

const struct field fields_memory[] = {
    JSON("value", REQUIRED, DOC("anything; kept as it was sent")),
    TEXT("type", .choices = memory_types, .fallback = "shared",
         DOC("shared: anyone reads and writes it; agent: only seen by agent_id; read_only: written once, then only "
             "by the role admin")),
    INT("ttl_s", .min = 1, .max = 315360000, DOC("it is gone after this time; without it, it stays")),
    TEXT("agent_id", .min = 1, .max = 128, DOC("who writes, for the record; needed for the type agent")),
    INT("version", .min = 0, .max = 9000000000000000,
        DOC("compare-and-set: the version that must be current; 0: there must be no entry")),
    {0}};

#define VIEWER TEXT("agent_id", .min = 1, .max = 128, DOC("who asks: its own entry comes before the shared one"))

const struct field query_memory_entry[] = {VIEWER, {0}};

const struct field query_memory[] = {
    INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")),
    TEXT("cursor", .min = 1, .max = 201, DOC("next_cursor of the page before")),
    TEXT("prefix", .max = 200, .fallback = "", DOC("only keys that begin so")),
    TEXT("agent_id", .min = 1, .max = 128, DOC("who asks: its own entries are listed too")),
    {0}};

const struct field query_memory_history[] = {
    INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")),
    INT("cursor", .min = 1, .max = 9000000000000000, DOC("next_cursor of the page before")),
    VIEWER,
    {0}};

SCHEMA(memory, "MemoryEntry", TEXT("key"), TEXT("type", .choices = memory_types),
       TEXT("agent_id", DOC("whose private entry it is")), INT("version", DOC("also the ETag")), TIME("expires_at"),
       TEXT("created_by"), TEXT("updated_by"), TIME("created_at"), TIME("updated_at"),
       JSON("value", DOC("not in lists and not of what was deleted")));

SCHEMA(memory_access, "MemoryAccess",
       TEXT("op", .choices = memory_ops, DOC("refused: a write or delete that was turned down")),
       INT("version", DOC("that it saw or made")), TEXT("agent_id", DOC("who said to be asking")),
       TEXT("actor", DOC("the user or key that asked")), TIME("at"));
