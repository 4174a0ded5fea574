-- Schedules: what is planned, and its firing. The planner is C (shared/cron.h): times come as seconds since 1970.
--
-- A firing moves next_at from the time that its caller saw to the one after it, and makes the workflow in the same
-- transaction. Whoever comes second sees another next_at and changes nothing: that is what makes it exactly once.
-- Locks are taken in one order: schedule, workflow, tasks.

-- macro: SCHEDULE_COLUMNS
s.id, s.name, s.cron, s.time_zone, s.description, s.template, s.tasks, s.input_data, s.labels, s.deadline_s, s.overlap,
s.catch_up, s.active, s.next_at, s.queued_at, s.last_at, s.last_workflow_id, s.fired, s.skipped, s.failures,
s.error_message, s.created_by, s.created_at, s.updated_at
-- end

-- macro: SCHEDULE_AUDIT
json_build_object('name', s.name, 'cron', s.cron, 'time_zone', s.time_zone, 'description', s.description,
    'template', s.template, 'tasks', agentd_digest(s.tasks), 'input_data', agentd_digest(s.input_data),
    'labels', s.labels, 'deadline_s', s.deadline_s, 'overlap', s.overlap, 'catch_up', s.catch_up, 'active', s.active)
-- end

-- macro: LOCK_SCHEDULE
SELECT s.id FROM schedules s WHERE s.tenant = @tenant::int AND s.id = @id::uuid FOR NO KEY UPDATE
-- end

-- macro: SCHEDULE_PLAN
coalesce(s.plan, (SELECT t.plan FROM templates t
    WHERE t.tenant = s.tenant AND t.name = s.template ORDER BY t.version DESC LIMIT 1))
-- end

-- macro: SCHEDULE_LIVE
EXISTS (SELECT FROM workflows w
    WHERE w.tenant = s.tenant AND w.schedule_id = s.id AND w.status IN ('pending', 'running'))
-- end

-- macro: NO_SUCH_TEMPLATE
(@template::text IS NOT NULL AND @plan::json IS NULL AND NOT EXISTS (
    SELECT FROM templates t WHERE t.tenant = @tenant::int AND t.name = @template::text))
-- end

-- macro: SCHEDULED_WORKFLOW
-- From s, the schedule with its plan, where p has a row.
w AS (
    INSERT INTO workflows (tenant, id, schedule_id, description, template, labels, input_data, created_by, created_at,
        deadline_at, tasks_total)
    SELECT p.tenant, p.workflow_id, s.id, coalesce(s.description, s.name), s.template, s.labels, s.input_data,
        'schedule ' || s.name, now(), now() + s.deadline_s * interval '1 second', json_array_length(p.plan -> 'tasks')
    FROM p CROSS JOIN s
    RETURNING *
)
-- end

-- macro: CREATED_ITEM
json_build_object('kind', 'workflow.created', 'subject', w.id, 'data', json_build_object('description', w.description,
    'tasks', w.tasks_total, 'schedule_id', w.schedule_id))
-- end

-- name: schedule_create :one
WITH s AS (
    INSERT INTO schedules (tenant, id, name, cron, time_zone, description, template, tasks, plan, input_data, labels,
        deadline_s, overlap, catch_up, active, next_at, created_by, created_at, updated_at)
    SELECT @tenant::int, @id::uuid, @name::text, @cron::text, @time_zone::text, @description::text, @template::text,
        @tasks::json, @plan::json, @input_data::json, @labels::json, @deadline_s::int, @overlap::text, @catch_up::text,
        @active::bool, CASE WHEN @active::bool THEN to_timestamp(@next_s::int8) END, @actor::text, now(), now()
    WHERE NOT {NO_SUCH_TEMPLATE}
    ON CONFLICT (tenant, name) DO NOTHING
    RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT s.tenant, now(), @actor::text, @principal::text, 'schedule.create', 'schedule', s.id, NULL::json,
        {SCHEDULE_AUDIT}, @address::text, @request_id::text
    FROM s
), said AS (
    INSERT INTO {EVENTS}
    SELECT s.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'schedule.created', 'subject', s.id,
        'data', json_build_object('name', s.name, 'next_at', s.next_at)))
    FROM s
)
SELECT {SCHEDULE_COLUMNS}, u.unknown AS _unknown, CASE WHEN s.id IS NULL THEN
    format('there is a schedule with the name %s already; change it with PATCH, or take another name', @name::text)
    END AS _refused
