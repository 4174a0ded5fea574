-- Only what statements ask for; what is leased from and watched has partial indexes that hold live rows only, so that
-- finished work costs them nothing.

-- The queue: one range scan finds the next tasks of a role in order.
CREATE INDEX tasks_ready ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL;
-- What the keeper makes ready when its time has come.
CREATE INDEX tasks_due ON tasks (run_at)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NULL;
-- Leases in force, by holder. lease_until is left out on purpose: a heartbeat then changes no index.
CREATE INDEX tasks_processing ON tasks (tenant, leased_by)
    WHERE status = 'processing';
CREATE INDEX tasks_failed ON tasks (tenant, status, id)
    WHERE status IN ('failed', 'dead');
CREATE INDEX tasks_workflow ON tasks (tenant, workflow_id, id)
    WHERE workflow_id IS NOT NULL;
CREATE INDEX task_dependencies_depends_on ON task_dependencies (tenant, depends_on);
CREATE INDEX task_revisions_task ON task_revisions (tenant, task_id);
CREATE INDEX subtasks_task ON subtasks (tenant, task_id);
CREATE INDEX workflows_open ON workflows (tenant, status, id)
    WHERE status IN ('pending', 'running');
CREATE INDEX messages_to_agent ON messages (tenant, to_agent_id, id) WHERE status = 'sent';
CREATE INDEX messages_to_role ON messages (tenant, to_role, id) WHERE status = 'sent';
CREATE INDEX messages_from ON messages (tenant, from_agent_id, id);
CREATE INDEX health_records_agent ON health_records (tenant, agent_id, recorded_at);
CREATE INDEX api_keys_owner ON api_keys (tenant, owner_id);
