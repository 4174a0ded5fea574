DROP TABLE memory_history, memory;
DROP INDEX messages_thread, messages_undeliverable, messages_unacknowledged;
ALTER TABLE messages DROP COLUMN thread_id, DROP COLUMN ack_s, DROP COLUMN ack_until, DROP COLUMN deliveries,
    DROP COLUMN undeliverable;
