INSERT INTO task_attempts (tenant, task_id, epoch, attempt, round, agent_id, outcome, started_at, ended_at, duration_ms)
SELECT a.tenant, a.task_id, a.epoch, a.attempt, a.round, a.agent_id, a.outcome, a.started_at, a.ended_at, a.duration_ms
FROM attempts a
ON CONFLICT DO NOTHING;
INSERT INTO task_attempts_done (tenant, task_id, epoch, attempt, round, agent_id, outcome, started_at, ended_at, duration_ms,
    done_at)
SELECT a.tenant, a.task_id, a.epoch, a.attempt, a.round, a.agent_id, a.outcome, a.started_at, a.ended_at, a.duration_ms,
    t.done_at
FROM attempts_done a JOIN tasks_done t ON t.tenant = a.tenant AND t.id = a.task_id
WHERE NOT EXISTS (SELECT FROM task_attempts_done d
    WHERE d.tenant = a.tenant AND d.task_id = a.task_id AND d.epoch = a.epoch);
DROP VIEW attempts, attempts_done;
