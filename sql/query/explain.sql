-- Why a task is not running: the facts. The sentences are worker/explain.c's.

-- macro: SECONDS
-- From now on, rounded up.
ceil(extract(epoch FROM
-- end

-- macro: HELD_BY
-- Who counts for the counter c: the tasks that run.
(SELECT h.id, h.key, h.leased_by FROM task_slots x
    CROSS JOIN LATERAL (SELECT id, key, leased_by, leased_at FROM tasks
        WHERE tenant = x.tenant AND id = x.task_id AND epoch = x.epoch AND status = 'processing' OFFSET 0) h
WHERE x.tenant = t.tenant AND x.counter = c.counter ORDER BY h.leased_at, h.id)
-- end

-- macro: READY_BEFORE_PLAIN
-- As many as stand before it, to 10,000; the queue has an index for plain and one for special tasks.
(SELECT count(*) FROM (
    (SELECT FROM tasks o WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.status IN ('pending', 'retrying')
        AND o.ready_at IS NOT NULL AND NOT o.special AND o.priority > t.priority LIMIT 10000)
    UNION ALL
    (SELECT FROM tasks o WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.status IN ('pending', 'retrying')
        AND o.ready_at IS NOT NULL AND NOT o.special AND o.priority = t.priority
        AND (o.ready_at, o.id) < (t.ready_at, t.id) LIMIT 10000)) b)
-- end

-- macro: READY_BEFORE_SPECIAL
(SELECT count(*) FROM (
    (SELECT FROM tasks o WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.status IN ('pending', 'retrying')
        AND o.ready_at IS NOT NULL AND o.special AND o.priority > t.priority LIMIT 10000)
    UNION ALL
    (SELECT FROM tasks o WHERE o.tenant = t.tenant AND o.queue = t.queue AND o.status IN ('pending', 'retrying')
        AND o.ready_at IS NOT NULL AND o.special AND o.priority = t.priority
        AND (o.ready_at, o.id) < (t.ready_at, t.id) LIMIT 10000)) b)
-- end

-- name: task_explain :one
WITH t AS MATERIALIZED (
    SELECT t.*, w.paused AS workflow_paused, w.status AS workflow_status
    FROM tasks t LEFT JOIN workflows w ON w.tenant = t.tenant AND w.id = t.workflow_id
    WHERE t.tenant = @tenant::int AND t.id = @id::uuid
), waited AS MATERIALIZED (
    SELECT p.* FROM t JOIN task_dependencies d ON d.tenant = t.tenant AND d.task_id = t.id
        JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
    WHERE t.status = 'blocked' AND NOT (p.status = 'completed' OR p.skipped)
    ORDER BY p.id LIMIT 10
), counter AS MATERIALIZED (
    -- What the task counts for when it is leased.
    SELECT '#' || t.concurrency_key AS counter, t.concurrency_key AS name, 'concurrency_key' AS kind, NULL AS key,
        NULL AS of, 1 AS value, NULL::int AS window_ms
    FROM t WHERE t.concurrency_key IS NOT NULL
    UNION ALL
    SELECT l.name || ':' || v.value, l.name, l.kind, coalesce('label ' || l.label, l.key), v.value, l.value, l.window_ms
    FROM t JOIN limits l ON l.tenant = t.tenant
        CROSS JOIN LATERAL (SELECT CASE l.key WHEN 'role' THEN t.role WHEN 'label' THEN t.labels ->> l.label END) v(value)
    WHERE v.value IS NOT NULL AND (l.match IS NULL OR l.match = v.value)
), held AS MATERIALIZED (
    SELECT c.*, w.started, w.again_s,
        CASE WHEN c.kind <> 'rate' THEN (SELECT count(*) FROM {HELD_BY} h) ELSE coalesce(w.started, 0) END AS held
    FROM t CROSS JOIN counter c LEFT JOIN LATERAL (
        SELECT started, {SECONDS} began_at + c.window_ms * interval '1 millisecond' - now()))::int8 AS again_s
        FROM limit_windows WHERE tenant = t.tenant AND counter = c.counter
          AND began_at + c.window_ms * interval '1 millisecond' > now()) w ON c.kind = 'rate'
    WHERE t.status IN ('blocked', 'pending', 'retrying')
), agent AS MATERIALIZED (
    -- The agents that may take it: the one it is bound to, or those of its role.
    SELECT a.agent_id, {AGENT_LIVE} AS live, a.last_activity, a.capabilities, a.max_concurrent, h.held,
        t.requires IS NULL OR NOT EXISTS (
            SELECT json_array_elements_text(t.requires) EXCEPT SELECT json_array_elements_text(a.capabilities)) AS capable,
        h.held < a.max_concurrent AND NOT EXISTS (SELECT FROM limits l
            WHERE l.tenant = t.tenant AND l.key = 'agent' AND l.kind = 'concurrency'
              AND (l.match IS NULL OR l.match = a.agent_id) AND h.held >= l.value) AS free
    FROM t JOIN agents a ON a.tenant = t.tenant
            AND CASE WHEN t.agent_id IS NULL THEN a.role = t.role ELSE a.agent_id = t.agent_id END
        CROSS JOIN LATERAL (SELECT count(*) AS held FROM tasks
            WHERE tenant = a.tenant AND leased_by = a.agent_id AND status = 'processing' OFFSET 0) h
)
SELECT t.id, t.status, t.key, t.workflow_id, t.role, t.agent_id, t.queue, t.priority, t.attempt, t.max_retries, t.round,
    t.max_rounds, t.deps_left, t.skipped, t.approval, t.parked, t.error_message, t.verdict, t.leased_by, t.lease_until,
    left(t.progress::text, 500) AS progress, t.run_at, t.requires, t.condition IS NOT NULL AS has_condition,
    t.ready_at IS NOT NULL AND t.status IN ('pending', 'retrying') AS ready,
    coalesce(t.workflow_paused, false) AS paused,
    {SECONDS} t.run_at - now()))::int8 AS run_in_s, {SECONDS} t.lease_until - now()))::int8 AS lease_left_s,
    {SECONDS} now() - t.leased_at))::int8 AS leased_for_s, {SECONDS} now() - t.completed_at))::int8 AS ended_for_s,
    (SELECT coalesce(json_agg(json_build_object('id', p.id, 'key', p.key, 'status', p.status,
        'held_by', CASE WHEN p.status = 'processing' THEN p.leased_by END, 'gate', p.max_rounds IS NOT NULL,
        'approval', p.approval, 'round', p.round, 'max_rounds', p.max_rounds) ORDER BY p.id), '[]') FROM waited p)
        AS dependencies,
    (SELECT coalesce(json_agg(json_build_object('name', c.name, 'kind', c.kind, 'key', c.key, 'of', c.of, 'value', c.value,
        'window_s', c.window_ms / 1000, 'held', c.held, 'again_s', c.again_s, 'holders', (
            SELECT coalesce(json_agg(h), '[]') FROM (SELECT * FROM {HELD_BY} h LIMIT 5) h)) ORDER BY c.counter), '[]')
        FROM held c WHERE c.held >= c.value OR t.parked = c.counter) AS limits,
    CASE WHEN t.ready_at IS NOT NULL AND t.status IN ('pending', 'retrying')
        THEN least(10000, {READY_BEFORE_PLAIN} + {READY_BEFORE_SPECIAL}) END AS ahead,
    least(10000, (SELECT count(*) FROM (SELECT FROM tasks o WHERE o.tenant = t.tenant AND o.queue = t.queue
            AND o.status IN ('pending', 'retrying') AND o.ready_at IS NOT NULL AND NOT o.special LIMIT 10000) o)
        + (SELECT count(*) FROM (SELECT FROM tasks o WHERE o.tenant = t.tenant AND o.queue = t.queue
            AND o.status IN ('pending', 'retrying') AND o.ready_at IS NOT NULL AND o.special LIMIT 10000) o))
        AS queue_ready,
    g.*,
    (SELECT coalesce(json_agg(r.capability), '[]') FROM (SELECT json_array_elements_text(t.requires) AS capability) r
        WHERE NOT EXISTS (SELECT FROM agent a CROSS JOIN LATERAL json_array_elements_text(a.capabilities) AS c(capability)
            WHERE a.live AND c.capability = r.capability)) AS lacking,
    l.agent_id AS last_agent, l.last_activity AS last_seen_at, {SECONDS} now() - l.last_activity))::int8 AS last_seen_s
FROM t CROSS JOIN LATERAL (SELECT count(*) AS registered, count(*) FILTER (WHERE a.live) AS live,
            count(*) FILTER (WHERE a.live AND a.capable) AS capable,
            count(*) FILTER (WHERE a.live AND a.capable AND a.free) AS free,
            count(*) FILTER (WHERE a.live AND a.held = 0) AS idle
        FROM agent a) g
    LEFT JOIN LATERAL (SELECT agent_id, last_activity FROM agent ORDER BY last_activity DESC LIMIT 1) l ON true;

-- name: task_explain_done :one
-- In the archive: it has ended, and that is all.
SELECT t.id, t.status, t.workflow_id, t.queue, t.attempt, t.skipped, t.error_message, true AS archived,
    {SECONDS} now() - t.completed_at))::int8 AS ended_for_s
FROM tasks_done t
WHERE t.tenant = @tenant::int AND t.id = @id::uuid;
