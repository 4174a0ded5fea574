-- Leasing: pending | retrying -> processing. Leasing never waits for a task's lock, so it cannot deadlock with anything.
-- Rows are looked up through LATERAL subqueries with OFFSET 0 and changed by ctid: see task_settle.sql.

-- macro: LEASE_SET
status = 'processing', epoch = t.epoch + 1, attempt = t.attempt + 1, leased_by = r.agent_id, leased_at = now(),
lease_ms = coalesce(t.lease_own_ms, r.lease_ms), progress = NULL,
lease_until = now() + least(coalesce(t.lease_own_ms, r.lease_ms), t.timeout_ms) * interval '1 millisecond',
deadline_at = now() + t.timeout_ms * interval '1 millisecond', started_at = coalesce(t.started_at, now())
-- end

-- macro: LEASE_CONSEQUENCES
begun AS (
    -- A workflow that another transaction holds is skipped: its settlement marks it as running.
    UPDATE workflows SET status = 'running', started_at = now()
    WHERE ctid = ANY(ARRAY(
        SELECT w.tid
        FROM (SELECT DISTINCT tenant, workflow_id FROM leased WHERE workflow_id IS NOT NULL) l
            CROSS JOIN LATERAL (SELECT ctid AS tid FROM workflows
                WHERE tenant = l.tenant AND id = l.workflow_id AND (status = 'pending') IS TRUE
                FOR NO KEY UPDATE SKIP LOCKED OFFSET 0) w))
    RETURNING tenant, id
), said AS (
    INSERT INTO {EVENTS}
    SELECT tenant, now(), workflow_id, '[{"kind":"task.started","subject":["' || string_agg(id::text, '","')
        || '"],"data":{},"each":{"agent_id":[' || string_agg(to_json(leased_by)::text, ',')
        || '],"epoch":[' || string_agg(epoch::text, ',') || '],"attempt":[' || string_agg(attempt::text, ',') || ']}}]'
    FROM leased GROUP BY tenant, workflow_id
    UNION ALL SELECT tenant, now(), id, '[{"kind":"workflow.started","subject":"' || id || '"}]' FROM begun
)
-- end

-- macro: LEASED
t.tenant, t.id, t.workflow_id, t.key, t.role, t.description, t.priority, t.input_data, t.feedback, t.labels, t.epoch,
t.attempt, t.round, t.max_retries, t.timeout_ms, t.leased_by, t.lease_ms, t.lease_until, t.deadline_at, t.leased_at,
t.ready_at
-- end

-- macro: NOT_LEASED
NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
-- end

-- macro: LEASE_COLUMNS
l.id, l.epoch, l.lease_until, (l.lease_ms / 1000.0)::float8 AS lease_s, l.workflow_id, l.key, l.role, l.description,
l.priority,
CASE WHEN l.workflow_id IS NULL OR l.input_data IS NOT NULL THEN l.input_data
    ELSE (SELECT w.input_data FROM workflows w WHERE w.tenant = l.tenant AND w.id = l.workflow_id) END AS input_data,
CASE WHEN l.workflow_id IS NULL THEN '{}' ELSE
    (SELECT coalesce(json_object_agg(p.key, p.output_data ORDER BY p.id) FILTER (WHERE NOT p.skipped), '{}')
     FROM task_dependencies d JOIN tasks p ON p.tenant = d.tenant AND p.id = d.depends_on
     WHERE d.tenant = l.tenant AND d.task_id = l.id) END AS dependencies,
l.feedback, l.round, l.attempt, l.max_retries, l.timeout_ms / 1000 AS timeout_s, l.deadline_at, l.labels,
-- A bit of the id says whether there may be one (shared/trace.h): a look for nothing would cost each lease.
CASE WHEN get_byte(uuid_send(l.id), 13) & 1 = 1 THEN (SELECT json_build_array(x.traceparent, x.tracestate, (extract(epoch FROM l.ready_at) * 1000000)::int8,
     (extract(epoch FROM l.leased_at) * 1000000)::int8)
 FROM task_traces x WHERE x.tenant = l.tenant AND x.task_id = l.id) END AS _trace
-- end

-- macro: PLAIN
tenant = w.tenant AND queue = w.queue AND status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND NOT special
-- end

-- macro: SPECIAL
tenant = w.tenant AND queue = w.queue AND status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND special
-- end