FROM (SELECT {NO_SUCH_TEMPLATE} AS unknown) u LEFT JOIN s ON true;

-- macro: SCHEDULE_MATCH
-- What PATCH may change: see agentd_match().
to_hex(hashtextextended(ROW(s.name, s.description, s.cron, s.time_zone, s.template, s.tasks, s.input_data, s.labels,
    s.deadline_s, s.overlap, s.catch_up, s.active)::text, 0))
-- end

-- macro: SCHEDULE_IF_MATCH
SELECT agentd_match(@if_match::text, {SCHEDULE_MATCH})
FROM schedules s WHERE s.tenant = @tenant::int AND s.id = @id::uuid
  AND @if_match::text IS NOT NULL FOR NO KEY UPDATE
-- end

-- name: schedule_get :one
SELECT {SCHEDULE_COLUMNS}, {SCHEDULE_MATCH} AS _match FROM schedules s WHERE s.tenant = @tenant::int AND s.id = @id::uuid;

-- name: schedule_list :many
SELECT {SCHEDULE_COLUMNS}, s.id AS _cursor
FROM schedules s
WHERE s.tenant = @tenant::int
  AND (@cursor::uuid IS NULL OR s.id < @cursor::uuid)
  AND (@active::bool IS NULL OR s.active = @active::bool)
  AND (@name::text IS NULL OR s.name = @name::text)
ORDER BY s.id DESC
LIMIT @limit::int + 1;

