/* fields_alerts.c - fields of alerts, their rules and channels. See schemas.h. */
#include "field_rows.h"
#include "schemas.h"

static const char *const metrics[] = {"agent_errors", "agent_task_ms",    "agent_success_rate", "task_ms",
                                      "error_rate",   "queue_age_s",      "agents_offline",     "dead_letters",
                                      "disk_percent", "certificate_days", "node_critical",      NULL};
static const char *const comparisons[] = {">", ">=", "<", "<=", "==", NULL};
static const char *const severities[] = {"info", "warning", "critical", NULL};
static const char *const states[] = {"pending", "firing", "resolved", NULL};
static const char *const types[] = {"webhook", NULL};

#define METRIC                                                                                                    \
	.choices = metrics,                                                                                           \
	DOC("of each agent, within the window: agent_errors (failed leases), agent_task_ms (average), "               \
	    "agent_success_rate (percent, of five at least); of all: task_ms, error_rate (percent of tasks that "     \
	    "failed for good, of five at least), agents_offline (silent, but not for a day), dead_letters; of each "  \
	    "queue: queue_age_s; of each node, in the tenant default: disk_percent, certificate_days, node_critical " \
	    "(1: its health is critical)")
#define RULE_COMMON                                                     \
	TEXT("description", .min = 1, .max = 1000, DOC("for who is told")), \
	    TEXT("subject", .min = 1, .max = 500, DOC("only this agent, queue (a role, or @agent) or node")), LABELS

const struct field fields_alert_rule[] = {
    TEXT("name", REQUIRED, .min = 1, .max = 100, DOC("no two rules have the same")),
    TEXT("metric", REQUIRED, METRIC),
    TEXT("comparison", REQUIRED, .choices = comparisons, DOC("how the value is held against the threshold")),
    NUMBER("threshold", REQUIRED, .min = -1000000000000000, .max = 1000000000000000,
           DOC("the alert is for values beyond it")),
    RULE_COMMON,
    INT("window_s", .min = 60, .max = 1800, .fallback = "300", DOC("how far back is counted, to half a minute")),
    INT("for_s", .min = 0, .max = 86400, .fallback = "0", DOC("the condition has to hold for so long before it fires")),
    INT("keep_s", .min = 0, .max = 86400, .fallback = "60",
        DOC("the condition must not hold for so long before the alert is resolved: a value that swings is one alert")),
    TEXT("severity", .choices = severities, .fallback = "warning", DOC("channels may ask for the severe ones only")),
    BOOL("active", .fallback = "true", DOC("false: it is not looked at")),
    {0}};

const struct field fields_alert_rule_patch[] = {
    TEXT("comparison", .choices = comparisons, DOC("how the value is held against the threshold")),
    NUMBER("threshold", .min = -1000000000000000, .max = 1000000000000000, DOC("the alert is for values beyond it")),
    RULE_COMMON,
    INT("window_s", .min = 60, .max = 1800, DOC("how far back is counted, to half a minute")),
    INT("for_s", .min = 0, .max = 86400, DOC("the condition has to hold for so long before it fires")),
    INT("keep_s", .min = 0, .max = 86400, DOC("the condition must not hold for so long before the alert is resolved")),
    TEXT("severity", .choices = severities, DOC("channels may ask for the severe ones only")),
    BOOL("active", DOC("false: it is not looked at, and what fires by it is resolved")),
    {0}};

const struct field fields_alert_channel[] = {
    TEXT("name", REQUIRED, .min = 1, .max = 100, DOC("no two channels have the same")),
    TEXT("type", .choices = types, .fallback = "webhook", DOC("changes are in the log of the leading node anyway")),
    TEXT("url", REQUIRED, .min = 1, .max = 2000,
         DOC("gets a POST for each change: https or http, not to internal addresses (AGENTD_WEBHOOK_ALLOWED_RANGES)")),
    TEXT("min_severity", .choices = severities, .fallback = "info", DOC("less severe alerts are not told")),
    BOOL("active", .fallback = "true", DOC("false: it is told nothing")),
    {0}};

const struct field fields_alert_channel_patch[] = {
    TEXT("url", .min = 1, .max = 2000, DOC("gets a POST for each change; the secret stays")),
    TEXT("min_severity", .choices = severities, DOC("less severe alerts are not told")),
    BOOL("active", DOC("false: it is told nothing, what was on its way included; true: told again from now on")),
    {0}};

const struct field query_alerts[] = {
    UUID_PAGE,
    TEXT("state", .choices = states, DOC("absent: firing and resolved; pending: not for long enough yet")),
    TEXT("severity", .choices = severities, DOC("only these")),
    TEXT("rule", .min = 1, .max = 100, DOC("only of the rule of this name")),
    TEXT("subject", .min = 1, .max = 500, DOC("only about this agent, queue or node")),
    {0}};

const struct field query_named[] = {
    UUID_PAGE, TEXT("name", .min = 1, .max = 100, DOC("only the one of this name")), {0}};

SCHEMA(alert, "Alert", UUID("id"), TEXT("rule"), UUID("rule_id"), TEXT("state", .choices = states),
       TEXT("severity", .choices = severities), TEXT("metric"),
       TEXT("subject", DOC("the agent, queue or node; absent: the rule is about all of them")),
       NUMBER("value", DOC("what it was when it began to fire, or swung back to firing")), TEXT("comparison"),
       NUMBER("threshold"), TEXTS("labels"), TIME("since"), TIME("fired_at"), TIME("resolved_at"),
       ARRAY("deliveries", .element = FIELD_OBJECT));
SCHEMA(alert_rule, "AlertRule", UUID("id"), TEXT("name"), TEXT("description"), TEXT("metric", .choices = metrics),
       TEXT("comparison", .choices = comparisons), NUMBER("threshold"), TEXT("subject"), INT("window_s"), INT("for_s"),
       INT("keep_s"), TEXT("severity", .choices = severities), TEXTS("labels"), BOOL("active"),
       BOOL("builtin", DOC("one of agentd's own: changed and silenced, but not deleted")), TIME("created_at"),
       TIME("updated_at"));
#define CHANNEL                                                                                                     \
	UUID("id"), TEXT("name"), TEXT("type", .choices = types), TEXT("url"),                                          \
	    TEXT("min_severity", .choices = severities), BOOL("active"), TEXT("disabled_reason"), TIME("delivered_at"), \
	    TIME("failed_at"), TEXT("error"), TEXT("created_by"), TIME("created_at"), TIME("updated_at")
SCHEMA(alert_channel, "AlertChannel", CHANNEL);
SCHEMA(new_alert_channel, "NewAlertChannel", CHANNEL,
       TEXT("secret", DOC("whsec_...: signs what is sent; never shown again")));
SCHEMA(alert_delivery, "AlertDelivery", UUID("id", DOC("also the header webhook-id")), UUID("channel_id"),
       UUID("alert_id"), TEXT("event"), TEXT("status"), INT("attempts"), TIME("next_at"), INT("answer_status"),
       TEXT("error"), TIME("created_at"), TIME("ended_at"));
