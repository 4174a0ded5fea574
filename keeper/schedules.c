/*
 * schedules.c - fires what is due.
 *
 * Any number of keepers may do this side by side: schedule_fire moves next_at from the time that this one saw, under
 * the schedule's lock and in the transaction that makes the workflow, so of several only one succeeds, and what a
 * keeper that dies leaves undone another does. What is due is told by PostgreSQL's clock; when it is due next, by
 * shared/cron.h.
 *
 * A firing is missed when a minute has passed, or the next one is due, and nobody started it. catch_up says what then:
 * none starts none of them, one starts one for all, all starts each, in order. A firing that was queued behind the
 * workflow before it is not missed.
 */
#include "arena.h"
#include "aside.h"
#include "cron.h"
#include "duty.h"
#include "health.h"
#include "log.h"
#include "trace.h"
#include "uuid.h"
#include "zone.h"

enum { MISSED_AFTER_S = 60, FIRINGS_MAX = 100, WALK_MAX = 10000 };

/* One run of the duty: what it found, each with its firings one after another. */
struct pass {
	struct duty *duty;
	int left;
};

struct firing {
	struct pass *pass;
	struct arena arena;
	struct slice tenant;
	struct slice id;
	struct slice name;
	bool all;
	bool none;
	bool queued;
	bool planned; /* cron and zone could be read */
	struct cron cron;
	struct zone *zone;
	int64_t now_s;
	int64_t due_s;
	int64_t next_s;
	bool has_next;
	int fired;
};

static void fire(struct firing *firing);

static void
end(struct firing *firing)
{
	struct pass *pass = firing->pass;

	zone_free(firing->zone);
	arena_reset(&firing->arena);
	free(firing);
	if (--pass->left > 0)
		return;
	duty_done(pass->duty);
	free(pass);
}

static bool
next_after(struct firing *firing, int64_t after_s)
{
	int64_t next_us = 0;

	firing->has_next = cron_next(&firing->cron, firing->zone, after_s * 1000000, &next_us);
	firing->next_s = next_us / 1000000;
	return firing->has_next;
}

/* Finds what comes after due_s, or after all that is due unless each of it counts; returns how many that gives up. */
static int64_t
walk(struct firing *firing, bool *start_r)
{
	int64_t last_s = firing->due_s, missed = 0;

	*start_r = true;
	if (!next_after(firing, last_s) || firing->all)
		return 0;
	/* After very long the rest is jumped over, uncounted. */
	while (firing->has_next && firing->next_s <= firing->now_s && missed < WALK_MAX) {
		missed++;
		last_s = firing->next_s;
		if (!next_after(firing, missed < WALK_MAX ? last_s : firing->now_s))
			break;
	}
	*start_r = !firing->none || firing->queued || firing->now_s - last_s <= MISSED_AFTER_S;
	return missed;
}

static void
set(struct slice *values, enum query_id query, const char *name, struct slice value)
{
	int param = db_param(query, name);

	INVARIANT(param >= 0);
	values[param] = value;
}

static void
set_int(struct firing *firing, struct slice *values, enum query_id query, const char *name, int64_t value)
{
	set(values, query, name, slice_of(arena_printf(&firing->arena, "%lld", (long long)value)));
}

static void
set_which(struct firing *firing, struct slice *values, enum query_id query)
{
	set(values, query, "tenant", firing->tenant);
	set(values, query, "id", firing->id);
	set_int(firing, values, query, "due_s", firing->due_s);
	if (firing->has_next)
		set_int(firing, values, query, "next_s", firing->next_s);
}

static void
failed(void *arg, const struct slice *values, const struct db_result *result)
{
	struct firing *firing = arg;
	const struct keeper *keeper = firing->pass->duty->keeper;

	if (result->status == DB_OK && result->count) {
		log_warning("keeper", "a schedule could not fire", LOG_SLICE("schedule", firing->id),
		            LOG_SLICE("name", firing->name), LOG_SLICE("why", values[db_param(QUERY_SCHEDULE_FAIL, "reason")]),
		            LOG_TEXT("paused", slice_is(db_get(result, 0, "active"), "t") ? "no" : "yes"));
		settle_follow(&keeper->settler, firing->tenant, firing->id, result);
	}
	end(firing);
}

static void
fail(struct firing *firing, const char *reason)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};

	set_which(firing, values, QUERY_SCHEDULE_FAIL);
	set(values, QUERY_SCHEDULE_FAIL, "reason", slice_of(reason));
	aside_send(firing->pass->duty->keeper->db, QUERY_SCHEDULE_FAIL, values, failed, firing);
}

