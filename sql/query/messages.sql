-- Messages between agents. A message to a role belongs to the first agent of that role that asks for it; a broadcast is
-- one message for each registered agent but its sender. sent -> received -> processed; what is not acknowledged in time
-- goes back to sent, and deliveries counts how often it was handed out.

-- macro: MESSAGE_COLUMNS
m.id, m.from_agent_id, m.to_agent_id, m.to_role, m.message_type, m.content, m.task_id, m.reply_to,
coalesce(m.thread_id, m.id) AS thread_id, m.status, m.received_by, m.deliveries AS delivery_count, m.undeliverable,
m.ack_until, m.sent_at, m.received_at, m.processed_at
-- end

-- macro: MESSAGE_FILTERS
(@cursor::uuid IS NULL OR m.id < @cursor::uuid)
  AND (@from_agent_id::text IS NULL OR m.from_agent_id = @from_agent_id::text)
  AND (@to_agent_id::text IS NULL OR m.to_agent_id = @to_agent_id::text)
  AND (@message_type::text IS NULL OR m.message_type = @message_type::text)
  AND (@status::text IS NULL OR m.status = @status::text)
  AND (@thread_id::uuid IS NULL OR coalesce(m.thread_id, m.id) = @thread_id::uuid)
  AND (@undeliverable::bool IS NULL OR m.undeliverable = @undeliverable::bool)
-- end

-- macro: MESSAGE_JUDGEMENT
CASE WHEN r.reply_to IS NOT NULL AND p.thread_id IS NULL THEN 'no_message'
    WHEN r.epoch IS NOT NULL AND t.epoch IS NULL THEN 'no_task'
    WHEN r.epoch IS NOT NULL AND (t.epoch <> r.epoch OR t.status <> 'processing') THEN 'stale'
    ELSE 'ok' END AS result, p.thread_id, t.status AS task_status, t.epoch AS task_epoch
-- end

-- macro: MESSAGE_CONTEXT
LEFT JOIN LATERAL (SELECT coalesce(thread_id, id) AS thread_id FROM messages
        WHERE tenant = r.tenant AND id = r.reply_to OFFSET 0) p ON true
    LEFT JOIN LATERAL (SELECT status, epoch FROM tasks
        WHERE tenant = r.tenant AND id = r.task_id OFFSET 0) t ON r.epoch IS NOT NULL
-- end

-- macro: MESSAGE_EVENTS
SELECT tenant, now(), NULL, json_agg(json_build_object('kind', 'message.sent', 'subject', id, 'data', json_build_object(
        'from_agent_id', from_agent_id, 'to_agent_id', to_agent_id, 'to_role', to_role, 'message_type', message_type,
        'task_id', task_id, 'thread_id', thread_id))) FROM m GROUP BY tenant
-- end

-- name: message_send :batch
-- parallel: 2
-- A message on behalf of a task holds the task still, so that its lease cannot end before the message is there.
SELECT t.id
FROM (SELECT DISTINCT tenant, id FROM unnest(@tenant::int[], @task_id::uuid[], @epoch::int[]) AS q(tenant, id, epoch)
        WHERE epoch IS NOT NULL ORDER BY tenant, id) r
    CROSS JOIN LATERAL (SELECT id FROM tasks WHERE tenant = r.tenant AND id = r.id FOR SHARE OFFSET 0) t;
