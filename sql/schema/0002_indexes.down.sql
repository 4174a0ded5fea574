DROP INDEX tasks_ready, tasks_due, tasks_processing, tasks_failed, tasks_workflow, task_dependencies_depends_on,
    task_revisions_task, subtasks_task, workflows_open, messages_to_agent, messages_to_role, messages_from,
    health_records_agent, api_keys_owner;
