-- Who is told of alerts: channels, and what they were told.

-- macro: CHANNEL_COLUMNS
c.id, c.name, c.type, c.url, c.min_severity, c.active, c.disabled_reason, c.delivered_at, c.failed_at, c.error, c.created_by,
c.created_at, c.updated_at
-- end

-- macro: CHANNEL_AUDIT
-- The path of a URL is often a secret of its receiver.
json_build_object('name', c.name, 'type', c.type, 'host', split_part(c.url, '/', 3), 'url', agentd_digest(to_json(c.url)), 'min_severity', c.min_severity, 'active', c.active)
-- end

-- macro: DELIVERY_COLUMNS
d.id, d.channel_id, d.alert_id, d.event, d.status, d.attempts, CASE WHEN d.status = 'pending' THEN d.next_at END AS next_at,
d.answer_status, d.error, d.created_at, d.ended_at
-- end

-- name: alert_channel_create :one
WITH c AS (
    INSERT INTO alert_channels (tenant, id, name, type, url, secret, min_severity, active, created_by, created_at, updated_at)
    VALUES (@tenant::int, @channel_id::uuid, @name::text, @type::text, @url::text, @sealed::text, @min_severity::text,
        @active::bool, @actor::text, now(), now())
    ON CONFLICT (tenant, name) DO NOTHING
    RETURNING *
), l AS (
    INSERT INTO {AUDIT}
    SELECT c.tenant, now(), @actor::text, @principal::text, 'alert_channel.create', 'alert_channel', c.id, NULL::json,
        {CHANNEL_AUDIT}, @address::text, @request_id::text
    FROM c
)
SELECT {CHANNEL_COLUMNS}, CASE WHEN c.id IS NULL THEN
    format('there is a channel with the name %s already; change it with PATCH, or take another name', @name::text) END AS _refused
FROM (SELECT 1) one LEFT JOIN c ON true;

-- macro: CHANNEL_MATCH
-- What PATCH may change: see agentd_match().
to_hex(hashtextextended(ROW(c.url, c.min_severity, c.active)::text, 0))
-- end

-- macro: CHANNEL_IF_MATCH
SELECT agentd_match(@if_match::text, {CHANNEL_MATCH})
FROM alert_channels c WHERE c.tenant = @tenant::int AND c.id = @id::uuid
  AND @if_match::text IS NOT NULL FOR NO KEY UPDATE
-- end

-- name: alert_channel_get :one
SELECT {CHANNEL_COLUMNS}, {CHANNEL_MATCH} AS _match
FROM alert_channels c WHERE c.tenant = @tenant::int AND c.id = @id::uuid;

-- name: alert_channel_list :many
SELECT {CHANNEL_COLUMNS}, c.id AS _cursor
FROM alert_channels c
WHERE c.tenant = @tenant::int AND (@cursor::uuid IS NULL OR c.id < @cursor::uuid)
  AND (@name::text IS NULL OR c.name = @name::text)
ORDER BY c.id DESC
LIMIT @limit::int + 1;

-- name: alert_channel_patch :one
-- Only what is given changes. One that is made inactive is told nothing more, what was on its way included.
{CHANNEL_IF_MATCH};
WITH o AS MATERIALIZED (
    SELECT {CHANNEL_AUDIT} AS was FROM alert_channels c WHERE c.tenant = @tenant::int AND c.id = @id::uuid FOR NO KEY UPDATE
), c AS (
    UPDATE alert_channels c SET url = coalesce(@url::text, c.url), min_severity = coalesce(@min_severity::text, c.min_severity),
        active = coalesce(@active::bool, c.active),
        disabled_reason = CASE WHEN @active::bool THEN NULL ELSE c.disabled_reason END, updated_at = now()
    FROM o
    WHERE c.tenant = @tenant::int AND c.id = @id::uuid
    RETURNING c.*, o.was
), dropped AS (
    UPDATE alert_deliveries d SET status = 'failed', ended_at = now(), error = 'the channel was made inactive'
    FROM c
    WHERE d.tenant = @tenant::int AND d.channel_id = c.id AND d.status = 'pending' AND NOT c.active
), l AS (
    INSERT INTO {AUDIT}
    SELECT c.tenant, now(), @actor::text, @principal::text, 'alert_channel.update', 'alert_channel', c.id, c.was,
        {CHANNEL_AUDIT}, @address::text, @request_id::text
    FROM c
)
SELECT {CHANNEL_COLUMNS}, {CHANNEL_MATCH} AS _match FROM c;

-- name: alert_channel_delete :one
{CHANNEL_IF_MATCH};
WITH c AS (
    DELETE FROM alert_channels c WHERE c.tenant = @tenant::int AND c.id = @id::uuid RETURNING *
), told AS (
    DELETE FROM alert_deliveries d USING c WHERE d.tenant = @tenant::int AND d.channel_id = c.id
), l AS (
    INSERT INTO {AUDIT}
    SELECT c.tenant, now(), @actor::text, @principal::text, 'alert_channel.delete', 'alert_channel', c.id, {CHANNEL_AUDIT},
        NULL::json, @address::text, @request_id::text
    FROM c
)
SELECT c.id FROM c;

