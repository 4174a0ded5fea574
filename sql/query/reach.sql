-- What a request of a key with limited scopes is about, where its own words do not tell: looked up before the statement
-- itself is sent. A task keeps its role and a lease its holder, so nothing can change in between.

-- name: reach_task :batch
-- The role of a task, and who holds or held the lease of that epoch.
SELECT r.ord, t.role, CASE WHEN t.epoch = r.epoch THEN t.leased_by ELSE a.agent_id END AS agent
FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[]) WITH ORDINALITY AS r(tenant, id, epoch, ord)
    CROSS JOIN LATERAL (SELECT role, epoch, leased_by FROM tasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) t
    LEFT JOIN LATERAL (SELECT agent_id FROM agentd_attempts
        WHERE tenant = r.tenant AND task_id = r.id AND epoch = r.epoch LIMIT 1) a ON true
ORDER BY r.ord;

-- name: reach_holder :one
-- The same for the parameter's other name.
SELECT t.role, CASE WHEN t.epoch = @epoch::int THEN t.leased_by END AS agent
FROM tasks t
WHERE t.tenant = @tenant::int AND t.id = @task_id::uuid;

-- name: reach_subtask :batch
-- The same for the task that a step belongs to.
SELECT r.ord, t.role, CASE WHEN t.epoch = r.epoch THEN t.leased_by END AS agent
FROM unnest(@tenant::int[], @id::uuid[], @epoch::int[]) WITH ORDINALITY AS r(tenant, id, epoch, ord)
    CROSS JOIN LATERAL (SELECT task_id FROM subtasks WHERE tenant = r.tenant AND id = r.id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT role, epoch, leased_by FROM tasks WHERE tenant = r.tenant AND id = s.task_id OFFSET 0) t
ORDER BY r.ord;

-- name: reach_message :batch
-- Who received a message.
SELECT r.ord, NULL::text AS role, m.received_by AS agent
FROM unnest(@tenant::int[], @id::uuid[]) WITH ORDINALITY AS r(tenant, id, ord)
    CROSS JOIN LATERAL (SELECT received_by FROM messages WHERE tenant = r.tenant AND id = r.id OFFSET 0) m
ORDER BY r.ord;

-- name: reach_key :one
-- What a key may do that is to be rotated.
SELECT k.type, k.role, (SELECT string_agg(e.line, E'\n') FROM json_array_elements_text(k.scopes) AS e(line)) AS scopes
FROM api_keys k
WHERE k.tenant = @tenant::int AND k.key_id = @key_id::text
  AND (@all_keys::bool OR CASE WHEN @only_key::text IS NULL THEN k.owner_id = @actor_id::uuid ELSE k.key_id = @only_key::text END);
