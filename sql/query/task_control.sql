-- Steering tasks from outside: changing, retrying, deleting, the dead letters; and what a holder adds to its workflow.

-- name: task_patch :one
-- While it is not leased. A new run_at in the future takes it out of its queue, one in the past puts it back.
{TASK_IF_MATCH};
SELECT t.id FROM tasks t WHERE t.tenant = @tenant::int AND t.id = @id::uuid FOR NO KEY UPDATE;
WITH o AS MATERIALIZED (
    SELECT json_build_object('priority', t.priority, 'run_at', t.run_at) AS was FROM tasks t
    WHERE t.tenant = @tenant::int AND t.id = @id::uuid
), t AS (
    UPDATE tasks t SET priority = coalesce(@priority::int, t.priority),
        run_at = coalesce(@run_at::text::timestamptz, t.run_at),
        ready_at = CASE WHEN @run_at::text IS NULL THEN t.ready_at
            WHEN t.status = 'blocked' OR t.parked IS NOT NULL OR t.approval THEN NULL
            WHEN @run_at::text::timestamptz <= now() THEN now() END
    WHERE t.tenant = @tenant::int AND t.id = @id::uuid AND t.status IN ('blocked', 'pending', 'retrying')
    RETURNING *
), said AS (
    INSERT INTO {EVENTS}
    SELECT t.tenant, now(), t.workflow_id, json_build_array(json_build_object('kind', 'task.updated', 'subject', t.id,
        'data', json_build_object('priority', t.priority, 'run_at', t.run_at)))
    FROM t
)
INSERT INTO {AUDIT}
SELECT t.tenant, now(), @actor::text, @principal::text, 'task.update', 'task', t.id, o.was,
    json_build_object('priority', t.priority, 'run_at', t.run_at), @address::text, @request_id::text
FROM t CROSS JOIN o;
SELECT {TASK_COLUMNS}, {TASK_MATCH} AS _match, CASE WHEN t.status NOT IN ('blocked', 'pending', 'retrying') THEN
        format('only a task that waits can be changed; this one is %s', t.status) END AS _refused,
    CASE WHEN t.ready_at = now() THEN json_build_array(t.queue) END AS _ready
FROM tasks t
WHERE t.tenant = @tenant::int AND t.id = @id::uuid;

-- name: task_retry :one
-- A task outside a workflow that ended badly gets all its attempts anew.
SELECT t.id FROM tasks t WHERE t.tenant = @tenant::int AND t.id = @id::uuid FOR NO KEY UPDATE;
WITH o AS MATERIALIZED (
    SELECT json_build_object('status', t.status, 'error_message', t.error_message) AS was FROM tasks t
    WHERE t.tenant = @tenant::int AND t.id = @id::uuid
), t AS (
    UPDATE tasks t SET status = 'pending', attempt = 0, error_message = NULL, completed_at = NULL, run_at = NULL,
        ready_at = now()
    WHERE t.tenant = @tenant::int AND t.id = @id::uuid AND t.workflow_id IS NULL
      AND t.status IN ('failed', 'dead', 'cancelled')
    RETURNING *
), said AS (
    INSERT INTO {EVENTS}
    SELECT t.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'task.reset', 'subject', t.id))
    FROM t
)
INSERT INTO {AUDIT}
SELECT t.tenant, now(), @actor::text, @principal::text, 'task.retry', 'task', t.id, o.was,
    json_build_object('status', t.status), @address::text, @request_id::text
FROM t CROSS JOIN o;
SELECT {TASK_COLUMNS}, CASE WHEN t.workflow_id IS NOT NULL THEN
        format('the task belongs to a workflow: POST /api/v1/workflows/%s/retry runs its failed part again', t.workflow_id)
        WHEN t.ready_at IS DISTINCT FROM now() OR t.status <> 'pending' THEN
        format('only a failed, dead or cancelled task can be retried; this one is %s', t.status) END AS _refused,
    CASE WHEN t.ready_at = now() THEN json_build_array(t.queue) END AS _ready
FROM tasks t
WHERE t.tenant = @tenant::int AND t.id = @id::uuid;

