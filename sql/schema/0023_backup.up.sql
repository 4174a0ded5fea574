-- Backups on record, and what a restore leaves behind: the place where the order of events was broken off.

-- One row a backup that was made or proven here; id: of the file. verified_at: when it was last restored into a scratch
-- database and every check passed; verify_error: what was wrong when it last was not.
CREATE TABLE backups (
    id           uuid PRIMARY KEY,
    status       text NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    scheduled    boolean NOT NULL,
    node         text NOT NULL,
    file         text NOT NULL,
    encrypted    boolean NOT NULL,
    started_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    bytes        bigint,
    rows         bigint,
    error        text,
    verified_at  timestamptz,
    verify_ms    bigint,
    verify_error text
);
CREATE INDEX backups_started ON backups (started_at);

-- One row a restore (of a file) or recovery (of the cluster, to a point in time). Events between lost_from and lost_to were
-- seen by readers and are not there any more: who stands behind one of them is told so. replaced: the schema that holds
-- what was here before.
CREATE TABLE restores (
    id        uuid PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN ('restore', 'recovery')),
    at        timestamptz NOT NULL,
    backup_id uuid,
    taken_at  timestamptz,
    lost_from xid8 NOT NULL,
    lost_to   xid8 NOT NULL,
    replaced  text
);

-- The order of events is that of transactions. Another server counts its transactions from elsewhere, and one that was
-- taken back gives numbers twice: a restore makes both functions anew, with what is to be added.
CREATE FUNCTION agentd_xid() RETURNS xid8 LANGUAGE sql STABLE RETURN pg_current_xact_id();
CREATE FUNCTION agentd_horizon() RETURNS xid8 LANGUAGE sql STABLE PARALLEL SAFE RETURN pg_snapshot_xmin(pg_current_snapshot());
ALTER TABLE events ALTER COLUMN xid SET DEFAULT agentd_xid();

-- From this transaction on, numbers go on at next.
CREATE FUNCTION agentd_resume(next bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    added bigint := next - pg_current_xact_id()::text::bigint;
    ours  text := (SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = 'agentd_xid'::regproc);
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION %I.agentd_xid() RETURNS xid8 LANGUAGE sql STABLE
        RETURN (pg_current_xact_id()::text::bigint + %s)::text::xid8', ours, added);
    EXECUTE format('CREATE OR REPLACE FUNCTION %I.agentd_horizon() RETURNS xid8 LANGUAGE sql STABLE PARALLEL SAFE
        RETURN (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + %s)::text::xid8', ours, added);
END $$;

-- all: every token from before is refused.
ALTER TABLE changes DROP CONSTRAINT changes_kind_check,
    ADD CONSTRAINT changes_kind_check CHECK (kind IN ('key', 'session', 'user', 'tenant', 'settings', 'all'));

-- Partitions are neither made nor dropped while a backup reads: who waits for its locks would have everybody wait behind.
-- The key is that which a backup holds, shared (master/backup.c).
CREATE OR REPLACE FUNCTION agentd_partition(parent text, time_column text, day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    child text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('agentd_partition ' || child, 0));
    IF to_regclass(child) IS NOT NULL OR NOT pg_try_advisory_xact_lock(107083807650917) THEN
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
        IF NOT pg_try_advisory_xact_lock(107083807650917) THEN
            RETURN dropped;
        END IF;
        EXECUTE format('DROP TABLE %I', child);
        dropped := dropped + 1;
    END LOOP;
    EXECUTE format('DELETE FROM %I WHERE %I < %L', parent || '_default', time_column, day);
    RETURN dropped;
END $$;
