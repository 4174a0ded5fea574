-- API keys: their life, from the making to the end of them, and what a request with one has to know. A key itself never
-- comes here, only its hash: statements may be logged.
--
-- Who has no key:manage (all_keys) sees and changes the keys of their own, and a key (only_key) itself. Each statement that
-- makes a key worth less says so to all nodes (agentd_announce), as its last lock.

-- macro: KEY_MINE
(@all_keys::bool OR CASE WHEN @only_key::text IS NULL THEN k.owner_id = @actor_id::uuid ELSE k.key_id = @only_key::text END)
-- end

-- macro: KEY_STATUS
CASE WHEN k.status <> 'revoked' AND k.expires_at <= now() THEN 'expired' ELSE k.status END
-- end

-- macro: KEY_MADE
k.key_id, k.name, k.type, k.role, k.scopes, k.owner, {KEY_STATUS} AS status, k.rate_limit, k.allowed_ips, k.allowed_origins,
k.rotated_from, k.created_at, k.expires_at
-- end

-- macro: KEY_COLUMNS
{KEY_MADE}, k.rotated_to, k.last_used, k.usage_count, k.failed_attempts,
greatest(0, extract(day FROM k.expires_at - now()))::int AS days_until_expiration
-- end

-- macro: LOCK_KEY
SELECT k.key_id FROM api_keys k
WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text AND {KEY_MINE} FOR NO KEY UPDATE
-- end

-- macro: KEY_AUDIT
json_build_object('name', k.name, 'type', k.type, 'role', k.role, 'scopes', k.scopes, 'owner', k.owner, 'rate_limit', k.rate_limit,
    'allowed_ips', k.allowed_ips, 'allowed_origins', k.allowed_origins, 'expires_at', k.expires_at, 'status', k.status,
    'rotated_from', k.rotated_from, 'rotated_to', k.rotated_to)
-- end

-- macro: KEY_FOUND
-- The key behind its lock, with the status that people see.
w AS (
    SELECT k.*, {KEY_STATUS} AS was, {KEY_AUDIT} AS before FROM api_keys k
    WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text AND {KEY_MINE}
)
-- end

-- macro: KEY_MOVED
-- j is the key, its next status (NULL: it stays as it is), why that is refused, and the action for the record.
k AS (
    UPDATE api_keys k SET status = coalesce(j.next, k.status),
        suspended_by = CASE WHEN j.next = 'suspended' THEN @actor_id::uuid ELSE k.suspended_by END
    FROM j
    WHERE k.tenant = j.tenant AND k.key_id = j.key_id
    RETURNING k.*
), a AS (
    INSERT INTO {AUDIT}
    SELECT j.tenant, now(), @actor::text, @principal::text, j.action, 'key', j.key_id, j.before, {KEY_AUDIT}, @address::text,
        @request_id::text
    FROM j JOIN k ON k.key_id = j.key_id WHERE j.next IS NOT NULL
)
SELECT j.refused AS _refused, {KEY_COLUMNS},
    CASE WHEN j.next IS NOT NULL THEN agentd_announce(k.tenant, 'key', k.key_id, now(), k.expires_at) END AS _seq
FROM j JOIN k ON k.key_id = j.key_id
-- end

-- name: key_create :one
WITH k AS (
    INSERT INTO api_keys (tenant, key_id, hash, name, type, role, scopes, owner_id, owner, rate_limit, allowed_ips,
        allowed_origins, created_at, expires_at)
    VALUES (@tenant::int, @key_id::text, decode(@hash::text, 'hex'), @name::text, @type::text, @role::text,
        @scopes::json, @actor_id::uuid, @actor::text, @rate_limit::int, @allowed_ips::json, @allowed_origins::json,
        now(), now() + @expires_in_days::int * interval '1 day')
    RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT k.tenant, now(), @actor::text, @principal::text, 'key.create', 'key', k.key_id, NULL::json, {KEY_AUDIT},
        @address::text, @request_id::text
    FROM k
)
SELECT {KEY_MADE}
FROM k;

-- name: key_get :one
SELECT {KEY_COLUMNS}
FROM api_keys k
WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text AND {KEY_MINE};

-- name: key_list :many
SELECT {KEY_COLUMNS}, (extract(epoch FROM k.created_at) * 1000000)::int8 || ':' || k.key_id AS _cursor
FROM api_keys k
WHERE k.tenant = @tenant::int AND {KEY_MINE}
  AND (@cursor::text IS NULL OR ((extract(epoch FROM k.created_at) * 1000000)::int8, k.key_id)
      < (split_part(@cursor::text, ':', 1)::int8, substr(@cursor::text, strpos(@cursor::text, ':') + 1)))
ORDER BY k.created_at DESC, k.key_id DESC
LIMIT @limit::int + 1;

-- name: key_revoke :one
-- For good; again is answered alike.
{LOCK_KEY};
WITH {KEY_FOUND}, j AS (
    SELECT w.*, 'key.revoke' AS action, NULL::text AS refused, CASE WHEN w.was <> 'revoked' THEN 'revoked' END AS next
    FROM w
), {KEY_MOVED};

-- name: key_suspend :one
-- Again is answered alike; a manager takes the suspension over, so that its owner cannot end it.
{LOCK_KEY};
WITH {KEY_FOUND}, j AS (
    SELECT w.*, 'key.suspend' AS action,
        CASE WHEN w.was IN ('revoked', 'expired') THEN 'the key is ' || w.was || ' already, which is for good' END AS refused,
        CASE WHEN w.was = 'active' OR (w.was = 'suspended' AND @all_keys::bool
            AND w.suspended_by IS DISTINCT FROM @actor_id::uuid) THEN 'suspended' END AS next
    FROM w
), {KEY_MOVED};

