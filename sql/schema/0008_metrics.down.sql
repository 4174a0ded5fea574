DROP INDEX system_metrics_age;
DROP INDEX agent_metrics_age;
DROP INDEX tasks_failed_by;
ALTER TABLE agents DROP COLUMN status_since;
DROP TABLE agent_stats;
DROP TABLE tenant_stats;
DROP TYPE event_facts;
