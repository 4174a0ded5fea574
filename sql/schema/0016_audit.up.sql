-- Audit: who exactly, what was there before and after, and a hash chain that shows what was touched later.

-- n, digest and hash are NULL until the keeper has sealed the row (sql/query/audit.sql). xid gives the order of sealing.
-- details holds what is neither before nor after: how often something was refused, and why.
ALTER TABLE audit_log
    ADD actor_id text,
    ADD before   jsonb,
    ADD after    jsonb,
    ADD xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD n        bigint,
    ADD digest   bytea,
    ADD hash     bytea;
CREATE UNIQUE INDEX audit_log_chain ON audit_log (n) WHERE n IS NOT NULL;
CREATE INDEX audit_log_unsealed ON audit_log (xid, id) WHERE n IS NULL;
CREATE INDEX audit_log_subject ON audit_log (tenant, subject_id, id);
CREATE INDEX audit_log_at ON audit_log (tenant, at);

-- The end of the chain, signed anew by every sealing: rows that are missing at the end are missed too.
CREATE TABLE audit_head (
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    n         bigint NOT NULL,
    hash      bytea NOT NULL,
    at        timestamptz NOT NULL,
    key       text NOT NULL,
    signature bytea NOT NULL
);
INSERT INTO audit_head (n, hash, at, key, signature) VALUES (0, decode(repeat('00', 32), 'hex'), '1970-01-01T00:00:00Z', '', '');

-- What the head was now and then; an anchor stands for the rows up to n that retention has dropped.
CREATE TABLE audit_checkpoints (
    kind      text NOT NULL CHECK (kind IN ('checkpoint', 'anchor')),
    n         bigint NOT NULL,
    hash      bytea NOT NULL,
    at        timestamptz NOT NULL,
    key       text NOT NULL,
    signature bytea NOT NULL,
    PRIMARY KEY (kind, n)
);

-- Rows are added, sealed once, and dropped by retention; everything else is refused. Who may disable a trigger gets past
-- this one, and is found by the chain.
CREATE FUNCTION agentd_audit_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.n IS NULL AND NEW.n IS NOT NULL
        AND to_jsonb(NEW) - '{n,digest,hash}'::text[] = to_jsonb(OLD) - '{n,digest,hash}'::text[] THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' AND OLD.n IS NOT NULL AND current_setting('agentd.audit_retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_rows BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION agentd_audit_guard();
CREATE TRIGGER audit_log_whole BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION agentd_audit_guard();

-- What the audit keeps of a payload of work: enough to recognise it, nothing of what it says.
CREATE FUNCTION agentd_digest(payload json) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN payload IS NOT NULL THEN jsonb_build_object('bytes', octet_length(payload::text),
        'sha256', encode(sha256(convert_to(payload::text, 'UTF8')), 'hex')) END
$$;
