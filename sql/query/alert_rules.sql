-- Rules of alerts.

-- macro: RULE_COLUMNS
r.id, r.name, r.description, r.metric, r.comparison, r.threshold, r.subject, r.window_s, r.for_s, r.keep_s, r.severity, r.labels,
r.active, r.builtin, r.created_at, r.updated_at
-- end

-- macro: RULE_AUDIT
json_build_object('name', r.name, 'metric', r.metric, 'comparison', r.comparison, 'threshold', r.threshold, 'subject', r.subject,
    'window_s', r.window_s, 'for_s', r.for_s, 'keep_s', r.keep_s, 'severity', r.severity, 'labels', r.labels, 'active', r.active)
-- end

-- name: alert_rule_create :one
WITH r AS (
    INSERT INTO alert_rules (tenant, id, name, description, metric, comparison, threshold, subject, window_s, for_s, keep_s,
        severity, labels, active, created_at, updated_at)
    VALUES (@tenant::int, @id::uuid, @name::text, @description::text, @metric::text, @comparison::text, @threshold::float8,
        @subject::text, @window_s::int, @for_s::int, @keep_s::int, @severity::text, coalesce(@labels::json, '{}'), @active::bool,
        now(), now())
    ON CONFLICT (tenant, name) DO NOTHING
    RETURNING *
), l AS (
    INSERT INTO {AUDIT}
    SELECT r.tenant, now(), @actor::text, @principal::text, 'alert_rule.create', 'alert_rule', r.id, NULL::json, {RULE_AUDIT},
        @address::text, @request_id::text
    FROM r
)
SELECT {RULE_COLUMNS}, CASE WHEN r.id IS NULL THEN
    format('there is a rule with the name %s already; change it with PATCH, or take another name', @name::text) END AS _refused
FROM (SELECT 1) one LEFT JOIN r ON true;

-- macro: RULE_MATCH
-- What PATCH may change: see agentd_match().
to_hex(hashtextextended(ROW(r.description, r.comparison, r.threshold, r.subject, r.window_s, r.for_s, r.keep_s, r.severity,
    r.labels, r.active)::text, 0))
-- end

-- macro: RULE_IF_MATCH
SELECT agentd_match(@if_match::text, {RULE_MATCH})
FROM alert_rules r WHERE r.tenant = @tenant::int AND r.id = @id::uuid
  AND @if_match::text IS NOT NULL FOR NO KEY UPDATE
-- end

-- name: alert_rule_get :one
SELECT {RULE_COLUMNS}, {RULE_MATCH} AS _match FROM alert_rules r WHERE r.tenant = @tenant::int AND r.id = @id::uuid;

-- name: alert_rule_list :many
SELECT {RULE_COLUMNS}, r.id AS _cursor
FROM alert_rules r
WHERE r.tenant = @tenant::int AND (@cursor::uuid IS NULL OR r.id < @cursor::uuid)
  AND (@name::text IS NULL OR r.name = @name::text)
ORDER BY r.id DESC
LIMIT @limit::int + 1;

-- name: alert_rule_patch :one
-- Only what is given changes. What fires by it is judged by the new rule at the next evaluation.
{RULE_IF_MATCH};
WITH o AS MATERIALIZED (
    SELECT {RULE_AUDIT} AS was FROM alert_rules r WHERE r.tenant = @tenant::int AND r.id = @id::uuid FOR NO KEY UPDATE
), r AS (
    UPDATE alert_rules r SET description = coalesce(@description::text, r.description),
        comparison = coalesce(@comparison::text, r.comparison), threshold = coalesce(@threshold::float8, r.threshold),
        subject = coalesce(@subject::text, r.subject), window_s = coalesce(@window_s::int, r.window_s),
        for_s = coalesce(@for_s::int, r.for_s), keep_s = coalesce(@keep_s::int, r.keep_s),
        severity = coalesce(@severity::text, r.severity), labels = coalesce(@labels::json, r.labels),
        active = coalesce(@active::bool, r.active), updated_at = now()
    FROM o
    WHERE r.tenant = @tenant::int AND r.id = @id::uuid
    RETURNING r.*, o.was
), l AS (
    INSERT INTO {AUDIT}
    SELECT r.tenant, now(), @actor::text, @principal::text, 'alert_rule.update', 'alert_rule', r.id, r.was, {RULE_AUDIT},
        @address::text, @request_id::text
    FROM r
)
SELECT {RULE_COLUMNS}, {RULE_MATCH} AS _match FROM r;

-- name: alert_rule_delete :one
-- What fires by it is resolved at the next evaluation.
{RULE_IF_MATCH};
WITH r AS (
    DELETE FROM alert_rules r WHERE r.tenant = @tenant::int AND r.id = @id::uuid AND NOT r.builtin RETURNING *
), l AS (
    INSERT INTO {AUDIT}
    SELECT r.tenant, now(), @actor::text, @principal::text, 'alert_rule.delete', 'alert_rule', r.id, {RULE_AUDIT}, NULL::json,
        @address::text, @request_id::text
    FROM r
)
SELECT CASE WHEN q.builtin THEN 'this rule is agentd''s own and would come back; silence it with PATCH {"active": false}' END AS _refused
FROM alert_rules q WHERE q.tenant = @tenant::int AND q.id = @id::uuid AND (q.builtin OR EXISTS (SELECT FROM r));