-- macro: PRIORITIES
-- With the floor of each in queue w, computed before it is searched with: the planner lets only plain comparisons of
-- columns into an index scan of a table with row level security.
LATERAL (SELECT n AS priority, 'epoch'::timestamptz + w.floors[n] * interval '1 microsecond' AS floor
    FROM generate_series(10, 1, -1) AS n OFFSET 0) AS p
-- end

-- macro: LEASE_DEALT
-- What was picked goes to the requests in their order.
), leased AS (
    UPDATE tasks t SET {LEASE_SET}
    FROM (SELECT o.tid, o.nth, r.ord, r.want, r.agent_id, r.lease_ms
        FROM (SELECT tid, ord, row_number() OVER (PARTITION BY ord ORDER BY priority DESC, ready_at, id) AS nth FROM picked) o
            -- FULL JOIN, for it can only be hashed: the planner takes a batch for ten rows and would compare each with each.
            FULL JOIN req r ON r.ord = o.ord OFFSET 0) r
    WHERE t.ctid = r.tid AND r.nth <= r.want
    RETURNING r.ord, r.nth, {LEASED}
), {LEASE_CONSEQUENCES}
SELECT l.ord, {LEASE_COLUMNS}
FROM (SELECT * FROM leased UNION ALL
    SELECT ord, NULL, {NOT_LEASED} FROM req WHERE tenant IN (SELECT id FROM limited)) l
ORDER BY l.ord, l.nth
-- end

