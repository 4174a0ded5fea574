-- Workflows: made whole in one statement, looked at, steered.

-- name: workflow_create :one
-- The plan is the server's compilation of a checked graph, or that of a template of the tenant; without either there is
-- no row.
WITH p AS MATERIALIZED (
    SELECT @tenant::int AS tenant, @id::uuid AS workflow_id, NULL::uuid AS parent_id, @new_id::text AS base,
        @traceparent::text AS traceparent, @tracestate::text AS tracestate,
        coalesce(@plan::json, (SELECT t.plan FROM templates t
            WHERE t.tenant = @tenant::int AND t.name = @template::text ORDER BY t.version DESC LIMIT 1)) AS plan
), w AS (
    INSERT INTO workflows (tenant, id, description, template, labels, input_data, created_by, created_at, deadline_at,
        tasks_total)
    SELECT p.tenant, p.workflow_id, @description::text, @template::text, @labels::json, @input_data::json,
        @actor::text, now(), now() + @deadline_s::int * interval '1 second', json_array_length(p.plan -> 'tasks')
    FROM p WHERE p.plan IS NOT NULL
    RETURNING *
), {PLAN_ROWS}, a AS (
    INSERT INTO {AUDIT}
    SELECT w.tenant, now(), @actor::text, @principal::text, 'workflow.create', 'workflow', w.id, NULL::json,
        json_build_object('description', w.description, 'tasks', w.tasks_total), @address::text, @request_id::text
    FROM w
), said AS (
    INSERT INTO {EVENTS}
    SELECT i.tenant, now(), i.id, json_agg(i.item)
    FROM (SELECT w.tenant, w.id, json_build_object('kind', 'workflow.created', 'subject', w.id, 'data',
                json_build_object('description', w.description, 'tasks', w.tasks_total)) AS item FROM w
        UNION ALL
        SELECT t.tenant, t.workflow_id, json_build_object('kind', 'task.waits_for_approval', 'subject', t.id)
        FROM t WHERE t.approval AND t.status = 'pending') i
    GROUP BY i.tenant, i.id
)
SELECT {WORKFLOW_COLUMNS},
    (SELECT json_agg(DISTINCT t.queue) FROM t WHERE t.ready_at IS NOT NULL) AS _ready
FROM w;

-- macro: WORKFLOW_MATCH
-- What PATCH may change: see agentd_match().
to_hex(hashtextextended(ROW(w.description, w.labels, w.paused, w.deadline_at)::text, 0))
-- end

-- macro: WORKFLOW_IF_MATCH
SELECT agentd_match(@if_match::text, {WORKFLOW_MATCH})
FROM workflows w WHERE w.tenant = @tenant::int AND w.id = @id::uuid
  AND @if_match::text IS NOT NULL FOR NO KEY UPDATE
-- end

-- name: workflow_get :batch
-- parallel: 2
SELECT r.ord, {WORKFLOW_COLUMNS}, {WORKFLOW_MATCH} AS _match
FROM unnest(@tenant::int[], @id::uuid[]) WITH ORDINALITY AS r(tenant, id, ord)
    CROSS JOIN LATERAL (SELECT * FROM workflows WHERE tenant = r.tenant AND id = r.id OFFSET 0) w
ORDER BY r.ord;

-- name: workflow_known :one
-- Whether a workflow is there, or in the archive.
SELECT w.id FROM workflows w WHERE w.tenant = @tenant::int AND w.id = @id::uuid
UNION ALL
SELECT w.id FROM workflows_done w WHERE w.tenant = @tenant::int AND w.id = @id::uuid
LIMIT 1;

-- macro: WORKFLOW_FILTER
w.tenant = @tenant::int
AND (@cursor::uuid IS NULL OR w.id < @cursor::uuid)
AND (@status::text IS NULL OR w.status = @status::text)
AND (@template::text IS NULL OR w.template = @template::text)
AND (@schedule_id::uuid IS NULL OR w.schedule_id = @schedule_id::uuid)
AND (@created_after::text IS NULL OR w.created_at >= @created_after::text::timestamptz)
AND (@created_before::text IS NULL OR w.created_at < @created_before::text::timestamptz)
AND (@label::text IS NULL
    OR w.labels ->> split_part(@label::text, ':', 1) = substr(@label::text, strpos(@label::text, ':') + 1))
