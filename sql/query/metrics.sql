-- Metrics: counters folded from events, their history, and what is asked about both.

-- name: metrics_uncounted :many
-- all tenants: the keeper works for every one of them.
-- Events that are not counted yet, of the 16 tenants that have waited longest, each with the place from which it was read.
-- Bounded by rows and bytes of each tenant; more tells that there is more. The order of the index is the order of the
-- events: to sort all that waits and take its beginning is never better.
SELECT set_config('enable_bitmapscan', 'off', true);
WITH made AS (
    -- Who has no place yet begins at the first event, as the defaults of the table say.
    INSERT INTO tenant_stats (tenant)
    SELECT t.id FROM tenants t WHERE NOT EXISTS (SELECT FROM tenant_stats s WHERE s.tenant = t.id)
    ON CONFLICT DO NOTHING
), places AS MATERIALIZED (
    -- Computed before it is searched with, for row level security: see PRIORITIES in task_lease.sql.
    SELECT t.id AS tenant, coalesce(s.xid, '0') AS xid, coalesce(s.seq, 0) AS seq, s.at
    FROM tenants t LEFT JOIN tenant_stats s ON s.tenant = t.id
), place AS MATERIALIZED (
    SELECT s.tenant, s.xid, s.seq, s.at FROM places s
    WHERE EXISTS (SELECT FROM events e WHERE e.tenant = s.tenant AND (e.xid, e.seq) > (s.xid, s.seq)
        AND e.xid < agentd_horizon() AND e.at >= coalesce(s.at - interval '1 day', '-infinity')
        OFFSET 0)
    ORDER BY s.at NULLS FIRST LIMIT 16
), found AS MATERIALIZED (
    SELECT p.tenant, p.xid AS from_xid, p.seq AS from_seq, e.*,
        sum(octet_length(e.items)) OVER (PARTITION BY p.tenant ORDER BY e.xid, e.seq) - octet_length(e.items) AS before,
        count(*) OVER (PARTITION BY p.tenant) AS rows, greatest(p.at, max(e.at) OVER (PARTITION BY p.tenant ORDER BY e.xid, e.seq)) AS latest
    FROM place p CROSS JOIN LATERAL (
        SELECT xid, seq, at, items FROM events
        WHERE tenant = p.tenant AND (xid, seq) > (p.xid, p.seq) AND xid < agentd_horizon()
          AND at >= coalesce(p.at - interval '1 day', '-infinity')
        ORDER BY xid, seq LIMIT 2000) e
)
SELECT tenant, from_xid, from_seq, xid, seq, at, latest, items,
    rows = 2000 OR count(*) OVER (PARTITION BY tenant) < rows AS more
FROM found
WHERE before <= 500000
ORDER BY tenant, xid, seq;

