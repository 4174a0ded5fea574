-- Tasks: making them and looking at them. Where their state moves is task_moves.sql.

-- macro: TASK_COLUMNS
t.id, t.workflow_id, t.key, t.role, t.agent_id, t.description, t.status, t.priority, t.input_data, t.output_data,
t.error_message, t.epoch, t.attempt, greatest(t.attempt - 1, 0) AS retry_count, t.max_retries, t.round,
t.leased_by, t.lease_until, t.progress, t.run_at, t.timeout_ms / 1000 AS timeout_s, t.labels, t.created_at, t.started_at,
t.completed_at, t.duration_ms
-- end

-- name: task_create :batch
-- parallel: 2
-- Rows of two executions never meet, so a second connection commits while the first fills its next batch.
-- Many independent tasks in one statement; a task with a run_at in the future waits for the keeper.
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @id::uuid[], @queue::text[], @role::text[], @agent_id::text[],
        @description::text[], @input_data::json[], @priority::int[], @max_retries::int[], @timeout_s::int[],
        @run_at::text[], @labels::json[], @retry_backoff::text[], @retry_base_ms::int[], @retry_max_ms::int[],
        @retry_jitter::bool[])
        WITH ORDINALITY AS r(tenant, id, queue, role, agent_id, description, input_data, priority, max_retries,
            timeout_s, run_at, labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter, ord)
), t AS (
    INSERT INTO tasks (tenant, id, queue, role, agent_id, status, description, input_data, priority, max_retries,
        timeout_ms, run_at, ready_at, labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter)
    SELECT tenant, id, queue, role, agent_id, 'pending', description, input_data, priority, max_retries,
        timeout_s * 1000, run_at::timestamptz,
        CASE WHEN run_at IS NULL OR run_at::timestamptz <= now() THEN now() END,
        labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter
    FROM req
)
-- The answer is what was asked for: the rows need not be read again.
SELECT t.ord, t.id, NULL::uuid AS workflow_id, NULL::text AS key, t.role, t.agent_id, t.description,
    'pending' AS status, t.priority, t.input_data, NULL::json AS output_data, NULL::text AS error_message, 0 AS epoch,
    0 AS attempt, 0 AS retry_count, t.max_retries, 1 AS round, NULL::text AS leased_by,
    NULL::timestamptz AS lease_until, NULL::json AS progress, t.run_at::timestamptz AS run_at, t.timeout_s, t.labels,
    now() AS created_at, NULL::timestamptz AS started_at, NULL::timestamptz AS completed_at, NULL::int8 AS duration_ms
FROM req t
ORDER BY t.ord;

-- name: task_get :one
SELECT {TASK_COLUMNS}, t.retry_backoff,
    (SELECT coalesce(json_agg(coalesce(p.key, p.id::text) ORDER BY p.id), '[]')
     FROM task_dependencies d JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
     WHERE d.tenant = t.tenant AND d.task_id = t.id) AS depends_on
FROM tasks t
WHERE t.tenant = @tenant::int AND t.id = @id::uuid;

-- name: task_list :many
SELECT {TASK_COLUMNS}, t.id AS _cursor
FROM tasks t
WHERE t.tenant = @tenant::int
  AND (@cursor::uuid IS NULL OR t.id < @cursor::uuid)
  AND (@status::text IS NULL OR t.status = @status::text)
  AND (@role::text IS NULL OR t.role = @role::text)
  AND (@agent_id::text IS NULL OR t.agent_id = @agent_id::text OR t.leased_by = @agent_id::text)
  AND (@workflow_id::uuid IS NULL OR t.workflow_id = @workflow_id::uuid)
ORDER BY t.id DESC
LIMIT @limit::int + 1;

-- name: task_attempts :many
SELECT a.epoch, a.attempt, a.round, a.agent_id, a.outcome, a.error_message, a.output_data, a.started_at, a.ended_at,
    a.duration_ms, a.epoch AS _cursor
FROM task_attempts a
WHERE a.tenant = @tenant::int AND a.task_id = @id::uuid AND (@cursor::int IS NULL OR a.epoch < @cursor::int)
ORDER BY a.epoch DESC
LIMIT @limit::int + 1;

-- name: workflow_tasks :many
-- In the order in which they were submitted.
SELECT {TASK_COLUMNS},
    (SELECT coalesce(json_agg(coalesce(p.key, p.id::text) ORDER BY p.id), '[]')
     FROM task_dependencies d JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
     WHERE d.tenant = t.tenant AND d.task_id = t.id) AS depends_on
FROM tasks t
WHERE t.tenant = @tenant::int AND t.workflow_id = @id::uuid
ORDER BY t.id;
