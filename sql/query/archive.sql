-- Finished work moves to the archive; the archive is looked into where the hot tables have nothing. What ended badly stays
-- longer, for it may be wanted again.

-- macro: RECORDS
-- What is on record of the tasks of old moves with them.
a AS (
    DELETE FROM task_attempts x USING old o WHERE x.tenant = o.tenant AND x.task_id = o.id RETURNING x.*, o.done_at
), b AS (
    INSERT INTO task_attempts_done SELECT * FROM a
), c AS (
    DELETE FROM subtasks x USING old o WHERE x.tenant = o.tenant AND x.task_id = o.id RETURNING x.*, o.done_at
), d AS (
    INSERT INTO subtasks_done SELECT * FROM c
)
-- end

-- macro: BORN_BEFORE
-- Ids tell when they were made (RFC 9562): what is younger cannot be old enough either, and is not even looked at. By
-- tenant, and computed before it is searched with: see PRIORITIES.
q AS MATERIALIZED (
    SELECT id AS tenant, (lpad(to_hex((extract(epoch FROM now() - interval '1 second'
        * least(@after_s::int, @failed_after_s::int)) * 1000)::int8), 12, '0') || repeat('0', 20))::uuid AS born
    FROM tenants
)
-- end

-- name: keeper_archive_tasks :one
-- all tenants: the keeper works for every one of them.
-- Tasks outside workflows. By primary key from the oldest on: what is not finished there is little.
WITH {BORN_BEFORE}, old AS MATERIALIZED (
    SELECT t.tenant, t.id, t.done_at FROM q CROSS JOIN LATERAL (
        SELECT tenant, id, completed_at AS done_at FROM tasks
        WHERE tenant = q.tenant AND id < q.born AND workflow_id IS NULL
          AND status IN ('completed', 'failed', 'cancelled', 'dead')
          AND completed_at < now() - interval '1 second'
              * CASE status WHEN 'completed' THEN @after_s::int ELSE @failed_after_s::int END
        ORDER BY id LIMIT @max::int FOR UPDATE SKIP LOCKED) t
    LIMIT @max::int
), {RECORDS}, e AS (
    DELETE FROM tasks x USING old o WHERE x.tenant = o.tenant AND x.id = o.id RETURNING x.*, o.done_at
), f AS (
    INSERT INTO tasks_done SELECT * FROM e
)
SELECT count(*)::int AS moved FROM old;

-- name: keeper_archive_workflows :one
-- all tenants: the keeper works for every one of them.
-- Whole workflows, with all that belongs to them.
WITH {BORN_BEFORE}, w AS MATERIALIZED (
    SELECT w.tenant, w.id, w.done_at FROM q CROSS JOIN LATERAL (
        SELECT tenant, id, completed_at AS done_at FROM workflows
        WHERE tenant = q.tenant AND id < q.born AND status IN ('completed', 'failed', 'cancelled')
          AND completed_at < now() - interval '1 second'
              * CASE status WHEN 'completed' THEN @after_s::int ELSE @failed_after_s::int END
        ORDER BY id LIMIT @max::int FOR UPDATE SKIP LOCKED) w
    LIMIT @max::int
), old AS MATERIALIZED (
    SELECT t.tenant, t.id, w.done_at FROM w CROSS JOIN LATERAL (SELECT tenant, id FROM tasks
        WHERE tenant = w.tenant AND workflow_id = w.id OFFSET 0) t
), {RECORDS}, e AS (
    DELETE FROM task_dependencies x USING old o WHERE x.tenant = o.tenant AND x.task_id = o.id RETURNING x.*, o.done_at
), f AS (
    INSERT INTO task_dependencies_done SELECT * FROM e
), g AS (
    DELETE FROM tasks x USING old o WHERE x.tenant = o.tenant AND x.id = o.id RETURNING x.*, o.done_at
), h AS (
    INSERT INTO tasks_done SELECT * FROM g
), i AS (
    DELETE FROM workflows x USING w CROSS JOIN LATERAL (SELECT ctid AS tid FROM workflows
        WHERE tenant = w.tenant AND id = w.id OFFSET 0) y
    WHERE x.ctid = y.tid RETURNING x.*, w.done_at
), j AS (
    INSERT INTO workflows_done SELECT * FROM i
)
SELECT count(*)::int AS moved FROM w;

-- name: keeper_partitions :one
-- no tenant: tables, not rows.
-- Partitions for today and the next days; those that retention has passed go.
SELECT (SELECT count(agentd_partition(p.name, p.time_column, (now() + n * interval '1 day')::date))
        FROM (VALUES ('events', 'at'), ('workflows_done', 'done_at'), ('tasks_done', 'done_at'),
            ('task_dependencies_done', 'done_at'), ('task_attempts_done', 'done_at'), ('subtasks_done', 'done_at'))
            AS p(name, time_column), generate_series(0, 2) AS n) AS looked_at,
    (SELECT sum(agentd_drop_partitions(p.name, p.time_column, (now() - p.days * interval '1 day')::date))::int
        FROM (VALUES ('events', 'at', @event_days::int), ('workflows_done', 'done_at', @done_days::int),
            ('tasks_done', 'done_at', @done_days::int), ('task_dependencies_done', 'done_at', @done_days::int),
            ('task_attempts_done', 'done_at', @done_days::int), ('subtasks_done', 'done_at', @done_days::int))
            AS p(name, time_column, days)) AS dropped,
    now()::date - date '1970-01-01' AS today;

-- macro: DEPENDS_ON_DONE
(SELECT coalesce(json_agg(coalesce(p.key, p.id::text) ORDER BY p.id), '[]')
 FROM task_dependencies_done d JOIN tasks_done p ON p.tenant = d.tenant AND p.id = d.depends_on
 WHERE d.tenant = t.tenant AND d.task_id = t.id) AS depends_on
