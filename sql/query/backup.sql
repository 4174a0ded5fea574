-- Backups: what the keeper has to know of them. They are the installation's, not a tenant's.

-- name: keeper_backups :one
-- no tenant: backups are of all tenants. One that is said to run while nobody holds the lock of those that do (the key of
-- master/backup.c, in two halves) ended without a word: it has failed.
WITH broken AS (
    UPDATE backups SET status = 'failed', finished_at = now(), error = 'its process ended before it was made'
    WHERE status = 'running' AND started_at < now() - interval '10 seconds' AND NOT EXISTS (
        SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.classid = 24932 AND l.objid = 1683027045 AND l.objsubid = 1)
    RETURNING id
), last AS (
    SELECT status, error, extract(epoch FROM started_at) * 1000000 AS at_us FROM backups WHERE scheduled ORDER BY started_at DESC LIMIT 1
)
SELECT (SELECT at_us::int8 FROM last) AS last_us,
    CASE WHEN EXISTS (SELECT FROM broken) THEN 'failed' ELSE (SELECT status FROM last) END AS last_status,
    (SELECT error FROM last) AS last_error,
    (SELECT (extract(epoch FROM max(started_at)) * 1000000)::int8 FROM backups WHERE status = 'done') AS done_us,
    (SELECT (extract(epoch FROM max(verified_at)) * 1000000)::int8 FROM backups) AS proven_us,
    (SELECT b.verify_error FROM backups b WHERE b.status = 'done' ORDER BY b.started_at DESC LIMIT 1) AS verify_error,
    (extract(epoch FROM now()) * 1000000)::int8 AS now_us;
