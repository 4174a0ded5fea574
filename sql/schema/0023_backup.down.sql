DELETE FROM changes WHERE kind = 'all';
ALTER TABLE changes DROP CONSTRAINT changes_kind_check,
    ADD CONSTRAINT changes_kind_check CHECK (kind IN ('key', 'session', 'user', 'tenant', 'settings'));
ALTER TABLE events ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
DROP FUNCTION agentd_resume, agentd_horizon, agentd_xid;
DROP TABLE backups, restores;
CREATE OR REPLACE FUNCTION agentd_partition(parent text, time_column text, day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    child text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('agentd_partition ' || child, 0));
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Rows of a day that has come may be on their way into the default partition: they are waited for.
    IF day <= (now() + interval '1 day')::date THEN
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent);
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING COMPRESSION)', child, parent);
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        parent || '_default', time_column, day, time_column, day + 1, child);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, day, day + 1);
    PERFORM agentd_guard(child::regclass);
    RETURN true;
END $$;
CREATE OR REPLACE FUNCTION agentd_drop_partitions(parent text, time_column text, day date) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    child text;
    dropped integer := 0;
BEGIN
    FOR child IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND c.relname ~ '_[0-9]{8}$' AND to_date(right(c.relname, 8), 'YYYYMMDD') < day
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        dropped := dropped + 1;
    END LOOP;
    EXECUTE format('DELETE FROM %I WHERE %I < %L', parent || '_default', time_column, day);
    RETURN dropped;
END $$;