-- name: schedule_patch :one
-- next_s was computed for planned_cron in planned_zone. If that is not what the schedule would have, nothing changes and
-- _cron and _zone say what it would have: the caller computes and asks again.
{SCHEDULE_IF_MATCH};
{LOCK_SCHEDULE};
WITH o AS MATERIALIZED (
    SELECT s.tenant, s.id, s.cron, s.time_zone, s.active, {SCHEDULE_AUDIT} AS was, coalesce(@cron::text, s.cron) AS new_cron,
        coalesce(@time_zone::text, s.time_zone) AS new_zone, {NO_SUCH_TEMPLATE} AS unknown,
        EXISTS (SELECT FROM schedules x WHERE x.tenant = s.tenant AND x.name = @name::text AND x.id <> s.id) AS taken
    FROM schedules s WHERE s.tenant = @tenant::int AND s.id = @id::uuid
), n AS MATERIALIZED (
    SELECT o.*, coalesce(@active::bool, o.active) AS new_active,
        o.cron <> o.new_cron OR o.time_zone <> o.new_zone OR coalesce(@active::bool, o.active) <> o.active AS replanned,
        coalesce(@active::bool, false) AND NOT o.active OR @template::text IS NOT NULL OR @tasks::json IS NOT NULL
            AS hopeful
    FROM o
    WHERE o.new_cron = @planned_cron::text AND o.new_zone = @planned_zone::text AND NOT o.unknown AND NOT o.taken
), s AS (
    UPDATE schedules s SET name = coalesce(@name::text, s.name), cron = n.new_cron, time_zone = n.new_zone,
        description = coalesce(@description::text, s.description),
        template = CASE WHEN @tasks::json IS NULL THEN coalesce(@template::text, s.template) END,
        tasks = CASE WHEN @template::text IS NULL THEN coalesce(@tasks::json, s.tasks) END,
        plan = CASE WHEN @template::text IS NULL AND @tasks::json IS NULL THEN s.plan ELSE @plan::json END,
        input_data = coalesce(@input_data::json, s.input_data), labels = coalesce(@labels::json, s.labels),
        deadline_s = coalesce(@deadline_s::int, s.deadline_s), overlap = coalesce(@overlap::text, s.overlap),
        catch_up = coalesce(@catch_up::text, s.catch_up), active = n.new_active,
        next_at = CASE WHEN NOT n.replanned THEN s.next_at WHEN n.new_active THEN to_timestamp(@next_s::int8) END,
        queued_at = CASE WHEN NOT n.replanned THEN s.queued_at END,
        failures = CASE WHEN n.hopeful THEN 0 ELSE s.failures END,
        error_message = CASE WHEN NOT n.hopeful THEN s.error_message END, updated_at = now()
    FROM n WHERE s.tenant = n.tenant AND s.id = n.id
    RETURNING s.*, n.active AS was_active, n.was
), a AS (
    INSERT INTO {AUDIT}
    SELECT s.tenant, now(), @actor::text, @principal::text, 'schedule.update', 'schedule', s.id, s.was,
        {SCHEDULE_AUDIT}, @address::text, @request_id::text
    FROM s
), said AS (
    INSERT INTO {EVENTS}
    SELECT s.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', CASE
            WHEN s.was_active AND NOT s.active THEN 'schedule.paused'
            WHEN s.active AND NOT s.was_active THEN 'schedule.resumed' ELSE 'schedule.updated' END, 'subject', s.id,
        'data', json_build_object('name', s.name, 'next_at', s.next_at, 'by', @actor::text)))
    FROM s
)
SELECT {SCHEDULE_COLUMNS}, {SCHEDULE_MATCH} AS _match, o.unknown AS _unknown, o.new_cron AS _cron, o.new_zone AS _zone,
    CASE WHEN o.taken THEN
    format('there is another schedule with the name %s; take another name', @name::text) END AS _refused
FROM o LEFT JOIN s ON true;

-- name: schedule_delete :one
-- Its workflows stay.
{SCHEDULE_IF_MATCH};
WITH s AS (
    DELETE FROM schedules s WHERE s.tenant = @tenant::int AND s.id = @id::uuid RETURNING *
), a AS (
    INSERT INTO {AUDIT}
    SELECT s.tenant, now(), @actor::text, @principal::text, 'schedule.delete', 'schedule', s.id, {SCHEDULE_AUDIT},
        NULL::json, @address::text, @request_id::text
    FROM s
), said AS (
    INSERT INTO {EVENTS}
    SELECT s.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'schedule.deleted', 'subject', s.id))
    FROM s
)
SELECT s.id, 204 AS _status FROM s;

-- name: schedule_run :one
-- At once and outside the plan: next_at stays, and what of the schedule is alive does not matter.
{LOCK_SCHEDULE};
WITH s AS MATERIALIZED (
    SELECT s.*, {SCHEDULE_PLAN} AS compiled FROM schedules s WHERE s.tenant = @tenant::int AND s.id = @id::uuid
), p AS MATERIALIZED (
    SELECT s.tenant, @workflow_id::uuid AS workflow_id, NULL::uuid AS parent_id, @new_id::text AS base, s.compiled AS plan,
        @traceparent::text AS traceparent, @tracestate::text AS tracestate
    FROM s WHERE s.compiled IS NOT NULL
), {SCHEDULED_WORKFLOW}, {PLAN_ROWS}, moved AS (
    UPDATE schedules x SET fired = x.fired + 1, last_at = now(), last_workflow_id = w.id
    FROM w WHERE x.tenant = w.tenant AND x.id = w.schedule_id
), a AS (
    INSERT INTO {AUDIT}
    SELECT w.tenant, now(), @actor::text, @principal::text, 'schedule.run', 'schedule', w.schedule_id, NULL::json,
        json_build_object('workflow_id', w.id), @address::text, @request_id::text
    FROM w
), said AS (
    INSERT INTO {EVENTS}
    SELECT w.tenant, now(), w.id, json_build_array(json_build_object('kind', 'schedule.fired', 'subject', w.schedule_id,
        'data', json_build_object('workflow_id', w.id, 'by', @actor::text)), {CREATED_ITEM})
    FROM w
)
SELECT {WORKFLOW_COLUMNS}, CASE WHEN w.id IS NULL THEN
        format('there is no template %s any more; PUT it again, or give the schedule another one', s.template)
    END AS _refused, (SELECT json_agg(DISTINCT t.queue) FROM t WHERE t.ready_at IS NOT NULL) AS _ready
