-- Tasks: making them and looking at them. Where their state moves is task_lease.sql, task_settle.sql, task_control.sql.

-- macro: DEPENDS_ON
(SELECT coalesce(json_agg(coalesce(p.key, p.id::text) ORDER BY p.id), '[]')
 FROM task_dependencies d JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
 WHERE d.tenant = t.tenant AND d.task_id = t.id) AS depends_on
-- end

-- macro: CREATED_EVENT
-- As text, which costs a third of json_build_object().
'{"kind":"task.created","subject":"' || id || '","data":{"role":' || coalesce(to_json(role)::text, 'null')
    || ',"agent_id":' || coalesce(to_json(agent_id)::text, 'null') || ',"priority":' || priority || '}}'
-- end

-- macro: TASKS_MADE
made AS (
    INSERT INTO tasks (tenant, id, queue, role, agent_id, status, description, input_data, priority, max_retries,
        timeout_ms, ready_at, labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter, lease_own_ms,
        created_at)
    SELECT tenant, id, queue, role, agent_id, 'pending', description, input_data, priority, max_retries,
        timeout_s * 1000, now(), labels,
        coalesce(retry_backoff, 'exponential'), coalesce(retry_base_ms, 1000), coalesce(retry_max_ms, 60000),
        coalesce(retry_jitter, true), lease_own_ms, now()
    FROM (SELECT unnest(@tenant::int[]) AS tenant, unnest(@id::uuid[]) AS id, unnest(@queue::text[]) AS queue,
        unnest(@role::text[]) AS role, unnest(@agent_id::text[]) AS agent_id, unnest(@description::text[]) AS description,
        unnest(@input_data::json[]) AS input_data, unnest(@priority::int[]) AS priority,
        unnest(@max_retries::int[]) AS max_retries, unnest(@timeout_s::int[]) AS timeout_s,
        unnest(@labels::json[]) AS labels, unnest(@retry_backoff::text[]) AS retry_backoff,
        unnest(@retry_base_ms::int[]) AS retry_base_ms, unnest(@retry_max_ms::int[]) AS retry_max_ms,
        unnest(@retry_jitter::bool[]) AS retry_jitter, unnest(@lease_own_ms::int[]) AS lease_own_ms) r
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), NULL, '[' || string_agg(event, ',') || ']'
    FROM (SELECT unnest(@tenant::int[]) AS tenant, unnest(@event::text[]) AS event) r GROUP BY tenant
)
-- end

-- name: task_create :batch
-- parallel: 2
-- answer: shared
-- Many independent tasks that may be leased from now on, in one statement. Rows of two executions never meet, so a second
-- connection commits while the first fills its next batch. The answer is what was asked for: worker/task_made.c writes it,
-- and the event, from what it sent. What most tasks leave to the defaults arrives as arrays without elements, which unnest
-- fills with NULL; in a list of columns it needs a third of the time that unnest() of many arrays needs.
WITH {TASKS_MADE}
SELECT now() AS created_at;

-- name: task_create_traced :batch
-- parallel: 2
-- answer: shared
-- The same, of requests that came with a trace (W3C Trace Context), for the agents that lease the tasks.
WITH {TASKS_MADE}, traced AS (
    INSERT INTO task_traces (tenant, task_id, traceparent, tracestate, created_at)
    SELECT tenant, id, traceparent, tracestate, now()
    FROM (SELECT unnest(@tenant::int[]) AS tenant, unnest(@id::uuid[]) AS id, unnest(@traceparent::text[]) AS traceparent,
        unnest(@tracestate::text[]) AS tracestate) r
)
SELECT now() AS created_at;