-- name: task_redrive :one
-- Dead letters outside workflows get all their attempts anew, oldest first. One whose unique_key a live task has stays.
WITH dead AS MATERIALIZED (
    SELECT t.ctid AS tid, t.id, t.unique_key FROM tasks t
    WHERE t.tenant = @tenant::int AND t.status = 'dead' AND t.workflow_id IS NULL
      AND (@role::text IS NULL OR t.role = @role::text)
      AND (@ids::json IS NULL OR t.id IN (SELECT i::uuid FROM json_array_elements_text(@ids::json) AS i))
      AND (t.unique_key IS NULL OR NOT EXISTS (SELECT FROM tasks x
          WHERE x.tenant = t.tenant AND x.unique_key = t.unique_key AND x.status IN ({LIVE})))
    ORDER BY t.id LIMIT @max::int FOR NO KEY UPDATE SKIP LOCKED
), first AS (
    SELECT DISTINCT ON (coalesce(unique_key, id::text)) tid FROM dead ORDER BY coalesce(unique_key, id::text), id
), t AS (
    UPDATE tasks t SET status = 'pending', attempt = 0, error_message = NULL, completed_at = NULL, run_at = NULL,
        ready_at = now()
    FROM first WHERE t.ctid = first.tid
    RETURNING t.*
), said AS (
    INSERT INTO {EVENTS}
    SELECT t.tenant, now(), NULL::uuid, json_agg(json_build_object('kind', 'task.reset', 'subject', t.id))
    FROM t GROUP BY t.tenant
), a AS (
    INSERT INTO {AUDIT}
    SELECT @tenant::int, now(), @actor::text, @principal::text, 'task.redrive', 'task', count(*) || ' tasks',
        json_build_object('status', 'dead'), json_build_object('status', 'pending', 'ids', json_agg(t.id ORDER BY t.id)),
        @address::text, @request_id::text
    FROM t HAVING count(*) > 0
)
SELECT count(*) AS redriven, coalesce(json_agg(t.id ORDER BY t.id), '[]') AS ids, json_agg(DISTINCT t.queue) AS _ready
FROM t;

-- name: task_delete :one
-- A task outside a workflow that has ended, with its attempts.
{TASK_IF_MATCH};
WITH t AS (
    DELETE FROM tasks t
    WHERE t.tenant = @tenant::int AND t.id = @id::uuid AND t.workflow_id IS NULL AND t.status NOT IN ({LIVE})
    RETURNING t.tenant, t.id, t.status, t.description
), gone AS (
    DELETE FROM task_attempts a USING t WHERE a.tenant = t.tenant AND a.task_id = t.id
), said AS (
    INSERT INTO {EVENTS}
    SELECT t.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'task.deleted', 'subject', t.id)) FROM t
), a AS (
    INSERT INTO {AUDIT}
    SELECT t.tenant, now(), @actor::text, @principal::text, 'task.delete', 'task', t.id,
        json_build_object('status', t.status, 'description', t.description), NULL::json, @address::text, @request_id::text
    FROM t
)
SELECT t.id, 204 AS _status, CASE WHEN t.workflow_id IS NOT NULL THEN
        'the task belongs to a workflow: it goes when that is deleted'
    WHEN t.status IN ({LIVE}) THEN 'the task has not ended; cancel it first' END AS _refused
FROM tasks t
WHERE t.tenant = @tenant::int AND t.id = @id::uuid;