FROM s LEFT JOIN w ON true;

-- name: keeper_schedules :many
-- all tenants: the keeper works for every one of them. One that waits for its workflow to end is due when that has ended.
SELECT s.tenant, s.id, s.name, s.cron, s.time_zone, s.catch_up, extract(epoch FROM s.next_at)::int8 AS due_s,
    s.queued_at IS NOT NULL AS queued, floor(extract(epoch FROM now()))::int8 AS now_s
FROM schedules s JOIN tenants n ON n.id = s.tenant AND n.active
WHERE s.next_at <= now() AND NOT (s.queued_at IS NOT NULL AND s.overlap = 'queue' AND {SCHEDULE_LIVE})
ORDER BY s.next_at
LIMIT 100;

-- name: schedule_fire :one
-- start: false skips what is due without a firing. missed: times before it that are given up with it. A result of
-- `waiting` or `no_template` has changed nothing but queued_at; no row: somebody else was first.
{LOCK_SCHEDULE};
SELECT w.id FROM schedules s JOIN workflows w ON w.tenant = s.tenant AND w.schedule_id = s.id
WHERE s.tenant = @tenant::int AND s.id = @id::uuid AND s.next_at = to_timestamp(@due_s::int8) AND s.overlap = 'cancel'
  AND @start::bool AND w.status IN ('pending', 'running')
