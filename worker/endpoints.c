/* endpoints.c - the endpoint table: the whole API, one row each. See endpoint.h for what a row says. */
#include "api.h"
#include "endpoint.h"
#include "schemas.h"

const char ENDPOINT_DERIVED[] = "derived";

#define DERIVED(name)          \
	{                          \
		name, ENDPOINT_DERIVED \
	}
#define RETRY_DERIVED \
	DERIVED("retry_backoff"), DERIVED("retry_base_ms"), DERIVED("retry_max_ms"), DERIVED("retry_jitter")

const struct endpoint endpoint_table[] = {
    /* --- open --- */
    {HTTP_GET, "/", "root", "open", "Name, version and links", PERM_NONE, LIMIT_CLASS_NONE, .reply = &schema_root,
     .steps = {api_root}},
    {HTTP_GET, "/livez", "livez", "open", "The process answers; touches no dependency", PERM_NONE, LIMIT_CLASS_NONE,
     .reply = &schema_probe, .steps = {api_livez}},
    {HTTP_GET, "/readyz", "readyz", "open", "Can serve requests; says what is missing", PERM_NONE, LIMIT_CLASS_NONE,
     .reply = &schema_probe, .steps = {api_readyz}},
    {HTTP_GET, "/startupz", "startupz", "open", "Has started", PERM_NONE, LIMIT_CLASS_NONE, .reply = &schema_probe,
     .steps = {api_readyz}},
    {HTTP_GET, "/health", "health", "open", "Overall status", PERM_NONE, LIMIT_CLASS_NONE, .reply = &schema_health,
     .steps = {api_health}},
    {HTTP_GET, "/openapi.json", "openapi", "open", "This document", PERM_NONE, LIMIT_CLASS_NONE, .reply = &schema_any,
     .steps = {api_openapi}},
    {HTTP_GET, "/docs", "docs", "open", "This document for people", PERM_NONE, LIMIT_CLASS_NONE, .steps = {api_docs}},

    {HTTP_GET, "/.well-known/jwks.json", "jwks", "open", "Public keys of tokens (RFC 7517)", PERM_NONE,
     LIMIT_CLASS_NONE, .reply = &schema_any, .steps = {api_jwks}},

    /* --- auth --- */
    {HTTP_POST, "/api/v1/auth/login", "login", "auth", "A name and a password for a token", PERM_NONE,
     LIMIT_CLASS_LOGIN, .body = fields_login, .reply = &schema_token, .steps = {api_login_find, api_login_token}},
    {HTTP_GET, "/api/v1/auth/me", "me", "auth", "Who I am and what I may do", PERM_ANY, .reply = &schema_me,
     .steps = {api_me}},
    {HTTP_POST, "/api/v1/auth/verify", "verifyToken", "auth", "What a token says, or why it is not valid", PERM_ANY,
     .body = fields_verify_token, .reply = &schema_token_check, .steps = {api_verify_token}},

    /* --- keys --- */
    {HTTP_POST, "/api/v1/keys", "createKey", "keys", "A new API key; shown this once", PERM_ANY, .body = fields_key,
     .status = 201, .reply = &schema_new_key, .sql = ENDPOINT_SQL(KEY_CREATE), .prepare = api_key_prepare,
     .constants = {DERIVED("key_id"), DERIVED("hash"), DERIVED("key"), DERIVED("role")}},
    {HTTP_GET, "/api/v1/keys", "listKeys", "keys", "My keys; all of the tenant with key:manage", PERM_ANY,
     .query = query_page, .reply = &schema_key, .sql = ENDPOINT_SQL(KEY_LIST)},
    {HTTP_GET, "/api/v1/keys/{key_id}", "getKey", "keys", "One key with its statistics", PERM_ANY, .reply = &schema_key,
     .sql = ENDPOINT_SQL(KEY_GET)},
    {HTTP_POST, "/api/v1/keys/{key_id}/revoke", "revokeKey", "keys", "Ends a key for good, everywhere within a second",
     PERM_ANY, .reply = &schema_key, .sql = ENDPOINT_SQL(KEY_REVOKE)},
    {HTTP_POST, "/api/v1/keys/verify", "verifyKey", "keys", "Whether a key is valid, or why not", PERM_KEY_MANAGE,
     .body = fields_verify_key, .reply = &schema_key_check, .steps = {api_verify_key}},

    /* --- agents --- */
    {HTTP_POST, "/api/v1/agents", "registerAgent", "agents", "Register, or update what is registered",
     PERM_TASK_EXECUTE, .body = fields_agent, .status = 201, .reply = &schema_agent,
     .sql = ENDPOINT_SQL(AGENT_REGISTER)},
    {HTTP_GET, "/api/v1/agents", "listAgents", "agents", "Agents, newest first", PERM_AGENT_READ, .query = query_agents,
     .reply = &schema_agent, .sql = ENDPOINT_SQL(AGENT_LIST)},
    {HTTP_GET, "/api/v1/agents/{agent_id}", "getAgent", "agents", "One agent", PERM_AGENT_READ, .reply = &schema_agent,
     .sql = ENDPOINT_SQL(AGENT_GET)},
    {HTTP_DELETE, "/api/v1/agents/{agent_id}", "deleteAgent", "agents", "Forget an agent", PERM_AGENT_MANAGE,
     .reply = &schema_any, .sql = ENDPOINT_SQL(AGENT_DELETE)},
    {HTTP_POST, "/api/v1/agents/{agent_id}/heartbeat", "agentHeartbeat", "agents", "I am here", PERM_TASK_EXECUTE,
     .body = fields_agent_heartbeat, .reply = &schema_agent, .sql = ENDPOINT_SQL(AGENT_HEARTBEAT)},
    {HTTP_GET, "/api/v1/agents/{agent_id}/inbox", "inbox", "agents",
     "Takes the messages that wait for the agent or its role", PERM_MESSAGE_READ, .query = query_inbox,
     .reply = &schema_message, .steps = {api_inbox}},

    /* --- workflows --- */
    {HTTP_POST, "/api/v1/workflows", "createWorkflow", "workflows", "A graph of tasks, made whole or not at all",
     PERM_WORKFLOW_CREATE, .body = fields_workflow, .status = 201, .reply = &schema_workflow,
     .sql = ENDPOINT_SQL(WORKFLOW_CREATE), .prepare = api_workflow_prepare, .finish = api_workflow_finish,
     .constants = {DERIVED("tasks"), DERIVED("dependencies"), DERIVED("revisions")}},
    {HTTP_GET, "/api/v1/workflows", "listWorkflows", "workflows", "Workflows, newest first", PERM_WORKFLOW_READ,
     .query = query_workflows, .reply = &schema_workflow, .sql = ENDPOINT_SQL(WORKFLOW_LIST)},
    {HTTP_GET, "/api/v1/workflows/{id}", "getWorkflow", "workflows", "One workflow with its tasks", PERM_WORKFLOW_READ,
     .reply = &schema_workflow, .steps = {api_workflow_get}},
    {HTTP_POST, "/api/v1/workflows/{id}/cancel", "cancelWorkflow", "workflows", "Ends what has not ended",
     PERM_WORKFLOW_UPDATE, .reply = &schema_workflow, .sql = ENDPOINT_SQL(WORKFLOW_CANCEL)},

    /* --- tasks --- */
    {HTTP_POST, "/api/v1/tasks", "createTask", "tasks", "A task outside a workflow, or an array of them",
     PERM_WORKFLOW_CREATE, .body = fields_task, .many = true, .status = 201, .reply = &schema_task,
     .sql = ENDPOINT_SQL(TASK_CREATE), .prepare = api_task_prepare, .finish = api_task_finish,
     .constants = {DERIVED("queue"), RETRY_DERIVED}},
    {HTTP_GET, "/api/v1/tasks", "listTasks", "tasks", "Tasks, newest first", PERM_WORKFLOW_READ, .query = query_tasks,
     .reply = &schema_task, .sql = ENDPOINT_SQL(TASK_LIST)},
    {HTTP_GET, "/api/v1/tasks/{id}", "getTask", "tasks", "One task", PERM_WORKFLOW_READ, .reply = &schema_task,
     .sql = ENDPOINT_SQL(TASK_GET)},
    {HTTP_GET, "/api/v1/tasks/{id}/attempts", "listAttempts", "tasks", "Every lease of the task that has ended",
     PERM_WORKFLOW_READ, .query = query_attempts, .reply = &schema_attempt, .sql = ENDPOINT_SQL(TASK_ATTEMPTS)},
    {HTTP_POST, "/api/v1/tasks/lease", "leaseTasks", "tasks", "Takes tasks to work on; waits if there are none",
     PERM_TASK_EXECUTE, .body = fields_lease, .reply = &schema_lease, .steps = {api_lease}},
    {HTTP_POST, "/api/v1/tasks/{id}/heartbeat", "taskHeartbeat", "tasks", "I am still at it", PERM_TASK_EXECUTE,
     .body = fields_beat, .reply = &schema_beat, .sql = ENDPOINT_SQL(TASK_HEARTBEAT), .finish = api_beat_finish},
    {HTTP_POST, "/api/v1/tasks/{id}/complete", "completeTask", "tasks", "Done: the result", PERM_TASK_EXECUTE,
     .body = fields_complete, .reply = &schema_settled, .sql = ENDPOINT_SQL(TASK_SETTLE),
     .prepare = api_complete_prepare, .finish = api_settle_finish,
     .constants = {{"outcome", "complete"}, {"error_message", NULL}, {"retryable", "true"}, DERIVED("verdict")}},
    {HTTP_POST, "/api/v1/tasks/{id}/fail", "failTask", "tasks", "It did not work", PERM_TASK_EXECUTE,
     .body = fields_fail, .reply = &schema_settled, .sql = ENDPOINT_SQL(TASK_SETTLE), .finish = api_settle_finish,
     .constants = {{"outcome", "fail"}, {"output_data", NULL}, {"verdict", NULL}, {"duration_ms", NULL}}},
    {HTTP_POST, "/api/v1/tasks/{id}/release", "releaseTask", "tasks", "Hand it back unharmed: burns no attempt",
     PERM_TASK_EXECUTE, .body = fields_release, .reply = &schema_settled, .sql = ENDPOINT_SQL(TASK_SETTLE),
     .finish = api_settle_finish,
     .constants = {{"outcome", "release"},
                   {"error_message", NULL},
                   {"retryable", "true"},
                   {"output_data", NULL},
                   {"verdict", NULL},
                   {"duration_ms", NULL}}},
    {HTTP_POST, "/api/v1/tasks/settle", "settleTasks", "tasks",
     "Many complete, fail and release at once, each with its own status", PERM_TASK_EXECUTE, .body = fields_settle,
     .many = true, .reply = &schema_settled, .sql = ENDPOINT_SQL(TASK_SETTLE), .prepare = api_settle_prepare,
     .finish = api_settle_finish, .constants = {DERIVED("verdict")}},

    /* --- messages --- */
    {HTTP_POST, "/api/v1/messages", "sendMessage", "messages",
     "A message to an agent, a role or all; or an array of them", PERM_MESSAGE_SEND, .body = fields_message,
     .many = true, .status = 201, .reply = &schema_message, .sql = ENDPOINT_SQL(MESSAGE_SEND),
     .prepare = api_message_prepare, .finish = api_message_finish},
    {HTTP_GET, "/api/v1/messages", "listMessages", "messages", "Messages, newest first", PERM_MESSAGE_READ,
     .query = query_messages, .reply = &schema_message, .sql = ENDPOINT_SQL(MESSAGE_LIST)},
    {HTTP_GET, "/api/v1/messages/{id}", "getMessage", "messages", "One message", PERM_MESSAGE_READ,
     .reply = &schema_message, .sql = ENDPOINT_SQL(MESSAGE_GET)},
    {HTTP_POST, "/api/v1/messages/{id}/ack", "ackMessage", "messages", "I have dealt with it", PERM_MESSAGE_READ,
     .reply = &schema_message, .sql = ENDPOINT_SQL(MESSAGE_ACK)},

    /* --- system --- */
    {HTTP_GET, "/api/v1/system/status", "systemStatus", "system", "Processes, database, tasks and agents",
     PERM_HEALTH_READ, .reply = &schema_status, .sql = ENDPOINT_SQL(SYSTEM_STATUS), .finish = api_status_finish},
};

const int endpoint_count = ARRAY_LENGTH(endpoint_table);
