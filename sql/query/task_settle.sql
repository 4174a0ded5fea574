-- Where a task's state moves once it exists: settlements, and what follows from them.
--
--     blocked -> pending -> processing -> completed | failed | cancelled, retrying between attempts, dead after the last
--
-- Locks are taken in one order: workflow, then tasks by id. Rows are looked up through LATERAL subqueries with OFFSET 0,
-- one by one by primary key, and changed by ctid: no statistics, stale or absent, can make another plan of that. A
-- statement that changes rows by ctid comes behind one that locked them, so that it sees their newest version. (Where no
-- lock is taken first, HELD_ALONE does it in one step.)
--
-- Outcomes: complete, fail, release (by the holder: the epoch must be the current one), expire (by the keeper), cancel
-- (by anybody allowed to), approve, reject (by a person, of a task that waits for one), go, skip (what became of a
-- task's condition).

-- macro: SETTLE_REQUESTS
SELECT DISTINCT ON (tenant, id, epoch) *, coalesce(verdict = 'needs_revision', false) AS again,
    outcome IN ('complete', 'approve', 'reject') AS done
FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[], @outcome::text[], @output_data::json[], @verdict::text[],
    @error_message::text[], @retryable::bool[], @duration_ms::int8[], @actor::text[]) WITH ORDINALITY
    AS q(tenant, id, epoch, outcome, output_data, verdict, error_message, retryable, duration_ms, actor, ord)
ORDER BY tenant, id, epoch, ord
-- end

-- macro: RETRY_AT
now() + interval '1 millisecond' * (CASE WHEN t.retry_jitter THEN 0.5 + random() / 2 ELSE 1 END)
    * least(t.retry_max_ms, t.retry_base_ms
        * CASE WHEN t.retry_backoff = 'fixed' THEN 1 ELSE power(2, least(t.attempt - 1, 30)) END)
-- end

-- macro: SETTLE_WHERE
t.ctid = held.tid AND CASE
    WHEN r.outcome IN ('approve', 'reject') THEN held.approval AND held.status = 'pending'
    WHEN r.outcome IN ('go', 'skip') THEN held.status = 'blocked' AND held.deps_left = 0
    WHEN r.outcome = 'cancel' THEN held.status IN ({LIVE})
    WHEN r.outcome = 'expire' THEN held.status = 'processing' AND held.epoch = r.epoch AND held.lease_until < now()
    ELSE held.status = 'processing' AND held.epoch = r.epoch END
-- end

-- macro: SETTLE_EVENT
-- As text, which costs a third of json_build_object().
'{"kind":"' || CASE WHEN outcome = 'go' THEN CASE WHEN approval THEN 'task.waits_for_approval' ELSE 'task.ready' END
        WHEN outcome = 'skip' THEN 'task.skipped' WHEN outcome = 'release' THEN 'task.released'
        WHEN status = 'blocked' THEN 'task.sent_back' ELSE 'task.' || status END
    || '","subject":"' || id || '","data":{"status":"' || status || '","outcome":"' || outcome
    || '","agent_id":' || coalesce(to_json(holder)::text, 'null') || ',"epoch":' || epoch || ',"attempt":' || attempt
    || ',"duration_ms":' || coalesce(duration_ms::text, 'null')
    || ',"error":' || coalesce(to_json(error_message)::text, 'null') || '}}'
-- end

-- macro: HELD_ALONE
-- By index, one after the other: = ANY(ARRAY[]) cannot be hashed, so there is no other plan. The conditions are on t, so
-- that they hold for the newest version of its row; IS TRUE keeps partial indexes out of the plan.
WHERE t.tenant = ANY(ARRAY[r.tenant]) AND t.id = ANY(ARRAY[r.id]) AND t.epoch = r.epoch
    AND (t.status = 'processing') IS TRUE AND (t.workflow_id IS NULL) IS TRUE
-- end

-- macro: ALONE_SPECIAL
CASE WHEN m.tenant IN (SELECT id FROM tenants WHERE throttles)
    THEN EXISTS (SELECT FROM task_slots s WHERE s.tenant = m.tenant AND s.task_id = m.id OFFSET 0) END AS _special
-- end