WITH req AS MATERIALIZED (
    SELECT r.*, {MESSAGE_JUDGEMENT}
    FROM unnest(@tenant::int[], @id::uuid[], @from_agent_id::text[], @to_agent_id::text[], @to_role::text[],
        @message_type::text[], @content::json[], @task_id::uuid[], @reply_to::uuid[], @epoch::int[], @ack_s::int[])
        WITH ORDINALITY AS r(tenant, id, from_agent_id, to_agent_id, to_role, message_type, content, task_id, reply_to,
            epoch, ack_s, ord)
        {MESSAGE_CONTEXT}
), m AS (
    INSERT INTO messages (tenant, id, from_agent_id, to_agent_id, to_role, message_type, content, task_id, reply_to,
        thread_id, ack_s)
    SELECT tenant, id, from_agent_id, to_agent_id, to_role, message_type, content, task_id, reply_to,
        coalesce(thread_id, id), ack_s
    FROM req WHERE result = 'ok'
    RETURNING *
), said AS (
    INSERT INTO {EVENTS}
    {MESSAGE_EVENTS}
)
SELECT r.ord, r.result AS _result, r.task_status AS _task_status, r.task_epoch AS _epoch, {MESSAGE_COLUMNS}
FROM req r FULL JOIN m ON m.id = r.id -- hashed: see task_lease
ORDER BY r.ord;

-- name: message_broadcast :one
-- Ids take the time of the server's new id, so that they sort like all others (UUIDv7). The first copy has that id
-- itself and is the root of one thread for all.
SELECT id FROM tasks
WHERE tenant = @tenant::int AND id = @task_id::uuid AND @epoch::int IS NOT NULL
FOR SHARE;
WITH req AS MATERIALIZED (
    SELECT r.*, {MESSAGE_JUDGEMENT}
    FROM (SELECT @tenant::int AS tenant, @task_id::uuid AS task_id, @reply_to::uuid AS reply_to, @epoch::int AS epoch) r
        {MESSAGE_CONTEXT}
), m AS (
    INSERT INTO messages (tenant, id, from_agent_id, to_agent_id, message_type, content, task_id, reply_to, thread_id,
        ack_s)
    SELECT r.tenant, CASE WHEN a.nth = 1 THEN @id::text::uuid
            ELSE (left(@id::text, 15) || substr(gen_random_uuid()::text, 16))::uuid END,
        @from_agent_id::text, a.agent_id, @message_type::text, @content::json, r.task_id, r.reply_to,
        coalesce(r.thread_id, @id::text::uuid), @ack_s::int
    FROM req r CROSS JOIN LATERAL (
        SELECT agent_id, row_number() OVER (ORDER BY agent_id) AS nth FROM agents
        WHERE tenant = @tenant::int AND agent_id <> @from_agent_id::text) a
    WHERE r.result = 'ok'
    RETURNING *
), said AS (
    INSERT INTO {EVENTS}
    {MESSAGE_EVENTS}
)
SELECT r.result AS _result, r.task_status AS _task_status, r.task_epoch AS _epoch,
    @from_agent_id::text AS from_agent_id, @message_type::text AS message_type,
    (SELECT thread_id FROM m LIMIT 1) AS thread_id,
    (SELECT coalesce(json_agg(to_agent_id ORDER BY to_agent_id), '[]') FROM m) AS recipients
FROM req r;

