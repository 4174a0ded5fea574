-- Alerts: evaluated by the leader's keeper, and asked for through the API; rules and channels are in their own files.

-- macro: BUILTIN_RULES
-- What every tenant has from the start; a tenant changes or silences its own.
(VALUES
    ('agent_errors', 'an agent failed three times or more', 'agent_errors', '>=', 3, 300, 0, 60, 'warning', false),
    ('agent_slow', 'tasks of an agent take longer than 5 s on average', 'agent_task_ms', '>', 5000, 300, 0, 60, 'warning', false),
    ('agent_success_rate', 'an agent succeeds with less than 80 % of its tasks', 'agent_success_rate', '<', 80, 300, 0, 60, 'warning', false),
    ('error_rate', 'more than 10 % of all tasks end as failed', 'error_rate', '>', 10, 300, 60, 120, 'critical', false),
    ('queue_age', 'a task that is ready waits for longer than 5 minutes', 'queue_age_s', '>', 300, 300, 60, 60, 'warning', false),
    ('agents_offline', 'agents fell silent within the last day', 'agents_offline', '>=', 1, 300, 60, 60, 'warning', false),
    ('dead_letters', 'tasks have no attempt left and wait for a person', 'dead_letters', '>=', 1, 300, 0, 60, 'warning', false),
    ('disk', 'the disk of a node is more than 90 % full', 'disk_percent', '>', 90, 300, 60, 60, 'warning', true),
    ('disk_full', 'the disk of a node is more than 95 % full', 'disk_percent', '>', 95, 300, 0, 60, 'critical', true),
    ('node_critical', 'the health of a node is critical', 'node_critical', '>=', 1, 300, 30, 60, 'critical', true),
    ('certificate', 'the certificate of a node ends within two weeks', 'certificate_days', '<', 14, 300, 0, 60, 'warning', true))
    AS b(name, description, metric, comparison, threshold, window_s, for_s, keep_s, severity, of_nodes)
-- end

-- macro: DIFFERENCE
-- What was counted within the window of the rule r, since the mark m.
LEFT JOIN LATERAL (SELECT * FROM alert_marks WHERE tenant = s.tenant AND agent_id = s.agent_id
    AND at <= r.since ORDER BY at DESC LIMIT 1) m ON true
    CROSS JOIN LATERAL (SELECT s.completed - coalesce(m.completed, 0) AS completed, s.failed - coalesce(m.failed, 0) AS failed,
        s.ms - coalesce(m.ms, 0) AS ms, s.timed - coalesce(m.timed, 0) AS timed) d
-- end

-- macro: COUNTED
-- Counters that may be marked: those that have moved within an hour.
(SELECT tenant, agent_id, completed, failed, ms, completed AS timed, changed_at FROM agent_stats
    WHERE changed_at > now() - interval '1 hour'
UNION ALL
SELECT tenant, '', tasks_completed, tasks_failed, tasks_ms, tasks_timed, at FROM tenant_stats
    WHERE at > now() - interval '1 hour') s
-- end

-- macro: QUEUES
-- The queues of a tenant in which tasks are ready, one index probe each, and since when the oldest of each is.
(WITH RECURSIVE q AS (
    (SELECT t.queue, 1 AS n FROM tasks t WHERE t.tenant = r.tenant AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL AND NOT t.special
    ORDER BY t.queue LIMIT 1)
    UNION ALL
    SELECT (SELECT t.queue FROM tasks t WHERE t.tenant = r.tenant AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL AND NOT t.special
        AND t.queue > q.queue ORDER BY t.queue LIMIT 1), q.n + 1
    FROM q WHERE q.queue IS NOT NULL AND q.n < 1000)
SELECT q.queue, min(o.ready_at) AS ready_at
FROM q CROSS JOIN generate_series(10, 1, -1) AS p(priority) CROSS JOIN LATERAL (
    SELECT t.ready_at FROM tasks t WHERE t.tenant = r.tenant AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL AND NOT t.special
        AND t.queue = q.queue AND t.priority = p.priority ORDER BY t.ready_at LIMIT 1) o
WHERE q.queue IS NOT NULL
GROUP BY q.queue)
-- end

