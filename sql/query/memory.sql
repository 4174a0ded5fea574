-- Memory that agents share. An entry has an owner: '' for shared and read_only ones, the agent for its private ones.
-- Every change holds the advisory lock of its owner and key, so that it sees what the one before it left; the locks are
-- taken in order, and there are few of them, so that a large batch does not fill PostgreSQL's lock table. Versions of a
-- key never come twice, not even after it was deleted. Every access leaves a row in memory_history: those of changes
-- in the same transaction, those of reads a moment later.

-- macro: MEMORY_ALIVE
(expires_at IS NULL OR expires_at > now())
-- end

-- macro: MEMORY_ENTRY
m.key, m.type, nullif(m.owner, '') AS agent_id, m.version, m.expires_at, m.created_by, m.updated_by, m.created_at,
m.updated_at
-- end

-- name: memory_put :batch
SELECT pg_advisory_xact_lock(tenant, place)
FROM (SELECT DISTINCT tenant, hashtext(owner || '/' || key) & 255 AS place
        FROM unnest(@tenant::int[], @owner::text[], @key::text[]) AS q(tenant, owner, key)
        ORDER BY tenant, place) r;
-- The writes of a key take turns in the order of the batch: each is judged by what the one before it left.
WITH RECURSIVE req AS MATERIALIZED (
    SELECT r.*, coalesce(r.agent_id, r.actor) AS who,
        row_number() OVER (PARTITION BY r.tenant, r.owner, r.key ORDER BY r.ord) AS nth
    FROM unnest(@tenant::int[], @owner::text[], @key::text[], @type::text[], @value::json[], @version::int8[],
        @ttl_s::int[], @agent_id::text[], @actor::text[], @is_admin::bool[], @if_match::text[])
        WITH ORDINALITY AS r(tenant, owner, key, type, value, version, ttl_s, agent_id, actor, is_admin, if_match, ord)
), turn AS (
    SELECT q.tenant, q.owner, q.key, 0::int8 AS nth, NULL::int8 AS ord, NULL::text AS result,
        coalesce(m.version, h.version, 0) AS version, coalesce(m.alive, false) AS alive,
        coalesce(m.type = 'read_only', false) AS read_only, m.created_by, m.created_at
    FROM (SELECT DISTINCT tenant, owner, key FROM req) q
        LEFT JOIN LATERAL (SELECT version, type, created_by, created_at, {MEMORY_ALIVE} AS alive FROM memory
            WHERE tenant = q.tenant AND owner = q.owner AND key = q.key OFFSET 0) m ON true
        LEFT JOIN LATERAL (SELECT version FROM memory_history
            WHERE m.version IS NULL AND tenant = q.tenant AND owner = q.owner AND key = q.key
              AND op IN ('write', 'delete', 'expire')
            ORDER BY id DESC LIMIT 1) h ON true
    UNION ALL
    SELECT t.tenant, t.owner, t.key, r.nth, r.ord, j.result,
        t.version + CASE WHEN j.result IN ('created', 'changed') THEN 1 ELSE 0 END,
        t.alive OR j.result = 'created',
        CASE WHEN j.result IN ('created', 'changed') THEN r.type = 'read_only' ELSE t.read_only END,
        CASE WHEN j.result = 'created' THEN r.who ELSE t.created_by END,
        CASE WHEN j.result = 'created' THEN now() ELSE t.created_at END
    FROM turn t JOIN req r ON r.tenant = t.tenant AND r.owner = t.owner AND r.key = t.key AND r.nth = t.nth + 1
        CROSS JOIN LATERAL (SELECT CASE
            WHEN r.if_match IS NOT NULL AND NOT (t.alive AND (r.if_match = '*'
                OR r.if_match ~ ('(^|[ ,])"' || t.version || '"'))) THEN 'precondition'
            WHEN r.version <> CASE WHEN t.alive THEN t.version ELSE 0 END THEN 'version'
            WHEN t.alive AND t.read_only AND NOT r.is_admin THEN 'read_only'
            WHEN t.alive THEN 'changed' ELSE 'created' END AS result) j
), written AS (
    INSERT INTO memory (tenant, owner, key, type, value, version, expires_at, created_by, updated_by, created_at,
        updated_at)
    SELECT t.tenant, t.owner, t.key, r.type, r.value, t.version, now() + r.ttl_s * interval '1 second', t.created_by,
        r.who, t.created_at, now()
    FROM (SELECT DISTINCT ON (tenant, owner, key) * FROM turn
            WHERE result IN ('created', 'changed') ORDER BY tenant, owner, key, nth DESC) t
        JOIN req r ON r.ord = t.ord
    ON CONFLICT (tenant, owner, key) DO UPDATE SET type = excluded.type, value = excluded.value,
        version = excluded.version, expires_at = excluded.expires_at, created_by = excluded.created_by,
        updated_by = excluded.updated_by, created_at = excluded.created_at, updated_at = excluded.updated_at
), history AS (
    INSERT INTO memory_history (tenant, owner, key, op, version, agent_id, actor, at)
    SELECT t.tenant, t.owner, t.key, CASE WHEN t.result IN ('created', 'changed') THEN 'write' ELSE 'refused' END,
        t.version, r.agent_id, r.actor, now()
    FROM turn t JOIN req r ON r.ord = t.ord
    ORDER BY t.ord
), said AS (
    INSERT INTO {EVENTS}
    SELECT t.tenant, now(), NULL, json_agg(json_build_object('kind', 'memory.written', 'subject', t.key, 'data',
        json_build_object('type', r.type, 'version', t.version, 'by', r.who)) ORDER BY t.ord)
    FROM turn t JOIN req r ON r.ord = t.ord
    WHERE t.result IN ('created', 'changed')
    GROUP BY t.tenant
)
SELECT r.ord, t.result AS _result, CASE WHEN t.alive THEN t.version ELSE 0 END AS _version,
    CASE t.result WHEN 'created' THEN 201 ELSE 200 END AS _status, r.key, r.type, nullif(r.owner, '') AS agent_id,
    r.value, t.version, now() + r.ttl_s * interval '1 second' AS expires_at, t.created_by, r.who AS updated_by,
    t.created_at, now() AS updated_at
