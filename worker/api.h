/*
 * api.h - what endpoint rows name: prepare, finish and steps, one api_*.c a group.
 */
#ifndef AGENTD_API_H
#define AGENTD_API_H

#include "calls.h"
#include "request.h"

/* api_system.c */
enum step api_root(struct request *request);
enum step api_livez(struct request *request);
enum step api_readyz(struct request *request);
enum step api_startupz(struct request *request);
enum step api_health(struct request *request);
void api_report_finish(struct request *request, struct call *call, const struct db_result *result);
enum step api_openapi(struct request *request);
enum step api_docs(struct request *request);
enum step api_jwks(struct request *request);
void api_status_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_auth.c */
enum step api_login_find(struct request *request);
enum step api_login_token(struct request *request);
enum step api_me(struct request *request);
enum step api_verify_token(struct request *request);
/* A .follow for endpoints whose query announces a change: all processes look for it at once. */
void api_announced(struct request *request, struct call *call, const struct db_result *result);

/* api_sessions.c */
enum step api_refresh(struct request *request);
bool api_sessions_prepare(struct request *request, struct call *call);
bool api_session_prepare(struct request *request, struct call *call);
bool api_logout_prepare(struct request *request, struct call *call);
void api_logout_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_password.c */
enum step api_password_check(struct request *request);
enum step api_password_store(struct request *request);

/* api_users.c */
enum step api_user_hash(struct request *request);
enum step api_user_password_hash(struct request *request);
bool api_user_create_prepare(struct request *request, struct call *call);
bool api_user_change_prepare(struct request *request, struct call *call);
bool api_user_patch_prepare(struct request *request, struct call *call);
bool api_user_password_prepare(struct request *request, struct call *call);
void api_user_get_finish(struct request *request, struct call *call, const struct db_result *result);
void api_user_change_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_keys.c */
bool api_key_prepare(struct request *request, struct call *call);
void api_key_finish(struct request *request, struct call *call, const struct db_result *result);
bool api_key_change_prepare(struct request *request, struct call *call);
bool api_key_rotate_prepare(struct request *request, struct call *call);
bool api_key_rotate_judge(struct request *request, struct call *call, const struct db_result *result);
enum step api_verify_key(struct request *request);

/* api_audit.c */
void api_audit_export_finish(struct request *request, struct call *call, const struct db_result *result);
void api_audit_verify_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_config.c */
enum step api_config_get(struct request *request);
enum step api_config_patch(struct request *request);

/* api_tasks.c */
bool api_task_prepare(struct request *request, struct call *call);
void api_task_finish(struct request *request, struct call *call, const struct db_result *result);
void api_task_follow(struct request *request, struct call *call, const struct db_result *result);
void api_steer_follow(struct request *request, struct call *call, const struct db_result *result);
bool api_append_prepare(struct request *request, struct call *call);
void api_fenced_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_explain.c */
void api_explain_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_lease.c */
enum step api_lease(struct request *request);

/* api_settle.c */
bool api_complete_prepare(struct request *request, struct call *call);
bool api_cancel_prepare(struct request *request, struct call *call);
bool api_end_prepare(struct request *request, struct call *call);
bool api_settle_prepare(struct request *request, struct call *call);
bool api_approve_prepare(struct request *request, struct call *call);
bool api_reject_prepare(struct request *request, struct call *call);
void api_settle_follow(struct request *request, struct call *call, const struct db_result *result);
void api_settle_finish(struct request *request, struct call *call, const struct db_result *result);
void api_cancel_finish(struct request *request, struct call *call, const struct db_result *result);
void api_decision_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_alerts.c */
bool api_alert_rule_prepare(struct request *request, struct call *call);
bool api_alert_channel_prepare(struct request *request, struct call *call);
bool api_alert_channel_patch_prepare(struct request *request, struct call *call);
void api_alert_channel_finish(struct request *request, struct call *call, const struct db_result *result);

/* api_limits.c */
bool api_limit_prepare(struct request *request, struct call *call);

/* api_workflows.c */
bool api_workflow_prepare(struct request *request, struct call *call);
void api_workflow_finish(struct request *request, struct call *call, const struct db_result *result);
enum step api_workflow_get(struct request *request);

/* api_templates.c */
bool api_template_prepare(struct request *request, struct call *call);
bool api_template_builtin(struct request *request, struct call *call);
bool api_template_free(struct request *request, struct call *call);

/* api_tenants.c */
enum step api_tenant_hash(struct request *request);
bool api_tenant_create_prepare(struct request *request, struct call *call);
void api_tenant_create_finish(struct request *request, struct call *call, const struct db_result *result);
enum step api_roles(struct request *request);

/* api_schedules.c */
bool api_schedule_prepare(struct request *request, struct call *call);
void api_schedule_finish(struct request *request, struct call *call, const struct db_result *result);
void api_schedule_get_finish(struct request *request, struct call *call, const struct db_result *result);
bool api_schedule_patch_prepare(struct request *request, struct call *call);
void api_schedule_patch_finish(struct request *request, struct call *call, const struct db_result *result);
bool api_schedule_run_prepare(struct request *request, struct call *call);
/* api_events.c */
enum step api_events(struct request *request);
enum step api_events_stream(struct request *request);
enum step api_events_workflow(struct request *request);

/* api_messages.c */
bool api_message_prepare(struct request *request, struct call *call);
void api_message_follow(struct request *request, struct call *call, const struct db_result *result);
void api_message_finish(struct request *request, struct call *call, const struct db_result *result);
bool api_messages_prepare(struct request *request, struct call *call);
void api_ack_finish(struct request *request, struct call *call, const struct db_result *result);
enum step api_inbox(struct request *request);

/* api_memory.c */
bool api_memory_put_prepare(struct request *request, struct call *call);
bool api_memory_delete_prepare(struct request *request, struct call *call);
void api_memory_get_finish(struct request *request, struct call *call, const struct db_result *result);
void api_memory_get_follow(struct request *request, struct call *call, const struct db_result *result);
void api_memory_change_finish(struct request *request, struct call *call, const struct db_result *result);

#endif
