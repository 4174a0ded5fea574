-- The system as a whole.

-- name: system_status :one
-- Counts of what is live come from the partial indexes; finished work is not counted.
SELECT json_build_object(
        'ready', (SELECT count(*) FROM tasks t WHERE t.tenant = @tenant::int AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL),
        'processing', (SELECT count(*) FROM tasks t WHERE t.tenant = @tenant::int AND t.status = 'processing'),
        'failed', (SELECT count(*) FROM tasks t WHERE t.tenant = @tenant::int AND t.status IN ('failed', 'dead'))) AS tasks,
    (SELECT json_build_object('registered', count(*),
            'online', count(*) FILTER (WHERE coalesce(a.seen_until, a.last_activity + interval '30 seconds') >= now()))
        FROM agents a WHERE a.tenant = @tenant::int) AS agents,
    (SELECT json_build_object('open', count(*)) FROM workflows w
        WHERE w.tenant = @tenant::int AND w.status IN ('pending', 'running')) AS workflows,
    json_build_object('version', current_setting('server_version'), 'name', current_database()) AS database;

-- name: database_ping :one
-- no tenant: it only asks whether PostgreSQL answers.
SELECT 1 AS ok;
