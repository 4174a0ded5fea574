-- Where a task's state moves, and nowhere else.
--
--     blocked -> pending -> processing -> completed | failed | cancelled, retrying between attempts, dead after the last
--
-- Locks are taken in one order: workflow, then tasks by id. Leasing never waits for a lock, so it cannot deadlock with
-- anything. Rows are looked up through LATERAL subqueries with OFFSET 0, one by one by primary key, and changed by ctid:
-- no statistics, stale or absent, can make another plan of that. A statement that changes rows by ctid comes behind one
-- that locked them, so that it sees their newest version.

-- macro: NAMED_TASKS
-- The tasks that the batch names, each once, in the order of locking.
(SELECT DISTINCT tenant, id FROM unnest(@tenant::int[], @id::uuid[]) AS q(tenant, id) ORDER BY tenant, id) r
    CROSS JOIN LATERAL (SELECT *, ctid AS tid FROM tasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) t
-- end

-- macro: LOCK_TASKS
SELECT t.id
FROM (SELECT DISTINCT tenant, id FROM unnest(@tenant::int[], @id::uuid[]) AS q(tenant, id) ORDER BY tenant, id) r
    CROSS JOIN LATERAL (SELECT id FROM tasks WHERE tenant = r.tenant AND id = r.id FOR NO KEY UPDATE OFFSET 0) t
-- end

-- name: task_lease :batch
-- Requests are grouped by the queue they may take from; each queue is selected from once, for all of them, because
-- SKIP LOCKED does not skip what the same transaction locked.
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @queues::json[], @agent_id::text[], @max::int[], @lease_ms::int[])
        WITH ORDINALITY AS r(tenant, queues, agent_id, want, lease_ms, ord)
), line AS MATERIALIZED (
    SELECT r.ord, r.tenant, q.queue, r.want,
        sum(r.want) OVER (PARTITION BY r.tenant, q.queue ORDER BY r.ord)::int AS upto
    FROM req r CROSS JOIN LATERAL json_array_elements_text(r.queues) AS q(queue)
), wanted AS MATERIALIZED (
    SELECT tenant, queue, max(upto) AS want FROM line GROUP BY tenant, queue ORDER BY tenant, queue
), picked AS MATERIALIZED (
    SELECT w.tenant, w.queue, t.*,
        row_number() OVER (PARTITION BY w.tenant, w.queue ORDER BY t.priority DESC, t.ready_at, t.id) AS place
    FROM wanted w CROSS JOIN LATERAL (
        SELECT ctid AS tid, id, priority, ready_at FROM tasks
        WHERE tenant = w.tenant AND queue = w.queue AND status IN ('pending', 'retrying') AND ready_at IS NOT NULL
        ORDER BY priority DESC, ready_at, id
        LIMIT w.want FOR UPDATE SKIP LOCKED) t
), offered AS MATERIALIZED (
    SELECT p.tid, l.ord, l.want,
        row_number() OVER (PARTITION BY l.ord ORDER BY p.priority DESC, p.ready_at, p.id) AS nth
    FROM picked p JOIN line l ON l.tenant = p.tenant AND l.queue = p.queue
        AND p.place > l.upto - l.want AND p.place <= l.upto
), leased AS (
    UPDATE tasks t SET status = 'processing', epoch = t.epoch + 1, attempt = t.attempt + 1, leased_by = r.agent_id,
        leased_at = now(), lease_ms = r.lease_ms, progress = NULL,
        lease_until = now() + least(r.lease_ms, t.timeout_ms) * interval '1 millisecond',
        deadline_at = now() + t.timeout_ms * interval '1 millisecond',
        started_at = coalesce(t.started_at, now())
    FROM offered o JOIN req r ON r.ord = o.ord
    WHERE t.ctid = o.tid AND o.nth <= o.want
    RETURNING o.ord, o.nth, t.*
), begun AS (
    -- A workflow that another transaction holds is skipped: its settlement marks it as running. IS TRUE keeps the plan
    -- on the primary key: the index of open workflows would be read from end to end.
    UPDATE workflows SET status = 'running', started_at = now()
    WHERE ctid = ANY(ARRAY(
        SELECT w.ctid FROM workflows w
        WHERE w.tenant = ANY(@tenant::int[]) AND w.id = ANY(ARRAY(SELECT workflow_id FROM leased))
          AND (w.status = 'pending') IS TRUE
        FOR NO KEY UPDATE SKIP LOCKED))
)
SELECT l.ord, l.id, l.epoch, l.lease_until, (l.lease_ms / 1000.0)::float8 AS lease_s, l.workflow_id, l.key, l.role, l.description,
    l.priority,
    CASE WHEN l.workflow_id IS NULL OR l.input_data IS NOT NULL THEN l.input_data
        ELSE (SELECT w.input_data FROM workflows w WHERE w.tenant = l.tenant AND w.id = l.workflow_id) END AS input_data,
    CASE WHEN l.workflow_id IS NULL THEN '{}' ELSE
        (SELECT coalesce(json_object_agg(p.key, p.output_data ORDER BY p.id), '{}')
         FROM task_dependencies d JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
         WHERE d.tenant = l.tenant AND d.task_id = l.id) END AS dependencies,
    l.feedback, l.round, l.attempt, l.max_retries, l.timeout_ms / 1000 AS timeout_s, l.deadline_at, l.labels
