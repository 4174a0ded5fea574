/*
 * schemas.h - the field tables of the API: what bodies and query strings have in them, and what answers look like.
 */
#ifndef AGENTD_SCHEMAS_H
#define AGENTD_SCHEMAS_H

#include "endpoint.h"

/* Bodies. */
extern const struct field fields_login[], fields_verify_token[], fields_key[], fields_verify_key[], fields_agent[],
    fields_agent_heartbeat[], fields_workflow[], fields_graph_task[], fields_task[], fields_lease[], fields_beat[],
    fields_complete[], fields_fail[], fields_release[], fields_settle[], fields_message[];

/* Query strings. */
extern const struct field query_page[], query_attempts[], query_agents[], query_workflows[], query_tasks[],
    query_messages[], query_inbox[];

/* Answers. */
extern const struct schema schema_root, schema_probe, schema_health, schema_token, schema_me, schema_token_check,
    schema_key, schema_new_key, schema_key_check, schema_agent, schema_workflow, schema_task, schema_attempt,
    schema_lease, schema_beat, schema_settled, schema_message, schema_status, schema_any;

/* Messages whose content agentd knows: the fields that a type must have; more are let through. */
struct message_type {
	const char *name;
	const struct field *content;
};
extern const struct message_type message_types[];
extern const int message_type_count;

#endif
