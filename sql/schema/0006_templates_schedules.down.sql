DROP INDEX workflows_schedule_live, workflows_schedule;
DROP TABLE schedules, templates;