-- name: task_complete :batch
-- Holders complete tasks outside workflows, which is most of all settlements: nothing follows from it, and the task is the
-- record of its attempt (see the view agentd_attempts). Done here is only what is plainly so, without a lock taken first.
-- What has no row in the answer (a lease that has ended, a settlement said again, a task that another transaction changes
-- at this moment) the caller sends to task_settle, which judges.
WITH moved AS (
    UPDATE tasks t SET status = 'completed', ready_at = NULL, completed_at = now(),
        duration_ms = coalesce(r.duration_ms, (extract(epoch FROM now() - t.leased_at) * 1000)::int8),
        output_data = r.output_data, verdict = r.verdict, error_message = NULL, lease_until = NULL
    FROM (SELECT DISTINCT ON (tenant, id) *
            FROM (SELECT unnest(@tenant::int[]) AS tenant, unnest(@id::uuid[]) AS id, unnest(@epoch::int[]) AS epoch,
                unnest(@output_data::json[]) AS output_data, unnest(@verdict::text[]) AS verdict,
                unnest(@duration_ms::int8[]) AS duration_ms,
                generate_series(1, cardinality(@tenant::int[]))::int8 AS ord) q
            ORDER BY tenant, id, ord) r
    {HELD_ALONE}
    RETURNING r.ord, t.tenant, t.id, t.epoch, t.attempt, t.round, t.leased_by, t.duration_ms, t.run_at
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), NULL, '[{"kind":"task.completed","subject":["' || string_agg(id::text, '","')
        || '"],"data":{"status":"completed","outcome":"complete","error":null},"each":{"agent_id":['
        || string_agg(to_json(leased_by)::text, ',') || '],"epoch":[' || string_agg(epoch::text, ',')
        || '],"attempt":[' || string_agg(attempt::text, ',') || '],"duration_ms":[' || string_agg(duration_ms::text, ',') || ']}}]'
    FROM moved GROUP BY tenant
)
SELECT m.ord, 'ok' AS _result, m.id, 'completed' AS status, m.epoch, m.attempt, m.round, now() AS completed_at, m.run_at,
    m.duration_ms, m.epoch AS _epoch, NULL::json AS _ready, {ALONE_SPECIAL}
FROM moved m
ORDER BY m.ord;

-- name: task_settle_alone :batch
-- The same for the other things that holders say, fail and release.
WITH moved AS (
    UPDATE tasks t SET
        status = CASE WHEN r.outcome = 'release' THEN 'pending' WHEN NOT r.retryable THEN 'failed'
            WHEN t.attempt <= t.max_retries THEN 'retrying' ELSE 'dead' END,
        ready_at = CASE r.outcome WHEN 'release' THEN now() END,
        run_at = CASE WHEN r.outcome = 'fail' AND r.retryable AND t.attempt <= t.max_retries THEN {RETRY_AT} ELSE t.run_at END,
        attempt = CASE r.outcome WHEN 'release' THEN t.attempt - 1 ELSE t.attempt END,
        completed_at = CASE WHEN r.outcome = 'fail' AND (NOT r.retryable OR t.attempt > t.max_retries) THEN now() END,
        duration_ms = coalesce(r.duration_ms, (extract(epoch FROM now() - t.leased_at) * 1000)::int8),
        error_message = CASE r.outcome WHEN 'release' THEN t.error_message ELSE r.error_message END,
        lease_until = NULL
    FROM (SELECT DISTINCT ON (tenant, id) *
            FROM (SELECT unnest(@tenant::int[]) AS tenant, unnest(@id::uuid[]) AS id, unnest(@epoch::int[]) AS epoch,
                unnest(@outcome::text[]) AS outcome, unnest(@error_message::text[]) AS error_message,
                unnest(@retryable::bool[]) AS retryable, unnest(@duration_ms::int8[]) AS duration_ms,
                generate_series(1, cardinality(@tenant::int[]))::int8 AS ord) q
            ORDER BY tenant, id, ord) r
    {HELD_ALONE}
    RETURNING r.ord, r.outcome, t.tenant, t.id, t.epoch, t.attempt, t.round, t.status, t.leased_by, t.leased_at,
        t.error_message, t.duration_ms, t.completed_at, t.run_at, t.queue
), recorded AS (
    INSERT INTO task_attempts (tenant, task_id, epoch, attempt, round, agent_id, outcome, error_message, started_at,
        ended_at, duration_ms)
    SELECT tenant, id, epoch, CASE outcome WHEN 'release' THEN attempt + 1 ELSE attempt END, round, leased_by, outcome,
        CASE outcome WHEN 'fail' THEN error_message END, leased_at, now(), duration_ms
    FROM moved
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), NULL, '[' || string_agg('{"kind":"task.' || CASE outcome WHEN 'release' THEN 'released' ELSE status END
        || '","subject":"' || id || '","data":{"status":"' || status || '","outcome":"' || outcome
        || '","agent_id":' || to_json(leased_by)::text || ',"epoch":' || epoch || ',"attempt":' || attempt
        || ',"duration_ms":' || duration_ms || ',"error":' || coalesce(to_json(error_message)::text, 'null') || '}}', ',') || ']'
    FROM moved GROUP BY tenant
)
SELECT m.ord, 'ok' AS _result, m.id, m.status, m.epoch, m.attempt, m.round, m.completed_at, m.run_at, m.duration_ms,
    m.epoch AS _epoch, CASE m.outcome WHEN 'release' THEN json_build_array(m.queue) END AS _ready, {ALONE_SPECIAL}
