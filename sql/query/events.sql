-- events.sql - what was said in {EVENTS}, in the order in which every reader sees it.

-- name: events_read :batch
-- What comes from the place (xid, seq) on: up to 200 rows or 256 KiB of items, at least one row if there is any; and in
-- the end one row without items, which says how far the whole of the order was to be seen (all rows below that xid have
-- been there), whether more is written that cannot be read yet, when asked, whether the row of the place is kept, and whether
-- what led to the place was lost in a restore.
-- ORDER BY where one row will do: it makes the planner take the index, whatever it thinks of xids.
WITH req AS MATERIALIZED (
    SELECT r.ord, r.tenant, r.xid::xid8 AS xid, r.seq, r.workflow_id, r.verify
    FROM unnest(@tenant::int[], @xid::text[], @seq::int8[], @workflow_id::uuid[], @verify::bool[]) WITH ORDINALITY
        AS r(tenant, xid, seq, workflow_id, verify, ord)
)
SELECT r.ord, e.xid, e.seq, e.at, e.workflow_id, e.items, NULL::boolean AS pending, NULL::boolean AS kept, NULL::boolean AS lost
FROM req r CROSS JOIN LATERAL (
    SELECT s.*, sum(s.size) OVER (ORDER BY s.xid, s.seq) - s.size AS size_before
    FROM (
        SELECT x.*, octet_length(x.items) AS size
        FROM (
            (SELECT v.xid, v.seq, v.at, v.workflow_id, v.items FROM events v
            WHERE r.workflow_id IS NULL AND v.tenant = r.tenant AND (v.xid, v.seq) >= (r.xid, r.seq)
              AND v.xid < agentd_horizon()
            ORDER BY v.xid, v.seq LIMIT 200)
            UNION ALL
            (SELECT v.xid, v.seq, v.at, v.workflow_id, v.items FROM events v
            WHERE r.workflow_id IS NOT NULL AND v.tenant = r.tenant AND v.workflow_id = r.workflow_id
              AND (v.xid, v.seq) >= (r.xid, r.seq) AND v.xid < agentd_horizon()
            ORDER BY v.xid, v.seq LIMIT 200)) x) s) e
WHERE e.size_before < 262144
UNION ALL
SELECT r.ord, agentd_horizon(), NULL, NULL, NULL, NULL,
    CASE WHEN r.workflow_id IS NULL THEN (
        SELECT true FROM events v WHERE v.tenant = r.tenant AND v.xid >= agentd_horizon()
        ORDER BY v.xid, v.seq LIMIT 1)
    ELSE (
        SELECT true FROM events v WHERE v.tenant = r.tenant AND v.workflow_id = r.workflow_id
          AND v.xid >= agentd_horizon()
        ORDER BY v.xid, v.seq LIMIT 1) END IS NOT NULL,
    CASE WHEN r.verify THEN EXISTS (
        SELECT FROM events v WHERE v.tenant = r.tenant AND v.xid = r.xid AND v.seq = r.seq) END,
    EXISTS (SELECT FROM restores g WHERE (r.xid, r.seq) > (g.lost_from, 0::int8) AND r.xid < g.lost_to)
FROM req r
ORDER BY ord, xid, seq;
