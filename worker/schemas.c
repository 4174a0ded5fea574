/* schemas.c - see schemas.h. Every row has a doc text: it is the documentation of the API. */
#include "schemas.h"

static const char *const key_types[] = {"secret", "public", NULL};
static const char *const roles[] = {"admin", "operator", "viewer", "guest", "agent", NULL};
static const char *const backoffs[] = {"exponential", "fixed", NULL};
static const char *const outcomes[] = {"complete", "fail", "release", NULL};
static const char *const agent_states[] = {"online", "active", "idle", "busy", "error", NULL};
static const char *const task_states[] = {"blocked", "pending",   "processing", "retrying", "completed",
                                          "failed",  "cancelled", "dead",       NULL};
static const char *const workflow_states[] = {"pending", "running", "completed", "failed", "cancelled", NULL};
static const char *const message_states[] = {"sent", "received", "processed", NULL};

#define TEXT(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_TEXT, __VA_ARGS__ \
	}
#define INT(name_, ...)                               \
	{                                                 \
		.name = name_, .type = FIELD_INT, __VA_ARGS__ \
	}
#define NUMBER(name_, ...)                               \
	{                                                    \
		.name = name_, .type = FIELD_NUMBER, __VA_ARGS__ \
	}
#define BOOL(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_BOOL, __VA_ARGS__ \
	}
#define UUID(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_UUID, __VA_ARGS__ \
	}
#define TIME(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_TIME, __VA_ARGS__ \
	}
#define JSON(name_, ...)                               \
	{                                                  \
		.name = name_, .type = FIELD_JSON, __VA_ARGS__ \
	}
#define OBJECT(name_, ...)                               \
	{                                                    \
		.name = name_, .type = FIELD_OBJECT, __VA_ARGS__ \
	}
#define ARRAY(name_, ...)                               \
	{                                                   \
		.name = name_, .type = FIELD_ARRAY, __VA_ARGS__ \
	}
#define DOC(text) .doc = text
#define REQUIRED .required = true

/* --- bodies --- */

const struct field fields_login[] = {
    TEXT("username", REQUIRED, .min = 1, .max = 64, DOC("the user's name")),
    TEXT("password", REQUIRED, .min = 1, .max = 256, DOC("the password")),
    TEXT("tenant_name", .min = 1, .max = 63, DOC("the tenant to log in to; default when absent")),
    {0}};

const struct field fields_verify_token[] = {TEXT("token", REQUIRED, .min = 1, .max = 4096, DOC("an access token")),
                                            {0}};

const struct field fields_key[] = {
    TEXT("name", REQUIRED, .min = 1, .max = 200, DOC("what the key is for")),
    TEXT("type", .choices = key_types, .fallback = "secret", DOC("public keys may only read")),
    TEXT("role", .choices = roles, DOC("the key's role: at most what you may do yourself; yours when absent")),
    INT("rate_limit", .min = 1, .max = 1000000000, .fallback = "1000", DOC("requests per window")),
    INT("expires_in_days", .min = 1, .max = 3650, .fallback = "365", DOC("life of the key")),
    {0}};

const struct field fields_verify_key[] = {TEXT("key", REQUIRED, .min = 1, .max = 200, DOC("a whole API key")), {0}};

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

static const struct field fields_retry[] = {
    TEXT("backoff", .choices = backoffs, DOC("exponential doubles the pause each time")),
    NUMBER("base_s", .min = 0, .max = 86400000, DOC("the first pause")),
    NUMBER("max_s", .min = 0, .max = 86400000, DOC("the longest pause")),
    BOOL("jitter", DOC("shorten each pause by a random part up to a half")),
    {0}};

static const struct field fields_gate[] = {
    TEXT("on_revision", .min = 1, .max = 100,
         DOC("key of the task to send back to when the verdict is needs_revision")),
    INT("max_rounds", .min = 1, .max = 20, DOC("rounds at most; needs_revision in the last one refuses")),
    {0}};

