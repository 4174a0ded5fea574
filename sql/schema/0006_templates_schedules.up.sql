-- Templates are versioned; plan is the compiled graph (worker/graph.c), so that schedules need nobody to compile it.
CREATE TABLE templates (
    tenant      integer NOT NULL REFERENCES tenants,
    name        text NOT NULL,
    version     integer NOT NULL,
    description text,
    tasks       json NOT NULL,
    plan        json NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, name, version)
);

-- plan: of the tasks given with the schedule, or of a built-in template; NULL: the newest version of the template.
-- next_at: the next firing; NULL while the schedule is paused or has none left. queued_at: the firing (it is next_at)
-- that waits for the workflow of the one before. failures: firings in a row that failed.
CREATE TABLE schedules (
    tenant           integer NOT NULL REFERENCES tenants,
    id               uuid NOT NULL,
    name             text NOT NULL,
    cron             text NOT NULL,
    time_zone        text NOT NULL,
    description      text,
    template         text,
    tasks            json,
    plan             json,
    input_data       json,
    labels           json,
    deadline_s       integer,
    overlap          text NOT NULL,
    catch_up         text NOT NULL,
    active           boolean NOT NULL,
    next_at          timestamptz,
    queued_at        timestamptz,
    last_at          timestamptz,
    last_workflow_id uuid,
    fired            bigint NOT NULL DEFAULT 0,
    skipped          bigint NOT NULL DEFAULT 0,
    failures         integer NOT NULL DEFAULT 0,
    error_message    text,
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT schedules_name_key UNIQUE (tenant, name)
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX workflows_schedule ON workflows (tenant, schedule_id, id) WHERE schedule_id IS NOT NULL;
-- What a schedule has alive, however long its history is.
CREATE INDEX workflows_schedule_live ON workflows (tenant, schedule_id)
    WHERE schedule_id IS NOT NULL AND status IN ('pending', 'running');
