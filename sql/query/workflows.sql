-- Workflows: made whole in one statement, looked at, cancelled.

-- name: workflow_create :one
-- tasks, dependencies and revisions are JSON arrays that the server composed from a checked graph; ids are the server's.
WITH w AS (
    INSERT INTO workflows (tenant, id, description, template, labels, input_data, created_by, tasks_total)
    VALUES (@tenant::int, @id::uuid, @description::text, @template::text, @labels::json, @input_data::json,
        @actor::text, json_array_length(@tasks::json))
    RETURNING *
), t AS (
    INSERT INTO tasks (tenant, id, workflow_id, key, queue, role, agent_id, status, description, input_data, priority,
        max_retries, timeout_ms, run_at, ready_at, labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter,
        deps_left, max_rounds, gate_deps, is_sink)
    SELECT w.tenant, j.id, w.id, j.key, j.queue, j.role, j.agent_id,
        CASE WHEN j.deps_left > 0 THEN 'blocked' ELSE 'pending' END, coalesce(j.description, ''), j.input_data,
        j.priority, j.max_retries, j.timeout_s * 1000, j.run_at,
        CASE WHEN j.deps_left = 0 AND (j.run_at IS NULL OR j.run_at <= now()) THEN now() END,
        j.labels, j.retry_backoff, j.retry_base_ms, j.retry_max_ms, j.retry_jitter,
        j.deps_left, j.max_rounds, j.gate_deps, j.is_sink
    FROM w, json_to_recordset(@tasks::json) AS j(id uuid, key text, queue text, role text, agent_id text,
        description text, input_data json, priority int, max_retries int, timeout_s int, run_at timestamptz,
        labels json, retry_backoff text, retry_base_ms int, retry_max_ms int, retry_jitter boolean, deps_left int,
        max_rounds int, gate_deps int, is_sink boolean)
    RETURNING id
), d AS (
    INSERT INTO task_dependencies (tenant, task_id, depends_on)
    SELECT w.tenant, j.task_id, j.depends_on
    FROM w, json_to_recordset(@dependencies::json) AS j(task_id uuid, depends_on uuid)
), v AS (
    INSERT INTO task_revisions (tenant, gate_id, task_id, deps_left)
    SELECT w.tenant, j.gate_id, j.task_id, j.deps_left
    FROM w, json_to_recordset(@revisions::json) AS j(gate_id uuid, task_id uuid, deps_left int)
), a AS (
    INSERT INTO audit_log (tenant, actor, action, subject_type, subject_id, details, address, request_id)
    SELECT w.tenant, @actor::text, 'workflow.create', 'workflow', w.id,
        json_build_object('description', w.description, 'tasks', w.tasks_total), @address::text, @request_id::text
    FROM w
)
SELECT w.id, w.description, w.status, w.template, w.labels, w.input_data, w.output_data, w.verdict, w.error_message,
    json_build_object('total', w.tasks_total, 'completed', 0, 'failed', 0, 'cancelled', 0, 'running', 0,
        'percent', 0) AS progress,
    w.created_by, w.created_at, w.started_at, w.completed_at
FROM w;

-- macro: WORKFLOW_COLUMNS
w.id, w.description, w.status, w.template, w.labels, w.input_data, w.output_data, w.verdict, w.error_message,
json_build_object('total', w.tasks_total, 'completed', w.tasks_completed, 'failed', w.tasks_failed,
    'cancelled', w.tasks_cancelled,
    'running', (SELECT count(*) FROM tasks t
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.status = 'processing'),
    'percent', CASE WHEN w.tasks_total = 0 THEN 100 ELSE 100 * w.tasks_completed / w.tasks_total END) AS progress,
w.created_by, w.created_at, w.started_at, w.completed_at
-- end

-- name: workflow_get :one
SELECT {WORKFLOW_COLUMNS}
FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- name: workflow_list :many
SELECT {WORKFLOW_COLUMNS}, w.id AS _cursor
FROM workflows w
WHERE w.tenant = @tenant::int
  AND (@cursor::uuid IS NULL OR w.id < @cursor::uuid)
  AND (@status::text IS NULL OR w.status = @status::text)
  AND (@template::text IS NULL OR w.template = @template::text)
ORDER BY w.id DESC
LIMIT @limit::int + 1;

-- name: workflow_cancel :one
-- Cancelling what has ended changes nothing and answers with what is. Running holders learn it at their next heartbeat.
SELECT w.id FROM workflows w WHERE w.tenant = @tenant::int AND w.id = @id::uuid FOR NO KEY UPDATE;
WITH t AS (
    UPDATE tasks t SET status = 'cancelled', completed_at = now(), ready_at = NULL, lease_until = NULL,
        error_message = 'cancelled by ' || @actor::text
    FROM workflows w
    WHERE w.tenant = @tenant::int AND w.id = @id::uuid AND w.status IN ('pending', 'running')
      AND t.tenant = w.tenant AND t.workflow_id = w.id
      AND t.status IN ('blocked', 'pending', 'retrying', 'processing')
    RETURNING t.id
), w AS (
    UPDATE workflows SET status = 'cancelled', completed_at = now(), error_message = 'cancelled by ' || @actor::text,
        tasks_cancelled = tasks_cancelled + (SELECT count(*) FROM t)
    WHERE tenant = @tenant::int AND id = @id::uuid AND status IN ('pending', 'running')
    RETURNING tenant, id
)
INSERT INTO audit_log (tenant, actor, action, subject_type, subject_id, address, request_id)
SELECT w.tenant, @actor::text, 'workflow.cancel', 'workflow', w.id, @address::text, @request_id::text FROM w;
SELECT {WORKFLOW_COLUMNS}
FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;
