-- Users and API keys.

-- name: user_for_login :one
-- all tenants: the tenant is what the login finds out; users log in to the tenant they name, else to `default`.
SELECT u.tenant, t.name AS tenant_name, u.id, u.username, u.password_hash, u.role, u.display_name,
    u.active AND t.active AS active, u.version
FROM users u JOIN tenants t ON t.id = u.tenant
WHERE t.name = coalesce(@tenant_name::text, 'default') AND u.username = @username::text;

-- name: user_logged_in :one
-- Begins a session; not if the role, the state or the password was changed since the password was looked at (a hash that was
-- made anew is no change). issued_at and changes are of the transaction that makes sure.
WITH u AS (
    UPDATE users u SET last_login = now(), password_hash = coalesce(@new_hash::text, u.password_hash)
    WHERE u.tenant = @tenant::int AND u.id = @id::uuid AND u.version = @version::int AND u.active
      AND EXISTS (SELECT FROM tenants t WHERE t.id = u.tenant AND t.active)
    RETURNING u.tenant, u.id, u.username
), s AS (
    INSERT INTO sessions (tenant, id, user_id, created_at, last_used_at, expires_at, tokens_until, address, user_agent, token_hash)
    SELECT u.tenant, @session::uuid, u.id, now(), now(), now() + @lifetime_s::int * interval '1 second',
        now() + @token_lifetime_s::int * interval '1 second', @address::text, @user_agent::text, decode(@token_hash::text, 'hex')
    FROM u
), a AS (
    INSERT INTO {AUDIT}
    SELECT u.tenant, now(), u.username, 'user:' || u.id, 'session.begin', 'session', @session::uuid, NULL::json,
        json_build_object('user_agent', @user_agent::text), @address::text, @request_id::text
    FROM u
)
SELECT floor(extract(epoch FROM now()))::int8 AS issued_at, (SELECT seq FROM changes_head) AS changes FROM u;

-- macro: KEY_AUDIT
json_build_object('name', k.name, 'type', k.type, 'role', k.role, 'owner', k.owner, 'rate_limit', k.rate_limit,
    'expires_at', k.expires_at, 'status', k.status)
-- end

-- name: key_create :one
WITH k AS (
    INSERT INTO api_keys (tenant, key_id, hash, name, type, role, owner_id, owner, rate_limit, expires_at)
    VALUES (@tenant::int, @key_id::text, decode(@hash::text, 'hex'), @name::text, @type::text, @role::text,
        @actor_id::uuid, @actor::text, @rate_limit::int, now() + @expires_in_days::int * interval '1 day')
    RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT k.tenant, now(), @actor::text, @principal::text, 'key.create', 'key', k.key_id, NULL::json, {KEY_AUDIT},
        @address::text, @request_id::text
    FROM k
)
SELECT k.key_id, @key::text AS key, k.name, k.type, k.role, k.owner, k.status, k.rate_limit, k.created_at, k.expires_at
FROM k;

-- macro: KEY_COLUMNS
k.key_id, k.name, k.type, k.role, k.owner,
CASE WHEN k.status = 'active' AND k.expires_at <= now() THEN 'expired' ELSE k.status END AS status,
k.rate_limit, k.created_at, k.expires_at, k.last_used, k.usage_count, k.failed_attempts,
greatest(0, extract(day FROM k.expires_at - now()))::int AS days_until_expiration
-- end

-- name: key_get :one
SELECT {KEY_COLUMNS}
FROM api_keys k
WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text
  AND (@all_keys::bool OR k.owner_id = @actor_id::uuid);

-- name: key_list :many
SELECT {KEY_COLUMNS}, (extract(epoch FROM k.created_at) * 1000000)::int8 || ':' || k.key_id AS _cursor
FROM api_keys k
WHERE k.tenant = @tenant::int
  AND (@all_keys::bool OR k.owner_id = @actor_id::uuid)
  AND (@cursor::text IS NULL OR ((extract(epoch FROM k.created_at) * 1000000)::int8, k.key_id)
      < (split_part(@cursor::text, ':', 1)::int8, substr(@cursor::text, strpos(@cursor::text, ':') + 1)))
ORDER BY k.created_at DESC, k.key_id DESC
LIMIT @limit::int + 1;

-- name: key_revoke :one
WITH o AS MATERIALIZED (
    SELECT {KEY_AUDIT} AS was FROM api_keys k
    WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text FOR NO KEY UPDATE
), k AS (
    UPDATE api_keys k SET status = 'revoked' FROM o
    WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text AND (@all_keys::bool OR k.owner_id = @actor_id::uuid)
    RETURNING k.*, o.was
), a AS (
    INSERT INTO {AUDIT}
    SELECT k.tenant, now(), @actor::text, @principal::text, 'key.revoke', 'key', k.key_id, k.was, {KEY_AUDIT},
        @address::text, @request_id::text
    FROM k
)
SELECT {KEY_COLUMNS} FROM k CROSS JOIN LATERAL agentd_announce(k.tenant, 'key', k.key_id, now(), now());

-- name: key_lookup :batch
-- all tenants: the tenant is what the key tells.
SELECT r.ord, k.tenant, t.name AS tenant_name, k.key_id, encode(k.hash, 'hex') AS hash, k.name, k.role, k.owner_id,
    k.owner, k.rate_limit, (extract(epoch FROM k.expires_at) * 1000000)::int8 AS expires_us,
    CASE WHEN NOT t.active THEN 'suspended' WHEN NOT coalesce(u.active, true) THEN 'suspended' ELSE k.status END AS status
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