-- macro: SPECIAL_QUEUES
-- The same of tasks that only some agents may lease.
(WITH RECURSIVE q AS (
    (SELECT t.queue, 1 AS n FROM tasks t WHERE t.tenant = r.tenant AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL AND t.special
    ORDER BY t.queue LIMIT 1)
    UNION ALL
    SELECT (SELECT t.queue FROM tasks t WHERE t.tenant = r.tenant AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL AND t.special
        AND t.queue > q.queue ORDER BY t.queue LIMIT 1), q.n + 1
    FROM q WHERE q.queue IS NOT NULL AND q.n < 1000)
SELECT q.queue, min(o.ready_at) AS ready_at
FROM q CROSS JOIN generate_series(10, 1, -1) AS p(priority) CROSS JOIN LATERAL (
    SELECT t.ready_at FROM tasks t WHERE t.tenant = r.tenant AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL AND t.special
        AND t.queue = q.queue AND t.priority = p.priority ORDER BY t.ready_at LIMIT 1) o
WHERE q.queue IS NOT NULL
GROUP BY q.queue)
-- end

-- macro: SEVERITIES
'{info,warning,critical}'::text[]
-- end

-- macro: BODY
-- What a webhook is sent: type, timestamp and data, as Standard Webhooks recommend.
json_build_object('type', 'alert.' || a.state, 'timestamp', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'data', json_build_object('id', a.id, 'rule', a.rule, 'rule_id', a.rule_id, 'state', a.state, 'severity', a.severity,
        'metric', a.metric, 'subject', nullif(a.subject, ''), 'value', a.value, 'comparison', a.comparison,
        'threshold', a.threshold, 'labels', a.labels, 'fired_at', a.fired_at, 'resolved_at', a.resolved_at))::text
-- end

-- name: alerts_evaluate :many
-- all tenants: the leader evaluates the rules of every one of them.
-- One evaluation at a time; what it changes, and who is told of it, is one transaction: so each change happens once,
-- whoever leads. Answers the changes.
SELECT pg_advisory_xact_lock(27416758083413057);
INSERT INTO alert_rules (tenant, id, name, description, metric, comparison, threshold, window_s, for_s, keep_s, severity, builtin,
    created_at, updated_at)
SELECT t.id, agentd_new_id(), b.name, b.description, b.metric, b.comparison, b.threshold, b.window_s, b.for_s, b.keep_s, b.severity,
    true, now(), now()
FROM tenants t CROSS JOIN {BUILTIN_RULES}
WHERE t.deleting_at IS NULL AND (t.id = 1 OR NOT b.of_nodes)
  AND NOT EXISTS (SELECT FROM alert_rules r WHERE r.tenant = t.id AND r.name = b.name OFFSET 0)
ON CONFLICT DO NOTHING;
INSERT INTO alert_marks (tenant, agent_id, at, completed, failed, ms, timed)
SELECT s.tenant, s.agent_id, now(), s.completed, s.failed, s.ms, s.timed
FROM {COUNTED} LEFT JOIN LATERAL (SELECT * FROM alert_marks WHERE tenant = s.tenant AND agent_id = s.agent_id
    ORDER BY at DESC LIMIT 1) m ON true
WHERE m.at IS NULL OR (m.at <= now() - interval '30 seconds'
    AND (m.completed, m.failed, m.ms, m.timed) IS DISTINCT FROM (s.completed, s.failed, s.ms, s.timed))