-- name: task_lease :batch
-- For tenants without limits and agents without a bound; a tenant that has limits by now gets nothing but a row without
-- an id, which says so. Requests are grouped by the queue they may take from; each queue is selected from once, for all
-- of them, because SKIP LOCKED does not skip what the same transaction locked. A group's requests are arrays in order:
-- upto[i] is the number of the last task that the i-th has room for.
WITH limited AS MATERIALIZED (
    SELECT id FROM tenants WHERE id = ANY(@tenant::int[]) AND throttles
), req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @queues::json[], @agent_id::text[], @max::int[], @lease_ms::int[])
        WITH ORDINALITY AS r(tenant, queues, agent_id, want, lease_ms, ord)
), line AS (
    SELECT r.ord, r.tenant, q.queue, r.want, sum(r.want) OVER (PARTITION BY r.tenant, q.queue ORDER BY r.ord) AS upto
    FROM req r CROSS JOIN LATERAL json_array_elements_text(r.queues) AS q(queue)
    WHERE r.tenant NOT IN (SELECT id FROM limited)
), wanted AS MATERIALIZED (
    SELECT tenant, queue, max(upto)::int AS want, array_agg(ord ORDER BY ord) AS ords, array_agg(upto ORDER BY ord) AS upto
    FROM line GROUP BY tenant, queue ORDER BY tenant, queue
), picked AS MATERIALIZED (
    SELECT t.*, w.ords[width_bucket(t.place - 1, w.upto) + 1] AS ord
    FROM wanted w CROSS JOIN LATERAL (
        SELECT *, row_number() OVER (ORDER BY priority DESC, ready_at, id) AS place
        FROM (SELECT ctid AS tid, id, priority, ready_at FROM tasks
            WHERE {PLAIN}
            ORDER BY priority DESC, ready_at, id LIMIT w.want FOR UPDATE SKIP LOCKED) t) t
{LEASE_DEALT};

-- name: task_lease_above :batch
-- The same for requests that know floors of a queue (worker/floors.h): it is looked at from these on, one priority after
-- the other, and no more of them than are needed. A statement of its own, because its plan takes longer to start.
WITH limited AS MATERIALIZED (
    SELECT id FROM tenants WHERE id = ANY(@tenant::int[]) AND throttles
), req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @queues::json[], @agent_id::text[], @max::int[], @lease_ms::int[],
            @floors::json[])
        WITH ORDINALITY AS r(tenant, queues, agent_id, want, lease_ms, floors, ord)
), line AS (
    SELECT r.ord, r.tenant, q.queue, r.want, r.floors ->> (q.nth - 1)::int AS floors,
        sum(r.want) OVER (PARTITION BY r.tenant, q.queue ORDER BY r.ord) AS upto
    FROM req r CROSS JOIN LATERAL json_array_elements_text(r.queues) WITH ORDINALITY AS q(queue, nth)
    WHERE r.tenant NOT IN (SELECT id FROM limited)
), wanted AS MATERIALIZED (
    SELECT tenant, queue, max(upto)::int AS want, min(floors)::int8[] AS floors, array_agg(ord ORDER BY ord) AS ords,
        array_agg(upto ORDER BY ord) AS upto
    FROM line GROUP BY tenant, queue ORDER BY tenant, queue
), picked AS MATERIALIZED (
    SELECT t.*, w.ords[width_bucket(t.place - 1, w.upto) + 1] AS ord
    FROM wanted w CROSS JOIN LATERAL (
        SELECT *, row_number() OVER (ORDER BY priority DESC, ready_at, id) AS place
        FROM (SELECT * FROM (
                SELECT ctid AS tid, id, priority, ready_at FROM tasks
                WHERE w.floors IS NULL AND {PLAIN}
                ORDER BY priority DESC, ready_at, id LIMIT w.want FOR UPDATE SKIP LOCKED) head
            UNION ALL
            SELECT * FROM (
                SELECT t.* FROM {PRIORITIES} CROSS JOIN LATERAL (
                    SELECT ctid, id, priority, ready_at FROM tasks
                    WHERE {PLAIN} AND priority = p.priority AND ready_at >= p.floor
                    ORDER BY ready_at, id LIMIT w.want FOR UPDATE SKIP LOCKED) t
                WHERE w.floors IS NOT NULL LIMIT w.want) above) t) t
{LEASE_DEALT};

-- macro: WINDOW_START
to_timestamp(floor(extract(epoch FROM now()) * 1000 / l.window_ms) * l.window_ms / 1000)
-- end

-- macro: CLOSER
ctid AS tid, id, priority, ready_at, role, labels, requires, concurrency_key
-- end

-- macro: DOABLE
-- What nobody of this batch can do is not looked at, however much of it there is.
(requires IS NULL OR EXISTS (
    SELECT FROM line l WHERE l.tenant = w.tenant AND l.queue = w.queue AND NOT EXISTS (
        SELECT json_array_elements_text(t.requires) EXCEPT SELECT json_array_elements_text(l.capabilities))))
-- end

-- name: task_lease_closely :batch
-- The same with all that may hold a task back: an agent's max_concurrent and capabilities, concurrency keys, limits. The
-- locks of the first two statements make the counting of the third exact: an agent's requests follow one another, and so
-- do those of a tenant that has limits.
SELECT a.agent_id
FROM (SELECT DISTINCT tenant, agent_id FROM unnest(@tenant::int[], @agent_id::text[]) AS q(tenant, agent_id)
        ORDER BY tenant, agent_id) r
    CROSS JOIN LATERAL (SELECT agent_id FROM agents
        WHERE tenant = r.tenant AND agent_id = r.agent_id FOR NO KEY UPDATE OFFSET 0) a;
SELECT pg_advisory_xact_lock(1635083380, t.id)
FROM (SELECT id FROM tenants WHERE id = ANY(@tenant::int[]) AND throttles ORDER BY id) t;
WITH asked AS MATERIALIZED (
    SELECT r.ord, r.tenant, r.queues, r.agent_id, r.lease_ms, r.want, r.floors, r.floors_special,
        coalesce(r.capabilities, a.capabilities) AS capabilities,
        least(a.max_concurrent - h.held, (
            SELECT min(l.value - CASE l.kind WHEN 'concurrency' THEN h.held ELSE coalesce((
                SELECT c.started FROM limit_windows c
                WHERE c.tenant = l.tenant AND c.counter = l.counter AND c.began_at = {WINDOW_START}), 0) END)
            FROM (SELECT tenant, kind, value, window_ms, name || ':' || r.agent_id AS counter FROM limits
                WHERE tenant = r.tenant AND key = 'agent' AND (match IS NULL OR match = r.agent_id) OFFSET 0) l))::int AS room
    FROM unnest(@tenant::int[], @queues::json[], @agent_id::text[], @max::int[], @lease_ms::int[], @capabilities::json[],
            @floors::json[], @floors_special::json[])
            WITH ORDINALITY AS r(tenant, queues, agent_id, want, lease_ms, capabilities, floors, floors_special, ord)
        LEFT JOIN LATERAL (SELECT max_concurrent, capabilities FROM agents
            WHERE tenant = r.tenant AND agent_id = r.agent_id OFFSET 0) a ON true
        LEFT JOIN LATERAL (SELECT count(*)::int AS held FROM tasks
            WHERE tenant = r.tenant AND leased_by = r.agent_id AND status = 'processing'
              AND (a.max_concurrent IS NOT NULL OR EXISTS (
                  SELECT FROM limits l WHERE l.tenant = r.tenant AND l.key = 'agent')) OFFSET 0) h ON true
), req AS MATERIALIZED (
    SELECT *, CASE WHEN room IS NULL THEN want
        ELSE greatest(0, least(want, room - coalesce(sum(want) OVER (PARTITION BY tenant, agent_id ORDER BY ord
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))) END::int AS may
    FROM asked
), line AS MATERIALIZED (
    SELECT r.ord, r.tenant, q.queue, r.may, r.capabilities, r.floors ->> (q.nth - 1)::int AS floors,
        r.floors_special ->> (q.nth - 1)::int AS floors_special
    FROM req r CROSS JOIN LATERAL json_array_elements_text(r.queues) WITH ORDINALITY AS q(queue, nth)
    WHERE r.may > 0
), wanted AS MATERIALIZED (
    -- More than is wanted of those that may have to be passed over.
    SELECT tenant, queue, sum(may)::int + CASE WHEN special OR EXISTS (
            SELECT FROM limits l WHERE l.tenant = line.tenant AND l.key <> 'agent') THEN 100 ELSE 0 END AS want,
        special, min(CASE WHEN special THEN floors_special ELSE floors END)::int8[] AS floors
    FROM line CROSS JOIN (VALUES (false), (true)) k(special) GROUP BY tenant, queue, special ORDER BY tenant, queue, special
), found AS MATERIALIZED (
    SELECT w.tenant, w.queue, t.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT {CLOSER} FROM tasks
            WHERE NOT w.special AND w.floors IS NULL AND {PLAIN}
            ORDER BY priority DESC, ready_at, id LIMIT w.want FOR UPDATE SKIP LOCKED) plain_head
        UNION ALL
        SELECT * FROM (
            SELECT t.* FROM {PRIORITIES} CROSS JOIN LATERAL (
                SELECT {CLOSER} FROM tasks
                WHERE {PLAIN} AND priority = p.priority AND ready_at >= p.floor
                ORDER BY ready_at, id LIMIT w.want FOR UPDATE SKIP LOCKED) t
            WHERE NOT w.special AND w.floors IS NOT NULL LIMIT w.want) plain_above
        UNION ALL
        SELECT * FROM (
            SELECT {CLOSER} FROM tasks t
            WHERE w.special AND w.floors IS NULL AND {SPECIAL} AND {DOABLE}
            ORDER BY priority DESC, ready_at, id LIMIT w.want FOR UPDATE SKIP LOCKED) special_head
        UNION ALL
        SELECT * FROM (
            SELECT t.* FROM {PRIORITIES} CROSS JOIN LATERAL (
                SELECT {CLOSER} FROM tasks t
                WHERE {SPECIAL} AND {DOABLE} AND priority = p.priority AND ready_at >= p.floor
                ORDER BY ready_at, id LIMIT w.want FOR UPDATE SKIP LOCKED) t
            WHERE w.special AND w.floors IS NOT NULL LIMIT w.want) special_above) t
), fitting AS MATERIALIZED (
    -- Who of this batch could take it, as far as capabilities go.
    SELECT f.tid, l.ord, l.may, sum(l.may) OVER (PARTITION BY f.tid ORDER BY l.ord) AS upto,
        sum(l.may) OVER (PARTITION BY f.tid) AS seats
    FROM found f JOIN line l ON l.tenant = f.tenant AND l.queue = f.queue
    WHERE f.requires IS NULL OR NOT EXISTS (
        SELECT json_array_elements_text(f.requires) EXCEPT SELECT json_array_elements_text(l.capabilities))
), counted AS MATERIALIZED (
    -- What each of them would count for. Only what can be taken counts, or it would keep others from their turn.
    SELECT f.tid, f.tenant, f.priority, f.ready_at, f.id, c.*
    FROM found f CROSS JOIN LATERAL (
        SELECT 'concurrency' AS kind, '#' || f.concurrency_key AS counter, 1 AS value, NULL::timestamptz AS began_at,
            NULL::int AS window_ms
        WHERE f.concurrency_key IS NOT NULL
        UNION ALL
        SELECT l.kind, l.name || ':' || v.value, l.value, CASE l.kind WHEN 'rate' THEN {WINDOW_START} END, l.window_ms
        FROM limits l
            CROSS JOIN LATERAL (SELECT CASE l.key WHEN 'role' THEN f.role WHEN 'label' THEN f.labels ->> l.label END) v(value)
        WHERE l.tenant = f.tenant AND v.value IS NOT NULL AND (l.match IS NULL OR l.match = v.value)) c
    WHERE f.tid IN (SELECT tid FROM fitting)
), room AS MATERIALIZED (
    SELECT c.tenant, c.counter, c.value - CASE c.kind WHEN 'concurrency' THEN (
            SELECT count(*) FROM task_slots s
                CROSS JOIN LATERAL (SELECT FROM tasks WHERE tenant = s.tenant AND id = s.task_id AND epoch = s.epoch
                    AND status = 'processing' OFFSET 0) t
            WHERE s.tenant = c.tenant AND s.counter = c.counter)
        ELSE coalesce((SELECT w.started FROM limit_windows w
            WHERE w.tenant = c.tenant AND w.counter = c.counter AND w.began_at = c.began_at), 0) END AS room
    FROM (SELECT DISTINCT tenant, counter, kind, value, began_at FROM counted) c
), refused AS MATERIALIZED (
    SELECT DISTINCT ON (c.tid) c.tid, c.counter
    FROM (SELECT *, row_number() OVER (PARTITION BY tenant, counter ORDER BY priority DESC, ready_at, id) AS nth
            FROM counted) c
        JOIN room r ON r.tenant = c.tenant AND r.counter = c.counter
    WHERE c.nth > r.room
    ORDER BY c.tid, c.kind DESC, c.counter
), admitted AS MATERIALIZED (
    SELECT f.*, row_number() OVER (PARTITION BY f.tenant, f.queue ORDER BY f.priority DESC, f.ready_at, f.id) AS place
    FROM found f
    WHERE f.tid IN (SELECT tid FROM fitting) AND f.tid NOT IN (SELECT tid FROM refused)
), offered AS MATERIALIZED (
    SELECT a.tid, f.ord, row_number() OVER (PARTITION BY f.ord ORDER BY a.priority DESC, a.ready_at, a.id) AS nth
    FROM admitted a JOIN fitting f ON f.tid = a.tid
        AND (a.place - 1) % f.seats >= f.upto - f.may AND (a.place - 1) % f.seats < f.upto
), leased AS (
    UPDATE tasks t SET {LEASE_SET}
    FROM (SELECT o.tid, o.nth, r.ord, r.may, r.agent_id, r.lease_ms
        FROM offered o FULL JOIN req r ON r.ord = o.ord OFFSET 0) r
    WHERE t.ctid = r.tid AND r.nth <= r.may
    RETURNING r.tid, r.ord, r.nth, {LEASED}
), parked AS (
    UPDATE tasks t SET ready_at = NULL, parked = r.counter
    FROM refused r
    WHERE t.ctid = r.tid
), slots AS (
    INSERT INTO task_slots (tenant, counter, task_id, epoch)
    SELECT l.tenant, c.counter, l.id, l.epoch
    FROM leased l JOIN counted c ON c.tid = l.tid AND c.kind = 'concurrency'
    ON CONFLICT (tenant, counter, task_id) DO UPDATE SET epoch = excluded.epoch
), windows AS (
    INSERT INTO limit_windows AS w (tenant, counter, began_at, started)
    SELECT tenant, counter, began_at, count(*)
    FROM (SELECT l.tenant, c.counter, c.began_at FROM leased l JOIN counted c ON c.tid = l.tid AND c.kind = 'rate'
        UNION ALL
        SELECT x.tenant, l.name || ':' || x.leased_by, {WINDOW_START}
        FROM leased x JOIN limits l ON l.tenant = x.tenant AND l.key = 'agent' AND l.kind = 'rate'
            AND (l.match IS NULL OR l.match = x.leased_by)) n
    GROUP BY tenant, counter, began_at
    ON CONFLICT (tenant, counter) DO UPDATE SET began_at = excluded.began_at,
        started = excluded.started + CASE WHEN w.began_at = excluded.began_at THEN w.started ELSE 0 END
), {LEASE_CONSEQUENCES}
-- A row without an id says: something was passed over, so there may be more behind it; ask again.
SELECT r.ord, {LEASE_COLUMNS}
FROM req r FULL JOIN leased l ON l.ord = r.ord
WHERE l.id IS NOT NULL OR (r.may > 0 AND EXISTS (SELECT FROM refused))
ORDER BY r.ord, l.nth;

