-- Users: who they are, and every change of them. What takes something away from a user ends the sessions at once: the
-- change is announced in its own transaction, and with it the user's keys, whose cached state is void.
-- Times of announcements are those of the clock: a login that committed while this waited for the row is older.

-- macro: USER_COLUMNS
-- A login changes what a GET shows, and so the ETag, but not the version, which is what If-Match goes by.
u.id, u.username, u.display_name, u.role, u.active, u.version, u.created_at, u.updated_at, u.last_login,
u.password_changed_at, u.version || coalesce('.' || (extract(epoch FROM u.last_login) * 1000000)::int8, '') AS _etag
-- end

-- macro: LOCK_USERS
-- Changes that matter to each other take turns: two admins do not take away the last two admins at once.
SELECT u.id FROM users u
WHERE u.tenant = @tenant::int AND (u.id = @id::uuid OR (u.role = 'admin' AND u.active))
ORDER BY u.id FOR NO KEY UPDATE
-- end

-- macro: USER_OUT_OF_REACH
-- Who may not give somebody a role does not change who has it.
NOT u.role = ANY(string_to_array(@grantable::text, ','))
-- end

-- macro: USER_NOT_THAT_VERSION
@if_match::text IS NOT NULL AND @if_match::text <> '*' AND @if_match::text !~ ('(^|[ ,])"' || u.version || '([.][0-9]+)?"')
-- end

-- macro: USER_IS_LAST_ADMIN
u.role = 'admin' AND u.active AND NOT EXISTS (SELECT FROM users x
    WHERE x.tenant = u.tenant AND x.id <> u.id AND x.role = 'admin' AND x.active)
-- end

-- macro: SESSIONS_END
agentd_announce(u.tenant, 'user', u.id::text, clock_timestamp(), clock_timestamp() + interval '8 days')
-- end

-- macro: USER_AUDIT
json_build_object('username', u.username, 'role', u.role, 'active', u.active, 'display_name', u.display_name)
-- end

-- name: user_create :one
WITH u AS (
    INSERT INTO users (tenant, id, username, password_hash, role, display_name, created_at, updated_at,
        password_changed_at)
    VALUES (@tenant::int, @id::uuid, @username::text, @password_hash::text, @role::text, nullif(@display_name::text, ''),
        now(), now(), now())
    RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT u.tenant, now(), @actor::text, @principal::text, 'user.create', 'user', u.id, NULL::json, {USER_AUDIT}, @address::text, @request_id::text
    FROM u
)
SELECT {USER_COLUMNS}, 'ok' AS _result FROM u;

-- name: user_get :one
SELECT {USER_COLUMNS} FROM users u WHERE u.tenant = @tenant::int AND u.id = @id::uuid;

-- name: user_list :many
SELECT {USER_COLUMNS}, u.id AS _cursor
FROM users u
WHERE u.tenant = @tenant::int
  AND (@role::text IS NULL OR u.role = @role::text)
  AND (@active::bool IS NULL OR u.active = @active::bool)
  AND (@username::text IS NULL OR u.username = @username::text)
  AND (@cursor::uuid IS NULL OR u.id < @cursor::uuid)
ORDER BY u.id DESC
LIMIT @limit::int + 1;

-- name: user_patch :one
{LOCK_USERS};
WITH o AS MATERIALIZED (
    SELECT u.*, {USER_AUDIT} AS was, n.role AS new_role, n.active AS new_active, n.display_name AS new_display_name,
        n.role <> u.role OR n.active <> u.active AS rights_change, n.role <> u.role OR (u.active AND NOT n.active) AS ends,
        n.role <> u.role OR n.active <> u.active OR n.display_name IS DISTINCT FROM u.display_name AS changes,
        CASE WHEN {USER_NOT_THAT_VERSION} THEN 'precondition' WHEN {USER_OUT_OF_REACH} THEN 'forbidden'
            WHEN NOT (n.role <> u.role OR (u.active AND NOT n.active)) THEN 'ok'
            WHEN {USER_IS_LAST_ADMIN} THEN 'last_admin'
            WHEN u.id = @actor_id::uuid THEN 'own_account' ELSE 'ok' END AS result
    FROM users u CROSS JOIN LATERAL (SELECT coalesce(@role::text, u.role) AS role, coalesce(@active::bool, u.active) AS active,
        nullif(coalesce(@display_name::text, u.display_name), '') AS display_name) n
    WHERE u.tenant = @tenant::int AND u.id = @id::uuid
), u AS (
    UPDATE users u SET role = o.new_role, active = o.new_active, display_name = o.new_display_name,
        version = u.version + o.changes::int, updated_at = CASE WHEN o.changes THEN now() ELSE u.updated_at END
    FROM o
    WHERE u.tenant = o.tenant AND u.id = o.id AND o.result = 'ok'
    RETURNING u.*
), a AS (
    INSERT INTO {AUDIT}
    SELECT u.tenant, now(), @actor::text, @principal::text, 'user.update', 'user', u.id, o.was, {USER_AUDIT}, @address::text, @request_id::text
    FROM u CROSS JOIN o WHERE o.changes
)
SELECT {USER_COLUMNS}, o.result AS _result, o.version AS _version, CASE WHEN o.ends AND u.id IS NOT NULL THEN {SESSIONS_END} END AS _ended,
    CASE WHEN o.rights_change THEN (SELECT count(agentd_announce(k.tenant, 'key', k.key_id, now(), now()))
        FROM api_keys k WHERE k.tenant = u.tenant AND k.owner_id = u.id) END AS _keys
