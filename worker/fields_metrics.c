/* fields_metrics.c - fields of metrics, and of what explains a task. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

#define SPAN                                                                     \
	TIME("from", DOC("history from this time; absent: an hour before its end")), \
	    TIME("to", DOC("history before this time; absent: now")),                \
	    INT("step", .min = 1, .max = 31622400, DOC("seconds of one point; widened for more than 500 points"))
#define RATES NUMBER("success_rate", DOC("percent, of what ended well or badly")), NUMBER("error_rate")
#define HISTORY                                                                                                      \
	ARRAY("history", .element = FIELD_OBJECT,                                                                        \
	      DOC("oldest first; totals as at the end of each step, the rest averaged over it; null unless from, to or " \
	          "step is given"))

const struct field query_history[] = {SPAN, {0}};
const struct field query_agents_history[] = {PAGE, SPAN, {0}};

SCHEMA(system_metrics, "SystemMetrics", INT("total_workflows", DOC("made")), INT("started_workflows"),
       INT("completed_workflows"), INT("failed_workflows"), INT("cancelled_workflows"), NUMBER("avg_workflow_ms"),
       INT("total_tasks", DOC("made")), INT("started_tasks", DOC("leases")), INT("completed_tasks"),
       INT("failed_tasks", DOC("for good")), INT("cancelled_tasks"), INT("skipped_tasks"),
       INT("retried_tasks", DOC("attempts that failed and were followed by another")), NUMBER("avg_task_ms"), RATES,
       INT("messages_sent"), OBJECT("agents", DOC("how many are registered, live, idle, busy, in error, offline")),
       NUMBER("uptime_hours"), NUMBER("cpu_percent", DOC("of a node, in the last interval; disk: of the state folder")),
       NUMBER("memory_percent"), NUMBER("disk_percent"), TIME("counted_at", DOC("of the newest event that is counted")),
       HISTORY);

SCHEMA(agent_metrics, "AgentMetrics", TEXT("agent_id"), TEXT("role"), TEXT("status"), INT("total_tasks", DOC("leases")),
       INT("completed_tasks"), INT("failed_tasks", DOC("leases that failed or ran out, whatever became of the task")),
       NUMBER("avg_response_ms"), NUMBER("min_response_ms"), NUMBER("max_response_ms"), RATES, INT("messages_sent"),
       INT("messages_received"), TIME("counted_at"), HISTORY);

SCHEMA(
    explanation, "Explanation", UUID("id"), TEXT("status"),
    BOOL("runnable", DOC("true: the next agent that asks may get it")),
    ARRAY("reasons", .element = FIELD_OBJECT,
          DOC("code, detail: a sentence, frees: what would free it, about: the facts. Codes: dependency, condition, "
              "gate, "
              "approval, schedule, backoff, limit, concurrency_key, paused, no_agent, capability, agent_busy, queued, "
              "processing, ended")),
    OBJECT("queue", DOC("name; ahead: how many stand before it, ready: how many can be leased, both to 10,000")),
    OBJECT("agents", DOC("of its role: registered, live, capable of it, free to take it, idle")));
