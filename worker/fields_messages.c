/* fields_messages.c - fields of messages, and what known types of them must say. See schemas.h. */
#include "schemas.h"
#include "field_rows.h"

static const char *const message_states[] = {"sent", "received", "processed", NULL};

const struct field fields_message[] = {
    TEXT("from_agent_id", REQUIRED, .min = 1, .max = 128, DOC("who sends")),
    TEXT("to_agent_id", .min = 1, .max = 128, DOC("one agent; exactly one of to_agent_id, to_role and broadcast")),
    TEXT("to_role", .min = 1, .max = 64, DOC("whichever agent of the role asks first")),
    BOOL("broadcast", DOC("true: every registered agent but the sender")),
    TEXT("message_type", REQUIRED, .min = 1, .max = 100, DOC("known types are checked")),
    OBJECT("content", REQUIRED, DOC("the message itself")),
    UUID("task_id", DOC("the task that it is about")),
    INT("epoch", .min = 1, .max = 2147483647,
        DOC("of the sender's lease of task_id: refused with 409 once that lease has ended")),
    UUID("reply_to", DOC("the message that it answers; it joins that one's thread")),
    INT("ack_s", .min = 1, .max = 86400,
        DOC("delivered again when not acknowledged within this time; AGENTD_MESSAGE_ACK_S when absent")),
    {0}};

const struct field fields_ack[] = {
    INT("delivery", .min = 1, .max = 2147483647,
        DOC("delivery_count as it was received: refused with 409 once the message was delivered again")),
    {0}};

const struct field query_messages[] = {UUID_PAGE,
                                       TEXT("from_agent_id", .min = 1, .max = 128, DOC("only from this agent")),
                                       TEXT("to_agent_id", .min = 1, .max = 128, DOC("only to this agent")),
                                       TEXT("message_type", .min = 1, .max = 100, DOC("only this type")),
                                       TEXT("status", .choices = message_states, DOC("only this status")),
                                       UUID("thread_id", DOC("only this thread")),
                                       BOOL("undeliverable", DOC("true: only those that were given up")),
                                       {0}};

const struct field query_inbox[] = {
    NUMBER("wait_s", .min = 0, .max = 60000, .fallback = "0", DOC("wait this long for a message if there is none")),
    INT("max", .min = 1, .max = 100, .fallback = "50", DOC("messages at most")),
    {0}};

SCHEMA(message, "Message", UUID("id"), TEXT("from_agent_id"), TEXT("to_agent_id"), TEXT("to_role"),
       TEXT("message_type"), OBJECT("content"), UUID("task_id"), UUID("reply_to"),
       UUID("thread_id", DOC("the message that began the thread")), TEXT("status", .choices = message_states),
       TEXT("received_by"), INT("delivery_count", DOC("how often it was handed out")),
       BOOL("undeliverable", DOC("it was handed out as often as is allowed and never acknowledged")),
       TIME("ack_until", DOC("then it is delivered again")), TIME("sent_at"), TIME("received_at"), TIME("processed_at"),
       ARRAY("recipients", .element = FIELD_TEXT, DOC("of a broadcast")));

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
