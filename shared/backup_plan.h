/*
 * backup_plan.h - when backups are due: AGENTD_BACKUP_SCHEDULE, which is a cron expression (shared/cron.h, in UTC) or
 * an interval: a number and m, h or d. Pure.
 */
#ifndef AGENTD_BACKUP_PLAN_H
#define AGENTD_BACKUP_PLAN_H

#include "base.h"
#include "cron.h"

struct backup_plan {
	int64_t interval_us; /* 0: cron */
	struct cron cron;
};

/* False: *why_r is a static text that says what is wrong. */
MUST_CHECK bool backup_plan_parse(struct slice text, struct backup_plan *plan_r, const char **why_r);

/* The first time after after_us (microseconds since 1970). */
int64_t backup_plan_next(const struct backup_plan *plan, int64_t after_us);

#endif
