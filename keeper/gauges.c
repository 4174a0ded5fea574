/*
 * gauges.c - writes what the database holds into the metrics: queues by role, leases, how far the counting of events
 * is.
 *
 * Every node says the same of the cluster, so several at once do no harm. A role keeps its place among the names as
 * long as it has ready tasks; a place is empty before it gets another name, so nobody reads the number of one role
 * under the name of another.
 */
#include "clock.h"
#include "duty.h"
#include "health.h"
#include "metrics.h"

enum { ROLES = METRICS_MAX_ROLE, TICK_US = 500000 };

struct place {
	char role[METRICS_NAME_SIZE]; /* "": free */
	bool seen;
};

static struct place places[ROLES];

static struct place *
find(const char *role)
{
	for (int i = 0; i < ROLES; i++)
		if (strcmp(places[i].role, role) == 0)
			return &places[i];
	return NULL;
}

static void
empty(struct place *place)
{
	int index = (int)(place - places);

	metrics_unset(METRIC_QUEUE_READY, index);
	metrics_unset(METRIC_QUEUE_AGE, index);
	metrics_name(METRICS_LABEL_ROLE, index, NULL);
	place->role[0] = '\0';
}

/* Roles that have nothing ready any more make room for those that have. */
static void
empty_unseen(const struct db_result *result)
{
	char role[METRICS_NAME_SIZE];
	struct place *place;

	for (int i = 0; i < ROLES; i++)
		places[i].seen = false;
	for (int row = 0; row < result->count; row++) {
		metrics_cut(db_get(result, row, "role"), role);
		if ((place = find(role)))
			place->seen = true;
	}
	for (int i = 0; i < ROLES; i++)
		if (!places[i].seen && places[i].role[0])
			empty(&places[i]);
}

static int64_t
number(const struct db_result *result, int row, const char *column)
{
	return strtoll(db_get(result, row, column).data, NULL, 10);
}

static void
show(const struct db_result *result, int row)
{
	char role[METRICS_NAME_SIZE];
	struct place *place;
	int index;

	metrics_cut(db_get(result, row, "role"), role);
	place = find(role);
	if (!place)
		place = find("");
	if (!place)
		return;
	index = (int)(place - places);
	if (!place->role[0]) {
		memcpy(place->role, role, sizeof(role));
		metrics_name(METRICS_LABEL_ROLE, index, role);
	}
	metrics_set(METRIC_QUEUE_READY, index, number(result, row, "ready"));
	metrics_set(METRIC_QUEUE_AGE, index, MAX(number(result, row, "age_us"), 0));
}

static void
queues_counted(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	if (result->status == DB_OK) {
		empty_unseen(result);
		for (int row = 0; row < result->count; row++)
			show(result, row);
	}
	duty_looked(duty, false);
	duty_done(duty);
}

static void
looked(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	if (result->status != DB_OK || !result->count) {
		duty_done(duty);
		return;
	}
	metrics_set(METRIC_TASKS_PROCESSING, 0, number(result, 0, "processing"));
	metrics_set(METRIC_EVENT_LAG, 0, MAX(number(result, 0, "event_age_us"), 0));
	metrics_set(METRIC_ALERTS_FIRING, METRICS_INFO, number(result, 0, "info"));
	metrics_set(METRIC_ALERTS_FIRING, METRICS_WARNING, number(result, 0, "warning"));
	metrics_set(METRIC_ALERTS_FIRING, METRICS_CRITICAL, number(result, 0, "critical"));
	db_send(duty->keeper->db, QUERY_GAUGE_QUEUES, NULL, queues_counted, duty);
}

void
gauges_run(struct keeper *keeper, struct duty *duty)
{
	db_send(keeper->db, QUERY_GAUGE_WORK, NULL, looked, duty);
}

static void
show_health(const struct health_board *board)
{
	struct health_component component;

	for (int part = 0; part < HEALTH_FIXED_PARTS; part++) {
		if (!health_get(board, part, &component)) {
			metrics_unset(METRIC_HEALTH, part);
			continue;
		}
		metrics_name(METRICS_LABEL_COMPONENT, part, component.name);
		metrics_set(METRIC_HEALTH, part, (int)component.status);
	}
	metrics_name(METRICS_LABEL_COMPONENT, HEALTH_FIXED_PARTS, "node");
	metrics_set(METRIC_HEALTH, HEALTH_FIXED_PARTS, (int)health_overall(board));
}

void
gauges_tick(const struct keeper *keeper)
{
	static int64_t next_us;

	if (clock_steady_us() < next_us)
		return;
	next_us = clock_steady_us() + TICK_US;
	show_health(keeper->heritage->health);
	metrics_set(METRIC_LEADER, 0, keeper_is_leader(keeper));
}
