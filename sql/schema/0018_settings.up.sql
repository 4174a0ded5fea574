-- Settings that hold in place of the environment, on every node.
CREATE TABLE settings (
    name       text PRIMARY KEY,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL
);
-- The number of changes: who changes something says which state it was.
CREATE TABLE settings_head (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version  bigint NOT NULL
);
INSERT INTO settings_head (version) VALUES (0);
