/* task_input.c - see task_input.h. */
#include "task_input.h"

#include <math.h>

static void
read_seconds(const struct json *json, int at, const char *name, int64_t *ms)
{
	int member = json_get(json, at, name);
	double seconds;

	if (member != JSON_NONE && json_double(json, member, &seconds))
		*ms = (int64_t)(seconds * 1000);
}

struct task_retry
task_input_retry(const struct json *json, int at)
{
	struct task_retry retry = {.fixed = false, .jitter = true, .base_ms = 1000, .max_ms = 60000};
	int member;

	if (at == JSON_NONE || json_type(json, at) != JSON_OBJECT)
		return retry;
	member = json_get(json, at, "backoff");
	retry.fixed = member != JSON_NONE && slice_is(json_raw(json, member), "\"fixed\"");
	member = json_get(json, at, "jitter");
	if (member != JSON_NONE)
		(void)!json_bool(json, member, &retry.jitter);
	read_seconds(json, at, "base_s", &retry.base_ms);
	read_seconds(json, at, "max_s", &retry.max_ms);
	return retry;
}

struct slice
task_input_queue(struct slice role, struct slice agent_id, struct arena *arena)
{
	if (!agent_id.data)
		return role;
	return slice_of(arena_printf(arena, "@%.*s", SLICE_ARG(agent_id)));
}

struct slice
task_input_ms(struct slice seconds, struct arena *arena)
{
	if (!seconds.data)
		return SLICE_NONE;
	return slice_of(arena_printf(arena, "%lld", llround(strtod(arena_string(arena, seconds), NULL) * 1000)));
}
