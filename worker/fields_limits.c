/* fields_limits.c - fields of limits on tasks. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

static const char *const kinds[] = {"concurrency", "rate", NULL};
static const char *const keys[] = {"role", "label", "agent", NULL};

const struct field fields_limit[] = {
    TEXT("kind", REQUIRED, .choices = kinds, DOC("concurrency: how many run at once; rate: how many start in a window")),
    TEXT("key", REQUIRED, .choices = keys, DOC("what is counted apart: each role, each value of a label, each agent")),
    TEXT("label", .min = 1, .max = 100, DOC("name of the label, when key is label")),
    TEXT("match", .min = 1, .max = 500, DOC("only this role, value of the label, or agent; absent: each of them")),
    INT("value", REQUIRED, .min = 1, .max = 1000000000, DOC("how many")),
    INT("window_s", .min = 1, .max = 86400, DOC("the window, when kind is rate")),
    {0}};

SCHEMA(limit, "Limit", TEXT("name"), TEXT("kind", .choices = kinds), TEXT("key", .choices = keys), TEXT("label"),
       TEXT("match"), INT("value"), INT("window_s"), TIME("created_at"), TIME("updated_at"));