#define TASK_FIELDS                                                                                                \
	TEXT("role", .min = 1, .max = 64, .no_at = true, DOC("which agents may take it; this or agent_id is needed")), \
	    TEXT("agent_id", .min = 1, .max = 128, DOC("the one agent that may take it")),                             \
	    TEXT("description", .max = 4000, .fallback = "", DOC("for people and agents")),                            \
	    JSON("input_data", DOC("anything; handed to the agent as it was sent")),                                   \
	    INT("priority", .min = 1, .max = 10, .fallback = "5", DOC("10 is taken first")),                           \
	    INT("max_retries", .min = 0, .max = 100, .fallback = "3", DOC("further attempts after the first")),        \
	    INT("timeout_s", .min = 1, .max = 604800, DOC("an attempt ends after this time, heartbeats or not")),      \
	    OBJECT("retry", .fields = fields_retry, DOC("how long to wait before another attempt")),                   \
	    TIME("run_at", DOC("not before this time")), OBJECT("labels", DOC("names and texts, for finding it again"))

const struct field fields_task[] = {TASK_FIELDS, {0}};

const struct field fields_graph_task[] = {
    TEXT("key", REQUIRED, .min = 1, .max = 100, DOC("name of the task within the workflow")),
    ARRAY("depends_on", .element = FIELD_TEXT, .max = 500,
          DOC("keys of tasks that must complete first; their outputs are handed on")),
    OBJECT("gate", .fields = fields_gate,
           DOC("the task's output_data.verdict decides: approved, needs_revision or rejected")),
    TASK_FIELDS,
    {0}};

const struct field fields_workflow[] = {
    TEXT("description", REQUIRED, .min = 1, .max = 4000, DOC("what the work is")),
    JSON("input_data", DOC("anything; handed to every task without an input of its own")),
    TEXT("template", .min = 1, .max = 100, DOC("name of a template, such as review; this or tasks is needed")),
    ARRAY("tasks", .fields = fields_graph_task, .min = 1, .max = 500, DOC("the graph")),
    OBJECT("labels", DOC("names and texts, for finding it again")),
    {0}};

const struct field fields_lease[] = {
    ARRAY("roles", REQUIRED, .element = FIELD_TEXT, .min = 1, .max = 32, .no_at = true,
          DOC("take tasks of these roles")),
    TEXT("agent_id", REQUIRED, .min = 1, .max = 128, DOC("who takes them; tasks bound to this agent come too")),
    INT("max", .min = 1, .max = 100, .fallback = "1", DOC("tasks at most")),
    NUMBER("wait_s", .min = 0, .max = 60000, .fallback = "0", DOC("wait this long for a task if there is none")),
    NUMBER("lease_s", .min = 1000, .max = 3600000, DOC("life of the lease without a heartbeat")),
    {0}};

#define EPOCH INT("epoch", REQUIRED, .min = 1, .max = 2147483647, DOC("of the lease that this is about"))
#define OUTPUT JSON("output_data", DOC("the result; handed to dependent tasks as it was sent"))
#define DURATION INT("duration_ms", .min = 0, .max = 9000000000000000, DOC("time it took; measured when absent"))
#define ERROR_MESSAGE TEXT("error_message", REQUIRED, .min = 1, .max = 4000, DOC("what went wrong, for people"))
#define RETRYABLE BOOL("retryable", .fallback = "true", DOC("false: another attempt is of no use"))

const struct field fields_beat[] = {EPOCH, JSON("progress", DOC("anything, shown with the task")), {0}};
const struct field fields_complete[] = {EPOCH, OUTPUT, DURATION, {0}};
const struct field fields_fail[] = {EPOCH, ERROR_MESSAGE, RETRYABLE, {0}};
const struct field fields_release[] = {EPOCH, {0}};

const struct field fields_settle[] = {
    UUID("id", REQUIRED, DOC("the task")),
    EPOCH,
    TEXT("outcome", REQUIRED, .choices = outcomes, DOC("how the lease ends")),
    OUTPUT,
    TEXT("error_message", .min = 1, .max = 4000, DOC("what went wrong; needed for fail")),
    RETRYABLE,
    DURATION,
    {0}};

const struct field fields_message[] = {
    TEXT("from_agent_id", REQUIRED, .min = 1, .max = 128, DOC("who sends")),
    TEXT("to_agent_id", .min = 1, .max = 128, DOC("one agent; exactly one of to_agent_id, to_role and broadcast")),
    TEXT("to_role", .min = 1, .max = 64, DOC("whichever agent of the role asks first")),
    BOOL("broadcast", DOC("true: every registered agent but the sender")),
    TEXT("message_type", REQUIRED, .min = 1, .max = 100, DOC("known types are checked")),
    OBJECT("content", REQUIRED, DOC("the message itself")),
    UUID("task_id", DOC("the task that it is about")),
    UUID("reply_to", DOC("the message that it answers")),
    {0}};

