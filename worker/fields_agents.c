/* fields_agents.c - fields of agents. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const agent_states[] = {"online", "active", "idle", "busy", "error", NULL};

const struct field fields_agent[] = {
    TEXT("agent_id", REQUIRED, .min = 1, .max = 128, DOC("the agent's own name for itself; registering again updates")),
    TEXT("name", REQUIRED, .min = 1, .max = 200, DOC("for people")),
    TEXT("role", REQUIRED, .min = 1, .max = 64, .no_at = true, DOC("which tasks and messages it takes")),
    TEXT("description", .max = 2000, DOC("for people")),
    ARRAY("capabilities", .element = FIELD_TEXT, .max = 100, DOC("what it can do")),
    INT("max_concurrent", .min = 1, .max = 1000, .fallback = "1", DOC("tasks that it works on at once")),
    {0}};

const struct field fields_agent_heartbeat[] = {
    TEXT("status", .choices = agent_states, DOC("how it says it is")),
    NUMBER("load", .min = 0, .max = 1000000, DOC("how busy, as the agent measures it")),
    JSON("details", DOC("anything that helps people")),
    {0}};

const struct field query_agents[] = {PAGE, TEXT("role", .min = 1, .max = 64, DOC("only this role")), {0}};

SCHEMA(agent, "Agent", TEXT("agent_id"), TEXT("name"), TEXT("role"), TEXT("description"),
       ARRAY("capabilities", .element = FIELD_TEXT), INT("max_concurrent"), TEXT("status"), NUMBER("load"),
       JSON("details"), TIME("initialized_at"), TIME("last_activity"));