-- name: metrics_count :batch
-- all tenants: the keeper works for every one of them.
-- Adds what keeper/fold.c counted, if nobody has moved the place since it was read.
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @from_xid::text[], @from_seq::int8[], @xid::text[], @seq::int8[], @at::text[],
        @counts::json[], @ended::json[], @agents::json[]) WITH ORDINALITY
        AS r(tenant, from_xid, from_seq, xid, seq, at, counts, ended, agents, ord)
), moved AS (
    UPDATE tenant_stats s SET xid = r.xid::xid8, seq = r.seq, at = r.at::timestamptz,
        workflows_timed = s.workflows_timed + w.timed, workflows_ms = s.workflows_ms + w.ms,
        workflows_created = s.workflows_created + c.workflows_created, workflows_started = s.workflows_started + c.workflows_started,
        workflows_completed = s.workflows_completed + c.workflows_completed, workflows_failed = s.workflows_failed + c.workflows_failed,
        workflows_cancelled = s.workflows_cancelled + c.workflows_cancelled, tasks_created = s.tasks_created + c.tasks_created,
        tasks_started = s.tasks_started + c.tasks_started, tasks_completed = s.tasks_completed + c.tasks_completed,
        tasks_failed = s.tasks_failed + c.tasks_failed, tasks_cancelled = s.tasks_cancelled + c.tasks_cancelled,
        tasks_skipped = s.tasks_skipped + c.tasks_skipped, tasks_retried = s.tasks_retried + c.tasks_retried,
        tasks_timed = s.tasks_timed + c.tasks_timed, tasks_ms = s.tasks_ms + c.tasks_ms,
        messages_sent = s.messages_sent + c.messages_sent
    FROM req r CROSS JOIN LATERAL json_to_record(r.counts) AS c(workflows_created int8, workflows_started int8, workflows_completed int8, workflows_failed int8,
            workflows_cancelled int8, tasks_created int8, tasks_started int8, tasks_completed int8, tasks_failed
            int8, tasks_cancelled int8, tasks_skipped int8, tasks_retried int8, tasks_timed int8, tasks_ms int8,
            messages_sent int8)
        CROSS JOIN LATERAL (
            -- What was deleted or begun anew in this second has no duration.
            SELECT count(*) AS timed, coalesce(sum((extract(epoch FROM x.completed_at - coalesce(x.started_at, x.created_at))
                * 1000)::int8), 0)::int8 AS ms
            FROM (SELECT value::uuid AS id FROM json_array_elements_text(r.ended) OFFSET 0) e CROSS JOIN LATERAL (
                SELECT completed_at, started_at, created_at FROM workflows
                WHERE tenant = r.tenant AND id = e.id OFFSET 0) x
            WHERE x.completed_at IS NOT NULL) w
    WHERE s.tenant = r.tenant AND s.xid = r.from_xid::xid8 AND s.seq = r.from_seq
    RETURNING s.tenant
), of_agents AS (
    INSERT INTO agent_stats AS s (tenant, agent_id, leased, completed, failed, ms, min_ms, max_ms, messages_sent,
        messages_received, settled_at, changed_at)
    SELECT r.tenant, a.agent_id, a.leased, a.completed, a.failed, a.ms, a.min_ms, a.max_ms, a.messages_sent,
        a.messages_received, a.settled_at, a.changed_at
    FROM req r CROSS JOIN LATERAL json_to_recordset(r.agents) AS a(agent_id text, leased int8, completed int8, failed int8,
        ms int8, min_ms int8, max_ms int8, messages_sent int8, messages_received int8, settled_at timestamptz,
        changed_at timestamptz)
    WHERE r.tenant IN (SELECT tenant FROM moved)
    ORDER BY r.tenant, a.agent_id
    ON CONFLICT (tenant, agent_id) DO UPDATE SET leased = s.leased + excluded.leased,
        completed = s.completed + excluded.completed, failed = s.failed + excluded.failed, ms = s.ms + excluded.ms,
        min_ms = least(s.min_ms, excluded.min_ms), max_ms = greatest(s.max_ms, excluded.max_ms),
        messages_sent = s.messages_sent + excluded.messages_sent,
        messages_received = s.messages_received + excluded.messages_received,
        settled_at = greatest(s.settled_at, excluded.settled_at), changed_at = greatest(s.changed_at, excluded.changed_at)
)
SELECT r.ord, r.tenant IN (SELECT tenant FROM moved) AS moved FROM req r ORDER BY r.ord;

-- macro: SUCCESS_RATE
-- Of the leases that ended well or badly, in percent.
round(100.0 * s.completed / nullif(s.completed + s.failed, 0), 2)::float8
-- end

-- macro: ERROR_RATE
round(100.0 * s.failed / nullif(s.completed + s.failed, 0), 2)::float8
-- end