FROM leased l
ORDER BY l.ord, l.nth;

-- name: task_heartbeat :batch
-- Prolongs leases, never past the deadline of the attempt. The same holder's cancelled task is answered, not refused.
{LOCK_TASKS};
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[], @progress::json[])
        WITH ORDINALITY AS r(tenant, id, epoch, progress, ord)
), beat AS (
    UPDATE tasks t SET progress = coalesce(r.progress, t.progress),
        lease_until = least(now() + t.lease_ms * interval '1 millisecond', t.deadline_at)
    FROM (SELECT DISTINCT ON (tenant, id, epoch) * FROM req ORDER BY tenant, id, epoch, ord DESC) r
        CROSS JOIN LATERAL (SELECT ctid AS tid, epoch AS current_epoch, status AS current_status FROM tasks
            WHERE tenant = r.tenant AND id = r.id OFFSET 0) held
    WHERE t.ctid = held.tid AND held.current_epoch = r.epoch AND held.current_status = 'processing'
    RETURNING t.tenant, t.id, t.epoch, t.lease_until
)
SELECT r.ord,
    CASE WHEN b.id IS NOT NULL THEN 'ok' WHEN t.id IS NULL THEN 'not_found'
        WHEN t.epoch = r.epoch AND t.status = 'cancelled' THEN 'ok' ELSE 'stale' END AS _result,
    t.id, t.status, b.lease_until, (b.id IS NULL) AS cancel, t.epoch AS _epoch
FROM req r
    LEFT JOIN beat b ON b.tenant = r.tenant AND b.id = r.id AND b.epoch = r.epoch
    LEFT JOIN LATERAL (SELECT id, status, epoch FROM tasks
        WHERE tenant = r.tenant AND id = r.id OFFSET 0) t ON true
ORDER BY r.ord;