FROM moved m
ORDER BY m.ord;

-- name: task_settle :batch
-- decided: a person did it, and the audit log is to say who: {principal, address, request_id}.
-- Any task. First the workflows, in order: from here on nothing else moves in them.
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
            WHEN r.done AND r.again AND t.round < t.max_rounds THEN 'blocked'
            WHEN r.done THEN 'completed'
            WHEN r.outcome IN ('release', 'go') THEN 'pending'
            WHEN r.outcome IN ('cancel', 'skip') THEN 'cancelled'
            WHEN NOT r.retryable THEN 'failed'
            WHEN t.attempt <= t.max_retries THEN 'retrying'
            ELSE 'dead' END,
        epoch = t.epoch + CASE WHEN r.outcome IN ('approve', 'reject') THEN 1 ELSE 0 END,
        skipped = t.skipped OR r.outcome = 'skip',
        ready_at = CASE WHEN NOT held.paused AND (r.outcome = 'release'
                OR (r.outcome = 'go' AND NOT t.approval AND coalesce(t.run_at <= now(), true))
                OR (r.outcome = 'expire' AND t.attempt <= t.max_retries)) THEN now() END,
        parked = CASE WHEN held.paused AND NOT t.approval AND (r.outcome IN ('release', 'go')
                OR (r.outcome IN ('fail', 'expire') AND r.retryable AND t.attempt <= t.max_retries)) THEN 'paused' END,
        run_at = CASE WHEN r.outcome = 'fail' AND r.retryable AND t.attempt <= t.max_retries THEN
                {RETRY_AT}
            ELSE t.run_at END,
        attempt = CASE WHEN r.outcome = 'release' THEN t.attempt - 1
            WHEN r.done AND r.again AND t.round < t.max_rounds THEN 0
            ELSE t.attempt END,
        round = t.round + CASE WHEN r.done AND r.again AND t.round < t.max_rounds THEN 1 ELSE 0 END,
        deps_left = CASE WHEN r.done AND r.again AND t.round < t.max_rounds THEN t.gate_deps ELSE t.deps_left END,
        completed_at = CASE WHEN (r.done AND NOT (r.again AND coalesce(t.round < t.max_rounds, false)))
            OR r.outcome IN ('cancel', 'skip')
            OR (r.outcome IN ('fail', 'expire') AND (NOT r.retryable OR t.attempt > t.max_retries)) THEN now() END,
        duration_ms = coalesce(r.duration_ms,
            CASE WHEN held.status = 'processing' THEN (extract(epoch FROM now() - t.leased_at) * 1000)::int8 END),
        output_data = CASE WHEN r.done THEN r.output_data ELSE t.output_data END,
        verdict = CASE WHEN r.done THEN r.verdict ELSE t.verdict END,
        error_message = CASE WHEN r.done OR r.outcome = 'go' THEN NULL WHEN r.outcome = 'release' THEN t.error_message
            WHEN r.outcome = 'expire' THEN format('the lease of %s expired: no heartbeat in time', coalesce(t.leased_by, 'its agent'))
            WHEN r.outcome = 'cancel' THEN 'cancelled by ' || coalesce(r.actor, 'agentd')
            ELSE r.error_message END,
        lease_until = NULL, settled_in = pg_current_xact_id()
    FROM ({SETTLE_REQUESTS}) r
        CROSS JOIN LATERAL (SELECT x.ctid AS tid, x.epoch, x.status, x.lease_until, x.approval, x.deps_left,
            coalesce((SELECT w.paused FROM workflows w WHERE w.tenant = x.tenant AND w.id = x.workflow_id), false) AS paused
            FROM tasks x WHERE x.tenant = r.tenant AND x.id = r.id OFFSET 0) held
    WHERE {SETTLE_WHERE}
    RETURNING r.ord, r.actor, t.tenant, t.workflow_id, t.id, t.epoch, t.attempt, t.round, t.status, t.leased_by,
        t.leased_at, t.error_message, t.verdict, t.duration_ms, t.approval, r.outcome, held.status AS was,
        CASE WHEN held.status = 'processing' THEN t.leased_by ELSE r.actor END AS holder
), recorded AS (
    INSERT INTO task_attempts (tenant, task_id, epoch, attempt, round, agent_id, outcome, error_message, started_at,
        ended_at, duration_ms)
    SELECT tenant, id, epoch, attempt + CASE WHEN outcome = 'release' THEN 1 ELSE 0 END,
        round - CASE WHEN status = 'blocked' THEN 1 ELSE 0 END, holder, outcome,
        CASE WHEN outcome IN ('fail', 'expire') THEN error_message END, leased_at, now(), duration_ms
    FROM moved
    WHERE was = 'processing' OR outcome IN ('approve', 'reject')
), noted AS (
    INSERT INTO {AUDIT}
    SELECT m.tenant, now(), coalesce(m.actor, 'agentd'), d.decided ->> 'principal', 'task.' || m.outcome, 'task', m.id,
        json_build_object('status', m.was), json_build_object('status', m.status, 'verdict', m.verdict),
        d.decided ->> 'address', d.decided ->> 'request_id'
    FROM unnest(@decided::json[]) WITH ORDINALITY AS d(decided, ord) JOIN moved m ON m.ord = d.ord
    WHERE d.decided IS NOT NULL
)
INSERT INTO {EVENTS}
SELECT tenant, now(), workflow_id, '[' || string_agg({SETTLE_EVENT}, ',') || ']' FROM moved GROUP BY tenant, workflow_id;
-- Revisions: what the gate looked at runs again with its feedback; what else waits for those waits again.
WITH gate AS MATERIALIZED (
    SELECT t.tenant, t.id, t.epoch, t.round, t.output_data FROM {NAMED_TASKS}
    WHERE t.settled_in = pg_current_xact_id() AND t.status = 'blocked'
), again AS MATERIALIZED (
    -- Two gates may look at one task: it runs again once, and not if another gate has sent it back already.
    SELECT DISTINCT ON (v.tenant, v.task_id) v.tenant, v.task_id, g.id AS gate_id, g.round, g.output_data
    FROM gate g JOIN task_revisions v ON v.tenant = g.tenant AND v.gate_id = g.id AND v.task_id <> g.id
        JOIN tasks t ON t.tenant = v.tenant AND t.id = v.task_id AND (t.status = 'completed' OR t.skipped)
    ORDER BY v.tenant, v.task_id, g.id
), waits AS MATERIALIZED (
    -- deps_left is the number of dependencies that are not done; what is done in this transaction is subtracted by the
    -- next statement.
    SELECT y.tenant, y.task_id, count(*)::int AS count
    FROM task_dependencies y JOIN tasks p ON p.tenant = y.tenant AND p.id = y.depends_on
    WHERE (y.tenant, y.task_id) IN (SELECT tenant, task_id FROM again
            UNION ALL SELECT x.tenant, x.task_id
            FROM again r JOIN task_dependencies x ON x.tenant = r.tenant AND x.depends_on = r.task_id)
      AND (NOT (p.status = 'completed' OR p.skipped) OR p.settled_in = pg_current_xact_id()
          OR (p.tenant, p.id) IN (SELECT tenant, task_id FROM again))
    GROUP BY y.tenant, y.task_id
), kept AS (
    UPDATE task_attempts a SET output_data = t.output_data
    FROM (SELECT tenant, task_id FROM again UNION ALL SELECT tenant, id FROM gate) r
        JOIN tasks t ON t.tenant = r.tenant AND t.id = r.task_id
    WHERE a.tenant = t.tenant AND a.task_id = t.id AND a.epoch = t.epoch
), rearmed AS (
    -- What was ready but not begun as well: the output that it would be handed is gone.
    UPDATE tasks d SET deps_left = n.count, status = 'blocked', ready_at = NULL, parked = NULL
    FROM waits n
    WHERE d.tenant = n.tenant AND d.id = n.task_id AND d.status IN ('blocked', 'pending', 'retrying')
), reset AS (
    -- A gate inside the way of another keeps its own count of rounds, and begins anew.
    UPDATE tasks t SET status = CASE WHEN r.deps_left = 0 AND t.condition IS NULL THEN 'pending' ELSE 'blocked' END,
        ready_at = CASE WHEN r.deps_left = 0 AND t.condition IS NULL AND NOT t.approval AND NOT w.paused THEN now() END,
        parked = CASE WHEN r.deps_left = 0 AND t.condition IS NULL AND NOT t.approval AND w.paused THEN 'paused' END,
        run_at = NULL, deps_left = r.deps_left, round = CASE WHEN t.max_rounds IS NULL THEN r.round ELSE 1 END,
        attempt = 0, feedback = r.output_data, output_data = NULL, verdict = NULL, completed_at = NULL, skipped = false,
        error_message = NULL
    FROM (SELECT a.*, coalesce(n.count, 0) AS deps_left
        FROM again a LEFT JOIN waits n ON n.tenant = a.tenant AND n.task_id = a.task_id) r
        JOIN tasks old ON old.tenant = r.tenant AND old.id = r.task_id
        JOIN workflows w ON w.tenant = old.tenant AND w.id = old.workflow_id
    WHERE t.tenant = r.tenant AND t.id = r.task_id
    RETURNING t.tenant, t.workflow_id, t.id, t.status, t.approval, t.round, r.gate_id, old.skipped AS was_skipped
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), workflow_id, json_agg(item)
    FROM (SELECT tenant, workflow_id, json_build_object('kind', 'task.reset', 'subject', id, 'data',
                json_build_object('round', round, 'by', gate_id)) AS item FROM reset
        UNION ALL
        SELECT tenant, workflow_id, json_build_object('kind', 'task.waits_for_approval', 'subject', id) FROM reset
        WHERE approval AND status = 'pending') i
    GROUP BY tenant, workflow_id
)
UPDATE workflows w SET tasks_completed = w.tasks_completed - n.completed, tasks_skipped = w.tasks_skipped - n.skipped
FROM (SELECT tenant, workflow_id, count(*) FILTER (WHERE NOT was_skipped)::int AS completed,
        count(*) FILTER (WHERE was_skipped)::int AS skipped FROM reset GROUP BY tenant, workflow_id) n
