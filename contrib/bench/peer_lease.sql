UPDATE queued SET status = 'processing', epoch = epoch + 1, attempt = attempt + 1, leased_by = :role, leased_at = now(),
    lease_until = now() + interval '8 seconds', started_at = coalesce(started_at, now())
WHERE id = (SELECT id FROM queued WHERE role = :role AND status = 'pending' ORDER BY priority DESC, ready_at, id
    LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, epoch, input_data \gset
UPDATE queued SET status = 'completed', output_data = :output_data, completed_at = now(), lease_until = NULL
WHERE id = :id AND epoch = :epoch AND status = 'processing';
