/*
 * api_schedules.c - schedules: when they are due next is computed here and in keeper/schedules.c, never in SQL.
 *
 * A PATCH may bring a cron expression, a time zone, both or none, and only the statement knows what the schedule has:
 * it changes nothing unless the time that it is given was computed for what the schedule would have, and otherwise says
 * what that is. So a PATCH is sent once or twice, and is right whatever others do meanwhile.
 */
#include "api.h"
#include "clock.h"
#include "cron.h"
#include "graph.h"
#include "templates.h"
#include "uuid.h"
#include "zone.h"

enum { UPCOMING = 5 };

static struct field_errors *
new_errors(struct call *call)
{
	struct field_errors *errors = arena_zero(&call->request->arena, sizeof(*errors));

	errors->arena = &call->request->arena;
	return errors;
}

/* Sets @plan from the tasks or a built-in template; the tenant's own templates are looked for by the statement. */
static void
read_graph(struct call *call, bool required, struct field_errors *errors)
{
	struct arena *arena = &call->request->arena;
	const struct field_value *tasks = call_field(call, "tasks");
	struct slice name = call_field(call, "template")->text;
	struct slice builtin = name.data ? templates_find(name) : SLICE_NONE;
	struct graph_plan *plan = arena_zero(arena, sizeof(*plan));
	struct json *json = arena_alloc(arena, sizeof(*json));
	struct json_error error;
	bool done = false;

	if (tasks->text.data && name.data)
		field_error_add(errors, "/template", "conflict", "give a template or tasks, not both");
	if (required && !tasks->text.data && !name.data)
		field_error_add(errors, "/tasks", "required", "a schedule needs tasks, or a template such as review");
	if (tasks->text.data) {
		done = graph_compile(&call->request->body, tasks->token, "/tasks", false, arena, plan, errors);
	} else if (builtin.data) {
		INVARIANT(json_parse(arena, builtin, json, &error));
		done = graph_compile(json, 0, "/tasks", false, arena, plan, errors);
	}
	if (done)
		call_set(call, "plan", plan->text);
}

/* Each text may be absent: then it is not looked at, and there is no next time. */
static void
plan_next(struct call *call, struct slice cron_text, struct slice zone_name, struct field_errors *errors)
{
	struct zone *zone = zone_name.data ? zone_open(zone_name) : NULL;
	struct cron cron;
	const char *why = NULL;
	bool parsed = cron_text.data && cron_parse(cron_text, &cron, &why);
	int64_t next_us;

	if (cron_text.data && !parsed)
		field_error_add(errors, "/cron", "not_cron", why);
	if (zone_name.data && !zone)
		field_error_add(
		    errors, "/time_zone", "unknown_zone",
		    "there is no such time zone; names are as in the IANA database: UTC, Asia/Seoul, America/New_York");
	if (parsed && zone && cron_next(&cron, zone, request_time_us(call->request), &next_us))
		call_set(call, "next_s", slice_of(arena_printf(&call->request->arena, "%lld", (long long)(next_us / 1000000))));
	zone_free(zone);
}

bool
api_schedule_prepare(struct request *request UNUSED, struct call *call)
{
	struct field_errors *errors = new_errors(call);

	plan_next(call, call_field(call, "cron")->text, call_field(call, "time_zone")->text, errors);
	read_graph(call, true, errors);
	return errors->count ? call_fail_fields(call, errors) : true;
}

static bool
refuse_template(struct call *call, const struct db_result *result)
{
	struct field_errors *errors;

	if (result->count == 0 || !slice_is(db_get(result, 0, "_unknown"), "t"))
		return false;
	errors = new_errors(call);
	field_error_add(errors, "/template", "unknown_template",
	                "there is no template of this name; GET /api/v1/templates lists them");
	call_fail_fields(call, errors);
	return true;
}

void
api_schedule_finish(struct request *request, struct call *call, const struct db_result *result)
{
	if (!refuse_template(call, result))
		call_finish(request, call, result);
}

bool
api_schedule_patch_prepare(struct request *request UNUSED, struct call *call)
{
	struct field_errors *errors = new_errors(call);
	struct slice cron = call_field(call, "cron")->text, zone = call_field(call, "time_zone")->text;

	plan_next(call, cron, zone, errors);
	read_graph(call, false, errors);
	if (errors->count)
		return call_fail_fields(call, errors);
	call_set(call, "planned_cron", cron);
	call_set(call, "planned_zone", zone);
	return true;
}

static struct slice
copy(struct call *call, struct slice text)
{
	return slice_of(arena_string(&call->request->arena, text));
}

void
api_schedule_patch_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct field_errors *errors = new_errors(call);
	struct slice cron, zone;

	if (refuse_template(call, result))
		return;
	if (result->count == 0 || db_get(result, 0, "id").data || db_get(result, 0, "_refused").data) {
		call_finish(request, call, result);
		return;
	}
	cron = copy(call, db_get(result, 0, "_cron"));
	zone = copy(call, db_get(result, 0, "_zone"));
	plan_next(call, cron, zone, errors);
	call_set(call, "planned_cron", cron);
	call_set(call, "planned_zone", zone);
	if (errors->count)
		call_fail_fields(call, errors);
	else
		call_again(call, QUERY_SCHEDULE_PATCH);
}

/* Nothing is upcoming while it is paused. */
static void
write_upcoming(struct request *request, struct json_writer *writer, const struct db_result *result)
{
	struct zone *zone = zone_open(db_get(result, 0, "time_zone"));
	int64_t at_us = request_time_us(request);
	char text[CLOCK_RFC3339_SIZE];
	struct cron cron;
	const char *why;
	bool known =
	    zone && cron_parse(db_get(result, 0, "cron"), &cron, &why) && slice_is(db_get(result, 0, "active"), "t");

	json_write_array_open(writer);
	for (int i = 0; known && i < UPCOMING && cron_next(&cron, zone, at_us, &at_us); i++) {
		clock_format(at_us, text);
		json_write_string(writer, slice_of(text));
	}
	json_write_array_close(writer);
	zone_free(zone);
}

void
api_schedule_get_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct json_writer writer;

	call_finish(request, call, result);
	if (call->is_error)
		return;
	/* The schedule's object is open again: its last byte was the closing brace. */
	call->out.len--;
	buf_add_text(&call->out, ",\"upcoming\":");
	json_write_begin(&writer, &call->out);
	write_upcoming(request, &writer, result);
	buf_add_byte(&call->out, '}');
}

bool
api_schedule_run_prepare(struct request *request, struct call *call)
{
	char *id = arena_alloc(&request->arena, UUID_TEXT_SIZE);

	uuid_new(id);
	call_set(call, "workflow_id", slice_of(id));
	return true;
}
