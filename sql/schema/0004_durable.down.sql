DROP FUNCTION agentd_claim, agentd_duplicate;
DROP TABLE idempotency_keys, limit_windows, task_slots, limits;
DROP INDEX tasks_unique, tasks_undecided, tasks_parked, tasks_ready_special, tasks_ready, workflows_deadline;
ALTER TABLE agents DROP COLUMN seen_until;
ALTER TABLE tenants DROP COLUMN throttles;
ALTER TABLE workflows DROP COLUMN deadline_at, DROP COLUMN paused, DROP COLUMN schedule_id, DROP COLUMN tasks_skipped;
ALTER TABLE tasks DROP COLUMN lease_own_ms, DROP COLUMN unique_key, DROP COLUMN concurrency_key, DROP COLUMN requires,
    DROP COLUMN special, DROP COLUMN condition, DROP COLUMN approval, DROP COLUMN parked, DROP COLUMN skipped,
    DROP COLUMN parent_id;
CREATE INDEX tasks_ready ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL;