ON CONFLICT DO NOTHING;
WITH r AS MATERIALIZED (
    SELECT r.*, now() - r.window_s * interval '1 second' AS since FROM alert_rules r JOIN tenants t ON t.id = r.tenant WHERE r.active AND t.active AND t.deleting_at IS NULL
), samples AS MATERIALIZED (
    SELECT r.tenant, r.id, s.agent_id AS subject, (CASE r.metric WHEN 'agent_errors' THEN d.failed
            WHEN 'agent_task_ms' THEN d.ms::float8 / nullif(d.completed, 0)
            ELSE CASE WHEN d.completed + d.failed >= 5 THEN 100.0 * d.completed / (d.completed + d.failed) END END)::float8 AS value
    FROM r JOIN {COUNTED} ON s.tenant = r.tenant AND s.agent_id <> '' {DIFFERENCE}
    WHERE r.metric IN ('agent_errors', 'agent_task_ms', 'agent_success_rate')
    UNION ALL
    SELECT r.tenant, r.id, '', (CASE r.metric WHEN 'task_ms' THEN d.ms::float8 / nullif(d.timed, 0)
            ELSE CASE WHEN d.completed + d.failed >= 5 THEN 100.0 * d.failed / (d.completed + d.failed) END END)::float8
    FROM r JOIN {COUNTED} ON s.tenant = r.tenant AND s.agent_id = '' {DIFFERENCE}
    WHERE r.metric IN ('task_ms', 'error_rate')
    UNION ALL
    SELECT r.tenant, r.id, q.queue, extract(epoch FROM now() - q.ready_at)::float8
    FROM r CROSS JOIN LATERAL (SELECT * FROM {QUEUES} plain UNION ALL SELECT * FROM {SPECIAL_QUEUES} special) q
    WHERE r.metric = 'queue_age_s'
    UNION ALL
    SELECT r.tenant, r.id, '', (SELECT count(*) FROM agents a WHERE a.tenant = r.tenant AND NOT {AGENT_LIVE}
        AND coalesce(a.seen_until, a.last_activity) > now() - interval '1 day')::float8
    FROM r WHERE r.metric = 'agents_offline'
    UNION ALL
    SELECT r.tenant, r.id, '', (SELECT count(*) FROM (SELECT FROM tasks t WHERE t.tenant = r.tenant AND t.status = 'dead'
        LIMIT 10000) t)::float8
    FROM r WHERE r.metric = 'dead_letters'
    UNION ALL
    SELECT r.tenant, r.id, n.name, CASE r.metric WHEN 'disk_percent' THEN n.disk_percent WHEN 'node_critical' THEN (n.health = 'critical')::int
        ELSE (extract(epoch FROM n.certificate_expires_at - now()) / 86400)::float8 END
    FROM r JOIN nodes n ON n.seen_at > now() - interval '30 seconds'
    WHERE r.tenant = 1 AND r.metric IN ('disk_percent', 'certificate_days', 'node_critical')
), met AS MATERIALIZED (
    SELECT r.tenant, r.id AS rule_id, s.subject, max(s.value) AS value
    FROM samples s JOIN r ON r.tenant = s.tenant AND r.id = s.id
    WHERE (r.subject IS NULL OR r.subject = s.subject)
      AND CASE r.comparison WHEN '>' THEN s.value > r.threshold WHEN '>=' THEN s.value >= r.threshold
        WHEN '<' THEN s.value < r.threshold WHEN '<=' THEN s.value <= r.threshold ELSE s.value = r.threshold END
    GROUP BY r.tenant, r.id, s.subject
), live AS MATERIALIZED (
    SELECT a.*, r.id IS NOT NULL AS has_rule, r.for_s, r.keep_s, m.rule_id IS NOT NULL AS is_met, m.value AS now_value
    FROM alerts a LEFT JOIN r ON r.tenant = a.tenant AND r.id = a.rule_id
        LEFT JOIN met m ON m.tenant = a.tenant AND m.rule_id = a.rule_id AND m.subject = a.subject
    WHERE a.state <> 'resolved'
), begun AS (
    INSERT INTO alerts (tenant, id, rule_id, rule, metric, comparison, threshold, subject, severity, labels, state, value, since,
        fired_at)
    SELECT m.tenant, agentd_new_id(), r.id, r.name, r.metric, r.comparison, r.threshold, m.subject, r.severity, r.labels,
        CASE WHEN r.for_s = 0 THEN 'firing' ELSE 'pending' END, m.value, now(), CASE WHEN r.for_s = 0 THEN now() END
    FROM (SELECT m.* FROM met m WHERE NOT EXISTS (SELECT FROM live l WHERE l.tenant = m.tenant AND l.rule_id = m.rule_id
            AND l.subject = m.subject) LIMIT 1000) m
        JOIN r ON r.tenant = m.tenant AND r.id = m.rule_id
    ON CONFLICT DO NOTHING
    RETURNING *
), forgotten AS (
    DELETE FROM alerts a USING live l
    WHERE a.tenant = l.tenant AND a.id = l.id AND l.state = 'pending' AND NOT (l.is_met AND l.has_rule)
), fired AS (
    UPDATE alerts a SET state = 'firing', fired_at = now(), value = l.now_value
    FROM live l
    WHERE a.tenant = l.tenant AND a.id = l.id AND l.state = 'pending' AND l.is_met
      AND l.since <= now() - l.for_s * interval '1 second'
    RETURNING a.*
), resolved AS (
    UPDATE alerts a SET state = 'resolved', resolved_at = now()
    FROM live l
    WHERE a.tenant = l.tenant AND a.id = l.id AND l.state = 'firing' AND NOT l.is_met
      AND (NOT l.has_rule OR l.keep_s = 0 OR l.clear_since <= now() - l.keep_s * interval '1 second')
    RETURNING a.*
), wavering AS (
    UPDATE alerts a SET clear_since = CASE WHEN l.is_met THEN NULL ELSE now() END, value = coalesce(l.now_value, a.value)
    FROM live l
    WHERE a.tenant = l.tenant AND a.id = l.id AND l.state = 'firing' AND l.has_rule
      AND (l.is_met AND l.clear_since IS NOT NULL OR NOT l.is_met AND l.clear_since IS NULL AND l.keep_s > 0)
), changed AS MATERIALIZED (
    SELECT * FROM begun WHERE state = 'firing' UNION ALL SELECT * FROM fired UNION ALL SELECT * FROM resolved
), told AS (
    INSERT INTO alert_deliveries (tenant, id, channel_id, alert_id, event, body, status, next_at, created_at)
    SELECT a.tenant, agentd_new_id(), c.id, a.id, 'alert.' || a.state, {BODY}, 'pending', now(), now()
    FROM changed a JOIN alert_channels c ON c.tenant = a.tenant
        AND array_position({SEVERITIES}, c.min_severity) <= array_position({SEVERITIES}, a.severity)
    WHERE c.active
)
SELECT t.name AS tenant, a.id, a.rule, a.subject, a.state, a.severity, a.value, a.comparison, a.threshold
FROM changed a JOIN tenants t ON t.id = a.tenant;