-- name: key_reactivate :one
{LOCK_KEY};
WITH {KEY_FOUND}, may AS (
    SELECT w.*, coalesce(@all_keys::bool OR w.suspended_by = @actor_id::uuid, false) AS allowed FROM w
), j AS (
    SELECT w.*, 'key.reactivate' AS action,
        CASE WHEN w.was = 'revoked' THEN 'the key is revoked, which is for good; make a new one'
            WHEN w.was = 'expired' THEN 'the key has expired; make a new one'
            WHEN w.was = 'suspended' AND NOT w.allowed
            THEN 'somebody with key:manage suspended the key, and only they can reactivate it' END AS refused,
        CASE WHEN w.was = 'suspended' AND w.allowed THEN 'active' END AS next
    FROM may w
), {KEY_MOVED};

-- name: key_rotate :one
-- A new key with the same properties and the same length of life. The old one lives for the overlap, and never longer
-- than it would have.
{LOCK_KEY};
WITH {KEY_FOUND}, j AS (
    SELECT w.*, CASE WHEN w.was <> 'active' THEN 'the key is ' || w.was || '; only an active key can be rotated'
        WHEN w.rotated_to IS NOT NULL THEN 'the key was rotated already: ' || w.rotated_to || ' took its place' END AS refused
    FROM w
), old AS (
    UPDATE api_keys k SET rotated_to = @new_key_id::text,
        expires_at = least(k.expires_at, now() + @overlap_s::int * interval '1 second')
    FROM j
    WHERE k.tenant = j.tenant AND k.key_id = j.key_id AND j.refused IS NULL
    RETURNING k.*
), n AS (
    INSERT INTO api_keys (tenant, key_id, hash, name, type, role, scopes, owner_id, owner, rate_limit, allowed_ips,
        allowed_origins, rotated_from, created_at, expires_at)
    SELECT j.tenant, @new_key_id::text, decode(@hash::text, 'hex'), j.name, j.type, j.role, j.scopes, j.owner_id, j.owner,
        j.rate_limit, j.allowed_ips, j.allowed_origins, j.key_id, now(), now() + (j.expires_at - j.created_at)
    FROM j WHERE j.refused IS NULL
    RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT k.tenant, now(), @actor::text, @principal::text, 'key.rotate', 'key', k.key_id, j.before, {KEY_AUDIT},
        @address::text, @request_id::text
    FROM old k JOIN j ON j.key_id = k.key_id
    UNION ALL
    SELECT k.tenant, now(), @actor::text, @principal::text, 'key.create', 'key', k.key_id, NULL::json, {KEY_AUDIT},
        @address::text, @request_id::text
    FROM n k
)
SELECT j.refused AS _refused, {KEY_MADE}, (SELECT expires_at FROM old) AS old_expires_at,
    CASE WHEN j.refused IS NULL THEN agentd_announce(j.tenant, 'key', j.key_id, now(), j.expires_at) END AS _seq
FROM j LEFT JOIN n k ON true;

-- name: key_delete :one
{LOCK_KEY};
WITH k AS (
    DELETE FROM api_keys k
    WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text AND {KEY_MINE}
    RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT k.tenant, now(), @actor::text, @principal::text, 'key.delete', 'key', k.key_id, {KEY_AUDIT}, NULL::json,
        @address::text, @request_id::text
    FROM k
)
SELECT agentd_announce(k.tenant, 'key', k.key_id, now(), k.expires_at) AS _seq
FROM k;

-- name: key_lookup :batch
-- all tenants: the tenant is what the key tells. What its owner may do now bounds what the key may; an owner or a tenant
-- that is not active suspends it. Lists are lines.
SELECT r.ord, k.tenant, t.name AS tenant_name, k.key_id, encode(k.hash, 'hex') AS hash, k.name, k.role, u.role AS owner_role,
    k.owner_id, k.owner, k.rate_limit, (extract(epoch FROM k.expires_at) * 1000000)::int8 AS expires_us,
    CASE WHEN k.status = 'revoked' THEN k.status WHEN NOT t.active THEN 'suspended'
        WHEN k.owner_id IS NOT NULL AND NOT coalesce(u.active, false) THEN 'suspended' ELSE k.status END AS status,
    (SELECT string_agg(e.line, E'\n') FROM json_array_elements_text(k.scopes) AS e(line)) AS scopes,
    (SELECT string_agg(e.line, E'\n') FROM json_array_elements_text(k.allowed_ips) AS e(line)) AS allowed_ips,
    (SELECT string_agg(e.line, E'\n') FROM json_array_elements_text(k.allowed_origins) AS e(line)) AS allowed_origins
FROM unnest(@key_id::text[]) WITH ORDINALITY AS r(key_id, ord)
    CROSS JOIN LATERAL (SELECT * FROM api_keys WHERE key_id = r.key_id OFFSET 0) k
    JOIN tenants t ON t.id = k.tenant
    LEFT JOIN users u ON u.tenant = k.tenant AND u.id = k.owner_id
ORDER BY r.ord;

-- name: key_used :batch
-- Statistics are flushed now and then, many uses in one row, so that a request costs no write.
WITH req AS (
    SELECT tenant, key_id, sum(used) AS used, sum(failed) AS failed
    FROM unnest(@tenant::int[], @key_id::text[], @used::int8[], @failed::int8[]) AS r(tenant, key_id, used, failed)
    GROUP BY tenant, key_id
    ORDER BY tenant, key_id
)
UPDATE api_keys k SET usage_count = k.usage_count + r.used, failed_attempts = k.failed_attempts + r.failed,
    last_used = CASE WHEN r.used > 0 THEN now() ELSE k.last_used END
FROM req r
WHERE k.key_id = r.key_id AND k.tenant = r.tenant;
