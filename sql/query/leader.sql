-- Which keeper leads the cluster.

-- name: keeper_lead :one
-- no tenant: one keeper leads for all of them.
-- The lock belongs to the session: one that has it gets it once more. A session that says nothing for idle_ms is ended by
-- PostgreSQL, and its lock with it: so a keeper that was stopped, or whose network is cut, leads no longer than that. The
-- key is "agentdL" in ASCII.
SELECT set_config('idle_session_timeout', @idle_ms::int::text, false) AS idle,
    set_config('tcp_user_timeout', @idle_ms::int::text, false) AS unanswered,
    set_config('tcp_keepalives_idle', '1', false) AS keepalive,
    set_config('tcp_keepalives_interval', '1', false) AS again,
    set_config('tcp_keepalives_count', '3', false) AS times,
    pg_try_advisory_lock(27416758083413068) AS leads;

-- name: keeper_lead_pooled :one
-- no tenant: one keeper leads for all of them.
-- The same where nothing but a pooler is reached, whose sessions are not ours: a row that is good for as long.
INSERT INTO keeper_lease AS l (id, holder, held_until)
VALUES (1, @holder::uuid, clock_timestamp() + @idle_ms::int * interval '1 millisecond')
ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE l.holder = excluded.holder OR l.held_until < clock_timestamp()
RETURNING true AS leads;
