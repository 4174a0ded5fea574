DROP INDEX tasks_ready, tasks_ready_special, tasks_due, tasks_failed_by;
CREATE INDEX tasks_ready ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND NOT special;
CREATE INDEX tasks_ready_special ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND special;
CREATE INDEX tasks_due ON tasks (run_at)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NULL;
CREATE INDEX tasks_failed_by ON tasks (tenant, leased_by, id) WHERE status IN ('failed', 'dead') AND leased_by IS NOT NULL;
DELETE FROM tasks t WHERE t.workflow_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM workflows w WHERE w.tenant = t.tenant AND w.id = t.workflow_id);
ALTER TABLE tasks ADD CONSTRAINT tasks_workflow_fkey FOREIGN KEY (tenant, workflow_id) REFERENCES workflows ON DELETE CASCADE;
