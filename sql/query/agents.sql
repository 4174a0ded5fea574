-- Agents: who they are, and whether they are there.

-- macro: AGENT_COLUMNS
a.agent_id, a.name, a.role, a.description, a.capabilities, a.max_concurrent, {AGENT_STATUS} AS status, a.load, a.details,
a.initialized_at, a.last_activity
-- end

-- macro: AGENT_AUDIT
json_build_object('name', a.name, 'role', a.role, 'description', a.description, 'capabilities', a.capabilities,
    'max_concurrent', a.max_concurrent)
-- end

-- macro: AGENT_EVENT
'subject', a.agent_id, 'data', json_build_object('name', a.name, 'role', a.role)
-- end

-- name: agent_register :batch
-- Registering again updates; _status tells the two apart. Of one agent's registrations in a batch the last one counts.
WITH req AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY tenant, agent_id ORDER BY ord) AS nth,
        row_number() OVER (PARTITION BY tenant, agent_id ORDER BY ord DESC) AS from_end
    FROM unnest(@tenant::int[], @agent_id::text[], @name::text[], @role::text[], @description::text[],
        @capabilities::json[], @max_concurrent::int[], @actor::text[], @principal::text[], @address::text[],
        @request_id::text[])
        WITH ORDINALITY AS r(tenant, agent_id, name, role, description, capabilities, max_concurrent, actor, principal,
            address, request_id, ord)
), o AS MATERIALIZED (
    SELECT a.tenant, a.agent_id, {AGENT_AUDIT} AS was
    FROM req r CROSS JOIN LATERAL (SELECT * FROM agents WHERE tenant = r.tenant AND agent_id = r.agent_id OFFSET 0) a
    WHERE r.from_end = 1
), a AS (
    INSERT INTO agents AS a (tenant, agent_id, name, role, description, capabilities, max_concurrent, initialized_at,
        last_activity, seen_until, status_since)
    SELECT tenant, agent_id, name, role, description, coalesce(capabilities, '[]'), max_concurrent, now(), now(),
        now() + interval '30 seconds', now()
    FROM req WHERE from_end = 1
    ORDER BY tenant, agent_id
    ON CONFLICT (tenant, agent_id) DO UPDATE SET name = excluded.name, role = excluded.role,
        description = excluded.description, capabilities = excluded.capabilities,
        max_concurrent = excluded.max_concurrent, last_activity = now(), seen_until = now() + interval '30 seconds',
        status = 'online', status_since = CASE WHEN NOT {AGENT_LIVE} OR a.status <> 'online' THEN now()
            ELSE coalesce(a.status_since, a.initialized_at) END
    RETURNING a.*, (a.xmax = 0) AS is_new
), l AS (
    INSERT INTO {AUDIT}
    SELECT r.tenant, now(), r.actor, r.principal,
        CASE WHEN a.is_new AND r.nth = 1 THEN 'agent.register' ELSE 'agent.update' END, 'agent', r.agent_id, o.was,
        {AGENT_AUDIT}, r.address, r.request_id
    FROM req r JOIN a ON a.tenant = r.tenant AND a.agent_id = r.agent_id
        LEFT JOIN o ON o.tenant = r.tenant AND o.agent_id = r.agent_id
    ORDER BY r.ord
), said AS (
    INSERT INTO {EVENTS}
    SELECT a.tenant, now(), NULL, json_agg(json_build_object('kind',
        CASE WHEN a.is_new THEN 'agent.registered' ELSE 'agent.updated' END, {AGENT_EVENT}))
    FROM a GROUP BY a.tenant
)
SELECT r.ord, {AGENT_COLUMNS}, CASE WHEN a.is_new AND r.nth = 1 THEN 201 ELSE 200 END AS _status
FROM req r JOIN a ON a.tenant = r.tenant AND a.agent_id = r.agent_id
ORDER BY r.ord;

-- macro: AGENT_MATCH
-- What PATCH may change: see agentd_match().
to_hex(hashtextextended(ROW(a.name, a.role, a.description, a.capabilities, a.max_concurrent)::text, 0))
-- end

-- macro: AGENT_IF_MATCH
SELECT agentd_match(@if_match::text, {AGENT_MATCH})
FROM agents a WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text
  AND @if_match::text IS NOT NULL FOR NO KEY UPDATE
-- end

