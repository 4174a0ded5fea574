-- What every process of every node follows: see shared/changes.h.

-- name: changes_after :many
-- all tenants: a process serves all of them.
-- What came after a number, up to 1000 of it, and the number of the newest in any case. A load reads only what is still
-- relevant, with an hour to spare for clocks that differ: sessions and users whose tokens may live, and the tenants that
-- are refused now (seq 0).
SELECT h.seq AS head, c.seq, c.tenant, c.kind, c.subject, c.refused,
    CASE WHEN isfinite(c.at) THEN (extract(epoch FROM c.at) * 1000000)::int8 END AS at_us,
    CASE WHEN isfinite(c.until) THEN (extract(epoch FROM c.until) * 1000000)::int8 END AS until_us
FROM changes_head h LEFT JOIN LATERAL (
    (SELECT v.seq, v.tenant, v.kind, v.subject, v.at, v.until,
        v.kind = 'tenant' AND NOT EXISTS (SELECT FROM tenants t WHERE t.id::text = v.subject AND t.active) AS refused
    FROM changes v
    WHERE v.seq > @after::int8 AND (NOT @load::bool
        OR (v.kind IN ('session', 'user', 'tenant', 'all') AND (v.until IS NULL OR v.until > now() - interval '1 hour')))
    ORDER BY v.seq LIMIT 1000)
    UNION ALL
    (SELECT 0, t.id, 'tenant', t.id::text, now(), NULL, true FROM tenants t WHERE @load::bool AND @after::int8 = 0 AND NOT t.active)
) c ON true
ORDER BY c.seq;

-- name: keeper_forget_changes :many
-- all tenants: the keeper works for every one of them.
-- What has expired by itself, with the same hour to spare; no token lives for longer than 7 days. Of keys and settings only
-- those processes have to learn that are here now: who was away for longer reads all anew.
DELETE FROM changes
WHERE seq = ANY(ARRAY(SELECT v.seq FROM changes v
    WHERE v.until < now() - interval '1 hour' OR v.at < now() - interval '8 days'
       OR (v.kind IN ('key', 'settings') AND v.at < now() - interval '1 hour')
    ORDER BY v.seq LIMIT 5000 FOR UPDATE SKIP LOCKED))
RETURNING seq;
