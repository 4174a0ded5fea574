-- Sessions and the refresh tokens that carry them on. A login begins one (user_logged_in in identity.sql).

-- name: session_lock :batch
-- Refreshes of one session take turns, on whatever node: what follows in the transaction sees what the one before did.
SELECT s.id
FROM (SELECT DISTINCT tenant, id FROM unnest(@tenant::int[], @id::uuid[]) AS q(tenant, id) ORDER BY tenant, id) r
    CROSS JOIN LATERAL (SELECT id FROM sessions WHERE tenant = r.tenant AND id = r.id FOR NO KEY UPDATE OFFSET 0) s;

-- name: session_refresh :one
-- The token is one that agentd has made: one that is not the newest was used before. Within 10 s of that the client may
-- not have got the answer, which it is given again; later somebody else has used it, or uses it now: the session ends.
WITH o AS MATERIALIZED (
    SELECT s.tenant, s.id, s.user_id, s.sealed, u.username, u.role, u.display_name, t.name AS tenant_name,
        CASE WHEN s.revoked_at IS NOT NULL OR s.expires_at <= now() OR NOT u.active OR NOT t.active THEN 'refused'
            WHEN s.token_hash = decode(@hash::text, 'hex') THEN 'rotated'
            WHEN s.previous_hash = decode(@hash::text, 'hex') AND s.rotated_at > now() - interval '10 seconds' THEN 'again'
            ELSE 'reused' END AS result
    FROM sessions s JOIN users u ON u.tenant = s.tenant AND u.id = s.user_id JOIN tenants t ON t.id = s.tenant
    WHERE s.tenant = @tenant::int AND s.id = @id::uuid
), rotated AS (
    UPDATE sessions s SET previous_hash = s.token_hash, token_hash = decode(@new_hash::text, 'hex'), rotated_at = now(),
        last_used_at = now(), expires_at = now() + @lifetime_s::int * interval '1 second',
        tokens_until = greatest(s.tokens_until, now() + @token_lifetime_s::int * interval '1 second'),
        address = @address::text, user_agent = coalesce(@user_agent::text, s.user_agent), sealed = NULL
    FROM o WHERE s.tenant = o.tenant AND s.id = o.id AND o.result = 'rotated'
), ended AS (
    UPDATE sessions s SET revoked_at = now(), sealed = NULL
    FROM o WHERE s.tenant = o.tenant AND s.id = o.id AND o.result = 'reused'
    RETURNING s.tenant, s.id, s.user_id, s.tokens_until, o.username
), a AS (
    INSERT INTO {AUDIT}
    SELECT e.tenant, now(), e.username, 'user:' || e.user_id, 'session.reuse', 'session', e.id::text,
        json_build_object('active', true), json_build_object('active', false, 'reason', 'a refresh token was used twice'),
        @address::text, @request_id::text
    FROM ended e
)
SELECT o.*, floor(extract(epoch FROM now()))::int8 AS issued_at, (SELECT seq FROM changes_head) AS changes,
    (SELECT count(agentd_announce(e.tenant, 'session', e.id::text, now(), e.tokens_until)) FROM ended e) AS _announced
FROM o;

-- name: session_seal :batch
UPDATE sessions s SET sealed = r.sealed
FROM unnest(@tenant::int[], @id::uuid[], @sealed::text[]) AS r(tenant, id, sealed)
WHERE s.tenant = r.tenant AND s.id = r.id;

-- name: session_list :many
SELECT s.id, s.created_at, s.last_used_at, s.expires_at, s.address, s.user_agent,
    s.id IS NOT DISTINCT FROM @session::uuid AS current, s.id AS _cursor
FROM sessions s
WHERE s.tenant = @tenant::int AND s.user_id = @actor_id::uuid AND s.revoked_at IS NULL AND s.expires_at > now()
  AND (@cursor::uuid IS NULL OR s.id < @cursor::uuid)
ORDER BY s.id DESC
LIMIT @limit::int + 1;

-- name: session_end :one
WITH s AS (
    UPDATE sessions s SET revoked_at = now(), sealed = NULL
    WHERE s.tenant = @tenant::int AND s.id = @id::uuid AND s.user_id = @actor_id::uuid AND s.revoked_at IS NULL
      AND s.expires_at > now()
    RETURNING s.tenant, s.id, s.tokens_until
), a AS (
    INSERT INTO {AUDIT}
    SELECT s.tenant, now(), @actor::text, @principal::text, 'session.end', 'session', s.id::text,
        json_build_object('active', true), json_build_object('active', false), @address::text, @request_id::text
    FROM s
)
SELECT s.id, agentd_announce(s.tenant, 'session', s.id::text, now(), s.tokens_until) AS _seq FROM s;

-- name: keeper_forget_sessions :many
-- all tenants: the keeper works for every one of them.
-- A day after it can be used no more; revoked ones live as long, so that their tokens are known as such.
DELETE FROM sessions
WHERE ctid = ANY(ARRAY(SELECT ctid FROM sessions WHERE expires_at < now() - interval '1 day' AND tokens_until < now()
    ORDER BY expires_at LIMIT 5000 FOR UPDATE SKIP LOCKED))
RETURNING tenant;