-- name: task_settle :batch
-- A lease ends: complete, fail, release (by its holder), expire (by the keeper). The epoch must be the current one.
-- First the workflows, in order: from here on nothing else moves in them.
SELECT w.id
FROM (SELECT DISTINCT t.tenant, t.workflow_id FROM {NAMED_TASKS}
        WHERE t.workflow_id IS NOT NULL ORDER BY t.tenant, t.workflow_id) n
    CROSS JOIN LATERAL (SELECT id FROM workflows
        WHERE tenant = n.tenant AND id = n.workflow_id FOR NO KEY UPDATE OFFSET 0) w;
{LOCK_TASKS};
-- The tasks themselves, with a record of the attempt. A gate that asks for a revision is blocked again at once.
WITH moved AS (
    UPDATE tasks t SET
        status = CASE
            WHEN r.outcome = 'complete' THEN
                CASE WHEN r.again AND t.round < t.max_rounds THEN 'blocked' ELSE 'completed' END
            WHEN r.outcome = 'release' THEN 'pending'
            WHEN NOT r.retryable THEN 'failed'
            WHEN t.attempt <= t.max_retries THEN 'retrying'
            ELSE 'dead' END,
        ready_at = CASE WHEN r.outcome = 'release' OR (r.outcome = 'expire' AND t.attempt <= t.max_retries)
            THEN now() END,
        run_at = CASE WHEN r.outcome = 'fail' AND r.retryable AND t.attempt <= t.max_retries THEN
                now() + interval '1 millisecond' * (CASE WHEN t.retry_jitter THEN 0.5 + random() / 2 ELSE 1 END)
                    * least(t.retry_max_ms, t.retry_base_ms
                        * CASE WHEN t.retry_backoff = 'fixed' THEN 1 ELSE power(2, least(t.attempt - 1, 30)) END)
            ELSE t.run_at END,
        attempt = CASE WHEN r.outcome = 'release' THEN t.attempt - 1
            WHEN r.outcome = 'complete' AND r.again AND t.round < t.max_rounds THEN 0
            ELSE t.attempt END,
        round = t.round + CASE WHEN r.outcome = 'complete' AND r.again AND t.round < t.max_rounds THEN 1 ELSE 0 END,
        deps_left = CASE WHEN r.outcome = 'complete' AND r.again AND t.round < t.max_rounds
            THEN t.gate_deps ELSE t.deps_left END,
        completed_at = CASE WHEN (r.outcome = 'complete' AND NOT (r.again AND coalesce(t.round < t.max_rounds, false)))
            OR (r.outcome IN ('fail', 'expire') AND (NOT r.retryable OR t.attempt > t.max_retries)) THEN now() END,
        duration_ms = coalesce(r.duration_ms, (extract(epoch FROM now() - t.leased_at) * 1000)::int8),
        output_data = CASE WHEN r.outcome = 'complete' THEN r.output_data ELSE t.output_data END,
        verdict = CASE WHEN r.outcome = 'complete' THEN r.verdict ELSE t.verdict END,
        error_message = CASE r.outcome WHEN 'complete' THEN NULL WHEN 'release' THEN t.error_message
            WHEN 'expire' THEN format('the lease of %s expired: no heartbeat in time', coalesce(t.leased_by, 'its agent'))
            ELSE r.error_message END,
        lease_until = NULL, settled_in = pg_current_xact_id()
    FROM (SELECT DISTINCT ON (tenant, id, epoch) *, coalesce(verdict = 'needs_revision', false) AS again
        FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[], @outcome::text[], @output_data::json[], @verdict::text[],
            @error_message::text[], @retryable::bool[], @duration_ms::int8[]) WITH ORDINALITY
            AS q(tenant, id, epoch, outcome, output_data, verdict, error_message, retryable, duration_ms, ord)
        ORDER BY tenant, id, epoch, ord) r
        CROSS JOIN LATERAL (SELECT ctid AS tid, epoch AS current_epoch, status AS current_status,
            lease_until AS current_until FROM tasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) held
    WHERE t.ctid = held.tid AND held.current_epoch = r.epoch AND held.current_status = 'processing'
      AND (r.outcome <> 'expire' OR held.current_until < now())
    RETURNING t.tenant, t.id, t.epoch, t.attempt, t.round, t.status, t.leased_by, t.leased_at, t.error_message,
        t.duration_ms, r.outcome
)
INSERT INTO task_attempts (tenant, task_id, epoch, attempt, round, agent_id, outcome, error_message, started_at,
    ended_at, duration_ms)
SELECT tenant, id, epoch, attempt + CASE WHEN outcome = 'release' THEN 1 ELSE 0 END,
    round - CASE WHEN outcome = 'complete' AND status = 'blocked' THEN 1 ELSE 0 END,
    leased_by, outcome, CASE WHEN outcome IN ('fail', 'expire') THEN error_message END, leased_at, now(), duration_ms