-- macro: LOOK_TOOK
-- The last row says how long it took here: what the way to here and back takes on a busy machine tells nothing.
UNION ALL SELECT NULL, NULL, (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000000)::int8
-- end

-- macro: FLOORS_OF
w AS MATERIALIZED (SELECT @tenant::int AS tenant, @queue::text AS queue, @special::bool AS special,
    @floors::text::int8[] AS floors)
-- end

-- name: task_floors :many
-- The floors of one queue anew: what is ready first of each priority, above the floors that it has. What becomes ready
-- gets the time at which its transaction began; two seconds are left for those that have not committed yet.
WITH {FLOORS_OF}
SELECT p.priority, (extract(epoch FROM least(t.ready_at, now() - interval '2 seconds')) * 1000000)::int8 AS floor_us,
    NULL::int8 AS took_us
FROM w CROSS JOIN {PRIORITIES} LEFT JOIN LATERAL (
    (SELECT ready_at FROM tasks
        WHERE NOT w.special AND {PLAIN} AND priority = p.priority AND ready_at >= p.floor ORDER BY ready_at LIMIT 1)
    UNION ALL
    (SELECT ready_at FROM tasks
        WHERE w.special AND {SPECIAL} AND priority = p.priority AND ready_at >= p.floor ORDER BY ready_at LIMIT 1)) t ON true
{LOOK_TOOK};

