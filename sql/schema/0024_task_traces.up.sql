-- The trace of the request that made a task (W3C Trace Context), for the agent that leases it; few tasks have one.

CREATE TABLE task_traces (
    tenant      integer     NOT NULL,
    task_id     uuid        NOT NULL,
    traceparent text        NOT NULL,
    tracestate  text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, task_id)
);
CREATE INDEX task_traces_created ON task_traces (created_at);
SELECT agentd_guard('task_traces');
