/*
 * task.h - what the task commands share.
 */
#ifndef AGENTCTL_TASK_H
#define AGENTCTL_TASK_H

#include "resource.h"

extern const struct output_field task_columns[];
extern const struct resource task_resource;

/* task_create.c */
enum ctl_exit task_create(struct ctl *ctl);
/* task_explain.c */
enum ctl_exit task_explain(struct ctl *ctl);
/* task_parts.c: what a command that holds a task may add to it */
enum ctl_exit task_add_tasks(struct ctl *ctl);
enum ctl_exit task_subtask_list(struct ctl *ctl);
enum ctl_exit task_subtask_add(struct ctl *ctl);
enum ctl_exit task_subtask_update(struct ctl *ctl);

#endif
