-- Run-time settings: what holds in place of the environment, in the whole installation.

-- name: settings_get :many
-- no tenant: settings are the installation's. At least one row; without a setting its name is NULL.
SELECT h.version, s.name, s.value FROM settings_head h LEFT JOIN settings s ON true ORDER BY s.name;

-- name: settings_set :one
-- Settings are the installation's; the tenant is that of who changes them. changes: {name, value, before, after}, where value
-- NULL is back to the environment. All of them, and only if nobody else was faster; else there is no row.
WITH h AS (
    UPDATE settings_head SET version = version + 1 WHERE version = @version::int8 RETURNING version
), c AS MATERIALIZED (
    SELECT r.* FROM h CROSS JOIN json_to_recordset(@changes::json) AS r(name text, value text, before json, after json)
), gone AS (
    DELETE FROM settings s USING c WHERE s.name = c.name AND c.value IS NULL
), put AS (
    INSERT INTO settings (name, value, updated_at)
    SELECT c.name, c.value, now() FROM c WHERE c.value IS NOT NULL
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
), a AS (
    INSERT INTO {AUDIT}
    SELECT @tenant::int, now(), @actor::text, @principal::text, 'config.update', 'setting', c.name, c.before, c.after,
        @address::text, @request_id::text
    FROM c
)
SELECT h.version, (SELECT count(agentd_announce(@tenant::int, 'settings', c.name, now(), now())) FROM c) AS _announced FROM h;
