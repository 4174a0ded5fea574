-- Users have versions, for changes that only hold for what was read.

-- version grows with every change of the role, the state, the name or the password, not with a login.
ALTER TABLE users
    ADD COLUMN version             integer NOT NULL DEFAULT 1,
    ADD COLUMN updated_at          timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN password_changed_at timestamptz NOT NULL DEFAULT now();
