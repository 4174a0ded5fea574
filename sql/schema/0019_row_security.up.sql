-- Row level security, the second wall between tenants: a statement that forgets the tenant sees only the rows of the one
-- that it runs for.

-- The tenants of the statement, which the pool names beforehand (shared/db_tenants.c); NULL: all. A connection that never
-- named any is not bounded: nodes of the version before, and people with psql. Those of this version begin with none.
CREATE FUNCTION agentd_tenants() RETURNS integer[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN coalesce(current_setting('agentd.tenants', true), '') IN ('', '*') THEN NULL
    ELSE current_setting('agentd.tenants', true)::integer[] END;

-- To be called for every table with a column `tenant`. The setting is read once a statement; the owner is bound too.
-- Said so that the planner expects nearly every row to pass, as it does: plans stay as they are without.
CREATE FUNCTION agentd_guard(part regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY tenant ON %s USING (CASE WHEN tenant <> ALL ((SELECT agentd_tenants())::integer[]) THEN 0 ELSE 1 END <> 0)', part);
END $$;

SELECT agentd_guard(c.oid) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'tenants'::regclass)
ORDER BY c.oid;

-- As before, and the new partition is guarded, for statements that name it rather than its parent.
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