-- name: workflow_append :one
-- The holder of a task adds tasks to its workflow. They may depend on each other and on what is there already; `before`
-- are waiting tasks that from now on wait for the new ones too. The epoch must be the current one.
{LOCK_WORKFLOW};
SELECT t.id FROM tasks t WHERE t.tenant = @tenant::int AND t.id = @task_id::uuid FOR NO KEY UPDATE;
WITH RECURSIVE wanted AS MATERIALIZED (
    SELECT x.id, x.key FROM tasks x
    WHERE x.tenant = @tenant::int AND x.workflow_id = @id::uuid
      AND x.key IN (SELECT e.key FROM json_to_recordset(@plan::json -> 'external') AS e(n int, key text))
), above AS (
    SELECT id FROM wanted
    UNION
    SELECT d.depends_on FROM above a JOIN task_dependencies d ON d.tenant = @tenant::int AND d.task_id = a.id
), fault AS MATERIALIZED (
    SELECT format('the workflow has a task with the key %s already', x.key) AS text
    FROM tasks x JOIN json_array_elements_text(@keys::json) AS k(key) ON x.key = k.key
    WHERE x.tenant = @tenant::int AND x.workflow_id = @id::uuid
    UNION ALL
    SELECT format('depends_on: no task has the key %s, neither here nor in the workflow', e.key)
    FROM json_to_recordset(@plan::json -> 'external') AS e(n int, key text)
    WHERE e.key NOT IN (SELECT key FROM wanted)
    UNION ALL
    SELECT format('before: the task %s %s', b.key, coalesce('is ' || x.status
        || '; only one that still waits for others can be given more to wait for', 'is not in the workflow'))
    FROM json_array_elements_text(@before::json) AS b(key)
        LEFT JOIN tasks x ON x.tenant = @tenant::int AND x.workflow_id = @id::uuid AND x.key = b.key
    WHERE x.status IS DISTINCT FROM 'blocked'
    UNION ALL
    SELECT format('before: the task %s would wait for tasks that wait for it', x.key)
    FROM above a JOIN tasks x ON x.tenant = @tenant::int AND x.id = a.id
    WHERE x.key IN (SELECT key FROM json_array_elements_text(@before::json) AS b(key))
    UNION ALL
    SELECT 'the workflow would have more than 10000 tasks' FROM workflows w
    WHERE w.tenant = @tenant::int AND w.id = @id::uuid
      AND w.tasks_total + json_array_length(@plan::json -> 'tasks') > 10000
), holder AS MATERIALIZED (
    SELECT t.tenant, t.workflow_id, t.id
    FROM tasks t
    WHERE t.tenant = @tenant::int AND t.id = @task_id::uuid AND t.workflow_id = @id::uuid AND t.epoch = @epoch::int
      AND t.status = 'processing' AND NOT EXISTS (SELECT FROM fault)
), p AS MATERIALIZED (
    -- followed: others wait for all of the new tasks, so none of them is an end of the workflow.
    SELECT h.tenant, h.workflow_id, h.id AS parent_id, @new_id::text AS base,
        @traceparent::text AS traceparent, @tracestate::text AS tracestate,
        CASE WHEN json_array_length(@before::json) = 0 THEN @plan::json
            ELSE ('{"followed":true,' || substr(@plan::json::text, 2))::json END AS plan
    FROM holder h
), {PLAN_ROWS}, waiting AS (
    -- The existing tasks that wait for the new ones, each for all of them.
    SELECT x.tenant, x.id FROM p JOIN tasks x ON x.tenant = p.tenant AND x.workflow_id = p.workflow_id
        JOIN json_array_elements_text(@before::json) AS b(key) ON b.key = x.key
), joined AS (
    INSERT INTO task_dependencies (tenant, task_id, depends_on)
    SELECT x.tenant, x.id, t.id FROM waiting x CROSS JOIN t
), armed AS (
    UPDATE tasks x SET deps_left = x.deps_left + (SELECT count(*) FROM t)
    FROM waiting y WHERE x.tenant = y.tenant AND x.id = y.id
), followed AS (
    UPDATE tasks x SET is_sink = false
    FROM p CROSS JOIN json_to_recordset(p.plan -> 'external') AS e(n int, key text)
    WHERE x.tenant = p.tenant AND x.workflow_id = p.workflow_id AND x.key = e.key AND x.is_sink
), grown AS (
    UPDATE workflows w SET tasks_total = w.tasks_total + (SELECT count(*) FROM t)
    FROM p WHERE w.tenant = p.tenant AND w.id = p.workflow_id
), said AS (
    INSERT INTO {EVENTS}
    SELECT i.tenant, now(), i.workflow_id, json_agg(i.item)
    FROM (SELECT t.tenant, t.workflow_id, json_build_object('kind', 'task.created', 'subject', t.id, 'data',
                json_build_object('role', t.role, 'key', t.key, 'by', t.parent_id)) AS item FROM t
        UNION ALL
        SELECT t.tenant, t.workflow_id, json_build_object('kind', 'task.waits_for_approval', 'subject', t.id)
        FROM t WHERE t.approval AND t.status = 'pending') i
    GROUP BY i.tenant, i.workflow_id
)
SELECT x.id AS task_id, x.workflow_id,
    CASE WHEN x.status <> 'processing' OR x.epoch <> @epoch::int THEN 'stale' END AS _result, x.status, x.epoch AS _epoch,
    (SELECT json_agg(json_build_object('id', t.id, 'key', t.key, 'status', t.status) ORDER BY t.id) FROM t) AS tasks,
    (SELECT json_agg(DISTINCT t.queue) FROM t WHERE t.ready_at IS NOT NULL) AS _ready,
    (SELECT json_agg(t.id) FROM t WHERE t.status = 'blocked' AND t.deps_left = 0) AS _undecided,
    (SELECT 'nothing was added: ' || string_agg(f.text, '; ') FROM fault f) AS _refused