FROM moved;
-- Revisions: what the gate looked at runs again with its feedback; what else waits for those waits again.
WITH gate AS MATERIALIZED (
    SELECT t.tenant, t.id, t.epoch, t.round, t.output_data FROM {NAMED_TASKS}
    WHERE t.settled_in = pg_current_xact_id() AND t.status = 'blocked'
), again AS MATERIALIZED (
    -- Two gates may look at one task: it runs again once, and not if another gate has sent it back already.
    SELECT DISTINCT ON (v.tenant, v.task_id) v.tenant, v.task_id, g.round, g.output_data
    FROM gate g JOIN task_revisions v ON v.tenant = g.tenant AND v.gate_id = g.id AND v.task_id <> g.id
        JOIN tasks t ON t.tenant = v.tenant AND t.id = v.task_id AND t.status = 'completed'
    ORDER BY v.tenant, v.task_id, g.id
), waits AS MATERIALIZED (
    -- deps_left is the number of dependencies that are not completed; what completes in this transaction is
    -- subtracted by the next statement.
    SELECT y.tenant, y.task_id, count(*)::int AS count
    FROM task_dependencies y JOIN tasks p ON p.tenant = y.tenant AND p.id = y.depends_on
    WHERE (y.tenant, y.task_id) IN (SELECT tenant, task_id FROM again
            UNION ALL SELECT x.tenant, x.task_id
            FROM again r JOIN task_dependencies x ON x.tenant = r.tenant AND x.depends_on = r.task_id)
      AND (p.status <> 'completed' OR p.settled_in = pg_current_xact_id()
          OR (p.tenant, p.id) IN (SELECT tenant, task_id FROM again))
    GROUP BY y.tenant, y.task_id
), kept AS (
    UPDATE task_attempts a SET output_data = t.output_data
    FROM (SELECT tenant, task_id FROM again UNION ALL SELECT tenant, id FROM gate) r
        JOIN tasks t ON t.tenant = r.tenant AND t.id = r.task_id
    WHERE a.tenant = t.tenant AND a.task_id = t.id AND a.epoch = t.epoch
), rearmed AS (
    UPDATE tasks d SET deps_left = n.count
    FROM waits n
    WHERE d.tenant = n.tenant AND d.id = n.task_id AND d.status = 'blocked'
), reset AS (
    UPDATE tasks t SET status = CASE WHEN r.deps_left = 0 THEN 'pending' ELSE 'blocked' END,
        ready_at = CASE WHEN r.deps_left = 0 THEN now() END, run_at = NULL, deps_left = r.deps_left,
        round = r.round, attempt = 0, feedback = r.output_data, output_data = NULL, completed_at = NULL
    FROM (SELECT a.*, coalesce(n.count, 0) AS deps_left
        FROM again a LEFT JOIN waits n ON n.tenant = a.tenant AND n.task_id = a.task_id) r
    WHERE t.tenant = r.tenant AND t.id = r.task_id
    RETURNING t.tenant, t.workflow_id
)
UPDATE workflows w SET tasks_completed = w.tasks_completed - n.count
FROM (SELECT tenant, workflow_id, count(*)::int AS count FROM reset GROUP BY tenant, workflow_id) n
WHERE w.tenant = n.tenant AND w.id = n.workflow_id;
-- Dependents: the last dependency to complete makes a task ready.
WITH freed AS MATERIALIZED (
    SELECT x.tenant, x.task_id, count(*)::int AS count
    FROM {NAMED_TASKS}
        CROSS JOIN LATERAL (SELECT tenant, task_id FROM task_dependencies
            WHERE tenant = t.tenant AND depends_on = t.id OFFSET 0) x
    WHERE t.settled_in = pg_current_xact_id() AND t.status = 'completed' AND t.workflow_id IS NOT NULL
    GROUP BY x.tenant, x.task_id
)
UPDATE tasks d SET deps_left = d.deps_left - f.count,
    status = CASE WHEN d.deps_left = f.count THEN 'pending' ELSE 'blocked' END,
    ready_at = CASE WHEN d.deps_left = f.count AND (d.run_at IS NULL OR d.run_at <= now()) THEN now() END
FROM freed f
WHERE d.tenant = f.tenant AND d.id = f.task_id AND d.status = 'blocked'
  AND d.tenant = ANY(@tenant::int[]) AND d.id = ANY(ARRAY(SELECT task_id FROM freed));
