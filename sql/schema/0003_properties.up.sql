-- Storage properties of the hot tables: they change all the time, so vacuum and analyze look at them early, by a fixed
-- number of changes rather than by a share of a growing table.
ALTER TABLE tasks SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE workflows SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
ALTER TABLE agents SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE messages SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
-- Payloads compress well and fast.
ALTER TABLE tasks ALTER COLUMN input_data SET COMPRESSION lz4, ALTER COLUMN output_data SET COMPRESSION lz4;
ALTER TABLE workflows ALTER COLUMN input_data SET COMPRESSION lz4, ALTER COLUMN output_data SET COMPRESSION lz4;
