/* settle.c - see settle.h. A chain of skipped tasks is walked one settlement after another. */
#include "settle.h"
#include "arena.h"
#include "aside.h"
#include "condition.h"
#include "json_read.h"
#include "log.h"
#include "wake.h"

static void
set(struct slice *values, enum query_id query, const char *name, struct slice value)
{
	int param = db_param(query, name);

	INVARIANT(param >= 0);
	values[param] = value;
}

static struct slice
column(const struct db_result *result, const char *name)
{
	int index = db_column(result, name);

	return index < 0 ? SLICE_NONE : db_cell(result, 0, index);
}

static int64_t
number(struct slice text)
{
	return strtoll(text.data, NULL, 10);
}

static void
unparked(void *arg, const struct slice *values, const struct db_result *result)
{
	const struct settler *settler = arg;

	if (result->status == DB_OK && result->count)
		wake_queues(settler->heritage, number(values[db_param(QUERY_TASK_UNPARK, "tenant")]), db_get(result, 0, "_ready"));
}

static void
unpark(const struct settler *settler, struct slice tenant, struct slice id, struct slice epoch)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};

	set(values, QUERY_TASK_UNPARK, "tenant", tenant);
	set(values, QUERY_TASK_UNPARK, "id", id);
	set(values, QUERY_TASK_UNPARK, "epoch", epoch);
	aside_send(settler->db, QUERY_TASK_UNPARK, values, unparked, (void *)settler);
}

static void
settled(void *arg, const struct slice *values, const struct db_result *result)
{
	if (result->status == DB_OK && result->count)
		settle_follow(arg, values[db_param(QUERY_TASK_SETTLE, "tenant")], values[db_param(QUERY_TASK_SETTLE, "id")], result);
}

static void
settle(const struct settler *settler, struct slice tenant, struct slice id, struct slice epoch, const char *outcome,
       const char *reason)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};

	set(values, QUERY_TASK_SETTLE, "tenant", tenant);
	set(values, QUERY_TASK_SETTLE, "id", id);
	set(values, QUERY_TASK_SETTLE, "epoch", epoch);
	set(values, QUERY_TASK_SETTLE, "outcome", slice_of(outcome));
	set(values, QUERY_TASK_SETTLE, "error_message", slice_of(reason));
	set(values, QUERY_TASK_SETTLE, "retryable", SLICE("true"));
	set(values, QUERY_TASK_SETTLE, "actor",
	    strcmp(outcome, "cancel") == 0 ? slice_of(reason) : SLICE("agentd"));
	aside_send(settler->db, QUERY_TASK_SETTLE, values, settled, (void *)settler);
}

/* Without a condition, only a task of which everything before was skipped is skipped itself. */
static void
judge(void *arg, const struct slice *values, const struct db_result *result)
{
	const struct settler *settler = arg;
	struct arena arena = ARENA_EMPTY;
	const char *outcome = "go", *why = "";
	struct slice condition, outputs;

	(void)values;
	if (result->status != DB_OK || result->count == 0)
		return;
	condition = db_get(result, 0, "condition");
	outputs = db_get(result, 0, "outputs");
	if (condition.data) {
		enum condition_verdict verdict =
		    condition_judge(condition, outputs.data ? outputs : SLICE("{}"), &arena, &why);
		if (verdict == CONDITION_BROKEN)
			log_error("task", "a condition cannot be judged", LOG_SLICE("task", db_get(result, 0, "id")), LOG_TEXT("why", why));
		else
			why = "skipped: its condition did not hold";
		outcome = verdict == CONDITION_HOLDS ? "go" : verdict == CONDITION_FAILS ? "skip" : "cancel";
	} else if (!outputs.data) {
		outcome = "skip";
		why = "skipped: all that it waited for was skipped";
	}
	settle(settler, db_get(result, 0, "tenant"), db_get(result, 0, "id"), db_get(result, 0, "epoch"), outcome, why);
	arena_reset(&arena);
}

void
settle_decide(const struct settler *settler, struct slice tenant, struct slice id)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};

	set(values, QUERY_TASK_UNDECIDED, "tenant", tenant);
	set(values, QUERY_TASK_UNDECIDED, "id", id);
	aside_send(settler->db, QUERY_TASK_UNDECIDED, values, judge, (void *)settler);
}

void
settle_release(const struct settler *settler, struct slice tenant, struct slice id, struct slice epoch)
{
	settle(settler, tenant, id, epoch, "release", NULL);
}

static void
decide_each(const struct settler *settler, struct slice tenant, struct slice ids)
{
	struct arena arena = ARENA_EMPTY;
	struct json json;
	struct json_error error;

	if (json_parse(&arena, ids, &json, &error))
		for (int at = json_first(&json, 0); at != JSON_NONE; at = json_next(&json, 0, at))
			settle_decide(settler, tenant, json_string(&json, at, &arena));
	arena_reset(&arena);
}

void
settle_follow(const struct settler *settler, struct slice tenant, struct slice id, const struct db_result *result)
{
	struct slice special = column(result, "_special");
	struct slice undecided = column(result, "_undecided");

	wake_queues(settler->heritage, number(tenant), column(result, "_ready"));
	wake_queue(settler->heritage, number(tenant), SLICE("events"));
	if (special.data && slice_is(special, "t"))
		unpark(settler, tenant, id, column(result, "_epoch"));
	if (undecided.data)
		decide_each(settler, tenant, undecided);
}
