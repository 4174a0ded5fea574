-- What every process of every node has to learn of within a second: keys, sessions, users and tenants that are no longer
-- believed, settings that were changed.

-- seq is given under the lock of one row that is held to the commit: the order of seq is the order of commits and there
-- are no gaps, so who has read up to a number has missed nothing below it. until: when the change may be forgotten
-- because what it refuses has expired by itself; NULL: never.
CREATE TABLE changes (
    seq     bigint PRIMARY KEY,
    tenant  integer NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('key', 'session', 'user', 'tenant', 'settings')),
    subject text NOT NULL,
    at      timestamptz NOT NULL,
    until   timestamptz
);
CREATE TABLE changes_head (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    seq      bigint NOT NULL
);
INSERT INTO changes_head (seq) VALUES (0);
ALTER TABLE changes_head SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- To be called in the transaction that makes the change, as its last lock.
CREATE FUNCTION agentd_announce(of_tenant integer, of_kind text, of_subject text, at timestamptz, until timestamptz)
RETURNS bigint LANGUAGE sql AS $$
    WITH head AS (UPDATE changes_head SET seq = seq + 1 RETURNING seq)
    INSERT INTO changes (seq, tenant, kind, subject, at, until)
    SELECT head.seq, of_tenant, of_kind, of_subject, at, until FROM head
    RETURNING seq
$$;