WHERE w.tenant = n.tenant AND w.id = n.workflow_id;
-- Dependents: the last dependency that is done makes a task ready, unless its condition has to be looked at first.
WITH freed AS MATERIALIZED (
    SELECT x.tenant, x.task_id, count(*)::int AS count, bool_or(t.skipped) AS skipped
    FROM {NAMED_TASKS}
        CROSS JOIN LATERAL (SELECT tenant, task_id FROM task_dependencies
            WHERE tenant = t.tenant AND depends_on = t.id OFFSET 0) x
    WHERE t.settled_in = pg_current_xact_id() AND (t.status = 'completed' OR t.skipped) AND t.workflow_id IS NOT NULL
    GROUP BY x.tenant, x.task_id
), undecided AS MATERIALIZED (
    SELECT f.tenant, f.task_id, f.count, w.paused,
        d.condition IS NOT NULL OR f.skipped OR EXISTS (
            SELECT FROM task_dependencies x JOIN tasks p ON p.tenant = x.tenant AND p.id = x.depends_on
            WHERE x.tenant = f.tenant AND x.task_id = f.task_id AND p.skipped) AS undecided
    FROM freed f
        CROSS JOIN LATERAL (SELECT condition, workflow_id FROM tasks WHERE tenant = f.tenant AND id = f.task_id OFFSET 0) d
        CROSS JOIN LATERAL (SELECT paused FROM workflows WHERE tenant = f.tenant AND id = d.workflow_id OFFSET 0) w
), ready AS (
    UPDATE tasks d SET deps_left = d.deps_left - f.count,
        status = CASE WHEN d.deps_left = f.count AND NOT f.undecided THEN 'pending' ELSE 'blocked' END,
        ready_at = CASE WHEN d.deps_left = f.count AND NOT f.undecided AND NOT d.approval AND NOT f.paused
            AND (d.run_at IS NULL OR d.run_at <= now()) THEN now() END,
        parked = CASE WHEN d.deps_left = f.count AND NOT f.undecided AND NOT d.approval AND f.paused THEN 'paused' END
    FROM undecided f
    WHERE d.tenant = f.tenant AND d.id = f.task_id AND d.status = 'blocked'
      AND d.tenant = ANY(@tenant::int[]) AND d.id = ANY(ARRAY(SELECT task_id FROM freed))
    RETURNING d.tenant, d.workflow_id, d.id, d.status, d.approval
)
INSERT INTO {EVENTS}
SELECT tenant, now(), workflow_id, json_agg(json_build_object('kind',
    CASE WHEN approval THEN 'task.waits_for_approval' ELSE 'task.ready' END, 'subject', id))
