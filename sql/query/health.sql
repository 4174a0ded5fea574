-- Health: what the keeper asks, what is kept of it, and what is done about agents.

-- name: health_look :one
-- all tenants: a node serves all of them.
-- The database as a whole, and what all nodes share. age_s: of the task that is next in its queue and has waited longest;
-- a queue costs one probe of an index, and at most 200 are looked at.
WITH RECURSIVE queues AS (
    (SELECT tenant, queue, priority, ready_at, 1 AS n FROM tasks
        WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND NOT special
        ORDER BY tenant, queue, priority DESC, ready_at, id LIMIT 1)
    UNION ALL
    SELECT t.tenant, t.queue, t.priority, t.ready_at, q.n + 1
    FROM queues q CROSS JOIN LATERAL (SELECT tenant, queue, priority, ready_at FROM tasks
        WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND NOT special
          AND (tenant, queue) > (q.tenant, q.queue)
        ORDER BY tenant, queue, priority DESC, ready_at, id LIMIT 1) t
    WHERE q.n < 200
), oldest AS (
    SELECT queue, extract(epoch FROM now() - ready_at)::float8 AS age_s FROM queues ORDER BY ready_at LIMIT 1
)
SELECT (SELECT max(version) FROM migration_versions) AS version,
    (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS max_connections,
    (SELECT queue FROM oldest) AS queue, (SELECT age_s FROM oldest) AS age_s,
    a.healthy, a.warning, a.critical, a.unknown,
    (SELECT max(clock_skew_ms) - min(clock_skew_ms) FROM nodes WHERE seen_at > now() - interval '10 seconds') AS spread_ms
FROM (SELECT count(*) FILTER (WHERE health = 'healthy') AS healthy, count(*) FILTER (WHERE health = 'warning') AS warning,
        count(*) FILTER (WHERE health = 'critical') AS critical, count(*) FILTER (WHERE health = 'unknown') AS unknown
    FROM agents WHERE health IS NOT NULL) a;

-- name: health_note :exec
-- all tenants: what a node finds of itself is the tenant default's, who looks after the others.
INSERT INTO health_records (tenant, id, component, status, message, response_time_ms, node, recorded_at)
VALUES (1, @id::uuid, @component::text, @status::text, @message::text, @response_time_ms::float8, @node::text, now());

-- name: health_prune :one
-- all tenants: the keeper works for every one of them.
-- What is older than the retention, a bounded part at a time.
WITH records AS (
    DELETE FROM health_records WHERE ctid = ANY(ARRAY(SELECT ctid FROM health_records
        WHERE recorded_at < now() - @retention_days::int * interval '1 day' ORDER BY recorded_at LIMIT 10000))
    RETURNING 1
), attempts AS (
    DELETE FROM recoveries WHERE ctid = ANY(ARRAY(SELECT ctid FROM recoveries
        WHERE began_at < now() - @retention_days::int * interval '1 day' ORDER BY began_at LIMIT 10000))
    RETURNING 1
)
SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM attempts) AS pruned;

-- name: recovery_note :exec
-- all tenants: what a node does about itself is the tenant default's, who looks after the others.
-- Told when it begins and when it ends; while the database cannot be reached, all at once later.
INSERT INTO recoveries AS r (tenant, id, node, component, action, attempt, error, outcome, began_at, ended_at)
VALUES (1, @id::uuid, @node::text, @component::text, @action::text, @attempt::int, @error::text, @outcome::text,
    now() - @age_ms::int8 * interval '1 millisecond', CASE WHEN @outcome::text <> 'started' THEN now() END)
ON CONFLICT (tenant, id) DO UPDATE SET outcome = excluded.outcome, ended_at = excluded.ended_at;

-- name: storage_probe :exec
-- no tenant: it only asks whether there is room. Text that PostgreSQL neither compresses nor finds room for in passing.
UPDATE storage_probe SET filler = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 8000) n);

-- macro: AGENT_SILENCE
-- Checks that a silent agent has missed.
CASE WHEN {AGENT_LIVE} THEN 0
    ELSE floor(extract(epoch FROM now() - coalesce(a.seen_until, a.last_activity + interval '30 seconds'))
        / @interval_s::int)::int + 1 END
-- end

-- macro: AGENT_HEALTH
-- Who beats and falls silent with work in hand, or says three checks long that it is in error, is unhealthy. Who never beat
-- is judged by its leases alone, which run out; who is silent and holds nothing may just have gone home.
CASE WHEN s.missed = 0 AND a.status = 'error' THEN
        CASE WHEN a.status_since < now() - 2 * @interval_s::int * interval '1 second' THEN 'critical' ELSE 'warning' END
    WHEN s.missed = 0 THEN CASE WHEN q.queued > 100 THEN 'warning' ELSE 'healthy' END
    WHEN h.held = 0 THEN 'unknown'
    WHEN a.beat_at IS NULL THEN 'healthy'
    WHEN s.missed < 3 THEN 'warning' ELSE 'critical' END
