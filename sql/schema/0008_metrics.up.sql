-- Counters that the keeper folds from events (keeper/fold.c): what happened is counted without a write where it happens.

-- What the fold reads of an event's data: texts, so that no event, however strange, can stop it.
CREATE TYPE event_facts AS (agent_id text, outcome text, duration_ms text, tasks text, from_agent_id text, to_agent_id text);

-- xid, seq: the last event that is counted; at: its time. Counts are of what happened: a task that a gate sends back and
-- that completes again counts twice. *_ms: sums over tasks_timed completed leases and workflows_timed ended workflows.
CREATE TABLE tenant_stats (
    tenant              integer PRIMARY KEY,
    xid                 xid8 NOT NULL DEFAULT '0',
    seq                 bigint NOT NULL DEFAULT 0,
    at                  timestamptz,
    workflows_created   bigint NOT NULL DEFAULT 0,
    workflows_started   bigint NOT NULL DEFAULT 0,
    workflows_completed bigint NOT NULL DEFAULT 0,
    workflows_failed    bigint NOT NULL DEFAULT 0,
    workflows_cancelled bigint NOT NULL DEFAULT 0,
    workflows_timed     bigint NOT NULL DEFAULT 0,
    workflows_ms        bigint NOT NULL DEFAULT 0,
    tasks_created       bigint NOT NULL DEFAULT 0,
    tasks_started       bigint NOT NULL DEFAULT 0,
    tasks_completed     bigint NOT NULL DEFAULT 0,
    tasks_failed        bigint NOT NULL DEFAULT 0,
    tasks_cancelled     bigint NOT NULL DEFAULT 0,
    tasks_skipped       bigint NOT NULL DEFAULT 0,
    tasks_retried       bigint NOT NULL DEFAULT 0,
    tasks_timed         bigint NOT NULL DEFAULT 0,
    tasks_ms            bigint NOT NULL DEFAULT 0,
    messages_sent       bigint NOT NULL DEFAULT 0
);
INSERT INTO tenant_stats (tenant) SELECT id FROM tenants;

CREATE TABLE agent_stats (
    tenant            integer NOT NULL,
    agent_id          text NOT NULL,
    leased            bigint NOT NULL,
    completed         bigint NOT NULL,
    failed            bigint NOT NULL,
    ms                bigint NOT NULL,
    min_ms            bigint,
    max_ms            bigint,
    messages_sent     bigint NOT NULL,
    messages_received bigint NOT NULL,
    settled_at        timestamptz,
    changed_at        timestamptz NOT NULL,
    PRIMARY KEY (tenant, agent_id)
);
ALTER TABLE tenant_stats SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE agent_stats SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- status_since: since when the agent says what it says, without having fallen silent.
ALTER TABLE agents ADD COLUMN status_since timestamptz;
-- An agent's failures, written only when something fails.
CREATE INDEX tasks_failed_by ON tasks (tenant, leased_by, id) WHERE status IN ('failed', 'dead') AND leased_by IS NOT NULL;
-- What has grown too old.
CREATE INDEX agent_metrics_age ON agent_metrics (recorded_at);
CREATE INDEX system_metrics_age ON system_metrics (recorded_at);
