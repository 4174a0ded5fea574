-- Sessions: what a login begins, refresh tokens carry on, and a logout, a reused token or a change of the user ends.

-- Of the refresh tokens only the SHA-256 of the newest and of the one before it are kept. sealed: the answer that made the
-- newest, for a client that asks again; who has the database cannot read it (shared/refresh.h).
-- tokens_until: when the last access token expires that was made for the session.
CREATE TABLE sessions (
    tenant        integer NOT NULL,
    id            uuid NOT NULL,
    user_id       uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    tokens_until  timestamptz NOT NULL,
    revoked_at    timestamptz,
    address       text NOT NULL,
    user_agent    text,
    token_hash    bytea NOT NULL CHECK (octet_length(token_hash) = 32),
    previous_hash bytea CHECK (octet_length(previous_hash) = 32),
    rotated_at    timestamptz,
    sealed        text,
    PRIMARY KEY (tenant, id),
    CONSTRAINT sessions_user_fkey FOREIGN KEY (tenant, user_id) REFERENCES users ON DELETE CASCADE
);
CREATE INDEX sessions_user ON sessions (tenant, user_id);
CREATE INDEX sessions_expired ON sessions (expires_at);

-- A change of a user that ends the user's tokens ends the sessions too, whoever announces it.
CREATE OR REPLACE FUNCTION agentd_announce(of_tenant integer, of_kind text, of_subject text, at timestamptz, until timestamptz)
RETURNS bigint LANGUAGE sql AS $$
    UPDATE sessions SET revoked_at = at, sealed = NULL
    WHERE of_kind = 'user' AND tenant = of_tenant AND revoked_at IS NULL
      AND user_id = CASE WHEN of_kind = 'user' THEN of_subject::uuid END;
    WITH head AS (UPDATE changes_head SET seq = seq + 1 RETURNING seq)
    INSERT INTO changes (seq, tenant, kind, subject, at, until)
    SELECT head.seq, of_tenant, of_kind, of_subject, at, until FROM head
    RETURNING seq
$$;