static const char *
refusal(struct firing *firing, const struct db_result *result)
{
	if (strcmp(result->constraint, "tasks_unique") == 0)
		return "a task with the same unique_key has not ended yet";
	return arena_printf(&firing->arena, "the database refused its workflow: %s", result->message);
}

static void
fired(void *arg, const struct slice *values, const struct db_result *result)
{
	struct firing *firing = arg;
	struct slice outcome;

	(void)values;
	if (result->status == DB_FAILED) {
		fail(firing, refusal(firing, result));
		return;
	}
	/* No row: another keeper was first. No answer: the next pass sees what became of it. */
	outcome = result->status == DB_OK && result->count ? db_get(result, 0, "result") : SLICE_NONE;
	if (slice_is(outcome, "no_template")) {
		fail(firing, arena_printf(&firing->arena,
		                          "there is no template %.*s any more; PUT it again, or give the schedule another one",
		                          SLICE_ARG(db_get(result, 0, "template"))));
		return;
	}
	if (slice_is(outcome, "fired") || slice_is(outcome, "skipped")) {
		log_info("keeper", "a schedule was due", LOG_SLICE("schedule", firing->id), LOG_SLICE("name", firing->name),
		         LOG_SLICE("result", outcome), LOG_SLICE("workflow", db_get(result, 0, "workflow_id")));
		settle_follow(&firing->pass->duty->keeper->settler, firing->tenant, firing->id, result);
		firing->due_s = firing->next_s;
		if (firing->has_next && firing->due_s <= firing->now_s && ++firing->fired < FIRINGS_MAX) {
			fire(firing);
			return;
		}
	}
	end(firing);
}

static void
fire(struct firing *firing)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};
	char workflow_id[UUID_TEXT_SIZE], base[UUID_TEXT_SIZE];
	int64_t missed;
	bool start;

	if (!firing->planned) {
		fail(firing, "its time zone is not known on this machine (is tzdata complete?), or its cron cannot be read");
		return;
	}
	missed = walk(firing, &start);
	uuid_new(workflow_id);
	uuid_new(base);
	trace_mark(base, false);
	set_which(firing, values, QUERY_SCHEDULE_FIRE);
	set_int(firing, values, QUERY_SCHEDULE_FIRE, "missed", missed);
	set(values, QUERY_SCHEDULE_FIRE, "start", start ? SLICE("true") : SLICE("false"));
	set(values, QUERY_SCHEDULE_FIRE, "workflow_id", slice_of(workflow_id));
	set(values, QUERY_SCHEDULE_FIRE, "new_id", slice_of(base));
	aside_send(firing->pass->duty->keeper->db, QUERY_SCHEDULE_FIRE, values, fired, firing);
}

static int64_t
seconds(const struct db_result *result, int row, const char *name)
{
	return strtoll(db_get(result, row, name).data, NULL, 10);
}

static struct slice
keep(struct firing *firing, const struct db_result *result, int row, const char *name)
{
	return slice_of(arena_string(&firing->arena, db_get(result, row, name)));
}

static struct firing *
new_firing(struct pass *pass, const struct db_result *result, int row)
{
	struct firing *firing = mem_zero(sizeof(*firing));
	const char *why;

	firing->pass = pass;
	firing->tenant = keep(firing, result, row, "tenant");
	firing->id = keep(firing, result, row, "id");
	firing->name = keep(firing, result, row, "name");
	firing->all = slice_is(db_get(result, row, "catch_up"), "all");
	firing->none = slice_is(db_get(result, row, "catch_up"), "none");
	firing->queued = slice_is(db_get(result, row, "queued"), "t");
	firing->now_s = seconds(result, row, "now_s");
	firing->due_s = seconds(result, row, "due_s");
	firing->zone = zone_open(db_get(result, row, "time_zone"));
	firing->planned = cron_parse(db_get(result, row, "cron"), &firing->cron, &why) && firing->zone;
	return firing;
}

static void
found(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;
	struct pass *pass;

	duty_note(duty, result);
	if (result->status != DB_OK || result->count == 0) {
		duty_done(duty);
		return;
	}
	pass = mem_zero(sizeof(*pass));
	*pass = (struct pass){duty, result->count};
	/* Nothing is answered before this function is left. */
	for (int row = 0; row < result->count; row++)
		fire(new_firing(pass, result, row));
}

void
schedules_run(struct keeper *keeper, struct duty *duty)
{
	/* While a disk is full nothing new is made: what is missed then is caught up with as catch_up says. */
	if (health_storage(keeper->heritage->health) != HEALTH_STORAGE_OK)
		duty_done(duty);
	else
	db_send(keeper->db, QUERY_KEEPER_SCHEDULES, NULL, found, duty);
}
