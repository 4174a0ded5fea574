-- Threads and deliveries of messages; memory that agents share, with a record of every access.
-- ack_s: how long a receiver may take (NULL: the setting); ack_until: when a received message goes back to sent.
-- deliveries: how often it was handed out; the number fences the acknowledgement.
-- thread_id may be NULL in rows of nodes of the version before: then the message is the root of its thread.
ALTER TABLE messages ADD COLUMN thread_id uuid, ADD COLUMN ack_s integer, ADD COLUMN ack_until timestamptz,
    ADD COLUMN deliveries integer NOT NULL DEFAULT 0, ADD COLUMN undeliverable boolean NOT NULL DEFAULT false;
WITH RECURSIVE thread AS (
    SELECT m.tenant, m.id, m.id AS root FROM messages m
    WHERE m.reply_to IS NULL
       OR NOT EXISTS (SELECT FROM messages p WHERE p.tenant = m.tenant AND p.id = m.reply_to)
    UNION ALL
    SELECT m.tenant, m.id, t.root FROM thread t JOIN messages m ON m.tenant = t.tenant AND m.reply_to = t.id
)
UPDATE messages m SET thread_id = t.root FROM thread t WHERE m.tenant = t.tenant AND m.id = t.id;
-- Each index but the primary key is partial, with a condition that a look-up by id does not fulfil: on a table without
-- statistics the planner would take it for the look-up, and read all messages of the tenant. So roots are left out of
-- the one of threads, and the one of senders is made again.
CREATE INDEX messages_thread ON messages (tenant, thread_id, id) WHERE thread_id <> id;
DROP INDEX messages_from;
CREATE INDEX messages_from ON messages (tenant, from_agent_id, id) WHERE from_agent_id <> '';
CREATE INDEX messages_undeliverable ON messages (tenant, id) WHERE undeliverable;
-- What the keeper hands out again.
CREATE INDEX messages_unacknowledged ON messages (ack_until) WHERE status = 'received' AND ack_until IS NOT NULL;

-- owner: the agent of a private entry, '' for what is shared. Keys are compared byte by byte, so that a prefix is a
-- range of the primary key.
CREATE TABLE memory (
    tenant     integer NOT NULL,
    owner      text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    type       text NOT NULL CHECK (type IN ('shared', 'agent', 'read_only')),
    value      json NOT NULL,
    version    bigint NOT NULL,
    expires_at timestamptz,
    created_by text NOT NULL,
    updated_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, owner, key),
    CHECK ((type = 'agent') = (owner <> ''))
);
ALTER TABLE memory ALTER COLUMN value SET COMPRESSION lz4;
ALTER TABLE memory SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX memory_expires ON memory (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE memory_history (
    tenant   integer NOT NULL,
    owner    text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    id       bigint GENERATED ALWAYS AS IDENTITY,
    op       text NOT NULL,
    version  bigint NOT NULL,
    agent_id text,
    actor    text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (tenant, owner, key, id)
);
-- The version that an entry had last: a new one of the same key goes on from there, so no version comes twice.
CREATE INDEX memory_history_changes ON memory_history (tenant, owner, key, id)
    WHERE op IN ('write', 'delete', 'expire');
