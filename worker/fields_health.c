/* fields_health.c - fields of health and recoveries. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

static const char *const states[] = {"healthy", "warning", "critical", "unknown", NULL};
static const char *const outcomes[] = {"started", "recovered", "failed", "given_up", NULL};

const struct field fields_health_record[] = {
    TEXT("component", REQUIRED, .min = 1, .max = 64, DOC("what was looked at")),
    TEXT("status", REQUIRED, .choices = states, DOC("how it was")),
    TEXT("agent_id", .min = 1, .max = 128, DOC("the agent it is about")),
    TEXT("message", .max = 2000, DOC("for people")),
    NUMBER("response_time_ms", .min = 0, .max = 86400000000, DOC("how long its answer took")),
    JSON("details", DOC("anything that helps people")),
    {0}};

const struct field query_health_records[] = {PAGE,
                                             TEXT("component", .min = 1, .max = 64,
                                                  DOC("only of this: cpu, memory, disk, database, redis, queue, clock, "
                                                      "certificate, agents, backup, agent, worker 0, pool 0")),
                                             TEXT("agent_id", .min = 1, .max = 128, DOC("only about this agent")),
                                             TEXT("node", .min = 1, .max = 200, DOC("only of the node of this name")),
                                             TEXT("status", .choices = states, DOC("only with this status")),
                                             TIME("from", DOC("only from this time on")),
                                             TIME("to", DOC("only before this time")),
                                             {0}};

const struct field query_recoveries[] = {
    PAGE,
    TEXT("component", .min = 1, .max = 64,
         DOC("only of this: database, redis, disk, agent, schedule, worker 0, pool 0")),
    TEXT("outcome", .choices = outcomes, DOC("only with this outcome")),
    {0}};

SCHEMA(health_report, "HealthReport",
       TEXT("status", .choices = states, DOC("the worst of all that the node cannot do without")),
       BOOL("writes", DOC("false: a disk is full, what makes something new is refused")),
       ARRAY("components", .element = FIELD_OBJECT,
             DOC("of this node: name, status, message, response_time_ms (null: nothing was asked), failures in a row, "
                 "since, "
                 "checked_at")),
       OBJECT("agents",
              DOC("of the tenant: how many are healthy, warning, critical, unknown; unwell: up to 100 of them")),
       ARRAY("nodes", .element = FIELD_OBJECT, DOC("all that are alive: name, status, version, clock_skew_ms")),
       INT("recoveries", DOC("on record in the tenant; those of nodes are the tenant default's")));
SCHEMA(health_record, "HealthRecord", UUID("id"), TEXT("component"), TEXT("agent_id"), TEXT("node"),
       TEXT("status", .choices = states), TEXT("message"), NUMBER("response_time_ms"), JSON("details"),
       TIME("recorded_at"));
SCHEMA(recovery, "Recovery", UUID("id"), TEXT("component"), TEXT("subject", DOC("the agent or the schedule")),
       TEXT("node"),
       TEXT("action", DOC("reset_pool, reconnect_redis, replace_worker, shed_writes, take_back_leases, pause, none")),
       INT("attempt", DOC("in its row of attempts")), TEXT("error", DOC("what was wrong")),
       TEXT("outcome", .choices = outcomes, DOC("given_up: it was tried as often as it may be")), TIME("began_at"),
       TIME("ended_at"), NUMBER("duration_ms"));
