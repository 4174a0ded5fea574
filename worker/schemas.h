/*
 * schemas.h - the field tables of the API: what bodies and query strings have in them, and what answers look like.
 */
#ifndef AGENTD_SCHEMAS_H
#define AGENTD_SCHEMAS_H

#include "endpoint.h"

/* Bodies. */
extern const struct field fields_login[], fields_verify_token[], fields_key[], fields_verify_key[], fields_agent[],
    fields_agent_heartbeat[], fields_workflow[], fields_graph_task[], fields_task[], fields_lease[], fields_beat[],
    fields_complete[], fields_fail[], fields_release[], fields_settle[], fields_message[], fields_task_patch[],
    fields_decision[], fields_rejection[], fields_redrive[], fields_append[], fields_dependency[], fields_subtask[],
    fields_subtask_patch[], fields_workflow_patch[], fields_limit[], fields_ack[], fields_memory[];

/* Query strings. */
extern const struct field query_page[], query_attempts[], query_agents[], query_workflows[], query_tasks[],
    query_messages[], query_inbox[], query_dead[], query_uuid_page[], query_memory[],
    query_memory_entry[], query_memory_history[];

/* Answers. */
extern const struct schema schema_root, schema_probe, schema_health, schema_token, schema_me, schema_token_check,
    schema_key, schema_new_key, schema_key_check, schema_agent, schema_workflow, schema_task, schema_attempt,
    schema_lease, schema_beat, schema_settled, schema_message, schema_status, schema_any,
    schema_dependency, schema_subtask, schema_appended, schema_redriven, schema_graph, schema_limit,
    schema_memory, schema_memory_access;

/* Messages whose content agentd knows: the fields that a type must have; more are let through. */
struct message_type {
	const char *name;
	const struct field *content;
};
extern const struct message_type message_types[];
extern const int message_type_count;

#endif
