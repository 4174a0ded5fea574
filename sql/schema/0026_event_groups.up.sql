-- From here on a row of events may hold groups, many events of one kind in a few words (shared/event_items.h): leases and
-- completions in batches. Who asks in SQL gets the events one by one from this function.
CREATE FUNCTION agentd_events(items text) RETURNS TABLE (n bigint, event json) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH item AS MATERIALIZED (
        SELECT i.n, json_typeof(i.value) = 'object' AND json_typeof(i.value -> 'each') = 'object' IS TRUE AS is_group, i.value
        FROM json_array_elements(items::json) WITH ORDINALITY AS i(value, n)
    ), head AS MATERIALIZED (
        SELECT n, '{"kind":' || (value -> 'kind') || ',"subject":' AS kind,
            trim(substr(value ->> 'data', 2, length(value ->> 'data') - 2)) AS members
        FROM item WHERE is_group
    ), cell AS (
        SELECT i.n, s.nth, NULL AS key, s.value
        FROM item i CROSS JOIN json_array_elements(i.value -> 'subject') WITH ORDINALITY AS s(value, nth)
        WHERE i.is_group
        UNION ALL
        SELECT i.n, v.nth, e.key, v.value
        FROM item i CROSS JOIN json_each(i.value -> 'each') e
            CROSS JOIN json_array_elements(e.value) WITH ORDINALITY AS v(value, nth)
        WHERE i.is_group
    ), single AS (
        SELECT n, nth, min(value::text) FILTER (WHERE key IS NULL) AS subject,
            string_agg(to_json(key) || ':' || value, ',') FILTER (WHERE key IS NOT NULL) AS members
        FROM cell GROUP BY n, nth
    )
    SELECT row_number() OVER (ORDER BY e.n, e.nth), e.event
    FROM (SELECT n, 0 AS nth, value AS event FROM item WHERE NOT is_group
        UNION ALL
        SELECT h.n, s.nth, (h.kind || s.subject || ',"data":{' || concat_ws(',', nullif(h.members, ''), s.members) || '}}')::json
        FROM head h JOIN single s ON s.n = h.n WHERE s.subject IS NOT NULL) e
$$;