ORDER BY w.id DESC
LIMIT @limit::int + 1
-- end

-- name: workflow_list :many
SELECT * FROM (
    (SELECT {WORKFLOW_COLUMNS}, w.id AS _cursor FROM workflows w WHERE {WORKFLOW_FILTER})
    UNION ALL
    (SELECT {WORKFLOW_COLUMNS}, w.id AS _cursor FROM workflows_done w WHERE {WORKFLOW_FILTER})) w
ORDER BY _cursor DESC
LIMIT @limit::int + 1;

-- name: workflow_graph :one
-- Nodes and edges; an edge goes from a dependency to what waits for it, or from a gate back to what it may send back.
SELECT w.id, w.status,
    (SELECT coalesce(json_agg(json_build_object('id', t.id, 'key', t.key, 'role', t.role, 'agent_id', t.agent_id,
            'status', t.status, 'skipped', t.skipped, 'gate', t.max_rounds IS NOT NULL, 'approval', t.approval,
            'round', t.round, 'condition', t.condition) ORDER BY t.id), '[]')
        FROM tasks t WHERE t.tenant = w.tenant AND t.workflow_id = w.id) AS nodes,
    (SELECT coalesce(json_agg(e.edge), '[]') FROM (
        SELECT json_build_object('from', d.depends_on, 'to', d.task_id, 'kind', 'dependency') AS edge
        FROM tasks t JOIN task_dependencies d ON d.tenant = t.tenant AND d.task_id = t.id
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id
        UNION ALL
        SELECT json_build_object('from', v.gate_id, 'to', v.task_id, 'kind', 'revision')
        FROM tasks t JOIN task_revisions v ON v.tenant = t.tenant AND v.gate_id = t.id AND v.task_id <> t.id
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.max_rounds > 1) e) AS edges
FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- macro: COUNT_DROPPED
UPDATE workflows w SET tasks_cancelled = (
    SELECT count(*) FROM tasks t WHERE t.tenant = w.tenant AND t.workflow_id = w.id
      AND t.status = 'cancelled' AND NOT t.skipped)
-- end

-- macro: WORKFLOW_AUDIT
json_build_object('status', w.status, 'paused', w.paused, 'description', w.description, 'labels', w.labels,
    'deadline_at', w.deadline_at, 'error_message', w.error_message)
-- end

-- macro: WORKFLOW_WAS
o AS MATERIALIZED (
    SELECT {WORKFLOW_AUDIT} AS was FROM workflows w WHERE w.tenant = @tenant::int AND w.id = @id::uuid
)
-- end

-- name: workflow_cancel :one
-- Cancelling what has ended changes nothing and answers with what is.
{LOCK_WORKFLOW};
WITH {WORKFLOW_WAS}, w AS (
    UPDATE workflows w SET status = 'cancelled', completed_at = now(), error_message = 'cancelled by ' || @actor::text
    WHERE w.tenant = @tenant::int AND w.id = @id::uuid AND w.status IN ('pending', 'running')
    RETURNING *
), {DROP_TASKS}
INSERT INTO {AUDIT}
SELECT w.tenant, now(), @actor::text, @principal::text, 'workflow.cancel', 'workflow', w.id, o.was, {WORKFLOW_AUDIT},
    @address::text, @request_id::text
FROM w CROSS JOIN o;
{COUNT_DROPPED} WHERE w.tenant = @tenant::int AND w.id = @id::uuid AND w.status = 'cancelled';
SELECT {WORKFLOW_COLUMNS}
FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- name: keeper_deadlines :many
-- all tenants: the keeper works for every one of them.
SELECT w.tenant, w.id FROM workflows w
WHERE w.deadline_at < now() AND w.status IN ('pending', 'running')
LIMIT 100;