FROM ready WHERE status = 'pending' GROUP BY tenant, workflow_id;
-- Workflows: progress, and the end when all is done, something failed for good, or a gate refused.
WITH settled AS MATERIALIZED (
    SELECT t.tenant, t.workflow_id,
        count(*) FILTER (WHERE t.status = 'completed')::int AS completed,
        count(*) FILTER (WHERE t.skipped)::int AS skipped,
        count(*) FILTER (WHERE t.status = 'cancelled' AND NOT t.skipped)::int AS cancelled,
        count(*) FILTER (WHERE t.status IN ('failed', 'dead'))::int AS failed,
        min(format('task %s: %s', t.key, t.error_message))
            FILTER (WHERE t.status IN ('failed', 'dead', 'cancelled') AND NOT t.skipped) AS error,
        (array_agg(t.id) FILTER (WHERE t.status = 'completed' AND t.max_rounds IS NOT NULL
            AND t.verdict IN ('rejected', 'needs_revision')))[1] AS refused
    FROM {NAMED_TASKS}
    WHERE t.settled_in = pg_current_xact_id() AND t.workflow_id IS NOT NULL
    GROUP BY t.tenant, t.workflow_id
), next AS MATERIALIZED (
    SELECT s.*, CASE WHEN s.failed + s.cancelled > 0 THEN 'failed'
            WHEN s.refused IS NOT NULL OR w.tasks_completed + s.completed + w.tasks_skipped + s.skipped = w.tasks_total
            THEN 'completed'
            ELSE 'running' END AS status, w.status AS was
    FROM settled s JOIN workflows w ON w.tenant = s.tenant AND w.id = s.workflow_id
), dropped AS (
    UPDATE tasks t SET status = 'cancelled', completed_at = now(), ready_at = NULL, lease_until = NULL, parked = NULL,
        error_message = CASE n.status WHEN 'failed' THEN 'the workflow failed' ELSE 'a gate refused the work' END
    FROM next n
    WHERE n.status <> 'running' AND t.tenant = n.tenant AND t.workflow_id = n.workflow_id AND t.status IN ({LIVE})
    RETURNING t.tenant, t.workflow_id, t.id
), freed AS (
    DELETE FROM task_slots s USING dropped d WHERE s.tenant = d.tenant AND s.task_id = d.id
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), workflow_id, json_agg(item)
    FROM (SELECT tenant, workflow_id, json_build_object('kind', 'task.cancelled', 'subject', id) AS item FROM dropped
        UNION ALL
        SELECT tenant, workflow_id, json_build_object('kind', CASE status WHEN 'running' THEN 'workflow.started'
            ELSE 'workflow.' || status END, 'subject', workflow_id, 'data', json_build_object('error', error))
        FROM next WHERE status <> 'running' OR was = 'pending') i
    GROUP BY tenant, workflow_id
)
UPDATE workflows w SET status = n.status, started_at = coalesce(w.started_at, now()),
    tasks_completed = w.tasks_completed + n.completed, tasks_failed = w.tasks_failed + n.failed,
    tasks_skipped = w.tasks_skipped + n.skipped,
    tasks_cancelled = w.tasks_cancelled + n.cancelled
        + (SELECT count(*) FROM dropped c WHERE c.tenant = w.tenant AND c.workflow_id = w.id),
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
      AND CASE WHEN n.refused IS NOT NULL THEN t.id = n.refused ELSE t.is_sink AND NOT t.skipped END
    HAVING count(*) > 0) o ON true