FROM o LEFT JOIN u ON true;

-- name: user_delete :one
-- The user's keys go with the user: they act for nobody else.
{LOCK_USERS};
WITH o AS MATERIALIZED (
    SELECT u.tenant, u.id, u.version,
        CASE WHEN {USER_NOT_THAT_VERSION} THEN 'precondition' WHEN {USER_OUT_OF_REACH} THEN 'forbidden'
            WHEN {USER_IS_LAST_ADMIN} THEN 'last_admin'
            WHEN u.id = @actor_id::uuid THEN 'own_account' ELSE 'ok' END AS result
    FROM users u WHERE u.tenant = @tenant::int AND u.id = @id::uuid
), u AS (
    DELETE FROM users u USING o WHERE u.tenant = o.tenant AND u.id = o.id AND o.result = 'ok'
    RETURNING u.*
), k AS (
    UPDATE api_keys k SET status = 'revoked' FROM u
    WHERE k.tenant = u.tenant AND k.owner_id = u.id AND k.status <> 'revoked'
    RETURNING k.tenant, k.key_id, u.username
), a AS (
    INSERT INTO {AUDIT}
    SELECT u.tenant, now(), @actor::text, @principal::text, 'user.delete', 'user', u.id::text, {USER_AUDIT}, NULL::json, @address::text, @request_id::text
    FROM u
    UNION ALL
    SELECT k.tenant, now(), @actor::text, @principal::text, 'key.revoke', 'key', k.key_id,
        json_build_object('owner', k.username), json_build_object('status', 'revoked', 'reason', 'its owner was deleted'),
        @address::text, @request_id::text
    FROM k
)
SELECT o.result AS _result, o.version AS _version, CASE WHEN u.id IS NOT NULL THEN {SESSIONS_END} END AS _ended,
    (SELECT count(agentd_announce(k.tenant, 'key', k.key_id, now(), now())) FROM k) AS _keys
FROM o LEFT JOIN u ON true;

-- name: user_password :one
-- By somebody else; the own one is changed by who knows it.
{LOCK_USERS};
WITH o AS MATERIALIZED (
    SELECT u.tenant, u.id, u.version, CASE WHEN {USER_OUT_OF_REACH} THEN 'forbidden'
        WHEN u.id = @actor_id::uuid THEN 'own_account' ELSE 'ok' END AS result
    FROM users u WHERE u.tenant = @tenant::int AND u.id = @id::uuid
), u AS (
    UPDATE users u SET password_hash = @password_hash::text, password_changed_at = now(), updated_at = now(),
        version = u.version + 1
    FROM o
    WHERE u.tenant = o.tenant AND u.id = o.id AND o.result = 'ok'
    RETURNING u.*
), a AS (
    INSERT INTO {AUDIT}
    SELECT u.tenant, now(), @actor::text, @principal::text, 'user.password', 'user', u.id, NULL::json,
        json_build_object('username', u.username, 'password', 'changed'), @address::text, @request_id::text
    FROM u
)
SELECT o.result AS _result, o.version AS _version, CASE WHEN u.id IS NOT NULL THEN {SESSIONS_END} END AS _ended
FROM o LEFT JOIN u ON true;

-- name: user_secret :one
SELECT u.password_hash, u.version FROM users u WHERE u.tenant = @tenant::int AND u.id = @id::uuid AND u.active;

-- name: user_password_own :one
-- Only if it is still the password that was proved.
WITH u AS (
    UPDATE users u SET password_hash = @password_hash::text, password_changed_at = now(), updated_at = now(),
        version = u.version + 1
    WHERE u.tenant = @tenant::int AND u.id = @id::uuid AND u.version = @version::int AND u.active
    RETURNING u.*
), a AS (
    INSERT INTO {AUDIT}
    SELECT u.tenant, now(), @actor::text, @principal::text, 'user.password', 'user', u.id, NULL::json,
        json_build_object('username', u.username, 'password', 'changed'), @address::text, @request_id::text
    FROM u
)
SELECT {SESSIONS_END} AS _ended FROM u;
