CREATE TYPE event_facts AS (agent_id text, outcome text, duration_ms text, tasks text, from_agent_id text, to_agent_id text);
ALTER TABLE events ALTER COLUMN items TYPE json USING items::json, ALTER COLUMN items SET COMPRESSION lz4;
DO $$
DECLARE
    child regclass;
BEGIN
    FOR child IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN items SET COMPRESSION lz4', child);
    END LOOP;
END $$;
