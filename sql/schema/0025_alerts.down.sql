ALTER TABLE nodes DROP COLUMN disk_percent, DROP COLUMN certificate_expires_at;
DROP TABLE alert_marks, alert_deliveries, alert_channels, alerts, alert_rules;
DROP FUNCTION agentd_new_id();
