-- What has been moved comes back, so that nothing is lost.
DO $$
DECLARE
    name text;
    columns text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workflows', 'tasks', 'task_dependencies', 'task_attempts', 'subtasks'] LOOP
        SELECT string_agg(quote_ident(column_name), ', ') INTO columns FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = name;
        EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I', name, columns, columns, name || '_done');
    END LOOP;
END $$;
DROP FUNCTION agentd_partition, agentd_drop_partitions;
DROP TABLE workflows_done, tasks_done, task_dependencies_done, task_attempts_done, subtasks_done;