/* --- query strings --- */

#define PAGE                                                                      \
	INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")), \
	    TEXT("cursor", .min = 1, .max = 200, DOC("next_cursor of the page before"))
#define UUID_PAGE                                                                 \
	INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")), \
	    UUID("cursor", DOC("next_cursor of the page before"))

const struct field query_page[] = {PAGE, {0}};
const struct field query_attempts[] = {
    INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")),
    INT("cursor", .min = 1, .max = 2147483647, DOC("next_cursor of the page before")),
    {0}};
const struct field query_agents[] = {PAGE, TEXT("role", .min = 1, .max = 64, DOC("only this role")), {0}};
const struct field query_workflows[] = {UUID_PAGE,
                                        TEXT("status", .choices = workflow_states, DOC("only this status")),
                                        TEXT("template", .min = 1, .max = 100, DOC("only made from this template")),
                                        {0}};
const struct field query_tasks[] = {
    UUID_PAGE,
    TEXT("status", .choices = task_states, DOC("only this status")),
    TEXT("role", .min = 1, .max = 64, DOC("only this role")),
    TEXT("agent_id", .min = 1, .max = 128, DOC("only bound to, or leased by, this agent")),
    UUID("workflow_id", DOC("only of this workflow")),
    {0}};
const struct field query_messages[] = {UUID_PAGE,
                                       TEXT("from_agent_id", .min = 1, .max = 128, DOC("only from this agent")),
                                       TEXT("to_agent_id", .min = 1, .max = 128, DOC("only to this agent")),
                                       TEXT("message_type", .min = 1, .max = 100, DOC("only this type")),
                                       TEXT("status", .choices = message_states, DOC("only this status")),
                                       {0}};
const struct field query_inbox[] = {
    NUMBER("wait_s", .min = 0, .max = 60000, .fallback = "0", DOC("wait this long for a message if there is none")),
    INT("max", .min = 1, .max = 100, .fallback = "50", DOC("messages at most")),
    {0}};

/* --- answers --- */

#define SCHEMA(id, label, ...)                                    \
	static const struct field id##_fields[] = {__VA_ARGS__, {0}}; \
	const struct schema schema_##id = {label, id##_fields}

SCHEMA(root, "Root", TEXT("name"), TEXT("version"), OBJECT("links"));
SCHEMA(probe, "Probe", TEXT("status"), ARRAY("missing", .element = FIELD_TEXT));
SCHEMA(health, "Health", TEXT("status"), TEXT("version"), NUMBER("uptime_s"), OBJECT("components"));
SCHEMA(token, "Token", TEXT("access_token"), TEXT("token_type"), INT("expires_in"), OBJECT("user"));
SCHEMA(me, "Me", TEXT("kind"), TEXT("id"), TEXT("name"), TEXT("role"), ARRAY("permissions", .element = FIELD_TEXT),
       TEXT("tenant"));
SCHEMA(token_check, "TokenCheck", BOOL("valid"), TEXT("reason"), OBJECT("claims"));
SCHEMA(key, "Key", TEXT("key_id"), TEXT("name"), TEXT("type"), TEXT("role"), TEXT("owner"), TEXT("status"),
       INT("rate_limit"), TIME("created_at"), TIME("expires_at"), TIME("last_used"), INT("usage_count"),
       INT("failed_attempts"), INT("days_until_expiration"));
SCHEMA(new_key, "NewKey", TEXT("key_id"), TEXT("key", DOC("shown this once")), TEXT("name"), TEXT("type"), TEXT("role"),
       TEXT("owner"), TEXT("status"), INT("rate_limit"), TIME("created_at"), TIME("expires_at"));
SCHEMA(key_check, "KeyCheck", BOOL("valid"), TEXT("reason"), TEXT("key_id"), TEXT("owner"), TEXT("role"));
SCHEMA(agent, "Agent", TEXT("agent_id"), TEXT("name"), TEXT("role"), TEXT("description"),
       ARRAY("capabilities", .element = FIELD_TEXT), INT("max_concurrent"), TEXT("status"), NUMBER("load"),
       JSON("details"), TIME("initialized_at"), TIME("last_activity"));

