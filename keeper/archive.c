/*
 * archive.c - moves finished work out of the hot tables, keeps partitions ahead of time, and drops what is past
 * retention.
 *
 * A part at a time, so that live work is not held up: while a part was full the next run comes at once. Any number of
 * keepers may do it side by side: rows are locked with SKIP LOCKED, partitions under an advisory lock.
 */
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "log.h"

static const int64_t day_us = 86400000000, again_us = 60000000, anyway_us = 3600000000;

enum { TASKS_MAX = 1000, WORKFLOWS_MAX = 50, FULL_PAUSE_MS = 50, IDLE_PAUSE_MS = 5000 };

/* When partitions were looked at: by this node's clock, and the day that PostgreSQL said it was; -1: not yet. */
static struct {
	int64_t day, their_day, at_us;
} looked = {-1, -1, 0};

static struct slice values[3][QUERY_PARAMS_MAX];

static void
set_number(int at, enum query_id query, const char *name, int64_t number)
{
	static char texts[ARRAY_LENGTH(values)][QUERY_PARAMS_MAX][24];
	int param = db_param(query, name);
	char *text = texts[at][param];

	snprintf(text, sizeof(texts[0][0]), "%lld", (long long)number);
	values[at][param] = slice_of(text);
}

static void
set_values(const struct config *config)
{
	set_number(0, QUERY_KEEPER_ARCHIVE_TASKS, "after_s", config->archive_after_s);
	set_number(0, QUERY_KEEPER_ARCHIVE_TASKS, "failed_after_s", config->archive_failed_after_s);
	set_number(0, QUERY_KEEPER_ARCHIVE_TASKS, "max", TASKS_MAX);
	set_number(1, QUERY_KEEPER_ARCHIVE_WORKFLOWS, "after_s", config->archive_after_s);
	set_number(1, QUERY_KEEPER_ARCHIVE_WORKFLOWS, "failed_after_s", config->archive_failed_after_s);
	set_number(1, QUERY_KEEPER_ARCHIVE_WORKFLOWS, "max", WORKFLOWS_MAX);
	set_number(2, QUERY_KEEPER_PARTITIONS, "event_days", config->events_retention_days);
	set_number(2, QUERY_KEEPER_PARTITIONS, "done_days", config->retention_days);
}

/* The pause before the next run depends on whether there was more than a run takes. */
static void
finish(struct duty *duty, const struct db_result *result, int64_t full)
{
	int64_t moved = result->status == DB_OK && result->count ? strtoll(db_get(result, 0, "moved").data, NULL, 10) : 0;

	duty_note(duty, result);
	duty->pause_ms = moved >= full ? FULL_PAUSE_MS : IDLE_PAUSE_MS;
	duty_done(duty);
}

static void
tasks_moved(void *arg, const struct db_result *result)
{
	finish(arg, result, TASKS_MAX);
}

static void
workflows_moved(void *arg, const struct db_result *result)
{
	finish(arg, result, WORKFLOWS_MAX);
}

static void
partitioned(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	looked.their_day = result->status == DB_OK ? strtoll(db_get(result, 0, "today").data, NULL, 10) : -1;
	if (result->status == DB_OK && !slice_is(db_get(result, 0, "dropped"), "0"))
		log_info("keeper", "partitions past retention were dropped", LOG_SLICE("count", db_get(result, 0, "dropped")));
	duty_done(duty);
}

void
archive_tasks_run(struct keeper *keeper, struct duty *duty)
{
	set_values(keeper->heritage->config);
	db_send(keeper->db, QUERY_KEEPER_ARCHIVE_TASKS, values[0], tasks_moved, duty);
}

void
archive_workflows_run(struct keeper *keeper, struct duty *duty)
{
	set_values(keeper->heritage->config);
	db_send(keeper->db, QUERY_KEEPER_ARCHIVE_WORKFLOWS, values[1], workflows_moved, duty);
}

/* At the start and when a day begins; again in a minute if that failed or PostgreSQL's day is another, and every hour.
 */
void
partitions_run(struct keeper *keeper, struct duty *duty)
{
	int64_t day = clock_wall_us() / day_us, ago_us = clock_steady_us() - looked.at_us;

	if (day == looked.day && ago_us < anyway_us && (day == looked.their_day || ago_us < again_us)) {
		duty_done(duty);
		return;
	}
	looked.day = day;
	looked.at_us = clock_steady_us();
	set_values(keeper->heritage->config);
	db_send(keeper->db, QUERY_KEEPER_PARTITIONS, values[2], partitioned, duty);
}
