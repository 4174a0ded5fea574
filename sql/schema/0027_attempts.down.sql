INSERT INTO task_attempts (tenant, task_id, epoch, attempt, round, agent_id, outcome, started_at, ended_at, duration_ms)
SELECT t.tenant, t.id, t.epoch, t.attempt, t.round, t.leased_by, 'complete', t.leased_at, t.completed_at, t.duration_ms
FROM tasks t
WHERE t.status = 'completed' AND t.workflow_id IS NULL
ON CONFLICT DO NOTHING;
-- Whatever the planner thinks of tables that it knows nothing about yet.
SET LOCAL enable_nestloop TO off;
INSERT INTO task_attempts_done (tenant, task_id, epoch, attempt, round, agent_id, outcome, started_at, ended_at, duration_ms,
    done_at)
SELECT t.tenant, t.id, t.epoch, t.attempt, t.round, t.leased_by, 'complete', t.leased_at, t.completed_at, t.duration_ms,
    t.done_at
FROM tasks_done t
WHERE t.status = 'completed' AND t.workflow_id IS NULL AND NOT EXISTS (SELECT FROM task_attempts_done d
    WHERE d.tenant = t.tenant AND d.task_id = t.id AND d.epoch = t.epoch);
RESET enable_nestloop;
DROP VIEW agentd_attempts, agentd_attempts_done;
