/*
 * backups.c - when a backup is due (AGENTD_BACKUP_SCHEDULE), the leader's keeper wishes for one: the master of its node
 * starts the process that makes it (master/backup_job.c). Every node says how the backups are, in health and metrics.
 *
 * The table `backups` says when the last one was begun, whoever led then; two nodes that take themselves for the leader
 * for a moment are held apart by the lock of the process. One that failed is tried again after ten minutes.
 */
#include "backup_plan.h"
#include "check.h"
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "log.h"
#include "metrics.h"

#include <math.h>

static const int64_t again_us = 600000000, patience_us = 60000000;

static struct {
	struct backup_plan plan;
	bool planned;        /* the schedule was read */
	int64_t since_us;    /* PostgreSQL's time of the first look: without a backup, the next one is counted from there */
	int64_t wished_us;   /* steady: when it was wished for last, */
	int64_t wished_last; /* and which was the last one then; -1: never */
} run = {.wished_last = -1};

/* What the table says; 0: nothing. */
struct backups {
	int64_t last_us, done_us, proven_us, now_us;
	bool running, failed, unproven;
};

static int64_t
number(const struct db_result *result, const char *name)
{
	struct slice cell = db_get(result, 0, name);

	return cell.data ? strtoll(cell.data, NULL, 10) : 0;
}

static struct backups
read_backups(const struct db_result *result)
{
	struct slice status = db_get(result, 0, "last_status");

	return (struct backups){.last_us = number(result, "last_us"),
	                        .done_us = number(result, "done_us"),
	                        .proven_us = number(result, "proven_us"),
	                        .now_us = number(result, "now_us"),
	                        .running = slice_is(status, "running"),
	                        .failed = slice_is(status, "failed"),
	                        .unproven = db_get(result, 0, "verify_error").data != NULL};
}

/* When the next one is due. An interval begins with a backup, a cron expression with its first time. */
static int64_t
due_us(const struct backups *backups)
{
	int64_t next_us = backup_plan_next(&run.plan, backups->last_us ? backups->last_us : run.since_us);

	if (!backups->last_us && run.plan.interval_us)
		return run.since_us;
	return backups->failed ? MIN(next_us, backups->last_us + again_us) : next_us;
}

static void
tell(struct keeper *keeper, const struct backups *backups, const struct db_result *result)
{
	int64_t late_us = backups->now_us - due_us(backups);
	double hours = (double)(backups->now_us - backups->done_us) / 3600e6;

	if (backups->failed) {
		struct slice error = db_get(result, 0, "last_error");

		check_found(keeper, HEALTH_BACKUP, "backup", HEALTH_WARNING, NAN, "the last backup failed: %.*s",
		            (int)MIN(error.len, 120), error.data ? error.data : "");
	} else if (backups->unproven)
		check_found(keeper, HEALTH_BACKUP, "backup", HEALTH_WARNING, NAN,
		            "the last backup could not be proven: make another one");
	else if (late_us > 2 * again_us && !backups->running)
		check_found(keeper, HEALTH_BACKUP, "backup", HEALTH_WARNING, NAN, "a backup is due and nobody makes it");
	else if (backups->done_us)
		check_found(keeper, HEALTH_BACKUP, "backup", HEALTH_HEALTHY, NAN, "the last backup is of %.1f hours ago",
		            hours);
	else
		check_found(keeper, HEALTH_BACKUP, "backup", HEALTH_HEALTHY, NAN, "the first backup is not due yet");
	metrics_set(METRIC_BACKUP_FAILED, 0, backups->failed || backups->unproven);
}

static void
wish(struct keeper *keeper, const struct backups *backups)
{
	int64_t steady_us = clock_steady_us();

	if (!keeper_is_leader(keeper) || backups->running || backups->now_us < due_us(backups) ||
	    (run.wished_last == backups->last_us && steady_us - run.wished_us < patience_us))
		return;
	run.wished_us = steady_us;
	run.wished_last = backups->last_us;
	log_info("keeper", "a backup is due");
	atomic_fetch_add(&keeper->heritage->board->backup_wish, 1);
}

static void
looked(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	if (result->status == DB_OK && result->count) {
		struct backups backups = read_backups(result);

		if (!run.since_us)
			run.since_us = backups.now_us;
		if (backups.done_us)
			metrics_set(METRIC_BACKUP_TIME, 0, backups.done_us);
		if (backups.proven_us)
			metrics_set(METRIC_BACKUP_PROVEN, 0, backups.proven_us);
		if (run.planned) {
			tell(duty->keeper, &backups, result);
			wish(duty->keeper, &backups);
		}
	}
	duty_done(duty);
}

void
backups_run(struct keeper *keeper, struct duty *duty)
{
	const char *schedule = keeper->heritage->config->backup_schedule, *why;
	static struct slice values[QUERY_PARAMS_MAX];

	if (!run.planned && *schedule)
		run.planned = backup_plan_parse(slice_of(schedule), &run.plan, &why);
	db_send(keeper->db, QUERY_KEEPER_BACKUPS, values, looked, duty);
}
