DROP TRIGGER audit_log_rows ON audit_log;
DROP TRIGGER audit_log_whole ON audit_log;
DROP FUNCTION agentd_audit_guard, agentd_digest;
DROP TABLE audit_head, audit_checkpoints;
DROP INDEX audit_log_subject, audit_log_at;
ALTER TABLE audit_log DROP actor_id, DROP before, DROP after, DROP xid, DROP n, DROP digest, DROP hash;
