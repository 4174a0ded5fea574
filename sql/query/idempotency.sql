-- Idempotency-Key: the answer to a creating POST is committed together with what it made, and given again for 24 hours.
-- An element of an array is a request of its own.

-- name: idempotency_find :batch
SELECT r.ord, k.digest, k.status, k.body
FROM unnest(@tenant::int[], @owner::text[], @key::text[], @element::int[]) WITH ORDINALITY AS r(tenant, owner, key, element, ord)
    CROSS JOIN LATERAL (SELECT digest, status, body FROM idempotency_keys
        WHERE tenant = r.tenant AND owner = r.owner AND key = r.key AND element = r.element
          AND created_at > now() - interval '24 hours' OFFSET 0) k
ORDER BY r.ord;

-- name: idempotency_claim :batch
-- Only one request with a key at a time, in the whole cluster: agentd_claim() raises AG409 if it is at work already.
SELECT agentd_claim(format('%s %s %s %s', r.tenant, r.owner, r.key, r.element))
FROM unnest(@tenant::int[], @owner::text[], @key::text[], @element::int[]) AS r(tenant, owner, key, element);

-- name: idempotency_store :batch
-- What is older than 24 hours has been forgotten, whether the keeper took it away already or not.
INSERT INTO idempotency_keys AS k (tenant, owner, key, element, digest, status, body, created_at)
SELECT *, now()
FROM unnest(@tenant::int[], @owner::text[], @key::text[], @element::int[], @digest::text[], @status::int[], @body::text[])
ON CONFLICT (tenant, owner, key, element) DO UPDATE SET digest = excluded.digest, status = excluded.status,
    body = CASE WHEN k.created_at > now() - interval '24 hours' THEN agentd_duplicate() ELSE excluded.body END,
    created_at = excluded.created_at;

-- name: keeper_forget_keys :many
-- all tenants: the keeper works for every one of them.
DELETE FROM idempotency_keys
WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '24 hours'
    ORDER BY created_at LIMIT 5000 FOR UPDATE SKIP LOCKED))
RETURNING tenant;