FROM turn t JOIN req r ON r.ord = t.ord
ORDER BY r.ord;

-- name: memory_get :batch
-- What the agent sees under the key: its own entry, else the shared one.
SELECT r.ord, m.owner AS _owner, {MEMORY_ENTRY}, m.value
FROM unnest(@tenant::int[], @key::text[], @agent_id::text[]) WITH ORDINALITY AS r(tenant, key, agent_id, ord)
    CROSS JOIN LATERAL (SELECT * FROM memory
        WHERE tenant = r.tenant AND owner = ANY(ARRAY['', r.agent_id]) AND key = r.key AND {MEMORY_ALIVE}
        ORDER BY owner DESC LIMIT 1) m
ORDER BY r.ord;

-- name: memory_read :batch
-- The record of reads.
INSERT INTO memory_history (tenant, owner, key, op, version, agent_id, actor, at)
SELECT tenant, owner, key, 'read', version, agent_id, actor, now()
FROM unnest(@tenant::int[], @owner::text[], @key::text[], @version::int8[], @agent_id::text[], @actor::text[])
    AS r(tenant, owner, key, version, agent_id, actor);

-- name: memory_delete :one
-- Deletes what memory_get would show.
SELECT pg_advisory_xact_lock(tenant, place)
FROM (SELECT DISTINCT @tenant::int AS tenant, hashtext(owner || '/' || @key::text) & 255 AS place
        FROM unnest(ARRAY['', @agent_id::text]) AS q(owner)
        WHERE owner IS NOT NULL ORDER BY tenant, place) r;