-- name: task_stragglers :many
-- What is ready below the floors of one queue after all: a transaction that committed late, a task whose priority was
-- changed. Beside the leases, because it reads all that is dead there.
WITH {FLOORS_OF}
SELECT p.priority, (extract(epoch FROM t.ready_at) * 1000000)::int8 AS floor_us, NULL::int8 AS took_us
FROM w CROSS JOIN {PRIORITIES} CROSS JOIN LATERAL (
    (SELECT ready_at FROM tasks
        WHERE NOT w.special AND {PLAIN} AND priority = p.priority AND ready_at < p.floor ORDER BY ready_at LIMIT 1)
    UNION ALL
    (SELECT ready_at FROM tasks
        WHERE w.special AND {SPECIAL} AND priority = p.priority AND ready_at < p.floor ORDER BY ready_at LIMIT 1)) t
{LOOK_TOOK};

-- name: task_heartbeat :batch
-- gather: 50
-- Prolongs leases, never past the deadline of the attempt. The same holder's cancelled task is answered, not refused.
{LOCK_TASKS};
WITH req AS MATERIALIZED (
    SELECT * FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[], @progress::json[])
        WITH ORDINALITY AS r(tenant, id, epoch, progress, ord)
), beat AS (
    UPDATE tasks t SET progress = coalesce(r.progress, t.progress),
        lease_until = least(now() + t.lease_ms * interval '1 millisecond', t.deadline_at)
    FROM (SELECT DISTINCT ON (tenant, id, epoch) * FROM req ORDER BY tenant, id, epoch, ord DESC) r
        CROSS JOIN LATERAL (SELECT ctid AS tid, epoch AS current_epoch, status AS current_status FROM tasks
            WHERE tenant = r.tenant AND id = r.id OFFSET 0) held
    WHERE t.ctid = held.tid AND held.current_epoch = r.epoch AND held.current_status = 'processing'
    RETURNING t.tenant, t.id, t.epoch, t.lease_until
)
SELECT j.ord,
    CASE WHEN j.beaten THEN 'ok' WHEN t.id IS NULL THEN 'not_found'
        WHEN t.epoch = j.epoch AND t.status = 'cancelled' THEN 'ok' ELSE 'stale' END AS _result,
    t.id, t.status, j.lease_until, NOT j.beaten AS cancel, t.epoch AS _epoch