-- Workflows: progress, and the end when all is done, something failed for good, or a gate refused.
WITH settled AS MATERIALIZED (
    SELECT t.tenant, t.workflow_id,
        count(*) FILTER (WHERE t.status = 'completed')::int AS completed,
        count(*) FILTER (WHERE t.status IN ('failed', 'dead'))::int AS failed,
        min(format('task %s: %s', t.key, t.error_message)) FILTER (WHERE t.status IN ('failed', 'dead')) AS error,
        (array_agg(t.id) FILTER (WHERE t.status = 'completed' AND t.max_rounds IS NOT NULL
            AND t.verdict IN ('rejected', 'needs_revision')))[1] AS refused
    FROM {NAMED_TASKS}
    WHERE t.settled_in = pg_current_xact_id() AND t.workflow_id IS NOT NULL
    GROUP BY t.tenant, t.workflow_id
), next AS MATERIALIZED (
    SELECT s.*, CASE WHEN s.failed > 0 THEN 'failed'
            WHEN s.refused IS NOT NULL OR w.tasks_completed + s.completed = w.tasks_total THEN 'completed'
            ELSE 'running' END AS status
    FROM settled s JOIN workflows w ON w.tenant = s.tenant AND w.id = s.workflow_id
), cancelled AS (
    UPDATE tasks t SET status = 'cancelled', completed_at = now(), ready_at = NULL, lease_until = NULL,
        error_message = CASE n.status WHEN 'failed' THEN 'the workflow failed' ELSE 'a gate refused the work' END
    FROM next n
    WHERE n.status <> 'running' AND t.tenant = n.tenant AND t.workflow_id = n.workflow_id
      AND t.status IN ('blocked', 'pending', 'retrying', 'processing')
    RETURNING t.tenant, t.workflow_id
)
UPDATE workflows w SET status = n.status, started_at = coalesce(w.started_at, now()),
    tasks_completed = w.tasks_completed + n.completed, tasks_failed = w.tasks_failed + n.failed,
    tasks_cancelled = w.tasks_cancelled
        + (SELECT count(*) FROM cancelled c WHERE c.tenant = w.tenant AND c.workflow_id = w.id),
    completed_at = CASE WHEN n.status <> 'running' THEN now() END,
    error_message = n.error,
    output_data = CASE WHEN n.status = 'completed' THEN o.output_data END,
    verdict = CASE WHEN n.status = 'completed' AND n.refused IS NOT NULL THEN 'rejected'
        WHEN n.status = 'completed' THEN o.verdict END
FROM next n LEFT JOIN LATERAL (
    SELECT CASE WHEN count(*) = 1 THEN (array_agg(t.output_data))[1]
        ELSE json_object_agg(t.key, t.output_data ORDER BY t.id) END AS output_data,
        CASE WHEN count(*) = 1 THEN min(t.verdict) END AS verdict
    FROM tasks t
    WHERE n.status = 'completed' AND t.tenant = n.tenant AND t.workflow_id = n.workflow_id
      AND CASE WHEN n.refused IS NOT NULL THEN t.id = n.refused ELSE t.is_sink END) o ON true
WHERE w.tenant = n.tenant AND w.id = n.workflow_id;
-- The answers. The attempt on record is the judge: settling again with the same epoch and outcome is answered alike.
SELECT r.ord,
    CASE WHEN t.id IS NULL THEN 'not_found' WHEN a.outcome = r.outcome THEN 'ok' ELSE 'stale' END AS _result,
    t.id, t.status, t.epoch, t.attempt, t.round, t.completed_at, t.run_at, t.duration_ms, t.epoch AS _epoch,
    CASE WHEN t.settled_in = pg_current_xact_id() THEN
        (SELECT json_agg(DISTINCT d.queue) FROM tasks d
         WHERE d.tenant = r.tenant AND d.ready_at = now() AND d.status IN ('pending', 'retrying')
           AND d.id IN (SELECT r.id
               UNION ALL SELECT x.task_id FROM task_dependencies x WHERE x.tenant = r.tenant AND x.depends_on = r.id
               UNION ALL SELECT v.task_id FROM task_revisions v WHERE v.tenant = r.tenant AND v.gate_id = r.id))
    END AS _ready
FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[], @outcome::text[])
        WITH ORDINALITY AS r(tenant, id, epoch, outcome, ord)
    LEFT JOIN LATERAL (SELECT * FROM tasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) t ON true
    LEFT JOIN LATERAL (SELECT outcome FROM task_attempts
        WHERE tenant = r.tenant AND task_id = r.id AND epoch = r.epoch OFFSET 0) a ON true
ORDER BY r.ord;

-- name: keeper_expired :many
-- all tenants: the keeper works for every one of them.
-- Leases whose holder has gone silent; the keeper settles them with outcome expire, which looks again.
SELECT t.tenant, t.id, t.epoch FROM tasks t
WHERE t.status = 'processing' AND t.lease_until < now()
LIMIT 1000;

-- name: keeper_due :many
-- all tenants: the keeper works for every one of them.
-- Tasks whose run_at has come may be leased from now on.
UPDATE tasks SET ready_at = now()
WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM tasks
    WHERE status IN ('pending', 'retrying') AND ready_at IS NULL AND run_at <= now()
    ORDER BY run_at LIMIT 1000 FOR UPDATE SKIP LOCKED))
RETURNING tenant, queue;