WHERE w.tenant = n.tenant AND w.id = n.workflow_id;
-- The answers. The attempt on record is the judge: settling again with the same epoch and outcome is answered alike.
SELECT r.ord,
    CASE WHEN t.id IS NULL THEN 'not_found' WHEN a.outcome = r.outcome
        OR (r.outcome IN ('go', 'skip') AND t.settled_in = pg_current_xact_id())
        OR (r.outcome = 'cancel' AND t.status = 'cancelled') THEN 'ok' ELSE 'stale' END AS _result,
    t.id, t.status, t.epoch, t.attempt, t.round, t.completed_at, t.run_at, t.duration_ms, t.epoch AS _epoch,
    CASE WHEN t.settled_in = pg_current_xact_id() THEN
        (SELECT json_agg(DISTINCT d.queue) FROM tasks d
         WHERE d.tenant = r.tenant AND d.ready_at = now() AND d.status IN ('pending', 'retrying')
           AND d.id IN (SELECT r.id
               UNION ALL SELECT x.task_id FROM task_dependencies x WHERE x.tenant = r.tenant AND x.depends_on = r.id
               UNION ALL SELECT v.task_id FROM task_revisions v WHERE v.tenant = r.tenant AND v.gate_id = r.id))
    END AS _ready,
    CASE WHEN t.settled_in = pg_current_xact_id() THEN
        (SELECT json_agg(d.id) FROM tasks d
         WHERE d.tenant = r.tenant AND d.status = 'blocked' AND d.deps_left = 0
           AND d.id IN (SELECT x.task_id FROM task_dependencies x WHERE x.tenant = r.tenant AND x.depends_on = r.id
               UNION ALL SELECT v.task_id FROM task_revisions v WHERE v.tenant = r.tenant AND v.gate_id = r.id))
    END AS _undecided,
    coalesce(t.settled_in = pg_current_xact_id(), false)
        AND EXISTS (SELECT FROM task_slots s WHERE s.tenant = t.tenant AND s.task_id = t.id) AS _special
FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[], @outcome::text[])
        WITH ORDINALITY AS r(tenant, id, epoch, outcome, ord)
    LEFT JOIN LATERAL (SELECT * FROM tasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) t ON true
    LEFT JOIN LATERAL (SELECT outcome FROM agentd_attempts
        WHERE tenant = r.tenant AND task_id = r.id AND epoch = coalesce(r.epoch, t.epoch) OFFSET 0) a ON true
ORDER BY r.ord;

-- name: task_undecided :batch
-- What a task's condition is judged by: the outputs of its dependencies. Nothing comes back for what is not waiting.
SELECT r.ord, t.tenant, t.id, t.epoch, t.condition,
    (SELECT json_object_agg(p.key, p.output_data) FILTER (WHERE NOT p.skipped)
     FROM task_dependencies d JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
     WHERE d.tenant = t.tenant AND d.task_id = t.id) AS outputs
FROM unnest(@tenant::int[], @id::uuid[]) WITH ORDINALITY AS r(tenant, id, ord)
    CROSS JOIN LATERAL (SELECT * FROM tasks
        WHERE tenant = r.tenant AND id = r.id AND status = 'blocked' AND deps_left = 0 OFFSET 0) t
ORDER BY r.ord;

-- name: keeper_undecided :many
-- all tenants: the keeper works for every one of them.
-- Conditions that nobody looked at because a worker died.
SELECT t.tenant, t.id FROM tasks t WHERE t.status = 'blocked' AND t.deps_left = 0 LIMIT 1000;

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
    WHERE status IN ('pending', 'retrying') AND ready_at IS NULL AND run_at <= now() AND parked IS NULL AND NOT approval
    ORDER BY run_at LIMIT 1000 FOR UPDATE SKIP LOCKED))
RETURNING tenant, queue;
