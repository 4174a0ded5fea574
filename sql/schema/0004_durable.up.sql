-- Limits, unique work, conditions, approvals by people, idempotency keys: what decides when a task may run.

-- special: only agents that bring something (capabilities), or only so many at once (concurrency_key): such tasks are
-- left to the lease that looks closer. parked: why a task that is otherwise ready may not be leased: the counter of a
-- limit that is full, or 'paused'. skipped: cancelled because its condition did not hold; counts as done.
ALTER TABLE tasks
    ADD COLUMN lease_own_ms    integer,
    ADD COLUMN unique_key      text,
    ADD COLUMN concurrency_key text,
    ADD COLUMN requires        json,
    ADD COLUMN special         boolean NOT NULL DEFAULT false,
    ADD COLUMN condition       json,
    ADD COLUMN approval        boolean NOT NULL DEFAULT false,
    ADD COLUMN parked          text,
    ADD COLUMN skipped         boolean NOT NULL DEFAULT false,
    ADD COLUMN parent_id       uuid;
ALTER TABLE workflows
    ADD COLUMN deadline_at   timestamptz,
    ADD COLUMN paused        boolean NOT NULL DEFAULT false,
    ADD COLUMN schedule_id   uuid,
    ADD COLUMN tasks_skipped integer NOT NULL DEFAULT 0;
-- seen_until: an agent that waits for work is there for as long as it said that it would wait.
ALTER TABLE agents ADD COLUMN seen_until timestamptz;
-- throttles: the tenant has, or had, limits or special tasks.
ALTER TABLE tenants ADD COLUMN throttles boolean NOT NULL DEFAULT false;

DROP INDEX tasks_ready;
CREATE INDEX tasks_ready ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND NOT special;
CREATE INDEX tasks_ready_special ON tasks (tenant, queue, priority DESC, ready_at, id)
    WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND special;
CREATE INDEX tasks_parked ON tasks (tenant, parked, queue, priority DESC, id) WHERE parked IS NOT NULL;
-- Tasks whose dependencies are done and whose condition has not been looked at yet.
CREATE INDEX tasks_undecided ON tasks (tenant, id) WHERE status = 'blocked' AND deps_left = 0;
CREATE UNIQUE INDEX tasks_unique ON tasks (tenant, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('blocked', 'pending', 'retrying', 'processing');
CREATE INDEX workflows_deadline ON workflows (deadline_at)
    WHERE deadline_at IS NOT NULL AND status IN ('pending', 'running');

-- kind: how many run at once (concurrency), or start in a window (rate). key: what is counted: tasks of each role, of
-- each value of the label named here, or leased by each agent; match: of this value only.
CREATE TABLE limits (
    tenant     integer NOT NULL REFERENCES tenants,
    name       text NOT NULL,
    kind       text NOT NULL,
    key        text NOT NULL,
    label      text,
    match      text,
    value      integer NOT NULL,
    window_ms  integer,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Who holds what of a limit. A row counts while its task is processing with that epoch: nobody has to take it away in
-- time, and nothing can drift.
CREATE TABLE task_slots (
    tenant  integer NOT NULL,
    counter text NOT NULL,
    task_id uuid NOT NULL,
    epoch   integer NOT NULL,
    PRIMARY KEY (tenant, counter, task_id)
);
CREATE INDEX task_slots_task ON task_slots (tenant, task_id);

-- Starts in the current window of a limit of kind rate.
CREATE TABLE limit_windows (
    tenant    integer NOT NULL,
    counter   text NOT NULL,
    began_at  timestamptz NOT NULL,
    started   integer NOT NULL,
    PRIMARY KEY (tenant, counter)
);

-- The answer to a creating POST, committed together with what it made (the header Idempotency-Key).
CREATE TABLE idempotency_keys (
    tenant     integer NOT NULL,
    owner      text NOT NULL,
    key        text NOT NULL,
    element    integer NOT NULL,
    digest     text NOT NULL,
    status     integer,
    body       text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, owner, key, element)
);
-- SQLSTATEs of their own (shared/error.def): a request with this key is at work; it has been answered meanwhile.
CREATE FUNCTION agentd_claim(claim text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(claim, 0)) THEN
        RAISE EXCEPTION 'a request with this Idempotency-Key is at work' USING ERRCODE = 'AG409';
    END IF;
END $$;
CREATE FUNCTION agentd_duplicate() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a request with this Idempotency-Key has been answered' USING ERRCODE = 'AG200';
END $$;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

ALTER TABLE task_slots SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
ALTER TABLE limit_windows SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
