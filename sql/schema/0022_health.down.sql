DROP TABLE storage_probe, recoveries;
ALTER TABLE agents DROP beat_at, DROP health;
ALTER TABLE nodes DROP clock_skew_ms, DROP health;
DROP INDEX health_records_at;
ALTER TABLE health_records DROP node;