-- name: message_inbox :batch
-- sent -> received, for the agent itself and then for its role. Requests are grouped by what they may take and each
-- group is selected from once, because SKIP LOCKED does not skip what the same transaction locked. What a request has
-- room for after its own messages it takes from the role's, so nothing stays while somebody could take it.
-- A group's requests are arrays in order: upto[i] is the number of the last message that the i-th has room for.
WITH req AS MATERIALIZED (
    SELECT r.*, a.role, sum(r.want) OVER (PARTITION BY r.tenant, r.agent_id ORDER BY r.ord)::int AS upto
    FROM unnest(@tenant::int[], @agent_id::text[], @max::int[], @setting_ack_s::int[])
        WITH ORDINALITY AS r(tenant, agent_id, want, ack_s, ord)
        LEFT JOIN LATERAL (SELECT role FROM agents
            WHERE tenant = r.tenant AND agent_id = r.agent_id OFFSET 0) a ON true
), own AS MATERIALIZED (
    SELECT w.agent_id, w.ack_s, m.tid, w.ords[width_bucket(m.place - 1, w.upto) + 1] AS ord
    FROM (SELECT tenant, agent_id, max(ack_s) AS ack_s, max(upto) AS want, array_agg(ord ORDER BY ord) AS ords,
            array_agg(upto::int8 ORDER BY ord) AS upto
            FROM req GROUP BY tenant, agent_id) w
        CROSS JOIN LATERAL (SELECT tid, row_number() OVER (ORDER BY id) AS place
            FROM (SELECT ctid AS tid, id FROM messages
                WHERE tenant = w.tenant AND to_agent_id = w.agent_id AND status = 'sent'
                ORDER BY id LIMIT w.want FOR UPDATE SKIP LOCKED) m) m
), room AS MATERIALIZED (
    SELECT r.*, sum(r.want) OVER (PARTITION BY r.tenant, r.role ORDER BY r.ord) AS upto
    FROM (SELECT ord, max(tenant) AS tenant, max(agent_id) AS agent_id, max(role) AS role, max(ack_s) AS ack_s,
            sum(want)::int AS want
            FROM (SELECT ord, tenant, agent_id, role, ack_s, want FROM req
                UNION ALL
                SELECT ord, NULL, NULL, NULL, NULL, -1 FROM own) q
            GROUP BY ord) r
    WHERE r.role IS NOT NULL
), of_role AS MATERIALIZED (
    SELECT w.agent_ids[i.nth] AS agent_id, w.ack_s, m.tid, w.ords[i.nth] AS ord
    FROM (SELECT tenant, role, max(ack_s) AS ack_s, max(upto) AS want, array_agg(ord ORDER BY ord) AS ords,
            array_agg(agent_id ORDER BY ord) AS agent_ids, array_agg(upto ORDER BY ord) AS upto
            FROM room GROUP BY tenant, role) w
        CROSS JOIN LATERAL (SELECT tid, row_number() OVER (ORDER BY id) AS place
            FROM (SELECT ctid AS tid, id FROM messages
                WHERE tenant = w.tenant AND to_role = w.role AND status = 'sent'
                ORDER BY id LIMIT w.want FOR UPDATE SKIP LOCKED) m) m
        CROSS JOIN LATERAL (SELECT width_bucket(m.place - 1, w.upto) + 1 AS nth) i
), m AS (
    UPDATE messages m SET status = 'received', received_at = now(), received_by = g.agent_id,
        deliveries = m.deliveries + 1, ack_until = now() + coalesce(m.ack_s, g.ack_s) * interval '1 second'
    FROM (SELECT ord, agent_id, ack_s, tid FROM own UNION ALL SELECT ord, agent_id, ack_s, tid FROM of_role) g
    WHERE m.ctid = g.tid
    RETURNING g.ord, m.*
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), NULL, json_agg(json_build_object('kind', 'message.received', 'subject', id, 'data',
        json_build_object('agent_id', received_by, 'delivery', deliveries))) FROM m GROUP BY tenant
)
SELECT m.ord, {MESSAGE_COLUMNS}
FROM m
ORDER BY m.ord, m.id;

-- name: message_return :batch
-- received -> sent again: the client of the inbox went away before its answer, so this delivery never was.
UPDATE messages m SET status = 'sent', received_at = NULL, received_by = NULL, ack_until = NULL,
    deliveries = m.deliveries - 1
FROM unnest(@tenant::int[], @id::uuid[], @delivery::int[]) AS r(tenant, id, delivery)
WHERE m.tenant = r.tenant AND m.id = r.id AND m.status = 'received' AND m.deliveries = r.delivery;

-- name: message_ack :batch
-- -> processed, late or not; again is answered alike. Who names a delivery is refused once there was a later one.
SELECT m.id
FROM (SELECT DISTINCT tenant, id FROM unnest(@tenant::int[], @id::uuid[]) AS q(tenant, id) ORDER BY tenant, id) r
    CROSS JOIN LATERAL (SELECT id FROM messages WHERE tenant = r.tenant AND id = r.id FOR NO KEY UPDATE OFFSET 0) m;
