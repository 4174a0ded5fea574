/*
 * schemas.h - the field tables of the API: what bodies and query strings have in them, and what answers look like.
 */
#ifndef AGENTD_SCHEMAS_H
#define AGENTD_SCHEMAS_H

#include "endpoint.h"

/* Bodies. */
extern const struct field fields_ack[];
extern const struct field fields_agent[];
extern const struct field fields_agent_heartbeat[];
extern const struct field fields_agent_patch[];
extern const struct field fields_alert_channel[];
extern const struct field fields_alert_channel_patch[];
extern const struct field fields_alert_rule[];
extern const struct field fields_alert_rule_patch[];
extern const struct field fields_append[];
extern const struct field fields_beat[];
extern const struct field fields_complete[];
extern const struct field fields_config[];
extern const struct field fields_decision[];
extern const struct field fields_dependency[];
extern const struct field fields_fail[];
extern const struct field fields_graph_task[];
extern const struct field fields_key[];
extern const struct field fields_lease[];
extern const struct field fields_limit[];
extern const struct field fields_login[];
extern const struct field fields_memory[];
extern const struct field fields_message[];
extern const struct field fields_password_change[];
extern const struct field fields_redrive[];
extern const struct field fields_refresh[];
extern const struct field fields_rejection[];
extern const struct field fields_release[];
extern const struct field fields_rotate[];
extern const struct field fields_schedule[];
extern const struct field fields_schedule_patch[];
extern const struct field fields_settle[];
extern const struct field fields_subtask[];
extern const struct field fields_subtask_patch[];
extern const struct field fields_task[];
extern const struct field fields_task_patch[];
extern const struct field fields_template[];
extern const struct field fields_tenant[];
extern const struct field fields_tenant_patch[];
extern const struct field fields_user[];
extern const struct field fields_user_password[];
extern const struct field fields_user_patch[];
extern const struct field fields_verify_key[];
extern const struct field fields_verify_token[];
extern const struct field fields_workflow[];
extern const struct field fields_workflow_patch[];

/* Query strings. */
extern const struct field query_agent_tasks[];
extern const struct field query_agents[];
extern const struct field query_agents_history[];
extern const struct field query_alerts[];
extern const struct field query_attempts[];
extern const struct field query_audit[];
extern const struct field query_audit_chain[];
extern const struct field query_dead[];
extern const struct field query_dependencies[];
extern const struct field query_event_stream[];
extern const struct field query_events[];
extern const struct field query_history[];
extern const struct field query_inbox[];
extern const struct field query_memory[];
extern const struct field query_memory_entry[];
extern const struct field query_memory_history[];
extern const struct field query_messages[];
extern const struct field query_named[];
extern const struct field query_page[];
extern const struct field fields_health_record[];
extern const struct field query_health_records[];
extern const struct field query_recoveries[];
extern const struct field query_schedules[];
extern const struct field query_tasks[];
extern const struct field query_template[];
extern const struct field query_tenants[];
extern const struct field query_users[];
extern const struct field query_uuid_page[];
extern const struct field query_workflows[];

/* Answers. */
extern const struct schema schema_agent;
extern const struct schema schema_agent_metrics;
extern const struct schema schema_agent_status;
extern const struct schema schema_alert;
extern const struct schema schema_alert_channel;
extern const struct schema schema_alert_delivery;
extern const struct schema schema_alert_rule;
extern const struct schema schema_any;
extern const struct schema schema_appended;
extern const struct schema schema_attempt;
extern const struct schema schema_audit;
extern const struct schema schema_audit_export;
extern const struct schema schema_audit_verdict;
extern const struct schema schema_beat;
extern const struct schema schema_config;
extern const struct schema schema_dependency;
extern const struct schema schema_event;
extern const struct schema schema_events;
extern const struct schema schema_explanation;
extern const struct schema schema_graph;
extern const struct schema schema_health;
extern const struct schema schema_health_report;
extern const struct schema schema_health_record;
extern const struct schema schema_recovery;
extern const struct schema schema_key;
extern const struct schema schema_key_check;
extern const struct schema schema_lease;
extern const struct schema schema_limit;
extern const struct schema schema_me;
extern const struct schema schema_memory;
extern const struct schema schema_memory_access;
extern const struct schema schema_message;
extern const struct schema schema_new_alert_channel;
extern const struct schema schema_new_key;
extern const struct schema schema_probe;
extern const struct schema schema_redriven;
extern const struct schema schema_root;
extern const struct schema schema_roles;
extern const struct schema schema_rotated_key;
extern const struct schema schema_schedule;
extern const struct schema schema_session;
extern const struct schema schema_settled;
extern const struct schema schema_status;
extern const struct schema schema_subtask;
extern const struct schema schema_system_metrics;
extern const struct schema schema_task;
extern const struct schema schema_template;
extern const struct schema schema_tenant;
extern const struct schema schema_token;
extern const struct schema schema_token_check;
extern const struct schema schema_user;
extern const struct schema schema_workflow;

/* Messages whose content agentd knows: the fields that a type must have; more are let through. */
struct message_type {
	const char *name;
	const struct field *content;
};
extern const struct message_type message_types[];
extern const int message_type_count;

#endif
