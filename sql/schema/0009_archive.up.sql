-- Finished work moves out of the hot tables into partitions of a day each, by the time it was done; old days are dropped
-- whole. The columns are those of the hot tables and done_at: who adds a column to one adds it to the other.
CREATE TABLE workflows_done (LIKE workflows INCLUDING DEFAULTS INCLUDING COMPRESSION, done_at timestamptz NOT NULL) PARTITION BY RANGE (done_at);
CREATE TABLE tasks_done (LIKE tasks INCLUDING DEFAULTS INCLUDING COMPRESSION, done_at timestamptz NOT NULL) PARTITION BY RANGE (done_at);
CREATE TABLE task_dependencies_done (LIKE task_dependencies, done_at timestamptz NOT NULL) PARTITION BY RANGE (done_at);
CREATE TABLE task_attempts_done (LIKE task_attempts, done_at timestamptz NOT NULL) PARTITION BY RANGE (done_at);
CREATE TABLE subtasks_done (LIKE subtasks INCLUDING DEFAULTS INCLUDING COMPRESSION, done_at timestamptz NOT NULL) PARTITION BY RANGE (done_at);
CREATE TABLE workflows_done_default PARTITION OF workflows_done DEFAULT;
CREATE TABLE tasks_done_default PARTITION OF tasks_done DEFAULT;
CREATE TABLE task_dependencies_done_default PARTITION OF task_dependencies_done DEFAULT;
CREATE TABLE task_attempts_done_default PARTITION OF task_attempts_done DEFAULT;
CREATE TABLE subtasks_done_default PARTITION OF subtasks_done DEFAULT;
CREATE INDEX workflows_done_id ON workflows_done (tenant, id);
CREATE INDEX tasks_done_id ON tasks_done (tenant, id);
CREATE INDEX tasks_done_workflow ON tasks_done (tenant, workflow_id, id) WHERE workflow_id IS NOT NULL;
CREATE INDEX task_dependencies_done_task ON task_dependencies_done (tenant, task_id);
CREATE INDEX task_dependencies_done_depends_on ON task_dependencies_done (tenant, depends_on);
CREATE INDEX task_attempts_done_task ON task_attempts_done (tenant, task_id, epoch);
CREATE INDEX subtasks_done_task ON subtasks_done (tenant, task_id, id);

-- Makes the partition of one day, with what lies in the default partition for it. False: it is there already.
CREATE FUNCTION agentd_partition(parent text, time_column text, day date) RETURNS boolean LANGUAGE plpgsql AS $$
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

-- Drops the partitions of days before that one, and what the default partition has of them. Returns how many were dropped.
CREATE FUNCTION agentd_drop_partitions(parent text, time_column text, day date) RETURNS integer LANGUAGE plpgsql AS $$
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

SELECT agentd_partition(p.name, p.time_column, (now() + n * interval '1 day')::date)
FROM (VALUES ('events', 'at'), ('workflows_done', 'done_at'), ('tasks_done', 'done_at'), ('task_dependencies_done', 'done_at'),
    ('task_attempts_done', 'done_at'), ('subtasks_done', 'done_at')) AS p(name, time_column), generate_series(0, 2) AS n;
