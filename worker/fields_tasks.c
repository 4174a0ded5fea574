/* fields_tasks.c - fields of tasks: making, leasing and settling them. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const backoffs[] = {"exponential", "fixed", NULL};
static const char *const on_duplicate[] = {"refuse", "return", NULL};
static const char *const outcomes[] = {"complete", "fail", "release", NULL};

static const char *const task_states[] = {"blocked", "pending",   "processing", "retrying", "completed",
                                          "failed",  "cancelled", "dead",       NULL};

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
    BOOL("approval", DOC("true: a person decides, by approve or reject; no agent gets the task")),
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
	    TIME("run_at", DOC("not before this time")), LABELS,                                                       \
	    NUMBER("lease_s", .min = 1000, .max = 3600000,                                                             \
	           DOC("life of a lease without a heartbeat, whatever the agent asks for")),                           \
	    TEXT("unique_key", .min = 1, .max = 200, DOC("only one task with this key at a time, until it has ended")), \
	    TEXT("concurrency_key", .min = 1, .max = 200, DOC("tasks with this key run one after another")),           \
	    ARRAY("requires", .element = FIELD_TEXT, .max = 50, DOC("capabilities that the agent must have"))

const struct field fields_task[] = {
    TASK_FIELDS,
    TEXT("on_duplicate", .choices = on_duplicate, .fallback = "refuse",
         DOC("when a live task has the unique_key: refuse (409), or return that task (200)")),
    {0}};

const struct field fields_graph_task[] = {
    TEXT("key", REQUIRED, .min = 1, .max = 100, DOC("name of the task within the workflow")),
    ARRAY("depends_on", .element = FIELD_TEXT, .max = 500,
          DOC("keys of tasks that must complete first; their outputs are handed on")),
    OBJECT("gate", .fields = fields_gate,
           DOC("the task's output_data.verdict decides: approved, needs_revision or rejected")),
    OBJECT("condition",
           DOC("looked at when the dependencies are done, on their outputs: {task, path, op, value}, or all, any, not of such; "
               "if it does not hold the task is skipped")),
    TASK_FIELDS,
    {0}};

const struct field fields_lease[] = {
    ARRAY("roles", REQUIRED, .element = FIELD_TEXT, .min = 1, .max = 32, .no_at = true,
          DOC("take tasks of these roles")),
    TEXT("agent_id", REQUIRED, .min = 1, .max = 128, DOC("who takes them; tasks bound to this agent come too")),
    INT("max", .min = 1, .max = 100, .fallback = "1", DOC("tasks at most")),
    NUMBER("wait_s", .min = 0, .max = 60000, .fallback = "0", DOC("wait this long for a task if there is none")),
    NUMBER("lease_s", .min = 1000, .max = 3600000, DOC("life of the lease without a heartbeat")),
    ARRAY("capabilities", .element = FIELD_TEXT, .max = 100,
          DOC("what the agent can do now; absent: what it registered with")),
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

const struct field query_attempts[] = {
    INT("limit", .min = 1, .max = 500, .fallback = "50", DOC("items on a page")),
    INT("cursor", .min = 1, .max = 2147483647, DOC("next_cursor of the page before")),
    {0}};

const struct field query_tasks[] = {
    UUID_PAGE,
    TEXT("status", .choices = task_states, DOC("only this status")),
    TEXT("role", .min = 1, .max = 64, DOC("only this role")),
    TEXT("agent_id", .min = 1, .max = 128, DOC("only bound to, or leased by, this agent")),
    UUID("workflow_id", DOC("only of this workflow")),
    TEXT("label", .min = 3, .max = 600, DOC("only with this label: name:text")),
    {0}};
const struct field query_dead[] = {UUID_PAGE, TEXT("role", .min = 1, .max = 64, DOC("only this role")), {0}};
const struct field query_uuid_page[] = {UUID_PAGE, {0}};

const struct field fields_task_patch[] = {INT("priority", .min = 1, .max = 10, DOC("10 is taken first")),
                                          TIME("run_at", DOC("not before this time; one in the past: now")),
                                          {0}};
const struct field fields_decision[] = {TEXT("comment", .max = 4000, DOC("why; handed on with the verdict")), {0}};
const struct field fields_rejection[] = {
    TEXT("comment", .max = 4000, DOC("why; handed on with the verdict, as feedback when sent back")),
    BOOL("send_back", .fallback = "false",
         DOC("true: needs_revision, back to the task that the gate names; else the work is refused")),
    {0}};
const struct field fields_redrive[] = {TEXT("role", .min = 1, .max = 64, DOC("only this role")),
                                       ARRAY("ids", .element = FIELD_UUID, .max = 1000, DOC("only these")),
                                       INT("max", .min = 1, .max = 10000, .fallback = "1000", DOC("at most")),
                                       {0}};
const struct field fields_append[] = {
    UUID("task_id", REQUIRED, DOC("the task that the caller holds")),
    EPOCH,
    ARRAY("tasks", REQUIRED, .fields = fields_graph_task, .min = 1, .max = 500,
          DOC("as for a new workflow; depends_on may also name tasks that are there already")),
    ARRAY("before", .element = FIELD_TEXT, .max = 500, .fallback = "[]",
          DOC("keys of waiting tasks that from now on wait for the new ones too")),
    {0}};
const struct field fields_dependency[] = {UUID("depends_on", REQUIRED, DOC("a task of the same workflow")), {0}};

static const char *const subtask_states[] = {"pending", "processing", "completed", "failed", NULL};

const struct field fields_subtask[] = {
    EPOCH,
    TEXT("description", REQUIRED, .min = 1, .max = 4000, DOC("what the step is")),
    TEXT("status", .choices = subtask_states, .fallback = "pending", DOC("how far it is")),
    JSON("input_data", DOC("anything")),
    JSON("output_data", DOC("anything")),
    TEXT("error_message", .max = 4000, DOC("what went wrong")),
    {0}};
const struct field fields_subtask_patch[] = {EPOCH,
                                             TEXT("status", .choices = subtask_states, DOC("how far it is")),
                                             JSON("output_data", DOC("anything")),
                                             TEXT("error_message", .max = 4000, DOC("what went wrong")),
                                             {0}};

#define TASK_ANSWER                                                                                                \
	UUID("id"), UUID("workflow_id"), TEXT("key"), TEXT("role"), TEXT("agent_id"), TEXT("description"),             \
	    TEXT("status", .choices = task_states), INT("priority"), JSON("input_data"), JSON("output_data"),          \
	    TEXT("error_message"), INT("epoch"), INT("attempt"), INT("retry_count"), INT("max_retries"), INT("round"), \
	    TEXT("leased_by", DOC("who holds it, or held it last")), TIME("lease_until"), JSON("progress"),            \
	    TIME("run_at"), INT("timeout_s"), OBJECT("labels"), TIME("created_at"), TIME("started_at")

SCHEMA(task, "Task", TASK_ANSWER, TEXT("unique_key"), TEXT("concurrency_key"),
       ARRAY("requires", .element = FIELD_TEXT), OBJECT("condition"), BOOL("approval"),
       BOOL("skipped", DOC("cancelled because its condition did not hold, or all it waited for was skipped")),
       TEXT("parked", DOC("what holds it back: a limit's counter, or paused")), UUID("parent_id"), NUMBER("lease_s"), TIME("completed_at"), INT("duration_ms"), ARRAY("depends_on", .element = FIELD_TEXT));

SCHEMA(attempt, "Attempt", INT("epoch"), INT("attempt"), INT("round"), TEXT("agent_id"), TEXT("outcome"),
       TEXT("error_message"), JSON("output_data"), TIME("started_at"), TIME("ended_at"), INT("duration_ms"));

SCHEMA(
    lease, "Lease",
    ARRAY("tasks", .element = FIELD_OBJECT,
          DOC("each with its input; of one that was made in a trace also traceparent and, if there was one, tracestate "
              "(W3C Trace Context): what the agent does belongs under it, and a settlement that carries it joins it")));
SCHEMA(beat, "Beat", UUID("id"), TEXT("status"), TIME("lease_until"), BOOL("cancel"));

SCHEMA(settled, "Settled", UUID("id"), TEXT("status", .choices = task_states), INT("epoch"), INT("attempt"),
       INT("round"), TIME("completed_at"), TIME("run_at"), INT("duration_ms"));
SCHEMA(dependency, "Dependency", UUID("id"), TEXT("key"), TEXT("status", .choices = task_states),
       TEXT("direction", DOC("depends_on: waited for; dependent: waits")));
SCHEMA(subtask, "Subtask", UUID("id"), UUID("task_id"), TEXT("description"), TEXT("status", .choices = subtask_states),
       JSON("input_data"), JSON("output_data"), TEXT("error_message"), TIME("created_at"), TIME("started_at"),
       TIME("completed_at"));
SCHEMA(appended, "Appended", UUID("task_id"), UUID("workflow_id"), ARRAY("tasks", .element = FIELD_OBJECT));
SCHEMA(redriven, "Redriven", INT("redriven"), ARRAY("ids", .element = FIELD_UUID));
