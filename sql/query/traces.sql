-- The traces that tasks were made in: written with the task (tasks.sql, PLAN_ROWS), handed out with its lease.

-- name: keeper_forget_traces :many
-- all tenants: the keeper works for every one of them.
-- A trace of last week is closed wherever it was collected; the task goes on without.
DELETE FROM task_traces
WHERE ctid = ANY(ARRAY(SELECT ctid FROM task_traces WHERE created_at < now() - interval '7 days'
    ORDER BY created_at LIMIT 5000 FOR UPDATE SKIP LOCKED))
RETURNING tenant;
