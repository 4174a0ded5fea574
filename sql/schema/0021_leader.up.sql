-- Who leads the cluster, where only a pooler is reached: elsewhere an advisory lock says it.
CREATE TABLE keeper_lease (
    id integer PRIMARY KEY CHECK (id = 1),
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL
);
