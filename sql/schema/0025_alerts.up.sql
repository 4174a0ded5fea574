-- Alerts: rules, what they found, and who is told of it.

-- An id that sorts by time (UUID version 7), for rows that a statement makes by itself.
CREATE FUNCTION agentd_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_byte(b, 6, (get_byte(b, 6) & 15) | 112), 'hex')::uuid
    FROM (SELECT overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM now()) * 1000)::int8) FROM 3) FROM 1 FOR 6) AS b) r
$$;

-- subject: only this agent, queue or node. The condition has to hold for for_s before the alert fires, and not to hold
-- for keep_s before it is resolved.
CREATE TABLE alert_rules (
    tenant      integer NOT NULL,
    id          uuid NOT NULL,
    name        text NOT NULL,
    description text,
    metric      text NOT NULL,
    comparison  text NOT NULL CHECK (comparison IN ('>', '>=', '<', '<=', '==')),
    threshold   double precision NOT NULL,
    subject     text,
    window_s    integer NOT NULL,
    for_s       integer NOT NULL,
    keep_s      integer NOT NULL,
    severity    text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    labels      json NOT NULL DEFAULT '{}',
    active      boolean NOT NULL DEFAULT true,
    builtin     boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX alert_rules_name ON alert_rules (tenant, name);

-- One row from the moment at which a condition holds to its end. What the rule was then stays with it.
CREATE TABLE alerts (
    tenant      integer NOT NULL,
    id          uuid NOT NULL,
    rule_id     uuid NOT NULL,
    rule        text NOT NULL,
    metric      text NOT NULL,
    comparison  text NOT NULL,
    threshold   double precision NOT NULL,
    subject     text NOT NULL,
    severity    text NOT NULL,
    labels      json NOT NULL,
    state       text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    value       double precision,
    since       timestamptz NOT NULL,
    clear_since timestamptz,
    fired_at    timestamptz,
    resolved_at timestamptz,
    PRIMARY KEY (tenant, id)
);
-- An alert fires once, however many leaders there are.
CREATE UNIQUE INDEX alerts_live ON alerts (tenant, rule_id, subject) WHERE state <> 'resolved';
CREATE INDEX alerts_age ON alerts (resolved_at) WHERE state = 'resolved';

-- secret: sealed (shared/crypto_seal.h).
CREATE TABLE alert_channels (
    tenant       integer NOT NULL,
    id           uuid NOT NULL,
    name         text NOT NULL,
    type         text NOT NULL CHECK (type IN ('webhook')),
    url          text NOT NULL,
    secret       text NOT NULL,
    min_severity text NOT NULL,
    active       boolean NOT NULL DEFAULT true,
    disabled_reason text,
    delivered_at timestamptz,
    failed_at    timestamptz,
    error        text,
    created_by   text,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX alert_channels_name ON alert_channels (tenant, name);

-- What a channel is to be told: tried until it is delivered, refused for good, or given up. next_at is moved on before a
-- try, so that two do not try at once, and another leader tries what one took with it.
CREATE TABLE alert_deliveries (
    tenant        integer NOT NULL,
    id            uuid NOT NULL,
    channel_id    uuid NOT NULL,
    alert_id      uuid,
    event         text NOT NULL,
    body          text NOT NULL,
    status        text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts      integer NOT NULL DEFAULT 0,
    next_at       timestamptz,
    answer_status integer,
    error         text,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_at) WHERE status = 'pending';
CREATE INDEX alert_deliveries_channel ON alert_deliveries (tenant, channel_id, id);
CREATE INDEX alert_deliveries_alert ON alert_deliveries (tenant, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX alert_deliveries_age ON alert_deliveries (ended_at) WHERE status <> 'pending';

-- What the counters were a while ago: of agents, and of the tenant itself (agent_id ''). A rule's window reaches from
-- such a mark to now. What was counted before there were alerts is in no window.
CREATE TABLE alert_marks (
    tenant    integer NOT NULL,
    agent_id  text NOT NULL,
    at        timestamptz NOT NULL,
    completed bigint NOT NULL,
    failed    bigint NOT NULL,
    ms        bigint NOT NULL,
    timed     bigint NOT NULL,
    PRIMARY KEY (tenant, agent_id, at)
);
CREATE INDEX alert_marks_age ON alert_marks (at);
INSERT INTO alert_marks SELECT tenant, agent_id, '-infinity', completed, failed, ms, completed FROM agent_stats;
INSERT INTO alert_marks SELECT tenant, '', '-infinity', tasks_completed, tasks_failed, tasks_ms, tasks_timed FROM tenant_stats;

-- What each node says of itself, for whoever leads.
ALTER TABLE nodes ADD COLUMN disk_percent double precision, ADD COLUMN certificate_expires_at timestamptz;

SELECT agentd_guard('alert_rules'), agentd_guard('alerts'), agentd_guard('alert_channels'), agentd_guard('alert_deliveries'),
    agentd_guard('alert_marks');
