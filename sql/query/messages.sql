-- Messages between agents. A message to a role belongs to the first agent of that role that asks for it; a broadcast is
-- one message for each registered agent but its sender.

-- macro: MESSAGE_COLUMNS
m.id, m.from_agent_id, m.to_agent_id, m.to_role, m.message_type, m.content, m.task_id, m.reply_to, m.status,
m.received_by, m.sent_at, m.received_at, m.processed_at
-- end

-- name: message_send :batch
-- parallel: 2
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @id::uuid[], @from_agent_id::text[], @to_agent_id::text[], @to_role::text[],
        @message_type::text[], @content::json[], @task_id::uuid[], @reply_to::uuid[])
        WITH ORDINALITY AS r(tenant, id, from_agent_id, to_agent_id, to_role, message_type, content, task_id, reply_to, ord)
), m AS (
    INSERT INTO messages (tenant, id, from_agent_id, to_agent_id, to_role, message_type, content, task_id, reply_to)
    SELECT tenant, id, from_agent_id, to_agent_id, to_role, message_type, content, task_id, reply_to FROM req
    RETURNING *
)
SELECT r.ord, {MESSAGE_COLUMNS}
FROM req r JOIN m ON m.id = r.id
ORDER BY r.ord;

-- name: message_broadcast :one
-- Ids take the time of the server's new id, so that they sort like all others (UUIDv7).
WITH m AS (
    INSERT INTO messages (tenant, id, from_agent_id, to_agent_id, message_type, content, task_id, reply_to)
    SELECT a.tenant, (left(@id::text, 15) || substr(gen_random_uuid()::text, 16))::uuid, @from_agent_id::text, a.agent_id, @message_type::text, @content::json,
        @task_id::uuid, @reply_to::uuid
    FROM agents a
    WHERE a.tenant = @tenant::int AND a.agent_id <> @from_agent_id::text
    RETURNING to_agent_id
)
SELECT @from_agent_id::text AS from_agent_id, @message_type::text AS message_type,
    (SELECT coalesce(json_agg(to_agent_id ORDER BY to_agent_id), '[]') FROM m) AS recipients;

-- name: message_inbox :batch
-- sent -> received, for the agent itself and for its role. Oldest first. Agents of one role asking in the same batch
-- must not get the same message: each waiting message is picked once and handed to one of them.
WITH req AS MATERIALIZED (
    SELECT r.ord, r.tenant, r.agent_id, r.want, a.role
    FROM unnest(@tenant::int[], @agent_id::text[], @max::int[]) WITH ORDINALITY AS r(tenant, agent_id, want, ord)
        LEFT JOIN LATERAL (SELECT role FROM agents
            WHERE tenant = r.tenant AND agent_id = r.agent_id OFFSET 0) a ON true
), picked AS MATERIALIZED (
    SELECT r.ord, r.agent_id, r.want, m.tid, m.id
    FROM req r CROSS JOIN LATERAL (
        SELECT * FROM (SELECT ctid AS tid, id FROM messages
            WHERE tenant = r.tenant AND to_agent_id = r.agent_id AND status = 'sent'
            ORDER BY id LIMIT r.want FOR UPDATE SKIP LOCKED) direct
        UNION ALL
        SELECT * FROM (SELECT ctid, id FROM messages
            WHERE tenant = r.tenant AND to_role = r.role AND status = 'sent'
            ORDER BY id LIMIT r.want FOR UPDATE SKIP LOCKED) of_role) m
), granted AS MATERIALIZED (
    SELECT * FROM (
        SELECT p.*, row_number() OVER (PARTITION BY p.ord ORDER BY p.id) AS nth
        FROM (SELECT DISTINCT ON (tid) * FROM picked ORDER BY tid, ord) p) p
    WHERE nth <= want
), m AS (
    UPDATE messages m SET status = 'received', received_at = now(), received_by = g.agent_id
    FROM granted g
    WHERE m.ctid = g.tid
    RETURNING g.ord, g.nth, m.*
)
SELECT m.ord, {MESSAGE_COLUMNS}
FROM m
ORDER BY m.ord, m.nth;

-- name: message_return :batch
-- received -> sent again: the client of the inbox went away before its answer.
UPDATE messages m SET status = 'sent', received_at = NULL, received_by = NULL
FROM unnest(@tenant::int[], @id::uuid[]) AS r(tenant, id)
WHERE m.tenant = r.tenant AND m.id = r.id AND m.status = 'received';

-- name: message_ack :batch
-- received -> processed; again is answered alike.
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @id::uuid[]) WITH ORDINALITY AS r(tenant, id, ord)
), acked AS (
    UPDATE messages m SET status = 'processed', processed_at = now(), received_at = coalesce(m.received_at, now())
    WHERE m.tenant = ANY(@tenant::int[]) AND m.id = ANY(@id::uuid[])
      AND (m.tenant, m.id) IN (SELECT tenant, id FROM req) AND m.status <> 'processed'
    RETURNING *
)
SELECT r.ord, {MESSAGE_COLUMNS}
FROM req r CROSS JOIN LATERAL (
    SELECT * FROM acked x WHERE x.tenant = r.tenant AND x.id = r.id
    UNION ALL
    SELECT * FROM messages x WHERE x.tenant = r.tenant AND x.id = r.id AND x.status = 'processed') m
ORDER BY r.ord;

-- name: message_get :one
SELECT {MESSAGE_COLUMNS}
FROM messages m
WHERE m.tenant = @tenant::int AND m.id = @id::uuid;

-- name: message_list :many
SELECT {MESSAGE_COLUMNS}, m.id AS _cursor
FROM messages m
WHERE m.tenant = @tenant::int
  AND (@cursor::uuid IS NULL OR m.id < @cursor::uuid)
  AND (@from_agent_id::text IS NULL OR m.from_agent_id = @from_agent_id::text)
  AND (@to_agent_id::text IS NULL OR m.to_agent_id = @to_agent_id::text)
  AND (@message_type::text IS NULL OR m.message_type = @message_type::text)
  AND (@status::text IS NULL OR m.status = @status::text)
ORDER BY m.id DESC
LIMIT @limit::int + 1;
