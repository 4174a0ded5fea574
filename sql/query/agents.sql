-- Agents: who they are, and whether they are there.

-- macro: AGENT_COLUMNS
a.agent_id, a.name, a.role, a.description, a.capabilities, a.max_concurrent,
CASE WHEN coalesce(a.seen_until, a.last_activity + interval '30 seconds') < now() THEN 'offline'
    WHEN a.status <> 'online' THEN a.status
    WHEN EXISTS (SELECT FROM tasks t WHERE t.tenant = a.tenant AND t.leased_by = a.agent_id AND t.status = 'processing')
    THEN 'busy' ELSE 'idle' END AS status,
a.load, a.details, a.initialized_at, a.last_activity
-- end

-- name: agent_register :one
-- Registering again updates; _status tells the two apart.
WITH a AS (
    INSERT INTO agents (tenant, agent_id, name, role, description, capabilities, max_concurrent)
    VALUES (@tenant::int, @agent_id::text, @name::text, @role::text, @description::text,
        coalesce(@capabilities::json, '[]'), @max_concurrent::int)
    ON CONFLICT (tenant, agent_id) DO UPDATE SET name = excluded.name, role = excluded.role,
        description = excluded.description, capabilities = excluded.capabilities,
        max_concurrent = excluded.max_concurrent, last_activity = now(), seen_until = now() + interval '30 seconds', status = 'online'
    RETURNING *, (xmax = 0) AS is_new
), l AS (
    INSERT INTO audit_log (tenant, actor, action, subject_type, subject_id, details, address, request_id)
    SELECT a.tenant, @actor::text, CASE WHEN is_new THEN 'agent.register' ELSE 'agent.update' END, 'agent', a.agent_id,
        json_build_object('name', a.name, 'role', a.role), @address::text, @request_id::text
    FROM a
)
SELECT {AGENT_COLUMNS}, CASE WHEN a.is_new THEN 201 ELSE 200 END AS _status
FROM a;

-- name: agent_get :one
SELECT {AGENT_COLUMNS}
FROM agents a
WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text;

-- name: agent_list :many
-- The cursor is a place in the order, not a row: what is deleted between two pages does not matter.
SELECT {AGENT_COLUMNS}, (extract(epoch FROM a.initialized_at) * 1000000)::int8 || ':' || a.agent_id AS _cursor
FROM agents a
WHERE a.tenant = @tenant::int
  AND (@role::text IS NULL OR a.role = @role::text)
  AND (@cursor::text IS NULL OR ((extract(epoch FROM a.initialized_at) * 1000000)::int8, a.agent_id)
      < (split_part(@cursor::text, ':', 1)::int8, substr(@cursor::text, strpos(@cursor::text, ':') + 1)))
ORDER BY a.initialized_at DESC, a.agent_id DESC
LIMIT @limit::int + 1;

-- name: agent_delete :one
WITH a AS (
    DELETE FROM agents a WHERE a.tenant = @tenant::int AND a.agent_id = @agent_id::text RETURNING *
), l AS (
    INSERT INTO audit_log (tenant, actor, action, subject_type, subject_id, address, request_id)
    SELECT a.tenant, @actor::text, 'agent.delete', 'agent', a.agent_id, @address::text, @request_id::text FROM a
)
SELECT a.agent_id FROM a;

-- name: agent_heartbeat :batch
WITH req AS (
    SELECT DISTINCT ON (tenant, agent_id) *
    FROM unnest(@tenant::int[], @agent_id::text[], @status::text[], @load::float8[], @details::json[])
        WITH ORDINALITY AS r(tenant, agent_id, status, load, details, ord)
    ORDER BY tenant, agent_id, ord DESC
), a AS (
    UPDATE agents a SET last_activity = now(), seen_until = now() + interval '30 seconds', status = coalesce(r.status, a.status), load = coalesce(r.load, a.load),
        details = coalesce(r.details, a.details)
    FROM req r
    WHERE a.tenant = r.tenant AND a.agent_id = r.agent_id
    RETURNING a.tenant, a.agent_id, a.status, a.last_activity
)
SELECT r.ord, a.agent_id, a.status, a.last_activity
FROM unnest(@tenant::int[], @agent_id::text[]) WITH ORDINALITY AS r(tenant, agent_id, ord)
    JOIN a ON a.tenant = r.tenant AND a.agent_id = r.agent_id
ORDER BY r.ord;

-- name: agent_seen :batch
-- Agents that leased or beat since the last flush are there, without a heartbeat of their own. plain: nothing bounds what
-- the agent may lease, so that the short lease will do.
WITH a AS (
    UPDATE agents a SET last_activity = now(), seen_until = now() + interval '30 seconds' + r.wait_ms * interval '1 millisecond'
    FROM (SELECT tenant, agent_id, max(wait_ms) AS wait_ms
            FROM unnest(@tenant::int[], @agent_id::text[], @wait_ms::int[]) AS q(tenant, agent_id, wait_ms)
            GROUP BY tenant, agent_id ORDER BY tenant, agent_id) r
    WHERE a.tenant = r.tenant AND a.agent_id = r.agent_id
    RETURNING a.tenant, a.agent_id
)
SELECT r.ord, a.agent_id IS NULL AND NOT t.throttles AS plain
FROM unnest(@tenant::int[], @agent_id::text[]) WITH ORDINALITY AS r(tenant, agent_id, ord)
    JOIN tenants t ON t.id = r.tenant
    LEFT JOIN a ON a.tenant = r.tenant AND a.agent_id = r.agent_id
ORDER BY r.ord;
