-- Nodes of the cluster: who is there, and word between them.

-- name: node_beat :one
-- no tenant: nodes serve all of them.
-- This node is alive; how many others are, and for how many of them Redis counts. The dead are forgotten after an hour.
WITH me AS (
    INSERT INTO nodes AS n (id, name, version, started_at, seen_at, redis, health, clock_skew_ms, disk_percent,
        certificate_expires_at)
    VALUES (@id::uuid, @name::text, @version::text, now(), now(), @redis::boolean, @health::text, @clock_skew_ms::float8,
        @disk_percent::float8, to_timestamp(@certificate_s::int8))
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), redis = excluded.redis, health = excluded.health,
        clock_skew_ms = excluded.clock_skew_ms, disk_percent = excluded.disk_percent,
        certificate_expires_at = excluded.certificate_expires_at
), gone AS (
    DELETE FROM nodes WHERE seen_at < now() - interval '1 hour'
)
SELECT count(*)::int AS others, (count(*) FILTER (WHERE redis))::int AS with_redis FROM nodes WHERE id <> @id::uuid AND seen_at > now() - interval '10 seconds';

-- name: node_tell :exec
-- no tenant: marks of queues, by number.
-- To the keepers of all nodes at once; in a transaction of its own, for it takes a lock of the whole cluster at commit.
SELECT pg_notify('agentd_ready', @marks::text);
