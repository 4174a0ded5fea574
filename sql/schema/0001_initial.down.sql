DROP TABLE audit_log, system_metrics, agent_metrics, health_records, messages, subtasks, task_attempts,
    task_revisions, task_dependencies, tasks, workflows, agents, api_keys, users, tenants;
