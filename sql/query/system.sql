-- The system as a whole.

-- name: system_status :one
-- Counts of what is live come from the partial indexes; what happened is in the counters that the keeper folds.
SELECT json_build_object(
        'ready', (SELECT count(*) FROM tasks t WHERE t.tenant = @tenant::int AND t.status IN ('pending', 'retrying') AND t.ready_at IS NOT NULL),
        'processing', (SELECT count(*) FROM tasks t WHERE t.tenant = @tenant::int AND t.status = 'processing'),
        'failed', (SELECT count(*) FROM tasks t WHERE t.tenant = @tenant::int AND t.status IN ('failed', 'dead'))) AS tasks,
    (SELECT json_build_object('registered', count(*),
            'online', count(*) FILTER (WHERE {AGENT_LIVE}))
        FROM agents a WHERE a.tenant = @tenant::int) AS agents,
    (SELECT json_build_object('open', count(*)) FROM workflows w
        WHERE w.tenant = @tenant::int AND w.status IN ('pending', 'running')) AS workflows,
    (SELECT json_build_object('tasks_created', s.tasks_created, 'tasks_completed', s.tasks_completed,
            'tasks_failed', s.tasks_failed, 'workflows_created', s.workflows_created,
            'workflows_completed', s.workflows_completed, 'workflows_failed', s.workflows_failed)
        FROM tenant_stats s WHERE s.tenant = @tenant::int) AS counted,
    -- Times in one form, whatever the session's time zone is. Backups are of all tenants: those who run agentd see them.
    (SELECT json_build_object(
            'last_at', to_char(max(b.started_at) FILTER (WHERE b.status = 'done') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'failed_at', to_char(max(b.started_at) FILTER (WHERE b.status = 'failed') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'proven_at', to_char(max(b.verified_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
        FROM backups b WHERE @tenant::int = 1) AS backups,
    json_build_object('version', current_setting('server_version'), 'name', current_database()) AS database;

-- name: database_ping :one
-- no tenant: it only asks whether PostgreSQL answers, what time it has, and whether this session may write.
SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only,
    (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now_us;