-- end

-- macro: AGENT_MESSAGE
CASE WHEN c.missed > 0 AND c.held > 0 AND c.health <> 'healthy' THEN
        format('silent for %s checks with %s leased tasks', c.missed, c.held)
    WHEN c.missed > 0 AND c.held > 0 THEN format('works; its %s leases tell when it is lost', c.held)
    WHEN c.missed > 0 THEN 'silent; holds nothing'
    WHEN c.said = 'error' THEN 'says that it is in error'
    WHEN c.queued > 100 THEN 'more than 100 tasks wait for this agent alone'
    ELSE 'responsive' END
-- end

-- name: health_agents :one
-- all tenants: the keeper works for every one of them.
-- The leader's look at all agents: what changed is recorded. Of those that fell silent with work in hand, the leases end
-- now, so that keeper_expired finds them; at most 100 a time, and none while the network is the likelier reason: when more
-- than ten, and more than half of all that beat, are silent at once. A sign of life in between wins, as it prolongs the lease.
-- Nobody is waited for: who is at work on a row now is looked at the next time.
WITH looked AS MATERIALIZED (
    SELECT a.tenant, a.agent_id, a.health AS was, s.missed, h.held, q.queued, a.beat_at, a.initialized_at, a.status AS said,
        {AGENT_HEALTH} AS health
    FROM (SELECT *, '@' || agent_id AS own_queue FROM agents OFFSET 0) a
        CROSS JOIN LATERAL (SELECT {AGENT_SILENCE} AS missed) s
        CROSS JOIN LATERAL (SELECT count(*)::int AS held FROM tasks t
            WHERE t.tenant = a.tenant AND t.leased_by = a.agent_id AND t.status = 'processing' AND t.lease_until > now()
            OFFSET 0) h
        CROSS JOIN LATERAL (SELECT count(*)::int AS queued FROM (SELECT FROM tasks t
            WHERE t.tenant = a.tenant AND t.queue = a.own_queue AND t.status IN ('pending', 'retrying')
              AND t.ready_at IS NOT NULL AND NOT t.special LIMIT 101) t OFFSET 0) q
), lost AS MATERIALIZED (
    SELECT tenant, agent_id, missed, held, said FROM looked WHERE health = 'critical' AND missed >= 3 LIMIT 100
), crowd AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE missed > 0 AND held > 0) AS silent,
        count(*) FILTER (WHERE missed > 0 AND held > 0) > 10
        AND count(*) FILTER (WHERE missed > 0 AND held > 0) * 2 > count(*) FILTER (WHERE missed = 0 OR held > 0) AS all_at_once
    FROM looked WHERE beat_at IS NOT NULL
), picked AS MATERIALIZED (
    SELECT l.*
    FROM (SELECT * FROM looked WHERE was IS DISTINCT FROM health ORDER BY tenant, agent_id LIMIT 1000) l
        CROSS JOIN LATERAL (SELECT FROM agents WHERE tenant = l.tenant AND agent_id = l.agent_id
            FOR NO KEY UPDATE SKIP LOCKED OFFSET 0) x
), changed AS (
    UPDATE agents a SET health = l.health
    FROM picked l
    WHERE a.tenant = l.tenant AND a.agent_id = l.agent_id
    RETURNING l.*
), noted AS (
    INSERT INTO health_records (tenant, id, component, agent_id, status, message, details, recorded_at)
    SELECT c.tenant, gen_random_uuid(), 'agent', c.agent_id, c.health, {AGENT_MESSAGE}, json_build_object('missed', c.missed,
        'held', c.held, 'queued', c.queued, 'said', c.said,
        'uptime_s', extract(epoch FROM now() - c.initialized_at)::int8, 'completed', coalesce(s.completed, 0),
        'failed', coalesce(s.failed, 0)), now()
    FROM changed c LEFT JOIN agent_stats s ON s.tenant = c.tenant AND s.agent_id = c.agent_id
    WHERE c.was IS NOT NULL OR c.health NOT IN ('healthy', 'unknown')
), taken AS (
    UPDATE tasks t SET lease_until = now()
    WHERE t.ctid = ANY(ARRAY(SELECT x.tid FROM lost l CROSS JOIN LATERAL (SELECT ctid AS tid FROM tasks
            WHERE tenant = l.tenant AND leased_by = l.agent_id AND status = 'processing' AND lease_until > now()
            FOR NO KEY UPDATE SKIP LOCKED OFFSET 0) x
        WHERE @may_take::bool AND NOT (SELECT all_at_once FROM crowd)))
    RETURNING t.tenant, t.leased_by AS agent_id, t.id
), counted AS MATERIALIZED (
    SELECT tenant, agent_id, count(*)::int AS leases FROM taken GROUP BY tenant, agent_id
), healed AS (
    INSERT INTO recoveries (tenant, id, node, component, subject, action, attempt, error, outcome, began_at, ended_at)
    SELECT c.tenant, gen_random_uuid(), @node::text, 'agent', c.agent_id, 'take_back_leases', 1,
        format('no sign of life for %s checks; %s of its leases end now', l.missed, c.leases), 'recovered', now(), now()
    FROM counted c JOIN lost l ON l.tenant = c.tenant AND l.agent_id = c.agent_id
), said AS (
    INSERT INTO {EVENTS}
    SELECT c.tenant, now(), NULL, json_agg(json_build_object('kind', 'agent.offline', 'subject', c.agent_id,
        'data', json_build_object('leases', c.leases)))
    FROM counted c GROUP BY c.tenant
)
SELECT (SELECT count(*) FROM changed) AS changed, (SELECT count(*) FROM counted) AS agents,
    (SELECT coalesce(sum(leases), 0) FROM counted)::int AS leases, (SELECT string_agg(agent_id, ', ' ORDER BY agent_id)
        FROM (SELECT agent_id FROM counted ORDER BY agent_id LIMIT 5) c) AS names, crowd.silent, crowd.all_at_once
