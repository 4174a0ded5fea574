CREATE OR REPLACE FUNCTION agentd_announce(of_tenant integer, of_kind text, of_subject text, at timestamptz, until timestamptz)
RETURNS bigint LANGUAGE sql AS $$
    WITH head AS (UPDATE changes_head SET seq = seq + 1 RETURNING seq)
    INSERT INTO changes (seq, tenant, kind, subject, at, until)
    SELECT head.seq, of_tenant, of_kind, of_subject, at, until FROM head
    RETURNING seq
$$;
DROP TABLE sessions;
