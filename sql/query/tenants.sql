-- Tenants: who there is, what each may have, and how one ends. For admins of the tenant `default`, who see every one of
-- them; a tenant is named by its name or its id. What is changed is on record in the tenant of who changes it.

-- macro: TENANT_COLUMNS
t.id, t.name, t.description, CASE WHEN t.deleting_at IS NOT NULL THEN 'deleting' WHEN t.active THEN 'active' ELSE 'inactive' END
AS status, t.active, t.quotas, t.created_at, t.deactivated_at
-- end

-- macro: TENANT_NAMED
(t.name = @name::text OR t.id::text = @name::text)
-- end

-- name: tenant_create :one
-- all tenants: the new one has no rows yet, and its first admin is its own. No row: the name is taken.
WITH t AS (
    INSERT INTO tenants (name, description, quotas, created_at)
    VALUES (@name::text, @description::text, jsonb_strip_nulls(coalesce(@quotas::json::jsonb, '{}')), now())
    ON CONFLICT (name) DO NOTHING
    RETURNING *
), u AS (
    INSERT INTO users (tenant, id, username, password_hash, role, created_at)
    SELECT t.id, @new_id::uuid, @admin_username::text, @password_hash::text, 'admin', now()
    FROM t WHERE @admin_username::text IS NOT NULL
    RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT @tenant::int, now(), @actor::text, @principal::text, 'tenant.create', 'tenant', t.name, NULL::json,
        json_build_object('id', t.id, 'quotas', t.quotas, 'admin', @admin_username::text), @address::text, @request_id::text
    FROM t
    UNION ALL
    SELECT u.tenant, now(), @actor::text, @principal::text, 'user.create', 'user', u.id::text, NULL::json,
        json_build_object('username', u.username, 'role', u.role), @address::text, @request_id::text
    FROM u
)
SELECT {TENANT_COLUMNS}, u.username AS admin_username FROM t LEFT JOIN u ON true;

-- macro: TENANT_MATCH
-- What PATCH may change: see agentd_match().
to_hex(hashtextextended(ROW(t.description, t.quotas, t.active)::text, 0))
-- end

-- macro: TENANT_IF_MATCH
SELECT agentd_match(@if_match::text, {TENANT_MATCH})
FROM tenants t WHERE {TENANT_NAMED}
  AND @if_match::text IS NOT NULL FOR NO KEY UPDATE
-- end

-- name: tenant_list :many
-- all tenants: it is the list of them.
SELECT {TENANT_COLUMNS}, t.id AS _cursor
FROM tenants t
WHERE (@cursor::int IS NULL OR t.id < @cursor::int)
ORDER BY t.id DESC
LIMIT @limit::int + 1;

-- name: tenant_get :one
-- all tenants: usage is what the tenant has of what quotas bound.
SELECT {TENANT_COLUMNS}, {TENANT_MATCH} AS _match, to_json(t.full_of) AS full_of,
    json_build_object(
        'users', (SELECT count(*) FROM users x WHERE x.tenant = t.id),
        'keys', (SELECT count(*) FROM api_keys x WHERE x.tenant = t.id AND x.status <> 'revoked'),
        'agents', (SELECT count(*) FROM agents x WHERE x.tenant = t.id),
        'schedules', (SELECT count(*) FROM schedules x WHERE x.tenant = t.id),
        'open_workflows', (SELECT count(*) FROM workflows x WHERE x.tenant = t.id AND x.status IN ('pending', 'running'))) AS usage
FROM tenants t WHERE {TENANT_NAMED};

-- name: tenant_patch :one
-- all tenants: it changes another one than that of who asks. A change of active is announced, after which tokens and keys
-- of the tenant are refused, or believed again, everywhere within a second. A quota that is null is taken away.
{TENANT_IF_MATCH};
WITH o AS (
    SELECT t.*, CASE
        WHEN t.deleting_at IS NOT NULL THEN 'this tenant is being deleted; wait until it is gone'
        WHEN t.id = 1 AND NOT @active::bool THEN 'the tenant default cannot be deactivated: those who manage tenants are in it'
        END AS refused
    FROM tenants t WHERE {TENANT_NAMED} FOR NO KEY UPDATE
), t AS (
    UPDATE tenants t SET description = coalesce(@description::text, t.description),
        quotas = jsonb_strip_nulls(t.quotas || coalesce(@quotas::json::jsonb, '{}')),
        active = coalesce(@active::bool, t.active),
        deactivated_at = CASE WHEN coalesce(@active::bool, t.active) THEN NULL ELSE coalesce(t.deactivated_at, now()) END
    FROM o WHERE t.id = o.id AND o.refused IS NULL
    RETURNING t.*
), a AS (
    INSERT INTO {AUDIT}
    SELECT @tenant::int, now(), @actor::text, @principal::text, 'tenant.update', 'tenant', t.name,
        json_build_object('active', o.active, 'quotas', o.quotas, 'description', o.description),
        json_build_object('active', t.active, 'quotas', t.quotas, 'description', t.description),
        @address::text, @request_id::text
    FROM t JOIN o ON o.id = t.id
), said AS (
    SELECT agentd_announce(t.id, 'tenant', t.id::text, now(), NULL) AS seq FROM t JOIN o ON o.id = t.id WHERE t.active <> o.active
)
SELECT {TENANT_COLUMNS}, {TENANT_MATCH} AS _match, o.refused AS _refused, said.seq AS _seq
FROM o LEFT JOIN t ON true LEFT JOIN said ON true;

