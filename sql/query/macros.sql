-- Text that queries of several files share; comes first.

-- macro: NAMED_TASKS
-- The tasks that a batch names, each once, in the order of locking.
(SELECT DISTINCT tenant, id FROM unnest(@tenant::int[], @id::uuid[]) AS q(tenant, id) ORDER BY tenant, id) r
    CROSS JOIN LATERAL (SELECT *, ctid AS tid FROM tasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) t
-- end

-- macro: LOCK_TASKS
SELECT t.id
FROM (SELECT DISTINCT tenant, id FROM unnest(@tenant::int[], @id::uuid[]) AS q(tenant, id) ORDER BY tenant, id) r
    CROSS JOIN LATERAL (SELECT id FROM tasks WHERE tenant = r.tenant AND id = r.id FOR NO KEY UPDATE OFFSET 0) t
-- end

-- macro: LOCK_WORKFLOW
SELECT w.id FROM workflows w WHERE w.tenant = @tenant::int AND w.id = @id::uuid FOR NO KEY UPDATE
-- end

-- macro: LIMIT_PLACES
-- The places of limit l that are taken by what runs already: for task_slots. A limit of what agents hold counts that itself.
SELECT l.tenant, l.name || ':' || v.value, t.id, t.epoch
FROM l CROSS JOIN LATERAL (SELECT id, epoch, role, labels FROM tasks
        WHERE tenant = l.tenant AND status = 'processing' OFFSET 0) t
    CROSS JOIN LATERAL (SELECT CASE l.key WHEN 'role' THEN t.role WHEN 'label' THEN t.labels ->> l.label END) v(value)
WHERE l.kind = 'concurrency' AND l.key <> 'agent' AND v.value IS NOT NULL AND (l.match IS NULL OR l.match = v.value)
  AND NOT EXISTS (SELECT FROM task_slots o WHERE o.tenant = l.tenant AND o.counter = l.name || ':' || v.value
      AND o.task_id = t.id AND o.epoch = t.epoch OFFSET 0)
ON CONFLICT (tenant, counter, task_id) DO UPDATE SET epoch = excluded.epoch WHERE s.epoch < excluded.epoch
-- end

-- macro: AUDIT
-- Who (name, and user:ID or key:ID), what, and how it was before and after, without secrets and payloads.
audit_log (tenant, at, actor, actor_id, action, subject_type, subject_id, before, after, address, request_id)
-- end

-- macro: EVENTS
-- items: an array of events and of groups of events (shared/event_items.h), as text, which costs a third of
-- json_build_object().
events (tenant, at, workflow_id, items)
-- end

-- macro: AGENT_LIVE
-- Whether an agent is there: it leased, beat or waits.
(coalesce(a.seen_until, a.last_activity + interval '30 seconds') >= now())
-- end

-- macro: AGENT_STATUS
-- The one rule: who is silent is offline, else an error that it told counts, else what it holds.
CASE WHEN NOT {AGENT_LIVE} THEN 'offline' WHEN a.status = 'error' THEN 'error'
    WHEN EXISTS (SELECT FROM tasks t WHERE t.tenant = a.tenant AND t.leased_by = a.agent_id AND t.status = 'processing')
    THEN 'busy' ELSE 'idle' END
-- end

-- macro: LIVE
'blocked', 'pending', 'retrying', 'processing'
-- end

-- macro: PLAN_TASK
-- The id of the n-th task of a plan: made from one new id, so that tasks sort as they were submitted. The lowest bit
-- says that the task is inside a workflow.
(left(p.base, 32) || lpad(to_hex(j.n * 2 + 1), 4, '0'))::uuid
-- end

