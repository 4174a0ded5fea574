DROP FUNCTION agentd_forget_tenant;
DROP TRIGGER users_quota ON users;
DROP TRIGGER api_keys_quota ON api_keys;
DROP TRIGGER agents_quota ON agents;
DROP TRIGGER schedules_quota ON schedules;
DROP FUNCTION agentd_quota;
ALTER TABLE tenants DROP COLUMN description, DROP COLUMN quotas, DROP COLUMN full_of, DROP COLUMN deactivated_at,
    DROP COLUMN deleting_at;
