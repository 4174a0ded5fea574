-- Health: what was found, what was done about it, and how nodes and agents are.
ALTER TABLE health_records ADD node text;
CREATE INDEX health_records_at ON health_records (recorded_at);

-- status of a node in the eyes of its keeper; how far its clock is ahead of the database's.
ALTER TABLE nodes ADD health text, ADD clock_skew_ms double precision;

-- health: as the leader found it last; NULL: not yet. beat_at: it beats by itself, so that silence means something.
ALTER TABLE agents ADD health text, ADD beat_at timestamptz;

-- Every attempt to heal something.
CREATE TABLE recoveries (
    tenant    integer NOT NULL,
    id        uuid NOT NULL,
    node      text,
    component text NOT NULL,
    subject   text,
    action    text NOT NULL,
    attempt   integer NOT NULL,
    error     text NOT NULL,
    outcome   text NOT NULL CHECK (outcome IN ('started', 'recovered', 'failed', 'given_up')),
    began_at  timestamptz NOT NULL,
    ended_at  timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX recoveries_at ON recoveries (began_at);
SELECT agentd_guard('recoveries');

-- Written to see whether there is room again on a disk that was full.
CREATE TABLE storage_probe (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    filler   text NOT NULL
);
ALTER TABLE storage_probe ALTER filler SET STORAGE EXTERNAL;
INSERT INTO storage_probe (filler) VALUES ('');
