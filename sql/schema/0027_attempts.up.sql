-- A task outside workflows that was completed is its own record of that attempt: nothing changes its row any more. A row of
-- task_attempts beside it cost a twentieth of a lease and its completion in batches, and as much room as an index.
CREATE VIEW agentd_attempts WITH (security_invoker = true) AS
SELECT tenant, task_id, epoch, attempt, round, agent_id, outcome, error_message, output_data, started_at, ended_at,
    duration_ms
FROM task_attempts
UNION ALL
SELECT t.tenant, t.id, t.epoch, t.attempt, t.round, t.leased_by, 'complete', NULL, NULL, t.leased_at, t.completed_at,
    t.duration_ms
FROM tasks t
WHERE t.status = 'completed' AND t.workflow_id IS NULL AND NOT EXISTS (
    SELECT FROM task_attempts a WHERE a.tenant = t.tenant AND a.task_id = t.id AND a.epoch = t.epoch);

CREATE VIEW agentd_attempts_done WITH (security_invoker = true) AS
SELECT tenant, task_id, epoch, attempt, round, agent_id, outcome, error_message, output_data, started_at, ended_at,
    duration_ms
FROM task_attempts_done
UNION ALL
SELECT t.tenant, t.id, t.epoch, t.attempt, t.round, t.leased_by, 'complete', NULL, NULL, t.leased_at, t.completed_at,
    t.duration_ms
FROM tasks_done t
WHERE t.status = 'completed' AND t.workflow_id IS NULL AND NOT EXISTS (
    SELECT FROM task_attempts_done a WHERE a.tenant = t.tenant AND a.task_id = t.id AND a.epoch = t.epoch);