-- name: agent_patch :one
-- Only what is given changes. It is no sign of life: somebody else may do it.
{AGENT_IF_MATCH};
WITH o AS MATERIALIZED (
    SELECT {AGENT_AUDIT} AS was FROM agents a
    WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text FOR NO KEY UPDATE
), a AS (
    UPDATE agents a SET name = coalesce(@name::text, a.name), role = coalesce(@role::text, a.role),
        description = coalesce(@description::text, a.description),
        capabilities = coalesce(@capabilities::json, a.capabilities),
        max_concurrent = coalesce(@max_concurrent::int, a.max_concurrent)
    FROM o
    WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text
    RETURNING a.*, o.was
), l AS (
    INSERT INTO {AUDIT}
    SELECT a.tenant, now(), @actor::text, @principal::text, 'agent.update', 'agent', a.agent_id, a.was, {AGENT_AUDIT},
        @address::text, @request_id::text
    FROM a
), said AS (
    INSERT INTO {EVENTS}
    SELECT a.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'agent.updated', {AGENT_EVENT})) FROM a
)
SELECT {AGENT_COLUMNS}, {AGENT_MATCH} AS _match FROM a;

-- name: agent_get :one
SELECT {AGENT_COLUMNS}, {AGENT_MATCH} AS _match
FROM agents a
WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text;

-- name: agent_status :one
-- since: when the status began: the silence, the error, the first of the leases held, or the end of the last one.
SELECT a.agent_id, s.status, CASE s.status
        WHEN 'offline' THEN coalesce(a.seen_until, a.last_activity + interval '30 seconds')
        WHEN 'busy' THEN h.since
        WHEN 'idle' THEN greatest(a.status_since, a.initialized_at, (SELECT x.settled_at FROM agent_stats x
            WHERE x.tenant = a.tenant AND x.agent_id = a.agent_id))
        ELSE coalesce(a.status_since, a.last_activity) END AS since,
    {AGENT_LIVE} AS live, a.load, a.details, a.max_concurrent, a.last_activity, h.held
FROM agents a
    CROSS JOIN LATERAL (SELECT {AGENT_STATUS} AS status) s
    CROSS JOIN LATERAL (SELECT coalesce(json_agg(json_build_object('id', t.id, 'role', t.role, 'workflow_id', t.workflow_id,
            'key', t.key, 'epoch', t.epoch, 'attempt', t.attempt, 'lease_until',
            to_char(t.lease_until, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY t.leased_at, t.id), '[]') AS held, min(t.leased_at) AS since
        FROM tasks t WHERE t.tenant = a.tenant AND t.leased_by = a.agent_id AND t.status = 'processing') h
WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text;

-- name: agent_tasks :many
-- What it holds and what failed in its hands: all of it; what else it ended: as far as that is among the newest 10,000
-- tasks of the tenant.
WITH mine AS MATERIALIZED (
    SELECT t.id FROM tasks t
    WHERE t.tenant = @tenant::int AND t.leased_by = @agent_id::text AND t.status = 'processing'
      AND coalesce(@status::text, 'processing') = 'processing'
    UNION
    (SELECT t.id FROM tasks t
    WHERE t.tenant = @tenant::int AND t.leased_by = @agent_id::text AND t.status IN ('failed', 'dead')
      AND coalesce(@status::text, 'failed') = 'failed' AND (@cursor::uuid IS NULL OR t.id < @cursor::uuid)
    ORDER BY t.id DESC LIMIT @limit::int + 1)
    UNION
    SELECT n.id FROM (SELECT t.id, t.leased_by, t.status FROM tasks t WHERE t.tenant = @tenant::int
        AND coalesce(@status::text, 'completed') IN ('completed', 'cancelled') ORDER BY t.id DESC LIMIT 10000) n
    WHERE n.leased_by = @agent_id::text AND n.status IN ('completed', 'cancelled')
      AND coalesce(@status::text, n.status) = n.status
)
SELECT {TASK_COLUMNS}, t.id AS _cursor
FROM mine m JOIN tasks t ON t.tenant = @tenant::int AND t.id = m.id
WHERE @cursor::uuid IS NULL OR t.id < @cursor::uuid
ORDER BY t.id DESC
LIMIT @limit::int + 1;

-- name: agent_list :many
-- The cursor is a place in the order, not a row: what is deleted between two pages does not matter.
SELECT {AGENT_COLUMNS}, (extract(epoch FROM a.initialized_at) * 1000000)::int8 || ':' || a.agent_id AS _cursor
FROM agents a
WHERE a.tenant = @tenant::int
  AND (@role::text IS NULL OR a.role = @role::text)
  AND (@status::text IS NULL OR {AGENT_STATUS} = @status::text)
  AND (@cursor::text IS NULL OR ((extract(epoch FROM a.initialized_at) * 1000000)::int8, a.agent_id)
      < (split_part(@cursor::text, ':', 1)::int8, substr(@cursor::text, strpos(@cursor::text, ':') + 1)))
ORDER BY a.initialized_at DESC, a.agent_id DESC
LIMIT @limit::int + 1;

-- name: agent_delete :one
-- What it holds stays with it until it settles that or the lease runs out, as when it falls silent.
{AGENT_IF_MATCH};
WITH a AS (
    DELETE FROM agents a WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text RETURNING *
), counts AS (
    DELETE FROM agent_stats s USING a WHERE s.tenant = a.tenant AND s.agent_id = a.agent_id
), l AS (
    INSERT INTO {AUDIT}
    SELECT a.tenant, now(), @actor::text, @principal::text, 'agent.delete', 'agent', a.agent_id, {AGENT_AUDIT}, NULL::json,
        @address::text, @request_id::text
    FROM a
), said AS (
    INSERT INTO {EVENTS}
    SELECT a.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'agent.deleted', {AGENT_EVENT})) FROM a
)
SELECT a.agent_id FROM a;