-- end

-- name: task_get_done :one
SELECT {TASK_COLUMNS}, t.retry_backoff, {DEPENDS_ON_DONE}
FROM tasks_done t
WHERE t.tenant = @tenant::int AND t.id = @id::uuid;

-- name: task_attempts_done :many
SELECT a.epoch, a.attempt, a.round, a.agent_id, a.outcome, a.error_message, a.output_data, a.started_at, a.ended_at,
    a.duration_ms, a.epoch AS _cursor
FROM agentd_attempts_done a
WHERE a.tenant = @tenant::int AND a.task_id = @id::uuid AND (@cursor::int IS NULL OR a.epoch < @cursor::int)
ORDER BY a.epoch DESC
LIMIT @limit::int + 1;

-- name: task_dependencies_done :many
SELECT n.id, p.key, p.status, n.direction, n.id AS _cursor
FROM (SELECT d.depends_on AS id, 'depends_on' AS direction FROM task_dependencies_done d
        WHERE d.tenant = @tenant::int AND d.task_id = @id::uuid
        UNION ALL
        SELECT d.task_id, 'dependent' FROM task_dependencies_done d
        WHERE d.tenant = @tenant::int AND d.depends_on = @id::uuid) n
    JOIN tasks_done p ON p.tenant = @tenant::int AND p.id = n.id
WHERE @cursor::uuid IS NULL OR n.id > @cursor::uuid
ORDER BY n.id
LIMIT @limit::int + 1;

-- name: subtask_list_done :many
SELECT s.id, s.task_id, s.description, s.status, s.input_data, s.output_data, s.error_message, s.created_at, s.started_at,
    s.completed_at, s.id AS _cursor
FROM subtasks_done s
WHERE s.tenant = @tenant::int AND s.task_id = @id::uuid AND (@cursor::uuid IS NULL OR s.id > @cursor::uuid)
ORDER BY s.id
LIMIT @limit::int + 1;

-- name: workflow_get_done :one
SELECT {WORKFLOW_COLUMNS}
FROM workflows_done w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- name: workflow_task_list_done :many
SELECT {TASK_COLUMNS}, {DEPENDS_ON_DONE}, t.id AS _cursor
FROM tasks_done t
WHERE t.tenant = @tenant::int AND t.workflow_id = @id::uuid AND (@cursor::uuid IS NULL OR t.id > @cursor::uuid)
ORDER BY t.id
LIMIT @limit::int + 1;

-- name: workflow_tasks_done :many
SELECT {TASK_COLUMNS}, {DEPENDS_ON_DONE}
FROM tasks_done t
WHERE t.tenant = @tenant::int AND t.workflow_id = @id::uuid
ORDER BY t.id;

-- name: workflow_graph_done :one
SELECT w.id, w.status,
    (SELECT coalesce(json_agg(json_build_object('id', t.id, 'key', t.key, 'role', t.role, 'agent_id', t.agent_id,
            'status', t.status, 'skipped', t.skipped, 'gate', t.max_rounds IS NOT NULL, 'approval', t.approval,
            'round', t.round, 'condition', t.condition) ORDER BY t.id), '[]')
        FROM tasks_done t WHERE t.tenant = w.tenant AND t.workflow_id = w.id) AS nodes,
    (SELECT coalesce(json_agg(json_build_object('from', d.depends_on, 'to', d.task_id, 'kind', 'dependency')), '[]')
        FROM tasks_done t JOIN task_dependencies_done d ON d.tenant = t.tenant AND d.task_id = t.id
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id) AS edges
FROM workflows_done w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- name: workflow_delete_done :one
WITH w AS (
    DELETE FROM workflows_done w WHERE w.tenant = @tenant::int AND w.id = @id::uuid
    RETURNING w.tenant, w.id, w.status, w.description, w.created_by
), t AS (
    DELETE FROM tasks_done t USING w WHERE t.tenant = w.tenant AND t.workflow_id = w.id RETURNING t.tenant, t.id
), a AS (
    DELETE FROM task_attempts_done a USING t WHERE a.tenant = t.tenant AND a.task_id = t.id
), s AS (
    DELETE FROM subtasks_done s USING t WHERE s.tenant = t.tenant AND s.task_id = t.id
), d AS (
    DELETE FROM task_dependencies_done d USING t WHERE d.tenant = t.tenant AND d.task_id = t.id
), l AS (
    INSERT INTO {AUDIT}
    SELECT w.tenant, now(), @actor::text, @principal::text, 'workflow.delete', 'workflow', w.id,
        json_build_object('status', w.status, 'description', w.description, 'created_by', w.created_by), NULL::json,
        @address::text, @request_id::text
    FROM w
)
SELECT w.id, 204 AS _status FROM w;

-- name: task_delete_done :one
WITH t AS (
    DELETE FROM tasks_done t WHERE t.tenant = @tenant::int AND t.id = @id::uuid AND t.workflow_id IS NULL
    RETURNING t.tenant, t.id, t.status, t.description
), a AS (
    DELETE FROM task_attempts_done a USING t WHERE a.tenant = t.tenant AND a.task_id = t.id
), s AS (
    DELETE FROM subtasks_done s USING t WHERE s.tenant = t.tenant AND s.task_id = t.id
), l AS (
    INSERT INTO {AUDIT}
    SELECT t.tenant, now(), @actor::text, @principal::text, 'task.delete', 'task', t.id,
        json_build_object('status', t.status, 'description', t.description), NULL::json, @address::text, @request_id::text
    FROM t
)
SELECT t.id, 204 AS _status FROM t;
