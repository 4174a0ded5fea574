-- Limits: how many tasks of a kind run at once, or start in a window. What they do is in task_lease.sql.

-- macro: LIMIT_COLUMNS
l.name, l.kind, l.key, l.label, l.match, l.value, l.window_ms / 1000 AS window_s, l.created_at, l.updated_at
-- end

-- macro: LIMIT_AUDIT
json_build_object('kind', l.kind, 'key', l.key, 'label', l.label, 'match', l.match, 'value', l.value,
    'window_s', l.window_ms / 1000)
-- end

-- name: limit_put :one
-- One writer of a tenant at a time, so that what was before is known.
SELECT t.id FROM tenants t WHERE t.id = @tenant::int FOR NO KEY UPDATE;
WITH o AS MATERIALIZED (
    SELECT {LIMIT_AUDIT} AS was FROM limits l WHERE l.tenant = @tenant::int AND l.name = @name::text
), l AS (
    INSERT INTO limits (tenant, name, kind, key, label, match, value, window_ms, created_at, updated_at)
    VALUES (@tenant::int, @name::text, @kind::text, @key::text, @label::text, @match::text, @value::int,
        @window_s::int * 1000, now(), now())
    ON CONFLICT (tenant, name) DO UPDATE SET kind = excluded.kind, key = excluded.key, label = excluded.label,
        match = excluded.match, value = excluded.value, window_ms = excluded.window_ms, updated_at = now()
    RETURNING *, (xmax = 0) AS is_new
), flagged AS (
    UPDATE tenants SET throttles = true WHERE id = @tenant::int AND NOT throttles
), places AS (
    INSERT INTO task_slots AS s (tenant, counter, task_id, epoch)
    {LIMIT_PLACES}
), a AS (
    INSERT INTO {AUDIT}
    SELECT l.tenant, now(), @actor::text, @principal::text, 'limit.put', 'limit', l.name, (SELECT was FROM o),
        {LIMIT_AUDIT}, @address::text, @request_id::text
    FROM l
)
SELECT {LIMIT_COLUMNS}, CASE WHEN l.is_new THEN 201 ELSE 200 END AS _status FROM l;

-- name: limit_get :one
SELECT {LIMIT_COLUMNS} FROM limits l WHERE l.tenant = @tenant::int AND l.name = @name::text;

-- name: limit_list :many
SELECT {LIMIT_COLUMNS}, l.name AS _cursor
FROM limits l
WHERE l.tenant = @tenant::int AND (@cursor::text IS NULL OR l.name > @cursor::text)
ORDER BY l.name
LIMIT @limit::int + 1;

-- name: limit_delete :one
-- What waited for it is let go by the keeper.
WITH l AS (
    DELETE FROM limits l WHERE l.tenant = @tenant::int AND l.name = @name::text RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT l.tenant, now(), @actor::text, @principal::text, 'limit.delete', 'limit', l.name, {LIMIT_AUDIT}, NULL::json,
        @address::text, @request_id::text
    FROM l
)
SELECT l.name, 204 AS _status FROM l;
