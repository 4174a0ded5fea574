-- Audit: who changed what, what was refused, and the chain that shows what was touched later (shared/audit_chain.h).

-- macro: AUDIT_COLUMNS
a.n, a.at, a.actor, a.actor_id, a.action, a.subject_type, a.subject_id, a.before, a.after, a.details, a.address, a.request_id
-- end

-- macro: AUDIT_ROW
-- What is hashed, each in a form that no setting of a session changes.
a.tenant, a.id, a.xid::text AS xid,
to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, a.actor, a.actor_id, a.action, a.subject_type,
a.subject_id, a.before, a.after, a.details, a.address, a.request_id
-- end

-- macro: SIGNED_AT
to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS signed_at
-- end

-- macro: AUDIT_SEAL
c.kind, c.n, encode(c.hash, 'hex') AS hash, c.key, encode(c.signature, 'hex') AS signature, NULL AS digest, NULL::int AS tenant,
NULL::int8 AS id, NULL AS xid, to_char(c.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, NULL AS actor,
NULL AS actor_id, NULL AS action, NULL AS subject_type, NULL AS subject_id, NULL::jsonb AS before, NULL::jsonb AS after,
NULL::json AS details, NULL AS address, NULL AS request_id
-- end

-- macro: NO_AUDIT_ROW
NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
-- end

-- name: audit_list :many
SELECT a.id, {AUDIT_COLUMNS}, a.id AS _cursor
FROM audit_log a
WHERE a.tenant = @tenant::int
  AND (@cursor::int8 IS NULL OR a.id < @cursor::int8)
  AND (@actor::text IS NULL OR @actor::text IN (a.actor, a.actor_id))
  AND (@action::text IS NULL OR a.action = @action::text OR a.action LIKE replace(@action::text, '_', '\_') || '.%')
  AND (@subject::text IS NULL OR a.subject_id = @subject::text)
  AND (@subject_type::text IS NULL OR a.subject_type = @subject_type::text)
  AND (@from::text IS NULL OR a.at >= @from::text::timestamptz)
  AND (@to::text IS NULL OR a.at < @to::text::timestamptz)
ORDER BY a.id DESC
LIMIT @limit::int + 1;

-- name: audit_refused :batch
-- Attempts that were refused, each with how often in the time that the row covers.
INSERT INTO audit_log (tenant, at, actor, actor_id, action, subject_type, subject_id, details, address, request_id)
SELECT tenant, now(), actor, actor_id, action, subject_type, subject_id, details, address, request_id
FROM unnest(@tenant::int[], @actor::text[], @actor_id::text[], @action::text[], @subject_type::text[],
    @subject_id::text[], @details::json[], @address::text[], @request_id::text[])
    AS r(tenant, actor, actor_id, action, subject_type, subject_id, details, address, request_id);

-- name: audit_unsealed :many
-- all tenants: one chain goes through the rows of all. What a transaction that still runs has written is not taken, nor
-- what is younger than that, so that the order is (xid, id); what is above every transaction of this server was made by
-- another one, and restored.
SELECT h.n AS head_n, encode(h.hash, 'hex') AS head_hash, {SIGNED_AT}, {AUDIT_ROW}
FROM audit_head h CROSS JOIN LATERAL (
    SELECT * FROM audit_log a
    WHERE a.n IS NULL AND (a.xid < pg_snapshot_xmin(pg_current_snapshot()) OR a.xid >= pg_snapshot_xmax(pg_current_snapshot()))
    ORDER BY a.xid, a.id LIMIT @max::int) a
ORDER BY a.xid, a.id;

-- name: audit_seal :one
-- all tenants: see audit_unsealed. The head is what keepers meet at: who comes second finds another one and does nothing. A
-- row that has gone since it was looked at ends in an error, and nothing is sealed.
WITH head AS (
    UPDATE audit_head h SET n = @n::int8, hash = decode(@hash::text, 'hex'), at = @at::text::timestamptz, key = @key::text,
        signature = decode(@signature::text, 'hex')
    WHERE h.n = @head_n::int8 AND h.hash = decode(@head_hash::text, 'hex')
    RETURNING h.*
), sealed AS (
    UPDATE audit_log a SET n = r.n, digest = decode(r.digest, 'hex'), hash = decode(r.hash, 'hex')
    FROM head CROSS JOIN json_to_recordset(@rows::json) AS r(tenant int, id int8, n int8, digest text, hash text)
    WHERE a.tenant = r.tenant AND a.id = r.id AND a.n IS NULL
    RETURNING 1
)
SELECT h.moved, s.sealed, 1 / CASE WHEN h.moved AND s.sealed < @n::int8 - @head_n::int8 THEN 0 ELSE 1 END AS _all
FROM (SELECT count(*) AS sealed FROM sealed) s CROSS JOIN (SELECT count(*) > 0 AS moved FROM head) h;

-- name: audit_keep :one
-- all tenants: one chain goes through the rows of all. The head becomes a checkpoint that is kept, unless there is one of it
-- or a young one.
INSERT INTO audit_checkpoints (kind, n, hash, at, key, signature)
SELECT 'checkpoint', h.n, h.hash, h.at, h.key, h.signature
FROM audit_head h LEFT JOIN LATERAL (
    SELECT n, at FROM audit_checkpoints WHERE kind = 'checkpoint' ORDER BY n DESC LIMIT 1) k ON true
WHERE h.n > coalesce(k.n, 0) AND coalesce(k.at <= now() - @checkpoint_s::int * interval '1 second', true)
ON CONFLICT DO NOTHING
RETURNING n, encode(hash, 'hex') AS hash, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, key,
    encode(signature, 'hex') AS signature;

-- name: audit_old :one
-- all tenants: see audit_unsealed. The last row of the oldest part that may go: what is past retention and has nothing younger
-- before it in the chain. No row: nothing may go.
WITH part AS MATERIALIZED (
    SELECT a.n, a.hash, a.at < now() - @retention_days::int * interval '1 day' AS old
    FROM audit_log a WHERE a.n IS NOT NULL ORDER BY a.n LIMIT @max::int
)
SELECT p.n, encode(p.hash, 'hex') AS hash, {SIGNED_AT}
FROM part p
WHERE p.old AND NOT EXISTS (SELECT FROM part y WHERE NOT y.old AND y.n < p.n)
ORDER BY p.n DESC LIMIT 1;

-- name: audit_drop :one
-- all tenants: see audit_unsealed. An anchor takes the place of what is dropped, in one transaction.
SELECT set_config('agentd.audit_retention', 'on', true);
WITH anchor AS (
    INSERT INTO audit_checkpoints (kind, n, hash, at, key, signature)
    VALUES ('anchor', @n::int8, decode(@hash::text, 'hex'), @at::text::timestamptz, @key::text, decode(@signature::text, 'hex'))
    ON CONFLICT DO NOTHING
    RETURNING n
), rows AS (
    DELETE FROM audit_log a USING anchor WHERE a.n <= anchor.n RETURNING 1
), older AS (
    DELETE FROM audit_checkpoints c USING anchor WHERE c.n < anchor.n
)
SELECT count(*) AS dropped FROM rows;

-- name: audit_chain :many
-- all tenants: one chain goes through the rows of all; @tenant::int sees its own rows and of others no more than their
-- digests, unless whole. cursor: the number to begin behind; its hash comes first, or an anchor that stands for it.
WITH part AS MATERIALIZED (
    SELECT a.* FROM audit_log a WHERE a.n > @cursor::int8 ORDER BY a.n LIMIT @limit::int
), span AS MATERIALIZED (
    SELECT coalesce(max(n), @cursor::int8) AS last, count(*) < @limit::int AS whole FROM part
)
SELECT r.kind, r.n, r.hash, r.digest, r.tenant, r.id, r.xid, r.at, r.actor, r.actor_id, r.action, r.subject_type,
    r.subject_id, r.before, r.after, r.details, r.address, r.request_id, r.key, r.signature, r.n AS _cursor
FROM (
    (SELECT 0 AS place, {AUDIT_SEAL}
    FROM audit_checkpoints c WHERE c.kind = 'anchor' AND c.n >= @cursor::int8 ORDER BY c.n DESC LIMIT 1)
    UNION ALL
    SELECT 0, 'from', a.n, encode(a.hash, 'hex'), NULL, NULL, NULL, {NO_AUDIT_ROW} FROM audit_log a WHERE a.n = @cursor::int8
    UNION ALL
    SELECT 1, 'row', a.n, encode(a.hash, 'hex'), NULL, NULL, encode(a.digest, 'hex'), {AUDIT_ROW}
    FROM part a WHERE @whole::bool OR a.tenant = @tenant::int
    UNION ALL
    SELECT 1, 'digest', a.n, NULL, NULL, NULL, encode(a.digest, 'hex'), {NO_AUDIT_ROW}
    FROM part a WHERE NOT @whole::bool AND a.tenant <> @tenant::int
    UNION ALL
    SELECT 2, {AUDIT_SEAL}
    FROM audit_checkpoints c CROSS JOIN span s
    WHERE c.kind = 'checkpoint' AND c.n > @cursor::int8 AND (c.n <= s.last OR s.whole)
    UNION ALL
    SELECT 3, {AUDIT_SEAL} FROM (SELECT 'head' AS kind, * FROM audit_head) c CROSS JOIN span s WHERE s.whole) r
ORDER BY CASE r.place WHEN 0 THEN 0 WHEN 3 THEN 2 ELSE 1 END, r.n, r.place;
