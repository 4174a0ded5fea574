DROP TABLE task_traces;