-- macro: PLAN_ROWS
-- The rows of a compiled graph (worker/graph.c). p has one row: tenant, workflow_id, parent_id, base, plan,
-- traceparent, tracestate. external: dependencies on tasks that the workflow has already, by key.
t AS (
    INSERT INTO tasks (tenant, id, workflow_id, parent_id, key, queue, role, agent_id, status, description, input_data,
        priority, max_retries, timeout_ms, run_at, ready_at, parked, labels, retry_backoff, retry_base_ms, retry_max_ms, retry_jitter,
        deps_left, max_rounds, gate_deps, is_sink, lease_own_ms, unique_key, concurrency_key, requires, special,
        condition, approval, created_at)
    SELECT p.tenant, {PLAN_TASK}, p.workflow_id, p.parent_id, j.key, j.queue, j.role, j.agent_id,
        CASE WHEN o.deps > 0 OR j.condition IS NOT NULL THEN 'blocked' ELSE 'pending' END, coalesce(j.description, ''),
        j.input_data, j.priority, j.max_retries, j.timeout_s * 1000, j.run_at,
        CASE WHEN o.deps = 0 AND j.condition IS NULL AND NOT j.approval AND (j.run_at IS NULL OR j.run_at <= now())
            AND NOT s.paused THEN now() END,
        CASE WHEN o.deps = 0 AND j.condition IS NULL AND NOT j.approval AND s.paused THEN 'paused' END,
        j.labels, j.retry_backoff, j.retry_base_ms, j.retry_max_ms, j.retry_jitter,
        o.deps, j.max_rounds, j.gate_deps, j.is_sink AND p.plan -> 'followed' IS NULL, j.lease_own_ms, j.unique_key, j.concurrency_key, j.requires,
        j.concurrency_key IS NOT NULL OR j.requires IS NOT NULL, j.condition, j.approval, now()
    FROM p CROSS JOIN LATERAL (SELECT coalesce((SELECT w.paused FROM workflows w
            WHERE w.tenant = p.tenant AND w.id = p.workflow_id), false) AS paused OFFSET 0) s
        CROSS JOIN json_to_recordset(p.plan -> 'tasks') AS j(n int, key text, queue text, role text, agent_id text,
        description text, input_data json, priority int, max_retries int, timeout_s int, run_at timestamptz,
        labels json, retry_backoff text, retry_base_ms int, retry_max_ms int, retry_jitter boolean, deps_left int,
        max_rounds int, gate_deps int, is_sink boolean, lease_own_ms int, unique_key text, concurrency_key text,
        requires json, condition json, approval boolean)
        CROSS JOIN LATERAL (SELECT j.deps_left + CASE WHEN p.plan -> 'external' IS NULL THEN 0 ELSE (
            SELECT count(*) FROM json_to_recordset(p.plan -> 'external') AS e(n int, key text)
                JOIN tasks x ON x.tenant = p.tenant AND x.workflow_id = p.workflow_id AND x.key = e.key
            WHERE e.n = j.n AND NOT (x.status = 'completed' OR x.skipped)) END::int AS deps OFFSET 0) o
    RETURNING *
), d AS (
    INSERT INTO task_dependencies (tenant, task_id, depends_on)
    SELECT p.tenant, {PLAN_TASK}, (left(p.base, 32) || lpad(to_hex(j.depends_on * 2 + 1), 4, '0'))::uuid
    FROM p CROSS JOIN json_to_recordset(p.plan -> 'dependencies') AS j(n int, depends_on int)
    UNION ALL
    SELECT p.tenant, {PLAN_TASK}, x.id
    FROM p CROSS JOIN json_to_recordset(p.plan -> 'external') AS j(n int, key text)
        JOIN tasks x ON x.tenant = p.tenant AND x.workflow_id = p.workflow_id AND x.key = j.key
), v AS (
    INSERT INTO task_revisions (tenant, gate_id, task_id, deps_left)
    SELECT p.tenant, (left(p.base, 32) || lpad(to_hex(j.gate * 2 + 1), 4, '0'))::uuid, {PLAN_TASK}, j.deps_left
    FROM p CROSS JOIN json_to_recordset(p.plan -> 'revisions') AS j(gate int, n int, deps_left int)
), flagged AS (
    UPDATE tenants SET throttles = true
    WHERE id IN (SELECT tenant FROM t WHERE special) AND NOT throttles
), traced AS (
    INSERT INTO task_traces (tenant, task_id, traceparent, tracestate, created_at)
    SELECT t.tenant, t.id, p.traceparent, p.tracestate, now() FROM t CROSS JOIN p WHERE p.traceparent IS NOT NULL
)
-- end

-- macro: DROP_TASKS
-- What has not ended in workflow w ends with it. Running holders learn it at their next heartbeat.
dropped AS (
    UPDATE tasks t SET status = 'cancelled', completed_at = now(), ready_at = NULL, lease_until = NULL, parked = NULL,
        error_message = w.error_message
    FROM w
    WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.status IN ({LIVE})
    RETURNING t.tenant, t.workflow_id, t.id
), freed AS (
    DELETE FROM task_slots s USING dropped d WHERE s.tenant = d.tenant AND s.task_id = d.id
), said AS (
    INSERT INTO {EVENTS}
    SELECT i.tenant, now(), i.workflow_id, json_agg(i.item)
    FROM (SELECT tenant, workflow_id, json_build_object('kind', 'task.cancelled', 'subject', id) AS item FROM dropped
        UNION ALL
        SELECT tenant, id, json_build_object('kind', 'workflow.' || status, 'subject', id,
            'data', json_build_object('error', error_message)) FROM w) i
    GROUP BY i.tenant, i.workflow_id
)
-- end

-- macro: WORKFLOW_COLUMNS
w.id, w.description, w.status, w.paused, w.template, w.schedule_id, w.labels, w.input_data, w.output_data, w.verdict,
w.error_message,
json_build_object('total', w.tasks_total, 'completed', w.tasks_completed, 'failed', w.tasks_failed,
    'cancelled', w.tasks_cancelled, 'skipped', w.tasks_skipped,
    'running', (SELECT count(*) FROM tasks t
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.status = 'processing'),
    'percent', CASE WHEN w.tasks_total = 0 THEN 100 ELSE 100 * (w.tasks_completed + w.tasks_skipped) / w.tasks_total END)
    AS progress,
w.created_by, w.created_at, w.started_at, w.completed_at, w.deadline_at
-- end

-- macro: TASK_MATCH
-- What PATCH may change: see agentd_match(). Most tasks are for now, and a hash of a row costs a GET a twentieth.
CASE WHEN t.run_at IS NULL THEN t.priority::text ELSE to_hex(hashtextextended(ROW(t.priority, t.run_at)::text, 0)) END
-- end

-- macro: TASK_IF_MATCH
SELECT agentd_match(@if_match::text, {TASK_MATCH})
FROM tasks t WHERE t.tenant = @tenant::int AND t.id = @id::uuid AND @if_match::text IS NOT NULL FOR NO KEY UPDATE
-- end

-- macro: TASK_COLUMNS
t.id, t.workflow_id, t.parent_id, t.key, t.role, t.agent_id, t.description, t.status, t.priority, t.input_data,
t.output_data, t.error_message, t.epoch, t.attempt, greatest(t.attempt - 1, 0) AS retry_count, t.max_retries, t.round,
t.leased_by, t.lease_until, (t.lease_own_ms / 1000.0)::float8 AS lease_s, t.progress, t.run_at,
t.timeout_ms / 1000 AS timeout_s, t.labels, t.unique_key, t.concurrency_key, t.requires, t.condition, t.approval,
t.skipped, t.parked, t.created_at, t.started_at, t.completed_at, t.duration_ms
-- end
