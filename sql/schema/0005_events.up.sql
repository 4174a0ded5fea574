-- Every change of state, appended by the transaction that made it. One row carries all that a statement changed for one
-- tenant (and one workflow): items is an array of {kind, subject, data}. The order of events is that of (xid, seq): a
-- reader takes what is below the oldest transaction still running, so nothing can appear behind it.
CREATE SEQUENCE events_seq CACHE 1;
CREATE TABLE events (
    tenant      integer NOT NULL,
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint NOT NULL DEFAULT nextval('events_seq'),
    at          timestamptz NOT NULL,
    workflow_id uuid,
    items       json COMPRESSION lz4 NOT NULL
) PARTITION BY RANGE (at);
-- Days get partitions of their own from the keeper; what falls between stays here.
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE INDEX events_order ON events (tenant, xid, seq);
CREATE INDEX events_workflow ON events (tenant, workflow_id, xid, seq) WHERE workflow_id IS NOT NULL;

-- Which nodes there are: each keeper says every two seconds that its node is alive.
CREATE TABLE nodes (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
);
ALTER TABLE nodes SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
