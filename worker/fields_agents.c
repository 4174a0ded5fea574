/* fields_agents.c - fields of agents. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const agent_states[] = {"online", "active", "idle", "busy", "error", NULL};
static const char *const shown_states[] = {"offline", "error", "busy", "idle", NULL};
static const char *const task_states[] = {"processing", "completed", "failed", "cancelled", NULL};

#define NAME_DOC DOC("for people")
#define ROLE_DOC DOC("which tasks and messages it takes")
#define CAPABILITIES ARRAY("capabilities", .element = FIELD_TEXT, .max = 100, DOC("what it can do"))
#define CONCURRENT_DOC DOC("tasks that it works on at once")

const struct field fields_agent[] = {
    TEXT("agent_id", REQUIRED, .min = 1, .max = 128, DOC("the agent's own name for itself; registering again updates")),
    TEXT("name", REQUIRED, .min = 1, .max = 200, NAME_DOC),
    TEXT("role", REQUIRED, .min = 1, .max = 64, .no_at = true, ROLE_DOC),
    TEXT("description", .max = 2000, NAME_DOC),
    CAPABILITIES,
    INT("max_concurrent", .min = 1, .max = 1000, .fallback = "1", CONCURRENT_DOC),
    {0}};

const struct field fields_agent_patch[] = {TEXT("name", .min = 1, .max = 200, NAME_DOC),
                                           TEXT("role", .min = 1, .max = 64, .no_at = true, ROLE_DOC),
                                           TEXT("description", .max = 2000, NAME_DOC),
                                           CAPABILITIES,
                                           INT("max_concurrent", .min = 1, .max = 1000, CONCURRENT_DOC),
                                           {0}};

const struct field fields_agent_heartbeat[] = {
    TEXT("status", .choices = agent_states, DOC("how it says it is; error is shown until it says something else")),
    NUMBER("load", .min = 0, .max = 1000000, DOC("how busy, as the agent measures it")),
    JSON("details", DOC("anything that helps people")),
    {0}};

const struct field query_agents[] = {
    PAGE,
    TEXT("role", .min = 1, .max = 64, DOC("only this role")),
    TEXT("status", .choices = shown_states, DOC("only with this status")),
    {0}};

const struct field query_agent_tasks[] = {
    UUID_PAGE,
    TEXT("status", .choices = task_states,
         DOC("processing: what it holds; failed: what failed for good in its hands, dead letters too")),
    {0}};

SCHEMA(agent, "Agent", TEXT("agent_id"), TEXT("name"), TEXT("role"), TEXT("description"),
       ARRAY("capabilities", .element = FIELD_TEXT), INT("max_concurrent"),
       TEXT("status", .choices = shown_states), NUMBER("load"),
       JSON("details"), TIME("initialized_at"), TIME("last_activity"));

SCHEMA(agent_status, "AgentStatus", TEXT("agent_id"),
       TEXT("status", .choices = shown_states, DOC("offline: silent; error: it says so; busy: it holds a task; idle")),
       TIME("since"), BOOL("live"), NUMBER("load"), JSON("details"), INT("max_concurrent"), TIME("last_activity"),
       ARRAY("held", .element = FIELD_OBJECT, DOC("tasks that it works on, with lease_until")));