WITH m AS MATERIALIZED (
    SELECT m.*, CASE
        WHEN @if_match::text IS NOT NULL AND NOT (@if_match::text = '*'
            OR @if_match::text ~ ('(^|[ ,])"' || m.version || '"')) THEN 'precondition'
        WHEN m.type = 'read_only' AND NOT @is_admin::bool THEN 'read_only'
        ELSE 'deleted' END AS result
    FROM memory m
    WHERE m.tenant = @tenant::int AND m.owner = ANY(ARRAY['', @agent_id::text]) AND m.key = @key::text
      AND {MEMORY_ALIVE}
    ORDER BY m.owner DESC LIMIT 1
), gone AS (
    DELETE FROM memory d USING m
    WHERE d.tenant = m.tenant AND d.owner = m.owner AND d.key = m.key AND m.result = 'deleted'
), history AS (
    INSERT INTO memory_history (tenant, owner, key, op, version, agent_id, actor, at)
    SELECT m.tenant, m.owner, m.key, CASE m.result WHEN 'deleted' THEN 'delete' ELSE 'refused' END, m.version,
        @agent_id::text, @actor::text, now()
    FROM m
), said AS (
    INSERT INTO {EVENTS}
    SELECT m.tenant, now(), NULL, json_build_array(json_build_object('kind', 'memory.deleted', 'subject', m.key, 'data',
        json_build_object('type', m.type, 'version', m.version, 'by', coalesce(@agent_id::text, @actor::text))))
    FROM m WHERE m.result = 'deleted'
)
SELECT m.result AS _result, m.version AS _version, {MEMORY_ENTRY}
FROM m;

-- name: memory_list :many
-- Without the values, which may be large. A place in the list is a key, and for one key the shared entry comes first.
SELECT {MEMORY_ENTRY}, CASE m.owner WHEN '' THEN '0' ELSE '1' END || m.key AS _cursor
FROM unnest(ARRAY['', @agent_id::text]) AS q(owner)
    CROSS JOIN LATERAL (SELECT * FROM memory
        WHERE tenant = @tenant::int AND owner = q.owner AND {MEMORY_ALIVE}
          AND (@cursor::text IS NULL OR key > substr(@cursor::text, 2)
              OR (key = substr(@cursor::text, 2) AND q.owner <> '' AND left(@cursor::text, 1) = '0'))
          AND key >= greatest(@prefix::text COLLATE "C", substr(@cursor::text, 2))
          AND key <= (@prefix::text || repeat(chr(1114111), 200)) COLLATE "C"
        ORDER BY key LIMIT @limit::int + 1) m
ORDER BY m.key, m.owner
LIMIT @limit::int + 1;

-- name: memory_history :many
-- Of the agent's own entry if it ever had one of that key, else of the shared one.
SELECT h.op, h.version, h.agent_id, h.actor, h.at, h.id AS _cursor
FROM memory_history h
WHERE h.tenant = @tenant::int AND h.key = @key::text
  AND h.owner = CASE WHEN EXISTS (SELECT FROM memory_history o
        WHERE o.tenant = @tenant::int AND o.owner = @agent_id::text AND o.key = @key::text)
      THEN @agent_id::text ELSE '' END
  AND (@cursor::int8 IS NULL OR h.id < @cursor::int8)
ORDER BY h.id DESC
LIMIT @limit::int + 1;

-- name: keeper_expire_memory :many
-- all tenants: the keeper works for every one of them.
-- Entries whose time has come: nobody is shown them any more, here they go.
WITH gone AS (
    DELETE FROM memory
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM memory WHERE expires_at <= now()
        ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED))
    RETURNING tenant, owner, key, type, version
), history AS (
    INSERT INTO memory_history (tenant, owner, key, op, version, actor, at)
    SELECT tenant, owner, key, 'expire', version, 'agentd', now() FROM gone
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), NULL, json_agg(json_build_object('kind', 'memory.deleted', 'subject', key, 'data',
        json_build_object('type', type, 'version', version, 'by', 'agentd')))
    FROM gone GROUP BY tenant
)
SELECT tenant, count(*) AS count FROM gone GROUP BY tenant;