FROM (SELECT r.ord, r.tenant, r.id, r.epoch, b.id IS NOT NULL AS beaten, b.lease_until
    FROM req r FULL JOIN beat b ON b.tenant = r.tenant AND b.id = r.id AND b.epoch = r.epoch -- hashed: see task_lease
    OFFSET 0) j
    LEFT JOIN LATERAL (SELECT id, status, epoch FROM tasks
        WHERE tenant = j.tenant AND id = j.id OFFSET 0) t ON true
ORDER BY j.ord;

-- macro: PARKED_QUEUES
-- The distinct queues in which tasks wait for the counter c, one index probe each.
(WITH RECURSIVE q AS (
    (SELECT queue FROM tasks WHERE tenant = c.tenant AND parked = c.counter ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT t.queue FROM tasks t WHERE t.tenant = c.tenant AND t.parked = c.counter AND t.queue > q.queue
        ORDER BY t.queue LIMIT 1)
    FROM q WHERE q.queue IS NOT NULL)
SELECT queue FROM q WHERE queue IS NOT NULL)
-- end

-- macro: UNPARK
-- As many of each queue as became free: whoever asks first gets them, the others wait again.
UPDATE tasks SET parked = NULL, ready_at = CASE WHEN run_at IS NULL OR run_at <= now() THEN now() END
WHERE ctid = ANY(ARRAY(
    SELECT t.tid FROM counters c CROSS JOIN LATERAL {PARKED_QUEUES} q
        CROSS JOIN LATERAL (SELECT ctid AS tid FROM tasks
            WHERE tenant = c.tenant AND parked = c.counter AND queue = q.queue
            ORDER BY priority DESC, id LIMIT c.count FOR NO KEY UPDATE SKIP LOCKED) t))