static const struct field progress_fields[] = {
    INT("total"), INT("completed"), INT("failed"), INT("cancelled"), INT("running"), INT("percent"), {0}};

#define TASK_ANSWER                                                                                                \
	UUID("id"), UUID("workflow_id"), TEXT("key"), TEXT("role"), TEXT("agent_id"), TEXT("description"),             \
	    TEXT("status", .choices = task_states), INT("priority"), JSON("input_data"), JSON("output_data"),          \
	    TEXT("error_message"), INT("epoch"), INT("attempt"), INT("retry_count"), INT("max_retries"), INT("round"), \
	    TEXT("leased_by", DOC("who holds it, or held it last")), TIME("lease_until"), JSON("progress"),            \
	    TIME("run_at"), INT("timeout_s"), OBJECT("labels"), TIME("created_at"), TIME("started_at")
SCHEMA(task, "Task", TASK_ANSWER, TIME("completed_at"), INT("duration_ms"), ARRAY("depends_on", .element = FIELD_TEXT));
SCHEMA(workflow, "Workflow", UUID("id"), TEXT("description"), TEXT("status", .choices = workflow_states),
       TEXT("template"), OBJECT("labels"), JSON("input_data"), JSON("output_data"), TEXT("verdict"),
       TEXT("error_message"), OBJECT("progress", .fields = progress_fields), TEXT("created_by"), TIME("created_at"),
       TIME("started_at"), TIME("completed_at"), ARRAY("tasks", .element = FIELD_OBJECT));
SCHEMA(attempt, "Attempt", INT("epoch"), INT("attempt"), INT("round"), TEXT("agent_id"), TEXT("outcome"),
       TEXT("error_message"), JSON("output_data"), TIME("started_at"), TIME("ended_at"), INT("duration_ms"));
SCHEMA(lease, "Lease", ARRAY("tasks", .element = FIELD_OBJECT));
SCHEMA(beat, "Beat", UUID("id"), TEXT("status"), TIME("lease_until"), BOOL("cancel"));
SCHEMA(settled, "Settled", UUID("id"), TEXT("status", .choices = task_states), INT("epoch"), INT("attempt"),
       INT("round"), TIME("completed_at"), TIME("run_at"), INT("duration_ms"));
SCHEMA(message, "Message", UUID("id"), TEXT("from_agent_id"), TEXT("to_agent_id"), TEXT("to_role"),
       TEXT("message_type"), OBJECT("content"), UUID("task_id"), UUID("reply_to"),
       TEXT("status", .choices = message_states), TEXT("received_by"), TIME("sent_at"), TIME("received_at"),
       TIME("processed_at"));
SCHEMA(status, "Status", TEXT("version"), TEXT("environment"), ARRAY("workers", .element = FIELD_OBJECT),
       OBJECT("database"), OBJECT("tasks"), OBJECT("agents"), OBJECT("workflows"));
const struct schema schema_any = {"Any", NULL};

/* --- messages --- */

static const char *const validation_verdicts[] = {"approved", "needs_revision", "rejected", NULL};
static const char *const final_verdicts[] = {"final_approved", "review_needed", "rejected", NULL};

static const struct field analysis_submission[] = {OBJECT("analysis", REQUIRED),
                                                   ARRAY("selected_tools", REQUIRED, .element = FIELD_TEXT),
                                                   ARRAY("sub_problems", REQUIRED, .element = FIELD_JSON),
                                                   NUMBER("confidence", REQUIRED, .min = 0, .max = 1000),
                                                   {0}};
static const struct field validation_result[] = {TEXT("verdict", REQUIRED, .choices = validation_verdicts), {0}};
static const struct field execution_result[] = {
    TEXT("execution_status", REQUIRED, .min = 1, .max = 100), ARRAY("sub_tasks", REQUIRED, .element = FIELD_JSON), {0}};
static const struct field final_verdict[] = {TEXT("verdict", REQUIRED, .choices = final_verdicts), {0}};
static const struct field anything[] = {{0}};

const struct message_type message_types[] = {
    {"task_request", anything},
    {"task_response", anything},
    {"analysis_submission", analysis_submission},
    {"validation_result", validation_result},
    {"execution_result", execution_result},
    {"final_verdict", final_verdict},
    {"status_update", anything},
    {"error_report", anything},
    {"revision_request", anything},
};
const int message_type_count = ARRAY_LENGTH(message_types);
