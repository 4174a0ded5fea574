-- Templates of workflows: versions that are never changed, each with its compiled graph.
--
-- @builtin is a JSON array of those that agentd brings ({name, description, tasks}); their names are nobody else's.

-- macro: BUILTIN_TEMPLATES
SELECT b.name, 1 AS version, true AS builtin, b.description, b.tasks, NULL::text AS created_by,
    NULL::timestamptz AS created_at
FROM json_to_recordset(@builtin::json) AS b(name text, description text, tasks json)
-- end

-- macro: TEMPLATE_AUDIT
json_build_object('version', t.version, 'description', t.description, 'tasks', agentd_digest(t.tasks))
-- end

-- name: template_put :one
-- The same work again makes no new version; only its description may change then. One writer of a tenant at a time.
SELECT t.id FROM tenants t WHERE t.id = @tenant::int FOR NO KEY UPDATE;
WITH last AS MATERIALIZED (
    SELECT t.version, t.plan::text = @plan::json::text AS same, {TEMPLATE_AUDIT} AS was
    FROM templates t WHERE t.tenant = @tenant::int AND t.name = @name::text ORDER BY t.version DESC LIMIT 1
), made AS (
    INSERT INTO templates (tenant, name, version, description, tasks, plan, created_by, created_at)
    SELECT @tenant::int, @name::text, coalesce((SELECT version FROM last), 0) + 1, @description::text, @tasks::json,
        @plan::json, @actor::text, now()
    WHERE (SELECT same FROM last) IS NOT TRUE
    RETURNING *
), described AS (
    UPDATE templates t SET description = @description::text
    FROM last
    WHERE last.same AND t.tenant = @tenant::int AND t.name = @name::text AND t.version = last.version
    RETURNING t.*
), a AS (
    INSERT INTO {AUDIT}
    SELECT t.tenant, now(), @actor::text, @principal::text, 'template.put', 'template', t.name, (SELECT was FROM last),
        {TEMPLATE_AUDIT}, @address::text, @request_id::text
    FROM (SELECT * FROM made UNION ALL SELECT * FROM described) t
), said AS (
    INSERT INTO {EVENTS}
    SELECT m.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'template.updated', 'subject', m.name,
        'data', json_build_object('version', m.version)))
    FROM made m
)
SELECT t.name, t.version, false AS builtin, t.description, json_array_length(t.tasks) AS task_count, t.tasks,
    t.created_by, t.created_at, CASE WHEN t.is_new AND t.version = 1 THEN 201 ELSE 200 END AS _status
FROM (SELECT *, true AS is_new FROM made UNION ALL SELECT *, false FROM described) t;

-- name: template_get :one
SELECT t.name, t.version, t.builtin, t.description, json_array_length(t.tasks) AS task_count, t.tasks, t.created_by,
    t.created_at
FROM (SELECT t.name, t.version, false AS builtin, t.description, t.tasks, t.created_by, t.created_at
    FROM templates t WHERE t.tenant = @tenant::int UNION ALL {BUILTIN_TEMPLATES}) t
WHERE t.name = @name::text AND (@version::int IS NULL OR t.version = @version::int)
ORDER BY t.builtin DESC, t.version DESC
LIMIT 1;

-- name: template_list :many
SELECT DISTINCT ON (t.name) t.name, t.version, t.builtin, t.description, json_array_length(t.tasks) AS task_count,
    t.created_by, t.created_at, t.name AS _cursor
FROM (SELECT t.name, t.version, false AS builtin, t.description, t.tasks, t.created_by, t.created_at
    FROM templates t WHERE t.tenant = @tenant::int UNION ALL {BUILTIN_TEMPLATES}) t
WHERE @cursor::text IS NULL OR t.name > @cursor::text
ORDER BY t.name, t.builtin DESC, t.version DESC
LIMIT @limit::int + 1;

-- name: template_delete :one
-- All its versions. Workflows that were made from it go on; a schedule that names it fails until it is there again.
WITH gone AS (
    DELETE FROM templates t WHERE t.tenant = @tenant::int AND t.name = @name::text RETURNING t.tenant, t.name
), one AS (
    SELECT tenant, name, count(*) AS versions FROM gone GROUP BY tenant, name
), a AS (
    INSERT INTO {AUDIT}
    SELECT o.tenant, now(), @actor::text, @principal::text, 'template.delete', 'template', o.name,
        json_build_object('versions', o.versions), NULL::json, @address::text, @request_id::text
    FROM one o
), said AS (
    INSERT INTO {EVENTS}
    SELECT o.tenant, now(), NULL::uuid, json_build_array(json_build_object('kind', 'template.deleted', 'subject', o.name))
    FROM one o
)
SELECT o.name, 204 AS _status FROM one o;
