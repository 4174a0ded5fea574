DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT c.oid FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'tenant' ORDER BY c.oid LOOP
        EXECUTE format('DROP POLICY tenant ON %s', part);
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', part);
    END LOOP;
END $$;
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
    RETURN true;
END $$;
DROP FUNCTION agentd_guard, agentd_tenants;