UPDATE messages m SET status = 'processed', processed_at = now(), received_at = coalesce(m.received_at, now()),
    ack_until = NULL, undeliverable = false
FROM (SELECT DISTINCT h.tid
        FROM unnest(@tenant::int[], @id::uuid[], @delivery::int[]) AS r(tenant, id, delivery)
            CROSS JOIN LATERAL (SELECT ctid AS tid, status, deliveries FROM messages
                WHERE tenant = r.tenant AND id = r.id OFFSET 0) h
        WHERE h.status <> 'processed' AND coalesce(r.delivery = h.deliveries, true)) r
WHERE m.ctid = r.tid;
SELECT r.ord, CASE WHEN coalesce(r.delivery = m.deliveries, true) THEN 'ok' ELSE 'stale' END AS _result,
    {MESSAGE_COLUMNS}
FROM unnest(@tenant::int[], @id::uuid[], @delivery::int[]) WITH ORDINALITY AS r(tenant, id, delivery, ord)
    CROSS JOIN LATERAL (SELECT * FROM messages WHERE tenant = r.tenant AND id = r.id OFFSET 0) m
ORDER BY r.ord;

-- name: message_get :one
SELECT {MESSAGE_COLUMNS}
FROM messages m
WHERE m.tenant = @tenant::int AND m.id = @id::uuid;

-- name: message_list :many
SELECT {MESSAGE_COLUMNS}, m.id AS _cursor
FROM messages m
WHERE m.tenant = @tenant::int
  AND {MESSAGE_FILTERS}
ORDER BY m.id DESC
LIMIT @limit::int + 1;

-- name: message_list_thread :many
-- The same for one thread: its root, and the others by the index of threads, which has no roots.
SELECT {MESSAGE_COLUMNS}, m.id AS _cursor
FROM (SELECT * FROM messages
        WHERE tenant = @tenant::int AND id = @thread_id::uuid AND coalesce(thread_id, id) = id
        UNION ALL
        SELECT * FROM messages
        WHERE tenant = @tenant::int AND thread_id = @thread_id::uuid AND thread_id <> id) m
WHERE {MESSAGE_FILTERS}
ORDER BY m.id DESC
LIMIT @limit::int + 1;

-- name: message_list_from :many
-- The same for one sender, on the index of senders.
SELECT {MESSAGE_COLUMNS}, m.id AS _cursor
FROM messages m
WHERE m.tenant = @tenant::int AND m.from_agent_id = @from_agent_id::text AND m.from_agent_id <> ''
  AND {MESSAGE_FILTERS}
ORDER BY m.id DESC
LIMIT @limit::int + 1;

-- name: message_list_undeliverable :many
-- The same for what was given up, on the index of that.
SELECT {MESSAGE_COLUMNS}, m.id AS _cursor
FROM messages m
WHERE m.tenant = @tenant::int AND m.undeliverable
  AND {MESSAGE_FILTERS}
ORDER BY m.id DESC
LIMIT @limit::int + 1;

-- name: keeper_redeliver :many
-- all tenants: the keeper works for every one of them.
-- received -> sent again: nobody acknowledged in time. After the last delivery it stays received, as undeliverable.
UPDATE messages SET
    status = CASE WHEN deliveries < @deliveries::int THEN 'sent' ELSE 'received' END,
    received_at = CASE WHEN deliveries < @deliveries::int THEN NULL ELSE received_at END,
    received_by = CASE WHEN deliveries < @deliveries::int THEN NULL ELSE received_by END,
    undeliverable = deliveries >= @deliveries::int, ack_until = NULL
WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM messages
    WHERE status = 'received' AND ack_until <= now()
    ORDER BY ack_until LIMIT 1000 FOR UPDATE SKIP LOCKED))
RETURNING tenant, id, to_agent_id, deliveries, undeliverable;
