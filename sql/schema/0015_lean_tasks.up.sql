-- What each version of a task's row costs beside itself.

-- A queued trigger for every row, most of which are in no workflow: a twentieth of what a task costs to make (measured).
-- Tasks are made by the statements that make or lock their workflow, and workflow_delete takes them away.
ALTER TABLE tasks DROP CONSTRAINT tasks_workflow_fkey;

-- The same indexes, their conditions in the order in which most rows fail them soonest.
DROP INDEX tasks_ready, tasks_ready_special, tasks_due, tasks_failed_by;
CREATE INDEX tasks_ready ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE ready_at IS NOT NULL AND NOT special AND status IN ('pending', 'retrying');
CREATE INDEX tasks_ready_special ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE special AND ready_at IS NOT NULL AND status IN ('pending', 'retrying');
CREATE INDEX tasks_due ON tasks (run_at)
    WHERE ready_at IS NULL AND status IN ('pending', 'retrying');
CREATE INDEX tasks_failed_by ON tasks (tenant, leased_by, id)
    WHERE leased_by IS NOT NULL AND status IN ('failed', 'dead');