-- name: tenant_delete :one
-- all tenants: it ends another one than that of who asks. The keeper deletes what the tenant has, part by part.
{TENANT_IF_MATCH};
WITH o AS (
    SELECT t.*, CASE
        WHEN t.id = 1 THEN 'the tenant default cannot be deleted: those who manage tenants are in it'
        WHEN t.active THEN 'this tenant is active: deactivate it first, then delete it with all that it has'
        END AS refused
    FROM tenants t WHERE {TENANT_NAMED} FOR NO KEY UPDATE
), t AS (
    UPDATE tenants t SET deleting_at = coalesce(t.deleting_at, now()) FROM o WHERE t.id = o.id AND o.refused IS NULL
    RETURNING t.*
), a AS (
    INSERT INTO {AUDIT}
    SELECT @tenant::int, now(), @actor::text, @principal::text, 'tenant.delete', 'tenant', t.name,
        json_build_object('id', t.id, 'quotas', t.quotas, 'description', t.description), NULL::json, @address::text, @request_id::text
    FROM t JOIN o ON o.id = t.id WHERE o.deleting_at IS NULL
)
SELECT {TENANT_COLUMNS}, o.refused AS _refused, 202 AS _status FROM o LEFT JOIN t ON true;

-- name: tenant_bounds :many
-- all tenants: a worker asks for what bounds any of them.
SELECT t.id AS tenant, (t.quotas ->> 'rate_limit')::int8 AS rate_limit, 'max_open_tasks' = ANY (t.full_of) AS tasks_full,
    'max_open_workflows' = ANY (t.full_of) AS workflows_full
FROM tenants t WHERE t.quotas <> '{}';

-- name: keeper_tenants_full :many
-- all tenants: the keeper works for every one of them.
-- Counts no further than the quota, along the partial indexes of what is live: tasks that wait to be leased or are held.
WITH seen AS MATERIALIZED (
    SELECT t.id, array_remove(ARRAY[CASE WHEN w.count >= (t.quotas ->> 'max_open_workflows')::int THEN 'max_open_workflows' END,
        CASE WHEN r.count + s.count + p.count >= (t.quotas ->> 'max_open_tasks')::int THEN 'max_open_tasks' END], NULL) AS full_of
    FROM tenants t
        CROSS JOIN LATERAL (SELECT count(*) FROM (SELECT FROM workflows x WHERE x.tenant = t.id
            AND x.status IN ('pending', 'running') LIMIT (t.quotas ->> 'max_open_workflows')::int) x
            WHERE t.quotas ? 'max_open_workflows') w
        CROSS JOIN LATERAL (SELECT count(*) FROM (SELECT FROM tasks x WHERE x.tenant = t.id
            AND x.status IN ('pending', 'retrying') AND x.ready_at IS NOT NULL AND NOT x.special
            LIMIT (t.quotas ->> 'max_open_tasks')::int) x WHERE t.quotas ? 'max_open_tasks') r
        CROSS JOIN LATERAL (SELECT count(*) FROM (SELECT FROM tasks x WHERE x.tenant = t.id
            AND x.status IN ('pending', 'retrying') AND x.ready_at IS NOT NULL AND x.special
            LIMIT (t.quotas ->> 'max_open_tasks')::int) x WHERE t.quotas ? 'max_open_tasks') s
        CROSS JOIN LATERAL (SELECT count(*) FROM (SELECT FROM tasks x WHERE x.tenant = t.id AND x.status = 'processing'
            LIMIT (t.quotas ->> 'max_open_tasks')::int) x WHERE t.quotas ? 'max_open_tasks') p
    WHERE t.quotas ?| ARRAY['max_open_workflows', 'max_open_tasks'] OR t.full_of <> '{}'
)
UPDATE tenants t SET full_of = seen.full_of FROM seen WHERE t.id = seen.id AND t.full_of <> seen.full_of
RETURNING t.id AS tenant, t.name, array_to_string(t.full_of, ', ') AS full_of;

-- name: keeper_tenant_forget :many
-- all tenants: the keeper works for every one of them.
-- One tenant at a time and one keeper at a time. It has been out of use for long enough that nobody works for it any more.
WITH t AS MATERIALIZED (
    SELECT t.id, t.name FROM tenants t
    WHERE t.deleting_at IS NOT NULL AND t.deactivated_at < now() - interval '5 seconds'
    ORDER BY t.id LIMIT 1 FOR UPDATE SKIP LOCKED
), f AS MATERIALIZED (
    SELECT t.id, t.name, agentd_forget_tenant(t.id, @max::int) AS deleted FROM t
), a AS (
    INSERT INTO {AUDIT}
    SELECT 1, now(), 'agentd', 'agentd', 'tenant.deleted', 'tenant', f.name, json_build_object('id', f.id), NULL::json,
        NULL::text, NULL::text
    FROM f WHERE f.deleted < @max::int
)
SELECT f.id AS tenant, f.name, f.deleted FROM f;