-- name: alert_channel_test :one
-- A message that is no alert; the leader sends it like one.
WITH d AS (
    INSERT INTO alert_deliveries AS d (tenant, id, channel_id, event, body, status, next_at, created_at)
    SELECT c.tenant, @new_id::uuid, c.id, 'alert.test', json_build_object('type', 'alert.test', 'timestamp',
        to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'data', json_build_object('channel', c.name,
            'message', 'this is a test of the channel; nothing has happened', 'by', @actor::text))::text, 'pending', now(), now()
    FROM alert_channels c WHERE c.tenant = @tenant::int AND c.id = @id::uuid AND c.active
    RETURNING d.*
), l AS (
    INSERT INTO {AUDIT}
    SELECT d.tenant, now(), @actor::text, @principal::text, 'alert_channel.test', 'alert_channel', d.channel_id, NULL::json,
        NULL::json, @address::text, @request_id::text
    FROM d
)
SELECT {DELIVERY_COLUMNS}, CASE WHEN NOT c.active THEN
    'the channel is not active: ' || coalesce(c.disabled_reason, 'somebody made it so') || '; PATCH {"active": true} makes it active'
    END AS _refused
FROM alert_channels c LEFT JOIN d ON true
WHERE c.tenant = @tenant::int AND c.id = @id::uuid;

-- name: alert_delivery_list :many
SELECT {DELIVERY_COLUMNS}, d.id AS _cursor
FROM alert_deliveries d
WHERE d.tenant = @tenant::int AND d.channel_id = @id::uuid AND (@cursor::uuid IS NULL OR d.id < @cursor::uuid)
ORDER BY d.id DESC
LIMIT @limit::int + 1;

-- name: alert_deliveries_claim :many
-- all tenants: the leader sends for every one of them.
-- Takes what is due, so that nobody else tries it within hold_s: a few of each channel, and of one alert the first only,
-- so that its end is not told before its beginning.
WITH due AS MATERIALIZED (
    SELECT d.tenant, d.id, d.channel_id, d.next_at FROM alert_deliveries d
    WHERE d.status = 'pending' AND d.next_at <= now()
      AND NOT EXISTS (SELECT FROM alert_deliveries e WHERE e.tenant = d.tenant AND e.alert_id = d.alert_id
        AND e.channel_id = d.channel_id AND e.status = 'pending' AND e.created_at < d.created_at)
    ORDER BY d.next_at LIMIT 1000
), first AS MATERIALIZED (
    SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY tenant, channel_id ORDER BY next_at) AS nth FROM due) n
    WHERE nth <= 4 ORDER BY next_at LIMIT @max::int
)
UPDATE alert_deliveries d SET attempts = d.attempts + 1, next_at = now() + @hold_s::int * interval '1 second'
FROM first f JOIN alert_channels c ON c.tenant = f.tenant AND c.id = f.channel_id
WHERE d.tenant = f.tenant AND d.id = f.id AND d.status = 'pending' AND d.next_at <= now()
RETURNING d.tenant, d.id, d.channel_id, d.event, d.body, d.attempts, extract(epoch FROM now())::int8 AS now_s, c.name, c.url, c.secret;

-- name: alert_delivery_done :one
-- What came of a try: status is pending if there is to be another after pause_s. gone: the receiver wants no more of it, so
-- the channel ends. sealed_again: its secret, sealed with the key in use now.
WITH d AS (
    UPDATE alert_deliveries d SET status = @status::text, answer_status = @answer_status::int, error = @error::text,
        next_at = CASE WHEN @status::text = 'pending' THEN now() + @pause_s::int * interval '1 second' END,
        ended_at = CASE WHEN @status::text <> 'pending' THEN now() END
    WHERE d.tenant = @tenant::int AND d.id = @id::uuid AND d.status = 'pending' AND d.attempts = @attempts::int
    RETURNING d.*
), c AS (
    UPDATE alert_channels c SET active = c.active AND NOT @gone::bool, error = @error::text,
        delivered_at = CASE WHEN @status::text = 'delivered' THEN now() ELSE c.delivered_at END,
        failed_at = CASE WHEN @status::text <> 'delivered' THEN now() ELSE c.failed_at END,
        disabled_reason = CASE WHEN @gone::bool THEN 'its receiver answered 410: it wants no more of this' ELSE c.disabled_reason END,
        secret = coalesce(@sealed_again::text, c.secret)
    FROM d
    WHERE c.tenant = @tenant::int AND c.id = d.channel_id
    RETURNING c.*
), dropped AS (
    UPDATE alert_deliveries e SET status = 'failed', ended_at = now(), error = c.disabled_reason
    FROM c
    WHERE @gone::bool AND e.tenant = @tenant::int AND e.channel_id = c.id AND e.status = 'pending' AND e.id <> @id::uuid
), l AS (
    INSERT INTO {AUDIT}
    SELECT c.tenant, now(), 'agentd', 'agentd', 'alert_channel.disable', 'alert_channel', c.id, json_build_object('active', true),
        json_build_object('active', false, 'reason', c.disabled_reason), NULL::text, NULL::text
    FROM c WHERE @gone::bool
)
SELECT d.status FROM d;