FROM tasks x
WHERE x.tenant = @tenant::int AND x.id = @task_id::uuid AND x.workflow_id = @id::uuid;

-- name: task_add_dependency :one
-- A waiting task of a workflow waits for one more of its tasks. What would close a circle is refused.
SELECT w.id FROM workflows w
WHERE w.tenant = @tenant::int AND w.id = (SELECT t.workflow_id FROM tasks t WHERE t.tenant = @tenant::int AND t.id = @id::uuid)
FOR NO KEY UPDATE;
SELECT t.id FROM tasks t WHERE t.tenant = @tenant::int AND t.id = @id::uuid FOR NO KEY UPDATE;
WITH RECURSIVE above AS (
    SELECT @depends_on::uuid AS id
    UNION
    SELECT d.depends_on FROM above a JOIN task_dependencies d ON d.tenant = @tenant::int AND d.task_id = a.id
), pair AS MATERIALIZED (
    SELECT t.tenant, t.id, p.id AS depends_on, t.status, p.status = 'completed' OR p.skipped AS done,
        (SELECT bool_or(a.id = t.id) FROM above a) AS circle,
        EXISTS (SELECT FROM task_dependencies d WHERE d.tenant = t.tenant AND d.task_id = t.id AND d.depends_on = p.id) AS known,
        p.workflow_id IS NOT NULL AND p.workflow_id = t.workflow_id AS together
    FROM tasks t LEFT JOIN tasks p ON p.tenant = t.tenant AND p.id = @depends_on::uuid
    WHERE t.tenant = @tenant::int AND t.id = @id::uuid
), made AS (
    INSERT INTO task_dependencies (tenant, task_id, depends_on)
    SELECT tenant, id, depends_on FROM pair
    WHERE together AND NOT circle AND NOT known AND status IN ('blocked', 'pending', 'retrying')
    RETURNING *
), armed AS (
    UPDATE tasks t SET deps_left = t.deps_left + 1, status = 'blocked', ready_at = NULL, parked = NULL
    FROM pair p JOIN made m ON m.tenant = p.tenant AND m.task_id = p.id
    WHERE t.tenant = p.tenant AND t.id = p.id AND NOT p.done
), sink AS (
    UPDATE tasks t SET is_sink = false FROM made m WHERE t.tenant = m.tenant AND t.id = m.depends_on AND t.is_sink
), said AS (
    INSERT INTO {EVENTS}
    SELECT t.tenant, now(), t.workflow_id, json_build_array(json_build_object('kind', 'task.updated', 'subject', t.id, 'data',
        json_build_object('depends_on', m.depends_on)))
    FROM made m JOIN tasks t ON t.tenant = m.tenant AND t.id = m.task_id
), noted AS (
    INSERT INTO {AUDIT}
    SELECT m.tenant, now(), @actor::text, @principal::text, 'task.add_dependency', 'task', m.task_id, NULL::json,
        json_build_object('depends_on', m.depends_on), @address::text, @request_id::text
    FROM made m
)
SELECT p.id AS task_id, p.depends_on, CASE WHEN p.known THEN 200 ELSE 201 END AS _status,
    CASE WHEN p.known THEN NULL WHEN p.together IS NOT TRUE THEN 'depends_on must be another task of the same workflow'
        WHEN p.circle THEN 'this would close a circle: that task waits for this one already'
        WHEN p.status NOT IN ('blocked', 'pending', 'retrying') THEN format('the task is %s; only one that waits can be given more to wait for', p.status)
    END AS _refused
FROM pair p;