RETURNING tenant, queue
-- end

-- name: task_unpark :batch
-- A task that counted for limits was settled: what waited for its place may be leased.
WITH freed AS (
    DELETE FROM task_slots s USING unnest(@tenant::int[], @id::uuid[], @epoch::int[]) AS r(tenant, id, epoch)
    WHERE s.tenant = r.tenant AND s.task_id = r.id AND s.epoch <= r.epoch
    RETURNING s.tenant, s.counter
), counters AS MATERIALIZED (
    SELECT tenant, counter, count(*)::int AS count FROM freed GROUP BY tenant, counter
), woken AS (
    {UNPARK}
)
SELECT r.ord, (SELECT json_agg(DISTINCT w.queue) FROM woken w WHERE w.tenant = r.tenant) AS _ready
FROM unnest(@tenant::int[]) WITH ORDINALITY AS r(tenant, ord)
ORDER BY r.ord;

-- name: keeper_unpark :many
-- all tenants: the keeper works for every one of them.
-- What waits for a limit that has room: because a window of a rate began, a worker died between the settlement and
-- task_unpark, or the limit was raised or taken away. And places: away with those whose holders have ended; for a new
-- limit, those of what was leased while it was made (statements have a time limit of seconds).
WITH RECURSIVE l AS MATERIALIZED (
    SELECT * FROM limits WHERE updated_at > now() - interval '1 minute'
), taken AS (
    INSERT INTO task_slots AS s (tenant, counter, task_id, epoch)
    {LIMIT_PLACES}
), ended AS (
    DELETE FROM task_slots s
    WHERE ctid = ANY(ARRAY(
        SELECT o.ctid FROM task_slots o
        WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.tenant = o.tenant AND t.id = o.task_id AND t.epoch = o.epoch
            AND t.status = 'processing')
        LIMIT 5000 FOR UPDATE SKIP LOCKED))
), p AS (
    (SELECT tenant, parked FROM tasks WHERE parked IS NOT NULL ORDER BY tenant, parked LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.parked
    FROM p CROSS JOIN LATERAL (SELECT tenant, parked FROM tasks
        WHERE parked IS NOT NULL AND (tenant, parked) > (p.tenant, p.parked) ORDER BY tenant, parked LIMIT 1) n
), counters AS MATERIALIZED (
    SELECT p.tenant, p.parked AS counter, room.count
    FROM p LEFT JOIN limits l ON l.tenant = p.tenant AND l.name = split_part(p.parked, ':', 1) AND p.parked NOT LIKE '#%'
        CROSS JOIN LATERAL (SELECT least(1000, CASE WHEN p.parked LIKE '#%' THEN 1 ELSE coalesce(l.value, 1000) END
            - CASE WHEN l.kind = 'rate' THEN coalesce((SELECT w.started FROM limit_windows w
                WHERE w.tenant = p.tenant AND w.counter = p.parked AND w.began_at = {WINDOW_START}), 0)
            ELSE (SELECT count(*) FROM task_slots s
                CROSS JOIN LATERAL (SELECT FROM tasks WHERE tenant = s.tenant AND id = s.task_id AND epoch = s.epoch
                    AND status = 'processing' OFFSET 0) t
                WHERE s.tenant = p.tenant AND s.counter = p.parked) END)::int AS count) room
    WHERE p.parked <> 'paused' AND room.count > 0
)
{UNPARK};

-- macro: BETWEEN
(tenant, queue) > (s.tenant, s.queue) AND (tenant, queue) < (s.end_tenant, s.end_queue) ORDER BY tenant, queue
-- end

-- name: ready_queues :many
-- all tenants: a worker asks for all that wait at it.
-- Which queues have work, one index probe each: nothing but the live part of the indexes is read. heavy: the queues with
-- floors, which the probes leave out: each of these is looked at above its floors.
WITH RECURSIVE heavy AS MATERIALIZED (
    SELECT tenant, queue, special, floors::int8[] AS floors
    FROM json_to_recordset(@heavy::json) AS h(tenant int, queue text, special boolean, floors text)
), spans AS MATERIALIZED (
    SELECT special, tenant, queue,
        coalesce(lead(tenant) OVER ordered, 2147483647) AS end_tenant, coalesce(lead(queue) OVER ordered, '') AS end_queue
    FROM (SELECT special, tenant, queue FROM heavy UNION ALL VALUES (false, -1, ''), (true, -1, '')) b
    WINDOW ordered AS (PARTITION BY special ORDER BY tenant, queue)
), plain AS (
    SELECT n.*, s.end_tenant, s.end_queue FROM spans s CROSS JOIN LATERAL (SELECT tenant, queue FROM tasks
        WHERE NOT s.special AND status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND NOT special
          AND {BETWEEN} LIMIT 1) n
    UNION ALL
    SELECT n.*, s.end_tenant, s.end_queue FROM plain s CROSS JOIN LATERAL (SELECT tenant, queue FROM tasks
        WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND NOT special
          AND {BETWEEN} LIMIT 1) n
), special AS (
    SELECT n.*, s.end_tenant, s.end_queue FROM spans s CROSS JOIN LATERAL (SELECT tenant, queue FROM tasks
        WHERE s.special AND status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND special
          AND {BETWEEN} LIMIT 1) n
    UNION ALL
    SELECT n.*, s.end_tenant, s.end_queue FROM special s CROSS JOIN LATERAL (SELECT tenant, queue FROM tasks
        WHERE status IN ('pending', 'retrying') AND ready_at IS NOT NULL AND special
          AND {BETWEEN} LIMIT 1) n
), direct AS (
    (SELECT tenant, to_agent_id FROM messages WHERE status = 'sent' AND to_agent_id IS NOT NULL
        ORDER BY tenant, to_agent_id LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.to_agent_id FROM direct q CROSS JOIN LATERAL (SELECT tenant, to_agent_id FROM messages
        WHERE status = 'sent' AND (tenant, to_agent_id) > (q.tenant, q.to_agent_id)
        ORDER BY tenant, to_agent_id LIMIT 1) n
), of_role AS (
    (SELECT tenant, to_role FROM messages WHERE status = 'sent' AND to_role IS NOT NULL ORDER BY tenant, to_role LIMIT 1)
    UNION ALL
    SELECT n.tenant, n.to_role FROM of_role q CROSS JOIN LATERAL (SELECT tenant, to_role FROM messages
        WHERE status = 'sent' AND (tenant, to_role) > (q.tenant, q.to_role) ORDER BY tenant, to_role LIMIT 1) n
)
SELECT tenant, queue FROM plain
UNION SELECT tenant, queue FROM special
UNION SELECT w.tenant, w.queue FROM heavy w
    WHERE NOT w.special AND EXISTS (SELECT FROM {PRIORITIES}
        CROSS JOIN LATERAL (SELECT FROM tasks WHERE {PLAIN} AND priority = p.priority AND ready_at >= p.floor LIMIT 1) t)
UNION SELECT w.tenant, w.queue FROM heavy w
    WHERE w.special AND EXISTS (SELECT FROM {PRIORITIES}
        CROSS JOIN LATERAL (SELECT FROM tasks WHERE {SPECIAL} AND priority = p.priority AND ready_at >= p.floor LIMIT 1) t)
UNION SELECT tenant, 'inbox ' || to_agent_id FROM direct
UNION SELECT tenant, 'inbox *' FROM of_role;
