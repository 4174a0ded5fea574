-- From here on a row of events may hold groups, many events of one kind in a few words (shared/event_items.h): leases and
-- completions in batches. Who asks in SQL gets the events one by one from this function.
CREATE FUNCTION agentd_events(items text) RETURNS TABLE (n bigint, event json) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT row_number() OVER (ORDER BY i.n, s.n), CASE WHEN s.subject IS NULL THEN i.item ELSE json_build_object(
        'kind', i.item -> 'kind', 'subject', s.subject, 'data', (
            SELECT coalesce(json_object_agg(d.key, d.value), '{}')
            FROM (SELECT key, value FROM json_each(i.item -> 'data')
                UNION ALL SELECT key, value -> (s.n - 1)::int FROM json_each(i.item -> 'each')) d)) END
    FROM json_array_elements(items::json) WITH ORDINALITY AS i(item, n)
        LEFT JOIN LATERAL json_array_elements(CASE WHEN json_typeof(i.item) = 'object' AND i.item -> 'each' IS NOT NULL
            THEN i.item -> 'subject' END) WITH ORDINALITY AS s(subject, n) ON true
$$;