-- name: metrics_record :one
-- all tenants: the keeper works for every one of them.
-- A row of history for each tenant in which something happened (the first has the node's load, so always), and for each
-- agent that is there or did something. Many nodes may try: the first to write an interval has written it.
WITH slot AS MATERIALIZED (
    SELECT to_timestamp(floor(extract(epoch FROM now()) / @interval_s::int) * @interval_s::int) AS at,
        now() - 2 * @interval_s::int * interval '1 second' AS since
), systems AS (
    INSERT INTO system_metrics (tenant, recorded_at, total_workflows, completed_workflows, failed_workflows, total_tasks,
        completed_tasks, failed_tasks, avg_workflow_ms, avg_task_ms, uptime_hours, cpu_percent, memory_percent,
        disk_percent)
    SELECT s.tenant, slot.at, s.workflows_created, s.workflows_completed, s.workflows_failed, s.tasks_created,
        s.tasks_completed, s.tasks_failed, s.workflows_ms::float8 / nullif(s.workflows_timed, 0),
        s.tasks_ms::float8 / nullif(s.tasks_timed, 0), @uptime_hours::float8, @cpu_percent::float8,
        @memory_percent::float8, @disk_percent::float8
    FROM tenant_stats s CROSS JOIN slot
    WHERE s.tenant = 1 OR s.at >= slot.since
    ON CONFLICT DO NOTHING
    RETURNING tenant
), each AS (
    INSERT INTO agent_metrics (tenant, agent_id, recorded_at, total_tasks, completed_tasks, failed_tasks, avg_response_ms,
        min_response_ms, max_response_ms, success_rate, error_rate, messages_sent, messages_received)
    SELECT tenant, agent_id, slot.at, coalesce(s.leased, 0), coalesce(s.completed, 0), coalesce(s.failed, 0),
        s.ms::float8 / nullif(s.completed, 0), s.min_ms, s.max_ms, {SUCCESS_RATE}, {ERROR_RATE},
        coalesce(s.messages_sent, 0), coalesce(s.messages_received, 0)
    FROM agents a FULL JOIN agent_stats s USING (tenant, agent_id) CROSS JOIN slot
    WHERE s.changed_at >= slot.since OR {AGENT_LIVE}
    ON CONFLICT DO NOTHING
    RETURNING agent_id
)
SELECT (SELECT count(*) FROM systems) AS systems, (SELECT count(*) FROM each) AS agents;

-- name: metrics_prune :one
-- all tenants: the keeper works for every one of them.
-- What is older than the retention, a bounded part at a time.
WITH systems AS (
    DELETE FROM system_metrics WHERE ctid = ANY(ARRAY(SELECT ctid FROM system_metrics
        WHERE recorded_at < now() - @retention_days::int * interval '1 day' ORDER BY recorded_at LIMIT 50000))
    RETURNING 1
), each AS (
    DELETE FROM agent_metrics WHERE ctid = ANY(ARRAY(SELECT ctid FROM agent_metrics
        WHERE recorded_at < now() - @retention_days::int * interval '1 day' ORDER BY recorded_at LIMIT 50000))
    RETURNING 1
)
SELECT (SELECT count(*) FROM systems) + (SELECT count(*) FROM each) AS pruned;

-- macro: SPAN
-- The history that is asked for, if any of from, to and step is given. A step that would make more than 500 points is
-- widened.
span AS MATERIALIZED (
    SELECT f.since, f.until,
        greatest(coalesce(@step::int, 60), ceil(extract(epoch FROM f.until - f.since) / 500))::int AS step
    FROM (SELECT coalesce(@to::text::timestamptz, now()) AS until,
            coalesce(@from::text::timestamptz, coalesce(@to::text::timestamptz, now()) - interval '1 hour') AS since) f
    WHERE @from::text IS NOT NULL OR @to::text IS NOT NULL OR @step::int IS NOT NULL
)
-- end

-- macro: POINT
-- Totals are those at the end of a step, the rest is averaged over it.
to_char(to_timestamp(floor(extract(epoch FROM m.recorded_at) / span.step) * span.step), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    AS recorded_at
-- end

-- name: metrics_system :one
WITH {SPAN}
SELECT s.workflows_created AS total_workflows, s.workflows_started AS started_workflows,
    s.workflows_completed AS completed_workflows, s.workflows_failed AS failed_workflows,
    s.workflows_cancelled AS cancelled_workflows, s.workflows_ms::float8 / nullif(s.workflows_timed, 0) AS avg_workflow_ms,
    s.tasks_created AS total_tasks, s.tasks_started AS started_tasks, s.tasks_completed AS completed_tasks,
    s.tasks_failed AS failed_tasks, s.tasks_cancelled AS cancelled_tasks, s.tasks_skipped AS skipped_tasks,
    s.tasks_retried AS retried_tasks, s.tasks_ms::float8 / nullif(s.tasks_timed, 0) AS avg_task_ms,
    round(100.0 * s.tasks_completed / nullif(s.tasks_completed + s.tasks_failed, 0), 2)::float8 AS success_rate,
    round(100.0 * s.tasks_failed / nullif(s.tasks_completed + s.tasks_failed, 0), 2)::float8 AS error_rate,
    s.messages_sent,
    (SELECT json_build_object('registered', count(*), 'live', count(*) FILTER (WHERE a.status <> 'offline'),
            'idle', count(*) FILTER (WHERE a.status = 'idle'), 'busy', count(*) FILTER (WHERE a.status = 'busy'),
            'error', count(*) FILTER (WHERE a.status = 'error'), 'offline', count(*) FILTER (WHERE a.status = 'offline'))
        FROM (SELECT {AGENT_STATUS} AS status FROM agents a WHERE a.tenant = @tenant::int OFFSET 0) a) AS agents,
    n.uptime_hours, n.cpu_percent, n.memory_percent, n.disk_percent, s.at AS counted_at,
    CASE WHEN EXISTS (SELECT FROM span) THEN (
        SELECT coalesce(json_agg(h ORDER BY h.recorded_at), '[]') FROM (
            SELECT {POINT}, max(m.total_workflows) AS total_workflows, max(m.completed_workflows) AS completed_workflows,
                max(m.failed_workflows) AS failed_workflows, max(m.total_tasks) AS total_tasks,
                max(m.completed_tasks) AS completed_tasks, max(m.failed_tasks) AS failed_tasks,
                avg(m.avg_workflow_ms) AS avg_workflow_ms, avg(m.avg_task_ms) AS avg_task_ms,
                max(m.uptime_hours) AS uptime_hours, avg(m.cpu_percent) AS cpu_percent,
                avg(m.memory_percent) AS memory_percent, avg(m.disk_percent) AS disk_percent
            FROM span CROSS JOIN system_metrics m
            WHERE m.tenant = @tenant::int AND m.recorded_at >= span.since AND m.recorded_at < span.until
            GROUP BY 1) h) END AS history
FROM tenants q LEFT JOIN tenant_stats s ON s.tenant = q.id
    LEFT JOIN LATERAL (SELECT * FROM system_metrics WHERE tenant = 1 ORDER BY recorded_at DESC LIMIT 1) n ON true
WHERE q.id = @tenant::int;

-- macro: AGENT_METRICS
a.agent_id, a.role, {AGENT_STATUS} AS status, coalesce(s.leased, 0) AS total_tasks,
coalesce(s.completed, 0) AS completed_tasks, coalesce(s.failed, 0) AS failed_tasks,
s.ms::float8 / nullif(s.completed, 0) AS avg_response_ms, s.min_ms AS min_response_ms, s.max_ms AS max_response_ms,
{SUCCESS_RATE} AS success_rate, {ERROR_RATE} AS error_rate, coalesce(s.messages_sent, 0) AS messages_sent,
coalesce(s.messages_received, 0) AS messages_received, s.changed_at AS counted_at,
CASE WHEN EXISTS (SELECT FROM span) THEN (
    SELECT coalesce(json_agg(h ORDER BY h.recorded_at), '[]') FROM (
        SELECT {POINT}, max(m.total_tasks) AS total_tasks, max(m.completed_tasks) AS completed_tasks,
            max(m.failed_tasks) AS failed_tasks, avg(m.avg_response_ms) AS avg_response_ms,
            min(m.min_response_ms) AS min_response_ms, max(m.max_response_ms) AS max_response_ms,
            avg(m.success_rate) AS success_rate, avg(m.error_rate) AS error_rate, max(m.messages_sent) AS messages_sent,
            max(m.messages_received) AS messages_received
        FROM span CROSS JOIN agent_metrics m
        WHERE m.tenant = a.tenant AND m.agent_id = a.agent_id AND m.recorded_at >= span.since
          AND m.recorded_at < span.until
        GROUP BY 1) h) END AS history
-- end

-- name: metrics_agents :many
WITH {SPAN}
SELECT {AGENT_METRICS}, a.agent_id AS _cursor
FROM agents a LEFT JOIN agent_stats s ON s.tenant = a.tenant AND s.agent_id = a.agent_id
WHERE a.tenant = @tenant::int AND (@cursor::text IS NULL OR a.agent_id > @cursor::text)
ORDER BY a.agent_id
LIMIT @limit::int + 1;

-- name: metrics_agent :one
WITH {SPAN}
SELECT {AGENT_METRICS}
FROM agents a LEFT JOIN agent_stats s ON s.tenant = a.tenant AND s.agent_id = a.agent_id
WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text;

-- name: gauge_work :one
-- all tenants: the keeper shows the whole cluster to Prometheus.
-- How many tasks are leased, up to 10,000, and how old the oldest event is that is not counted yet, of tenants in which
-- something was counted within a day; and how many alerts fire.
SELECT (SELECT count(*) FROM (SELECT FROM tasks WHERE status = 'processing' LIMIT 10000) t) AS processing,
    coalesce((SELECT (extract(epoch FROM now() - min(e.at)) * 1000000)::int8
        FROM tenant_stats s CROSS JOIN LATERAL (SELECT at FROM events
            WHERE tenant = s.tenant AND (xid, seq) > (s.xid, s.seq) AND at >= coalesce(s.at - interval '1 day', '-infinity')
            ORDER BY xid, seq LIMIT 1) e
        WHERE s.at IS NULL OR s.at > now() - interval '1 day'), 0) AS event_age_us,
    f.info, f.warning, f.critical
FROM (SELECT count(*) FILTER (WHERE severity = 'info') AS info, count(*) FILTER (WHERE severity = 'warning') AS warning,
        count(*) FILTER (WHERE severity = 'critical') AS critical
    FROM alerts WHERE state <> 'resolved' AND state = 'firing') f;

-- macro: GAUGE_READY
status IN ('pending', 'retrying') AND ready_at IS NOT NULL
-- end

-- name: gauge_queues :many
-- all tenants: the keeper shows the whole cluster to Prometheus.
-- Ready tasks by role over all tenants: the 20 roles with most of them, the rest as `other`, queues of single agents as
-- `(agents)`. At most 500 queues of each kind are looked at, one index probe for each and one for each of its priorities, and
-- at most 10,000 tasks of one are counted.
WITH RECURSIVE plain AS (
    (SELECT tenant, queue FROM tasks WHERE {GAUGE_READY} AND NOT special ORDER BY tenant, queue LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.queue FROM plain q CROSS JOIN LATERAL (SELECT tenant, queue FROM tasks
        WHERE {GAUGE_READY} AND NOT special AND (tenant, queue) > (q.tenant, q.queue) ORDER BY tenant, queue LIMIT 1) n
), special AS (
    (SELECT tenant, queue FROM tasks WHERE {GAUGE_READY} AND special ORDER BY tenant, queue LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.queue FROM special q CROSS JOIN LATERAL (SELECT tenant, queue FROM tasks
        WHERE {GAUGE_READY} AND special AND (tenant, queue) > (q.tenant, q.queue) ORDER BY tenant, queue LIMIT 1) n
), counted AS (
    SELECT q.queue, c.ready, o.ready_at
    FROM (SELECT tenant, queue FROM plain LIMIT 500) q
        CROSS JOIN LATERAL (SELECT count(*) AS ready FROM (SELECT FROM tasks
            WHERE tenant = q.tenant AND queue = q.queue AND {GAUGE_READY} AND NOT special LIMIT 10000) t) c
        CROSS JOIN LATERAL (SELECT min(t.ready_at) AS ready_at FROM generate_series(1, 10) p(priority)
            CROSS JOIN LATERAL (SELECT ready_at FROM tasks
                WHERE tenant = q.tenant AND queue = q.queue AND priority = p.priority AND {GAUGE_READY} AND NOT special
                ORDER BY ready_at LIMIT 1) t) o
    UNION ALL
    SELECT q.queue, c.ready, o.ready_at
    FROM (SELECT tenant, queue FROM special LIMIT 500) q
        CROSS JOIN LATERAL (SELECT count(*) AS ready FROM (SELECT FROM tasks
            WHERE tenant = q.tenant AND queue = q.queue AND {GAUGE_READY} AND special LIMIT 10000) t) c
        CROSS JOIN LATERAL (SELECT min(t.ready_at) AS ready_at FROM generate_series(1, 10) p(priority)
            CROSS JOIN LATERAL (SELECT ready_at FROM tasks
                WHERE tenant = q.tenant AND queue = q.queue AND priority = p.priority AND {GAUGE_READY} AND special
                ORDER BY ready_at LIMIT 1) t) o
), by_role AS (
    SELECT CASE WHEN queue LIKE '@%' THEN '(agents)' ELSE queue END AS role, sum(ready) AS ready, min(ready_at) AS ready_at
    FROM counted WHERE ready > 0 GROUP BY 1
), ranked AS (
    SELECT *, row_number() OVER (ORDER BY ready DESC, role) AS place FROM by_role
)
SELECT CASE WHEN place <= 20 THEN role ELSE 'other' END AS role, sum(ready)::int8 AS ready,
    (extract(epoch FROM now() - min(ready_at)) * 1000000)::int8 AS age_us
FROM ranked GROUP BY 1 ORDER BY 2 DESC;
