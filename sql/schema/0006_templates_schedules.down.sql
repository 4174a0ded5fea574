DROP INDEX workflows_schedule;
DROP TABLE schedules, templates;