FROM crowd;

-- name: health_report :one
-- The part of the report that is not this node's own.
SELECT (SELECT json_build_object('healthy', count(*) FILTER (WHERE a.health = 'healthy'),
            'warning', count(*) FILTER (WHERE a.health = 'warning'),
            'critical', count(*) FILTER (WHERE a.health = 'critical'),
            'unknown', count(*) FILTER (WHERE a.health = 'unknown' OR a.health IS NULL),
            'unwell', (SELECT coalesce(json_agg(json_build_object('agent_id', u.agent_id, 'status', u.health,
                    'last_activity', to_char(u.last_activity, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY u.agent_id), '[]')
                FROM (SELECT * FROM agents x WHERE x.tenant = @tenant::int AND x.health IN ('warning', 'critical')
                    ORDER BY x.agent_id LIMIT 100) u))
        FROM agents a WHERE a.tenant = @tenant::int) AS agents,
    (SELECT coalesce(json_agg(json_build_object('name', n.name, 'status', coalesce(n.health, 'unknown'),
            'version', n.version, 'clock_skew_ms', n.clock_skew_ms) ORDER BY n.name), '[]')
        FROM nodes n WHERE n.seen_at > now() - interval '10 seconds') AS nodes,
    (SELECT count(*)::int FROM recoveries r WHERE r.tenant = @tenant::int) AS recoveries;

-- macro: RECORD_COLUMNS
r.id, r.component, r.agent_id, r.node, r.status, r.message, r.response_time_ms, r.details, r.recorded_at
-- end

-- name: health_record_create :one
INSERT INTO health_records AS r (tenant, id, component, agent_id, status, message, response_time_ms, details, recorded_at)
VALUES (@tenant::int, @id::uuid, @component::text, @agent_id::text, @status::text, @message::text,
    @response_time_ms::float8, @details::json, now())
RETURNING {RECORD_COLUMNS};

-- name: health_record_list :many
-- The cursor is a place in the order, microseconds and id: what is pruned meanwhile does not matter.
SELECT {RECORD_COLUMNS}, (extract(epoch FROM r.recorded_at) * 1000000)::int8 || ':' || r.id AS _cursor
FROM health_records r
WHERE r.tenant = @tenant::int
  AND (@cursor::text IS NULL OR ((extract(epoch FROM r.recorded_at) * 1000000)::int8, r.id)
      < (split_part(@cursor::text, ':', 1)::int8, split_part(@cursor::text, ':', 2)::uuid))
  AND (@component::text IS NULL OR r.component = @component::text)
  AND (@agent_id::text IS NULL OR r.agent_id = @agent_id::text)
  AND (@node::text IS NULL OR r.node = @node::text)
  AND (@status::text IS NULL OR r.status = @status::text)
  AND (@from::text IS NULL OR r.recorded_at >= @from::text::timestamptz)
  AND (@to::text IS NULL OR r.recorded_at < @to::text::timestamptz)
ORDER BY r.recorded_at DESC, r.id DESC
LIMIT @limit::int + 1;

-- name: recovery_list :many
SELECT r.id, r.component, r.subject, r.node, r.action, r.attempt, r.error, r.outcome, r.began_at, r.ended_at,
    (extract(epoch FROM r.ended_at - r.began_at) * 1000)::float8 AS duration_ms,
    (extract(epoch FROM r.began_at) * 1000000)::int8 || ':' || r.id AS _cursor
FROM recoveries r
WHERE r.tenant = @tenant::int
  AND (@cursor::text IS NULL OR ((extract(epoch FROM r.began_at) * 1000000)::int8, r.id)
      < (split_part(@cursor::text, ':', 1)::int8, split_part(@cursor::text, ':', 2)::uuid))
  AND (@component::text IS NULL OR r.component = @component::text)
  AND (@outcome::text IS NULL OR r.outcome = @outcome::text)
ORDER BY r.began_at DESC, r.id DESC
LIMIT @limit::int + 1;
