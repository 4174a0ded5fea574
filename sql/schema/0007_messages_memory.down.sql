DROP TABLE memory_history, memory;
DROP INDEX messages_thread, messages_undeliverable, messages_unacknowledged, messages_from;
CREATE INDEX messages_from ON messages (tenant, from_agent_id, id);
ALTER TABLE messages DROP COLUMN thread_id, DROP COLUMN ack_s, DROP COLUMN ack_until, DROP COLUMN deliveries,
    DROP COLUMN undeliverable;