-- name: task_create_special :batch
-- Tasks with a run_at (the keeper makes them ready), a unique_key, a concurrency_key or capabilities that they require. A
-- unique_key that a live task has makes no other: the live one is answered with 200, or refused with 409, as the request
-- says.
WITH req AS MATERIALIZED (
    SELECT *, concurrency_key IS NOT NULL OR requires IS NOT NULL AS special
    FROM unnest(@tenant::int[], @id::uuid[], @queue::text[], @role::text[], @agent_id::text[],
        @description::text[], @input_data::json[], @priority::int[], @max_retries::int[], @timeout_s::int[],
        @run_at::text[], @labels::json[], @retry_backoff::text[], @retry_base_ms::int[], @retry_max_ms::int[],
        @retry_jitter::bool[], @lease_own_ms::int[], @unique_key::text[], @on_duplicate::text[],
        @concurrency_key::text[], @requires::json[], @traceparent::text[], @tracestate::text[])
        WITH ORDINALITY AS r(tenant, id, queue, role, agent_id, description, input_data, priority, max_retries,
            timeout_s, run_at, labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter, lease_own_ms, unique_key,
            on_duplicate, concurrency_key, requires, traceparent, tracestate, ord)
), made AS (
    INSERT INTO tasks (tenant, id, queue, role, agent_id, status, description, input_data, priority, max_retries,
        timeout_ms, run_at, ready_at, labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter, lease_own_ms,
        created_at, unique_key, concurrency_key, requires, special)
    SELECT tenant, id, queue, role, agent_id, 'pending', description, input_data, priority, max_retries,
        timeout_s * 1000, run_at::timestamptz,
        CASE WHEN run_at IS NULL OR run_at::timestamptz <= now() THEN now() END,
        labels, coalesce(retry_backoff, 'exponential'), coalesce(retry_base_ms, 1000), coalesce(retry_max_ms, 60000),
        coalesce(retry_jitter, true), lease_own_ms, now(), unique_key,
        concurrency_key, requires, special
    FROM req
    ORDER BY tenant, unique_key, ord
    ON CONFLICT (tenant, unique_key)
        WHERE unique_key IS NOT NULL AND status IN ({LIVE}) DO NOTHING
    RETURNING *
), flagged AS (
    UPDATE tenants SET throttles = true
    WHERE id IN (SELECT tenant FROM made WHERE special) AND NOT throttles
), traced AS (
    INSERT INTO task_traces (tenant, task_id, traceparent, tracestate, created_at)
    SELECT m.tenant, m.id, r.traceparent, r.tracestate, now()
    FROM made m JOIN req r ON r.tenant = m.tenant AND r.id = m.id
    WHERE r.traceparent IS NOT NULL
)
INSERT INTO {EVENTS}
SELECT tenant, now(), NULL, '[' || string_agg({CREATED_EVENT}, ',') || ']' FROM made GROUP BY tenant;
-- Looked at anew: the task that has the key may have been committed while the first statement waited for it.
SELECT r.ord, t.*, CASE WHEN t.id = r.id THEN 201 ELSE 200 END AS _status,
    CASE WHEN t.id IS NULL THEN 'a task with this unique_key ended at this moment; send the request again'
        WHEN t.id <> r.id AND r.on_duplicate = 'refuse' THEN format(
            'the task %s has this unique_key and has not ended; "on_duplicate": "return" would answer with it', t.id)
    END AS _refused
FROM unnest(@tenant::int[], @id::uuid[], @unique_key::text[], @on_duplicate::text[])
        WITH ORDINALITY AS r(tenant, id, unique_key, on_duplicate, ord)
    LEFT JOIN LATERAL (
        SELECT {TASK_COLUMNS} FROM tasks t WHERE t.tenant = r.tenant AND t.id = r.id
        UNION ALL
        SELECT {TASK_COLUMNS} FROM tasks t
        WHERE t.tenant = r.tenant AND t.unique_key = r.unique_key AND t.status IN ({LIVE}) AND t.id <> r.id) t ON true
ORDER BY r.ord;

-- name: task_get :batch
-- parallel: 2
-- In batches, although each asks for one row: what a statement costs is shared (64 connections: 37,500 -> 67,500 a second).
SELECT r.ord, {TASK_COLUMNS}, t.retry_backoff, {DEPENDS_ON}, {TASK_MATCH} AS _match
FROM unnest(@tenant::int[], @id::uuid[]) WITH ORDINALITY AS r(tenant, id, ord)
    CROSS JOIN LATERAL (SELECT * FROM tasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) t
ORDER BY r.ord;