-- name: agent_heartbeat :batch
-- gather: 50
WITH req AS (
    SELECT DISTINCT ON (tenant, agent_id) *
    FROM unnest(@tenant::int[], @agent_id::text[], @status::text[], @load::float8[], @details::json[])
        WITH ORDINALITY AS r(tenant, agent_id, status, load, details, ord)
    ORDER BY tenant, agent_id, ord DESC
), a AS (
    UPDATE agents a SET last_activity = now(), seen_until = now() + interval '30 seconds', beat_at = now(),
        status_since = CASE WHEN NOT {AGENT_LIVE} OR a.status <> coalesce(r.status, a.status) THEN now()
            ELSE coalesce(a.status_since, a.initialized_at) END,
        status = coalesce(r.status, a.status), load = coalesce(r.load, a.load), details = coalesce(r.details, a.details)
    FROM req r
    WHERE a.tenant = r.tenant AND a.agent_id = r.agent_id
    RETURNING a.tenant, a.agent_id, a.status, a.last_activity
)
SELECT j.ord, j.agent_id, j.status, j.last_activity
FROM (SELECT r.ord, a.agent_id, a.status, a.last_activity
    FROM unnest(@tenant::int[], @agent_id::text[]) WITH ORDINALITY AS r(tenant, agent_id, ord)
        FULL JOIN a ON a.tenant = r.tenant AND a.agent_id = r.agent_id -- hashed: see task_lease
    OFFSET 0) j
WHERE j.agent_id IS NOT NULL
ORDER BY j.ord;

-- name: agent_seen :batch
-- Agents that leased or beat since the last flush are there, without a heartbeat of their own. plain: nothing bounds what
-- the agent may lease, so that the short lease will do.
WITH a AS (
    UPDATE agents a SET last_activity = now(),
        seen_until = now() + interval '30 seconds' + r.wait_ms * interval '1 millisecond',
        status_since = CASE WHEN NOT {AGENT_LIVE} THEN now() ELSE coalesce(a.status_since, a.initialized_at) END
    FROM (SELECT tenant, agent_id, max(wait_ms) AS wait_ms
            FROM unnest(@tenant::int[], @agent_id::text[], @wait_ms::int[]) AS q(tenant, agent_id, wait_ms)
            GROUP BY tenant, agent_id ORDER BY tenant, agent_id) r
    WHERE a.tenant = r.tenant AND a.agent_id = r.agent_id
    RETURNING a.tenant, a.agent_id
)
SELECT j.ord, j.agent_id IS NULL AND NOT t.throttles AS plain
FROM (SELECT r.ord, r.tenant, a.agent_id
    FROM unnest(@tenant::int[], @agent_id::text[]) WITH ORDINALITY AS r(tenant, agent_id, ord)
        FULL JOIN a ON a.tenant = r.tenant AND a.agent_id = r.agent_id -- hashed: see task_lease
    OFFSET 0) j
    CROSS JOIN LATERAL (SELECT throttles FROM tenants WHERE id = j.tenant OFFSET 0) t
ORDER BY j.ord;