-- name: subtask_create :batch
-- Sub-tasks are the holder's own record of its steps: the epoch must be the current one.
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @new_id::uuid[], @id::uuid[], @epoch::int[], @description::text[], @status::text[],
        @input_data::json[], @output_data::json[], @error_message::text[])
        WITH ORDINALITY AS r(tenant, id, task_id, epoch, description, status, input_data, output_data, error_message, ord)
), held AS MATERIALIZED (
    SELECT r.ord, t.id IS NOT NULL AS found, t.epoch, t.status,
        coalesce(t.epoch = r.epoch AND t.status = 'processing', false) AS holds
    FROM req r LEFT JOIN LATERAL (SELECT id, epoch, status FROM tasks
        WHERE tenant = r.tenant AND id = r.task_id FOR NO KEY UPDATE OFFSET 0) t ON true
), made AS (
    INSERT INTO subtasks (tenant, id, task_id, description, status, input_data, output_data, error_message, created_at,
        started_at, completed_at)
    SELECT r.tenant, r.id, r.task_id, r.description, r.status, r.input_data, r.output_data, r.error_message, now(),
        CASE WHEN r.status <> 'pending' THEN now() END, CASE WHEN r.status IN ('completed', 'failed') THEN now() END
    FROM req r JOIN held h ON h.ord = r.ord WHERE h.holds
    RETURNING *
)
SELECT r.ord, CASE WHEN NOT h.found THEN 'not_found' WHEN h.holds THEN 'ok' ELSE 'stale' END AS _result, r.id, r.task_id,
    r.description, CASE WHEN h.holds THEN r.status ELSE h.status END AS status, r.input_data, r.output_data, r.error_message,
    m.created_at, m.started_at, m.completed_at, h.epoch AS _epoch
FROM req r JOIN held h ON h.ord = r.ord LEFT JOIN made m ON m.tenant = r.tenant AND m.id = r.id
ORDER BY r.ord;

-- name: subtask_patch :batch
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[], @status::text[], @output_data::json[], @error_message::text[])
        WITH ORDINALITY AS r(tenant, id, epoch, status, output_data, error_message, ord)
), held AS MATERIALIZED (
    SELECT r.ord, s.id IS NOT NULL AS found, t.epoch, t.status,
        coalesce(t.epoch = r.epoch AND t.status = 'processing', false) AS holds
    FROM req r
        LEFT JOIN LATERAL (SELECT id, task_id FROM subtasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) s ON true
        LEFT JOIN LATERAL (SELECT id, epoch, status FROM tasks
            WHERE tenant = r.tenant AND id = s.task_id FOR NO KEY UPDATE OFFSET 0) t ON true
), changed AS (
    UPDATE subtasks s SET status = coalesce(r.status, s.status), output_data = coalesce(r.output_data, s.output_data),
        error_message = coalesce(r.error_message, s.error_message),
        started_at = CASE WHEN r.status <> 'pending' THEN coalesce(s.started_at, now()) ELSE s.started_at END,
        completed_at = CASE WHEN r.status IN ('completed', 'failed') THEN now() WHEN r.status IS NULL THEN s.completed_at END
    FROM req r JOIN held h ON h.ord = r.ord AND h.holds
    WHERE s.tenant = r.tenant AND s.id = r.id
    RETURNING s.*
)
SELECT r.ord, CASE WHEN NOT h.found THEN 'not_found' WHEN h.holds THEN 'ok' ELSE 'stale' END AS _result, r.id, s.task_id,
    s.description, CASE WHEN h.holds THEN s.status ELSE h.status END AS status, s.input_data, s.output_data, s.error_message,
    s.created_at, s.started_at, s.completed_at, h.epoch AS _epoch
FROM req r JOIN held h ON h.ord = r.ord LEFT JOIN changed s ON s.tenant = r.tenant AND s.id = r.id
ORDER BY r.ord;

-- name: subtask_list :many
SELECT s.id, s.task_id, s.description, s.status, s.input_data, s.output_data, s.error_message, s.created_at, s.started_at,
    s.completed_at, s.id AS _cursor
FROM subtasks s
WHERE s.tenant = @tenant::int AND s.task_id = @id::uuid AND (@cursor::uuid IS NULL OR s.id > @cursor::uuid)
ORDER BY s.id
LIMIT @limit::int + 1;