-- macro: TASK_FILTER
t.tenant = @tenant::int
AND (@cursor::uuid IS NULL OR t.id < @cursor::uuid)
AND (@status::text IS NULL OR t.status = @status::text)
AND (@role::text IS NULL OR t.role = @role::text)
AND (@agent_id::text IS NULL OR t.agent_id = @agent_id::text OR t.leased_by = @agent_id::text)
AND (@workflow_id::uuid IS NULL OR t.workflow_id = @workflow_id::uuid)
AND (@label::text IS NULL
    OR t.labels ->> split_part(@label::text, ':', 1) = substr(@label::text, strpos(@label::text, ':') + 1))
ORDER BY t.id DESC
LIMIT @limit::int + 1
-- end

-- name: task_list :many
SELECT * FROM (
    (SELECT {TASK_COLUMNS}, t.id AS _cursor FROM tasks t WHERE {TASK_FILTER})
    UNION ALL
    (SELECT {TASK_COLUMNS}, t.id AS _cursor FROM tasks_done t WHERE {TASK_FILTER})) t
ORDER BY _cursor DESC
LIMIT @limit::int + 1;

-- macro: DEAD_FILTER
t.tenant = @tenant::int AND t.status = 'dead' AND (@cursor::uuid IS NULL OR t.id < @cursor::uuid)
AND (@role::text IS NULL OR t.role = @role::text)
ORDER BY t.id DESC
LIMIT @limit::int + 1
-- end

-- name: task_dead :many
-- The dead letters: no attempt is left.
SELECT * FROM (
    (SELECT {TASK_COLUMNS}, t.id AS _cursor FROM tasks t WHERE {DEAD_FILTER})
    UNION ALL
    (SELECT {TASK_COLUMNS}, t.id AS _cursor FROM tasks_done t WHERE {DEAD_FILTER})) t
ORDER BY _cursor DESC
LIMIT @limit::int + 1;

-- name: task_attempts :many
SELECT a.epoch, a.attempt, a.round, a.agent_id, a.outcome, a.error_message, a.output_data, a.started_at, a.ended_at,
    a.duration_ms, a.epoch AS _cursor
FROM agentd_attempts a
WHERE a.tenant = @tenant::int AND a.task_id = @id::uuid AND (@cursor::int IS NULL OR a.epoch < @cursor::int)
ORDER BY a.epoch DESC
LIMIT @limit::int + 1;

-- name: task_known :one
-- Whether a task is there, or in the archive.
SELECT t.id FROM tasks t WHERE t.tenant = @tenant::int AND t.id = @id::uuid
UNION ALL
SELECT t.id FROM tasks_done t WHERE t.tenant = @tenant::int AND t.id = @id::uuid
LIMIT 1;

-- name: task_dependencies :many
-- In both directions: what the task waits for, and what waits for it.
SELECT n.id, p.key, p.status, n.direction, n.id AS _cursor
FROM (SELECT d.depends_on AS id, 'depends_on' AS direction FROM task_dependencies d
        WHERE d.tenant = @tenant::int AND d.task_id = @id::uuid
        UNION ALL
        SELECT d.task_id, 'dependent' FROM task_dependencies d
        WHERE d.tenant = @tenant::int AND d.depends_on = @id::uuid) n
    JOIN tasks p ON p.tenant = @tenant::int AND p.id = n.id
WHERE @cursor::uuid IS NULL OR n.id > @cursor::uuid
ORDER BY n.id
LIMIT @limit::int + 1;

-- name: workflow_task_list :many
-- In the order in which they were submitted.
SELECT {TASK_COLUMNS}, {DEPENDS_ON}, t.id AS _cursor
FROM tasks t
WHERE t.tenant = @tenant::int AND t.workflow_id = @id::uuid AND (@cursor::uuid IS NULL OR t.id > @cursor::uuid)
ORDER BY t.id
LIMIT @limit::int + 1;

-- name: workflow_tasks :many
-- The same, all at once.
SELECT {TASK_COLUMNS}, {DEPENDS_ON}
FROM tasks t
WHERE t.tenant = @tenant::int AND t.workflow_id = @id::uuid
ORDER BY t.id;
