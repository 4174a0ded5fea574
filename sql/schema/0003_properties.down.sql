ALTER TABLE tasks RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    autovacuum_analyze_scale_factor, autovacuum_analyze_threshold, autovacuum_vacuum_cost_delay);
ALTER TABLE workflows RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE agents RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
ALTER TABLE messages RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE tasks ALTER COLUMN input_data SET COMPRESSION default, ALTER COLUMN output_data SET COMPRESSION default;
ALTER TABLE workflows ALTER COLUMN input_data SET COMPRESSION default, ALTER COLUMN output_data SET COMPRESSION default;