-- name: workflow_expire :one
-- The deadline has passed: the workflow failed.
{LOCK_WORKFLOW};
WITH w AS (
    UPDATE workflows w SET status = 'failed', completed_at = now(), error_message = 'the deadline of the workflow passed'
    WHERE w.tenant = @tenant::int AND w.id = @id::uuid AND w.status IN ('pending', 'running') AND w.deadline_at < now()
    RETURNING *
), {DROP_TASKS}
SELECT w.id FROM w;
{COUNT_DROPPED} WHERE w.tenant = @tenant::int AND w.id = @id::uuid AND w.status = 'failed';
SELECT w.id, w.status FROM workflows w WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- name: workflow_retry :one
-- The failed part again: what failed or was dropped gets all its attempts anew, what is done stays done.
{LOCK_WORKFLOW};
SELECT t.id FROM tasks t WHERE t.tenant = @tenant::int AND t.workflow_id = @id::uuid ORDER BY t.id FOR NO KEY UPDATE;
WITH {WORKFLOW_WAS}, w AS (
    UPDATE workflows w SET status = 'running', completed_at = NULL, error_message = NULL, output_data = NULL, verdict = NULL,
        tasks_failed = 0, tasks_cancelled = 0, deadline_at = CASE WHEN w.deadline_at > now() THEN w.deadline_at END
    WHERE w.tenant = @tenant::int AND w.id = @id::uuid AND w.status IN ('failed', 'cancelled')
    RETURNING *
), again AS MATERIALIZED (
    SELECT t.tenant, t.id, (SELECT count(*)::int
        FROM task_dependencies d JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
        WHERE d.tenant = t.tenant AND d.task_id = t.id AND NOT (p.status = 'completed' OR p.skipped)) AS deps_left
    FROM w JOIN tasks t ON t.tenant = w.tenant AND t.workflow_id = w.id
    WHERE t.status IN ('failed', 'dead', 'cancelled') AND NOT t.skipped
), reset AS (
    UPDATE tasks t SET status = CASE WHEN a.deps_left = 0 AND t.condition IS NULL THEN 'pending' ELSE 'blocked' END,
        deps_left = a.deps_left, attempt = 0, error_message = NULL, completed_at = NULL, run_at = NULL, lease_until = NULL,
        ready_at = CASE WHEN a.deps_left = 0 AND t.condition IS NULL AND NOT t.approval AND NOT w.paused THEN now() END,
        parked = CASE WHEN a.deps_left = 0 AND t.condition IS NULL AND NOT t.approval AND w.paused THEN 'paused' END
    FROM again a CROSS JOIN w
    WHERE t.tenant = a.tenant AND t.id = a.id
    RETURNING t.tenant, t.workflow_id, t.id, t.approval, t.status
), said AS (
    INSERT INTO {EVENTS}
    SELECT i.tenant, now(), i.workflow_id, json_agg(i.item)
    FROM (SELECT tenant, id AS workflow_id, json_build_object('kind', 'workflow.retried', 'subject', id) AS item FROM w
        UNION ALL
        SELECT tenant, workflow_id, json_build_object('kind', 'task.reset', 'subject', id) FROM reset
        UNION ALL
        SELECT tenant, workflow_id, json_build_object('kind', 'task.waits_for_approval', 'subject', id) FROM reset
        WHERE approval AND status = 'pending') i
    GROUP BY i.tenant, i.workflow_id
)
INSERT INTO {AUDIT}
SELECT w.tenant, now(), @actor::text, @principal::text, 'workflow.retry', 'workflow', w.id, o.was, {WORKFLOW_AUDIT},
    @address::text, @request_id::text