ORDER BY w.id FOR NO KEY UPDATE OF w;
WITH w AS (
    UPDATE workflows w SET status = 'cancelled', completed_at = now(),
        error_message = format('cancelled: its schedule %s fired again', s.name),
        tasks_cancelled = (SELECT count(*) FROM tasks t WHERE t.tenant = w.tenant AND t.workflow_id = w.id
            AND (t.status IN ({LIVE}) OR t.status = 'cancelled' AND NOT t.skipped))
    FROM schedules s
    WHERE s.tenant = @tenant::int AND s.id = @id::uuid AND s.next_at = to_timestamp(@due_s::int8) AND s.overlap = 'cancel'
      AND @start::bool AND {SCHEDULE_PLAN} IS NOT NULL
      AND w.tenant = s.tenant AND w.schedule_id = s.id AND w.status IN ('pending', 'running')
    RETURNING w.*
), {DROP_TASKS}
SELECT w.id FROM w;
WITH s AS MATERIALIZED (
    SELECT s.*, c.compiled, CASE WHEN NOT @start::bool THEN 'skipped' WHEN c.compiled IS NULL THEN 'no_template'
        WHEN s.overlap = 'skip' AND c.live THEN 'skipped' WHEN s.overlap = 'queue' AND c.live THEN 'waiting'
        ELSE 'fired' END AS result
    FROM schedules s CROSS JOIN LATERAL (SELECT {SCHEDULE_PLAN} AS compiled, {SCHEDULE_LIVE} AS live OFFSET 0) c
    WHERE s.tenant = @tenant::int AND s.id = @id::uuid AND s.next_at = to_timestamp(@due_s::int8)
), p AS MATERIALIZED (
    SELECT s.tenant, @workflow_id::uuid AS workflow_id, NULL::uuid AS parent_id, @new_id::text AS base, s.compiled AS plan,
        NULL::text AS traceparent, NULL::text AS tracestate
    FROM s WHERE s.result = 'fired'
), {SCHEDULED_WORKFLOW}, {PLAN_ROWS}, moved AS (
    UPDATE schedules x SET next_at = to_timestamp(@next_s::int8), queued_at = NULL,
        skipped = x.skipped + @missed::int8 + CASE s.result WHEN 'skipped' THEN 1 ELSE 0 END,
        fired = x.fired + (SELECT count(*) FROM w), last_at = coalesce((SELECT w.created_at FROM w), x.last_at),
        last_workflow_id = coalesce((SELECT w.id FROM w), x.last_workflow_id),
        failures = CASE s.result WHEN 'fired' THEN 0 ELSE x.failures END,
        error_message = CASE s.result WHEN 'fired' THEN NULL ELSE x.error_message END
    FROM s WHERE s.result IN ('fired', 'skipped') AND x.tenant = s.tenant AND x.id = s.id
), queued AS (
    UPDATE schedules x SET queued_at = x.next_at
    FROM s WHERE s.result = 'waiting' AND x.tenant = s.tenant AND x.id = s.id AND x.queued_at IS NULL
), said AS (
    INSERT INTO {EVENTS}
    SELECT s.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'schedule.skipped', 'subject', s.id,
        'data', json_build_object('due_at', s.next_at, 'count', @missed::int8 + CASE s.result WHEN 'skipped' THEN 1 ELSE 0 END,
            'why', CASE WHEN s.result = 'skipped' AND @start::bool THEN 'overlap' ELSE 'missed' END)))
    FROM s WHERE s.result = 'skipped' OR s.result = 'fired' AND @missed::int8 > 0
    UNION ALL
    SELECT w.tenant, now(), w.id, json_build_array(json_build_object('kind', 'schedule.fired', 'subject', w.schedule_id,
        'data', json_build_object('workflow_id', w.id, 'due_at', s.next_at)), {CREATED_ITEM})
    FROM w CROSS JOIN s
)
SELECT s.result, s.template, w.id AS workflow_id,
    (SELECT json_agg(DISTINCT t.queue) FROM t WHERE t.ready_at IS NOT NULL) AS _ready
FROM s LEFT JOIN w ON true;

-- name: schedule_fail :one
-- A firing that failed: with the next time it is tried again, after the last of five in a row the schedule is paused.
WITH s AS (
    UPDATE schedules s SET failures = s.failures + 1, queued_at = NULL,
        active = s.failures + 1 < 5 AND @next_s::int8 IS NOT NULL,
        next_at = CASE WHEN s.failures + 1 < 5 THEN to_timestamp(@next_s::int8) END,
        error_message = CASE WHEN @next_s::int8 IS NULL THEN 'paused: '
            WHEN s.failures + 1 >= 5 THEN 'paused after 5 failures in a row: ' ELSE '' END || @reason::text
    WHERE s.tenant = @tenant::int AND s.id = @id::uuid AND s.next_at = to_timestamp(@due_s::int8)
    RETURNING *
), said AS (
    INSERT INTO {EVENTS}
    SELECT s.tenant, now(), NULL::uuid, json_build_array(json_build_object(
        'kind', CASE WHEN s.active THEN 'schedule.failed' ELSE 'schedule.paused' END, 'subject', s.id,
        'data', json_build_object('due_at', to_timestamp(@due_s::int8), 'failures', s.failures, 'error', s.error_message)))
    FROM s
), healed AS (
    INSERT INTO recoveries (tenant, id, component, subject, action, attempt, error, outcome, began_at, ended_at)
    SELECT s.tenant, gen_random_uuid(), 'schedule', s.name, 'pause', 1, s.error_message, 'recovered', now(), now()
    FROM s WHERE NOT s.active
)
SELECT s.id, s.name, s.active, s.failures FROM s;
