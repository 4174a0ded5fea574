-- Users.

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