FROM w CROSS JOIN o;
SELECT {WORKFLOW_COLUMNS},
    CASE WHEN w.status <> 'running' THEN format('only a failed or cancelled workflow can be retried; this one is %s', w.status)
    END AS _refused,
    (SELECT json_agg(DISTINCT t.queue) FROM tasks t
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.ready_at = now()) AS _ready,
    (SELECT json_agg(t.id) FROM tasks t
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.status = 'blocked' AND t.deps_left = 0) AS _undecided
FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- name: workflow_patch :one
-- Paused: what runs goes on, nothing else starts. What has ended can only be described anew.
{WORKFLOW_IF_MATCH};
{LOCK_WORKFLOW};
WITH {WORKFLOW_WAS}, w AS (
    UPDATE workflows w SET description = coalesce(@description::text, w.description),
        labels = coalesce(@labels::json, w.labels), paused = coalesce(@paused::bool, w.paused),
        deadline_at = CASE WHEN @deadline_s::int IS NULL THEN w.deadline_at
            ELSE now() + @deadline_s::int * interval '1 second' END
    WHERE w.tenant = @tenant::int AND w.id = @id::uuid
      AND (w.status IN ('pending', 'running') OR (@paused::bool IS NULL AND @deadline_s::int IS NULL))
    RETURNING *
), parked AS (
    UPDATE tasks t SET ready_at = NULL, parked = 'paused'
    FROM w
    WHERE @paused::bool AND t.tenant = w.tenant AND t.workflow_id = w.id AND t.status IN ('pending', 'retrying')
      AND NOT t.approval
), resumed AS (
    UPDATE tasks t SET parked = NULL, ready_at = CASE WHEN t.run_at IS NULL OR t.run_at <= now() THEN now() END
    FROM w
    WHERE NOT @paused::bool AND t.tenant = w.tenant AND t.workflow_id = w.id AND t.parked = 'paused'
), said AS (
    INSERT INTO {EVENTS}
    SELECT w.tenant, now(), w.id, json_build_array(json_build_object('kind', CASE WHEN @paused::bool THEN 'workflow.paused'
        WHEN NOT @paused::bool THEN 'workflow.resumed' ELSE 'workflow.updated' END, 'subject', w.id))
    FROM w
)
INSERT INTO {AUDIT}
SELECT w.tenant, now(), @actor::text, @principal::text, 'workflow.update', 'workflow', w.id, o.was, {WORKFLOW_AUDIT},
    @address::text, @request_id::text
FROM w CROSS JOIN o;
SELECT {WORKFLOW_COLUMNS}, {WORKFLOW_MATCH} AS _match,
    CASE WHEN w.status NOT IN ('pending', 'running') AND (@paused::bool IS NOT NULL OR @deadline_s::int IS NOT NULL)
        THEN format('the workflow is %s: only its description and labels can be changed', w.status) END AS _refused,
    (SELECT json_agg(DISTINCT t.queue) FROM tasks t
        WHERE t.tenant = w.tenant AND t.workflow_id = w.id AND t.ready_at = now()) AS _ready
FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;

-- name: workflow_delete :one
-- Only what has ended; its tasks, their attempts and memory of it go with it.
{WORKFLOW_IF_MATCH};
{LOCK_WORKFLOW};
WITH gone AS (
    DELETE FROM task_attempts a
    WHERE a.tenant = @tenant::int AND a.task_id IN (SELECT t.id FROM tasks t JOIN workflows w
        ON w.tenant = t.tenant AND w.id = t.workflow_id
        WHERE t.tenant = @tenant::int AND t.workflow_id = @id::uuid AND w.status NOT IN ('pending', 'running'))
), w AS (
    DELETE FROM workflows w
    WHERE w.tenant = @tenant::int AND w.id = @id::uuid AND w.status NOT IN ('pending', 'running')
    RETURNING w.tenant, w.id, w.status, w.description, w.created_by
), its AS (
    DELETE FROM tasks t USING w WHERE t.tenant = w.tenant AND t.workflow_id = w.id
), a AS (
    INSERT INTO {AUDIT}
    SELECT w.tenant, now(), @actor::text, @principal::text, 'workflow.delete', 'workflow', w.id,
        json_build_object('status', w.status, 'description', w.description, 'created_by', w.created_by), NULL::json,
        @address::text, @request_id::text
    FROM w
), said AS (
    INSERT INTO {EVENTS}
    SELECT w.tenant, now(), w.id, json_build_array(json_build_object('kind', 'workflow.deleted', 'subject', w.id)) FROM w
)
SELECT w.id, CASE WHEN w.status IN ('pending', 'running') THEN
    'the workflow has not ended; cancel it first' END AS _refused, 204 AS _status
FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = @id::uuid;
