-- :count copies of the finished task that is there, whatever columns it has. Ids are UUIDs of
-- version 7 of the milliseconds since 2026-01-01, one a millisecond.
CREATE TEMP TABLE model AS SELECT * FROM tasks WHERE status = 'completed' LIMIT 1;
CREATE TEMP TABLE ids AS
SELECT (lpad(to_hex(1767225600000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
    || substr(md5(n::text), 4, 15))::uuid AS new_id
FROM generate_series(1, :count) n;
SELECT format('INSERT INTO tasks (%s) SELECT %s FROM model, ids', string_agg(quote_ident(attname), ', '),
    string_agg(CASE attname WHEN 'id' THEN 'new_id' ELSE quote_ident(attname) END, ', '))
FROM pg_attribute WHERE attrelid = 'tasks'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' \gexec