-- name: alerts_prune :one
-- all tenants: the leader prunes for every one of them.
-- What is older than the retention, and marks that no window reaches any more, a bounded part at a time.
WITH old AS (
    DELETE FROM alerts WHERE ctid = ANY(ARRAY(SELECT ctid FROM alerts WHERE state = 'resolved'
        AND resolved_at < now() - @retention_days::int * interval '1 day' ORDER BY resolved_at LIMIT 5000))
    RETURNING 1
), told AS (
    DELETE FROM alert_deliveries WHERE ctid = ANY(ARRAY(SELECT ctid FROM alert_deliveries WHERE status <> 'pending'
        AND ended_at < now() - @retention_days::int * interval '1 day' ORDER BY ended_at LIMIT 5000))
    RETURNING 1
), marks AS (
    DELETE FROM alert_marks WHERE ctid = ANY(ARRAY(SELECT m.ctid FROM alert_marks m
        WHERE m.at < now() - interval '1 hour' AND EXISTS (SELECT FROM alert_marks n WHERE n.tenant = m.tenant
            AND n.agent_id = m.agent_id AND n.at > m.at AND n.at < now() - interval '1 hour')
        ORDER BY m.at LIMIT 20000))
    RETURNING 1
)
SELECT (SELECT count(*) FROM old) + (SELECT count(*) FROM told) AS pruned, (SELECT count(*) FROM marks) AS marks;

-- macro: ALERT_COLUMNS
a.id, a.rule, a.rule_id, a.state, a.severity, a.metric, nullif(a.subject, '') AS subject, a.value, a.comparison, a.threshold,
a.labels, a.since, a.fired_at, a.resolved_at
-- end

-- name: alert_list :many
-- Those whose condition has not held for long enough yet are shown only when they are asked for.
SELECT {ALERT_COLUMNS}, a.id AS _cursor
FROM alerts a
WHERE a.tenant = @tenant::int AND (@cursor::uuid IS NULL OR a.id < @cursor::uuid)
  AND a.state = ANY(CASE WHEN @state::text IS NULL THEN '{firing,resolved}' ELSE ARRAY[@state::text] END)
  AND (@severity::text IS NULL OR a.severity = @severity::text)
  AND (@rule::text IS NULL OR a.rule = @rule::text)
  AND (@subject::text IS NULL OR a.subject = @subject::text)
ORDER BY a.id DESC
LIMIT @limit::int + 1;

-- name: alert_get :one
SELECT {ALERT_COLUMNS}, (
    SELECT coalesce(json_agg(json_build_object('id', d.id, 'channel', c.name, 'event', d.event, 'status', d.status,
        'attempts', d.attempts, 'error', d.error) ORDER BY d.id), '[]')
    FROM alert_deliveries d LEFT JOIN alert_channels c ON c.tenant = d.tenant AND c.id = d.channel_id
    WHERE d.tenant = a.tenant AND d.alert_id = a.id) AS deliveries
FROM alerts a WHERE a.tenant = @tenant::int AND a.id = @id::uuid;
