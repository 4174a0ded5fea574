-- Tenants are made, bounded, put out of use and deleted through the API.

-- quotas: what the tenant may have at most, by name (sql/query/tenants.sql); what is not named is not bounded.
-- full_of: quotas of hot tables that are used up, as the keeper saw it last (keeper/tenants.c).
ALTER TABLE tenants
    ADD COLUMN description    text,
    ADD COLUMN quotas         jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN full_of        text[] NOT NULL DEFAULT '{}',
    ADD COLUMN deactivated_at timestamptz,
    ADD COLUMN deleting_at    timestamptz;
UPDATE tenants SET deactivated_at = now() WHERE NOT active;

-- Refuses rows beyond a quota, whoever inserts them. Only tenants that have the quota pay for it: their inserts into the
-- table take turns, so that two cannot both be the last one.
-- Arguments: the quota, what it counts, and which rows count.
CREATE FUNCTION agentd_quota() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bound record;
    found integer;
BEGIN
    FOR bound IN
        SELECT t.id, (t.quotas ->> TG_ARGV[0])::int AS most FROM tenants t
        WHERE t.id IN (SELECT tenant FROM added) AND t.quotas ? TG_ARGV[0]
        ORDER BY t.id FOR NO KEY UPDATE
    LOOP
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %I WHERE tenant = $1 AND %s LIMIT $2 + 1) x', TG_TABLE_NAME, TG_ARGV[2])
            INTO found USING bound.id, bound.most;
        IF found > bound.most THEN
            RAISE EXCEPTION 'nothing was made: this tenant may have at most % % (its quota %); delete what is not needed, or ask who runs agentd for more',
                bound.most, TG_ARGV[1], TG_ARGV[0] USING ERRCODE = 'AG403';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER users_quota AFTER INSERT ON users REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION agentd_quota('max_users', 'users', 'true');
CREATE TRIGGER api_keys_quota AFTER INSERT ON api_keys REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION agentd_quota('max_keys', 'API keys', 'status <> ''revoked''');
CREATE TRIGGER agents_quota AFTER INSERT ON agents REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION agentd_quota('max_agents', 'agents', 'true');
CREATE TRIGGER schedules_quota AFTER INSERT ON schedules REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION agentd_quota('max_schedules', 'schedules', 'true');

-- Deletes a part of what a tenant has, in any table with a column `tenant`; what refers to others goes first. When
-- nothing is left the tenant itself goes. What was announced and what the audit log says of it stays. Returns how much
-- was deleted; less than most: it is gone.
CREATE FUNCTION agentd_forget_tenant(of_tenant integer, most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    part regclass;
    step integer;
    deleted integer := 0;
BEGIN
    FOR part IN
        WITH RECURSIVE parts AS (
            SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
            WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'tenants'::regclass)
              AND c.relname <> 'changes' AND c.relname NOT LIKE 'audit%'
        ), levels AS (
            SELECT oid, 0 AS level FROM parts
            UNION
            SELECT f.confrelid, l.level + 1 FROM levels l JOIN pg_constraint f ON f.conrelid = l.oid AND f.contype = 'f'
                AND f.confrelid <> f.conrelid
            WHERE l.level < 20
        )
        SELECT p.oid::regclass FROM parts p JOIN levels l ON l.oid = p.oid GROUP BY p.oid ORDER BY max(l.level), p.oid
    LOOP
        EXIT WHEN deleted >= most;
        EXECUTE format('DELETE FROM %s WHERE ctid = ANY(ARRAY(SELECT ctid FROM %s WHERE tenant = $1 LIMIT $2))', part, part)
            USING of_tenant, most - deleted;
        GET DIAGNOSTICS step = ROW_COUNT;
        deleted := deleted + step;
    END LOOP;
    IF deleted < most THEN
        DELETE FROM tenants WHERE id = of_tenant AND deleting_at IS NOT NULL;
    END IF;
    RETURN deleted;
END $$;
