/*
 * explain.c - see explain.h. Reasons are looked at in the order of a task's life: ended, running, blocked, held back,
 * waiting in its queue. What comes later is left out while something earlier stands in the way.
 */
#include "explain.h"
#include "json_write.h"

struct explanation {
	const struct json *facts;
	struct arena *arena;
	struct json_writer out;
	const char *id;
	bool held_back; /* by a limit or a pause: no agent gets it, although it is in its queue */
	int count;
};

/* A member of the object at as text; NULL when it is absent or null. */
static const char *
text_at(const struct explanation *e, int at, const char *name)
{
	int member = json_get(e->facts, at, name);

	if (member == JSON_NONE || json_type(e->facts, member) == JSON_NULL)
		return NULL;
	if (json_type(e->facts, member) != JSON_STRING)
		return arena_string(e->arena, json_raw(e->facts, member));
	return arena_string(e->arena, json_string(e->facts, member, e->arena));
}

static const char *
text(const struct explanation *e, const char *name)
{
	return text_at(e, 0, name);
}

static int64_t
number_at(const struct explanation *e, int at, const char *name)
{
	int member = json_get(e->facts, at, name);
	int64_t value = 0;

	if (member != JSON_NONE)
		(void)!json_int(e->facts, member, &value);
	return value;
}

static int64_t
number(const struct explanation *e, const char *name)
{
	return number_at(e, 0, name);
}

static bool
is_true(const struct explanation *e, int at, const char *name)
{
	int member = json_get(e->facts, at, name);
	bool value = false;

	if (member != JSON_NONE)
		(void)!json_bool(e->facts, member, &value);
	return value;
}

static bool
is(const char *found, const char *expected)
{
	return found && strcmp(found, expected) == 0;
}

/* A time span as people say it: the two largest units. */
static const char *
span(const struct explanation *e, int64_t seconds)
{
	if (seconds < 60)
		return arena_printf(e->arena, "%lld s", (long long)MAX(seconds, 0));
	if (seconds < 3600)
		return arena_printf(e->arena, "%lld min %lld s", (long long)(seconds / 60), (long long)(seconds % 60));
	if (seconds < 86400)
		return arena_printf(e->arena, "%lld h %lld min", (long long)(seconds / 3600), (long long)(seconds % 3600 / 60));
	return arena_printf(e->arena, "%lld d %lld h", (long long)(seconds / 86400), (long long)(seconds % 86400 / 3600));
}

/* about: the facts of the reason, to be read by programs; JSON_NONE: none. frees NULL: nothing has to be freed. */
static void
add(struct explanation *e, const char *code, int about, const char *detail, const char *frees)
{
	json_write_object_open(&e->out);
	json_write_member_text(&e->out, "code", code);
	json_write_member_text(&e->out, "detail", detail);
	json_write_member_text(&e->out, "frees", frees);
	if (about != JSON_NONE)
		json_write_member_raw(&e->out, "about", json_raw(e->facts, about));
	json_write_object_close(&e->out);
	e->count++;
}

static void
ended(struct explanation *e, const char *status)
{
	const char *workflow = text(e, "workflow_id"), *why = text(e, "error_message"), *frees = NULL;
	const char *because = why ? arena_printf(e->arena, ": %s", why) : "";
	const char *how = is(status, "cancelled") ? "was cancelled" : status;

	if (is_true(e, 0, "skipped")) {
		add(e, "ended", JSON_NONE,
		    arena_printf(e->arena, "The task was skipped %s ago%s. It counts as done for what waits for it.",
		                 span(e, number(e, "ended_for_s")), because),
		    NULL);
		return;
	}
	if (is_true(e, 0, "archived"))
		frees = is(status, "completed") ? NULL : "a new task: this one is in the archive and can only be read";
	else if (!is(status, "completed"))
		frees = workflow ? arena_printf(e->arena,
		                                "POST /api/v1/workflows/%s/retry runs the failed part of its workflow again",
		                                workflow)
		                 : arena_printf(e->arena, "POST /api/v1/tasks/%s/retry gives it all its attempts anew", e->id);
	if (is(status, "dead"))
		how = arena_printf(e->arena, "failed in every attempt (%lld)", (long long)number(e, "attempt"));
	add(e, "ended", JSON_NONE,
	    arena_printf(e->arena, "The task has ended: it %s %s ago%s. It will not run%s.", how,
	                 span(e, number(e, "ended_for_s")), because, frees ? " by itself" : " again"),
	    frees);
}

static void
processing(struct explanation *e)
{
	const char *holder = text(e, "leased_by"), *progress = text(e, "progress");
	int64_t left = number(e, "lease_left_s");

	add(e, "processing", JSON_NONE,
	    arena_printf(e->arena, "%s works on it since %s: attempt %lld of at most %lld. %s%s%s",
	                 holder ? arena_printf(e->arena, "The agent \"%s\"", holder) : "An agent without a name",
	                 span(e, number(e, "leased_for_s")), (long long)number(e, "attempt"),
	                 (long long)number(e, "max_retries") + 1,
	                 left > 0 ? arena_printf(e->arena, "Its lease ends in %s, at %s, unless a heartbeat prolongs it.",
	                                         span(e, left), text(e, "lease_until"))
	                          : "Its lease has run out, and agentd is taking the task back.",
	                 progress ? " The last progress it told: " : " It has told no progress.", progress ? progress : ""),
	    "the agent completes, fails or releases the task; if it falls silent, the lease ends and another agent gets "
	    "it");
}

static void
dependency(struct explanation *e, int at)
{
	const char *id = text_at(e, at, "id"), *key = text_at(e, at, "key"), *holder = text_at(e, at, "held_by");
	const char *name = arena_printf(e->arena, "\"%s\"", key ? key : id), *status = text_at(e, at, "status");
	bool approval = is_true(e, at, "approval") && is(status, "pending"), gate = is_true(e, at, "gate");
	const char *who = holder     ? arena_printf(e->arena, ": the agent \"%s\" works on it", holder)
	                  : approval ? ": a person has to decide"
	                             : " and held by nobody";
	const char *frees;

	if (approval)
		frees = arena_printf(e->arena, "a person's decision: POST /api/v1/tasks/%s/approve or /reject", id);
	else
		frees = arena_printf(e->arena, "%s completes; GET /api/v1/tasks/%s/explain tells what that one waits for", name,
		                     id);
	if (gate)
		add(e, "gate", at,
		    arena_printf(e->arena, "The task waits for the verdict of the gate %s, round %lld of %lld, which is %s%s.",
		                 name, (long long)number_at(e, at, "round"), (long long)number_at(e, at, "max_rounds"), status,
		                 who),
		    frees);
	else
		add(e, approval ? "approval" : "dependency", at,
		    arena_printf(e->arena, "The task waits for %s, which is %s%s.", name, status, who), frees);
}

static void
blocked(struct explanation *e)
{
	int list = json_get(e->facts, 0, "dependencies");
	int64_t left = number(e, "deps_left");

	for (int at = json_first(e->facts, list); at != JSON_NONE; at = json_next(e->facts, list, at))
		dependency(e, at);
	if (left > json_size(e->facts, list))
		add(e, "dependency", JSON_NONE,
		    arena_printf(e->arena, "It waits for %lld more tasks.", (long long)left - json_size(e->facts, list)),
		    arena_printf(e->arena, "all of them complete; GET /api/v1/tasks/%s/dependencies lists them", e->id));
	if (left > 0 && !is_true(e, 0, "has_condition"))
		return;
	add(e, "condition", JSON_NONE,
	    left > 0
	        ? "The task has a condition. It is looked at when all that the task waits for has ended; if it does not "
	          "hold, the task is skipped."
	        : "All that the task waits for has ended, and whether it has to run is being decided.",
	    left > 0 ? "what it waits for ends, with outputs for which the condition holds"
	             : "nothing to do: it takes a moment");
}

static const char *
holders(struct explanation *e, int limit)
{
	int list = json_get(e->facts, limit, "holders");
	struct buf names = {0};
	const char *copy;

	for (int at = json_first(e->facts, list); at != JSON_NONE; at = json_next(e->facts, list, at)) {
		const char *key = text_at(e, at, "key"), *agent = text_at(e, at, "leased_by");
		buf_printf(&names, "%s\"%s\"%s%s", names.len ? ", " : "", key ? key : text_at(e, at, "id"),
		           agent ? " with " : "", agent ? agent : "");
	}
	copy = arena_string(e->arena, buf_slice(&names));
	buf_free(&names);
	return *copy ? copy : "nobody any more";
}

static void
limit(struct explanation *e, int at)
{
	const char *name = text_at(e, at, "name"), *kind = text_at(e, at, "kind");
	long long value = number_at(e, at, "value"), held = number_at(e, at, "held");
	const char *what;

	e->held_back = true;
	if (is(kind, "concurrency_key")) {
		add(e, "concurrency_key", at,
		    arena_printf(e->arena,
		                 "Of the tasks with the concurrency_key \"%s\" only one runs at a time; now it is %s.", name,
		                 holders(e, at)),
		    "that task ends or is released");
		return;
	}
	what = arena_printf(e->arena, "tasks with the %s \"%s\"", text_at(e, at, "key"), text_at(e, at, "of"));
	if (is(kind, "rate"))
		add(e, "limit", at,
		    arena_printf(
		        e->arena,
		        "The limit \"%s\" lets at most %lld of the %s start in %s; %lld did, and the next window begins in %s.",
		        name, value, what, span(e, number_at(e, at, "window_s")), held, span(e, number_at(e, at, "again_s"))),
		    arena_printf(e->arena, "the next window; PUT /api/v1/limits/%s with a greater value", name));
	else
		add(e, "limit", at,
		    arena_printf(e->arena, "The limit \"%s\" lets at most %lld of the %s run at once; now it is %lld: %s.",
		                 name, value, what, held, holders(e, at)),
		    arena_printf(e->arena, "one of them ends; PUT /api/v1/limits/%s with a greater value", name));
}

/* Its time has not come. */
static void
later(struct explanation *e, const char *status)
{
	const char *why = text(e, "error_message"), *in = span(e, number(e, "run_in_s")), *at = text(e, "run_at");

	if (is(status, "retrying"))
		add(e, "backoff", JSON_NONE,
		    arena_printf(e->arena,
		                 "Attempt %lld failed (%s). The next of at most %lld comes after a pause: in %s, at %s.",
		                 (long long)number(e, "attempt"), why ? why : "no reason told",
		                 (long long)number(e, "max_retries") + 1, in, at),
		    arena_printf(e->arena, "the time; PATCH /api/v1/tasks/%s {\"run_at\": a time that has passed}", e->id));
	else
		add(e, "schedule", JSON_NONE, arena_printf(e->arena, "The task is not to start before %s, in %s.", at, in),
		    arena_printf(e->arena, "the time; PATCH /api/v1/tasks/%s {\"run_at\": an earlier time}", e->id));
}

static void
paused(struct explanation *e)
{
	if (!is_true(e, 0, "paused"))
		return;
	e->held_back = true;
	add(e, "paused", JSON_NONE, "The workflow of the task is paused: what runs goes on, nothing else starts.",
	    arena_printf(e->arena, "PATCH /api/v1/workflows/%s {\"paused\": false}", text(e, "workflow_id")));
}

/* What keeps a task that is not blocked from being offered. */
static void
held_back(struct explanation *e, const char *status)
{
	int list = json_get(e->facts, 0, "limits");

	paused(e);
	if (is_true(e, 0, "approval"))
		add(e, "approval", JSON_NONE, "The task waits for the decision of a person; no agent gets it.",
		    arena_printf(e->arena, "POST /api/v1/tasks/%s/approve or /reject", e->id));
	/* What limits say now does not matter to what comes later. */
	if (number(e, "run_in_s") > 0 && !is_true(e, 0, "ready") && !text(e, "parked")) {
		later(e, status);
		return;
	}
	for (int at = json_first(e->facts, list); at != JSON_NONE; at = json_next(e->facts, list, at))
		limit(e, at);
}

static const char *
list_texts(struct explanation *e, const char *name)
{
	int list = json_get(e->facts, 0, name);
	struct buf out = {0};
	const char *copy;

	if (list == JSON_NONE || json_type(e->facts, list) != JSON_ARRAY)
		return "";
	for (int at = json_first(e->facts, list); at != JSON_NONE; at = json_next(e->facts, list, at)) {
		struct slice item = json_string(e->facts, at, e->arena);
		buf_printf(&out, "%s\"%.*s\"", out.len ? ", " : "", SLICE_ARG(item));
	}
	copy = arena_string(e->arena, buf_slice(&out));
	buf_free(&out);
	return copy;
}

static void
no_agent(struct explanation *e)
{
	const char *bound = text(e, "agent_id"), *role = text(e, "role"), *last = text(e, "last_agent");
	const char *seen = last ? arena_printf(e->arena, "\"%s\" was seen last, %s ago, at %s", last,
	                                       span(e, number(e, "last_seen_s")), text(e, "last_seen_at"))
	                        : "none was ever registered";

	if (bound)
		add(e, "no_agent", JSON_NONE,
		    arena_printf(e->arena, "Only the agent \"%s\" may take the task, and it is not there: %s.", bound,
		                 last ? seen : "it is not registered"),
		    arena_printf(e->arena, "start it: agentctl work --role ROLE --agent-id '%s' --exec COMMAND", bound));
	else
		add(e, "no_agent", JSON_NONE, arena_printf(e->arena, "No live agent has the role \"%s\": %s.", role, seen),
		    arena_printf(e->arena, "start one: agentctl work --role '%s' --exec COMMAND", role));
}

/* What keeps a task that is offered from being taken. */
static void
offered(struct explanation *e)
{
	const char *lacking = list_texts(e, "lacking");
	long long live = number(e, "live"), ahead = number(e, "ahead");
	int before = e->count;

	if (live == 0)
		no_agent(e);
	else if (number(e, "capable") == 0)
		add(e, "capability", json_get(e->facts, 0, "requires"),
		    *lacking
		        ? arena_printf(e->arena,
		                       "The task requires %s; of the live agents that it is for (%lld) none can do %s.",
		                       list_texts(e, "requires"), live, lacking)
		        : arena_printf(e->arena,
		                       "The task requires %s; of the live agents that it is for (%lld) none can do all of it.",
		                       list_texts(e, "requires"), live),
		    "an agent registers with these capabilities, or leases with them");
	else if (number(e, "free") == 0)
		add(e, "agent_busy", JSON_NONE,
		    arena_printf(e->arena, "Every live agent that may take the task (%lld) works on as many tasks as it may.",
		                 (long long)number(e, "capable")),
		    "one of them ends a task; a greater max_concurrent; one more agent");
	if (ahead == 0 && e->count > before)
		return;
	add(e, "queued", JSON_NONE,
	    ahead == 0 ? arena_printf(e->arena, "The task is the first of its queue: the next agent that asks gets it.")
	               : arena_printf(e->arena, "%s%lld %s before it in its queue.", ahead >= 10000 ? "At least " : "",
	                              ahead, ahead == 1 ? "task stands" : "tasks stand"),
	    ahead == 0
	        ? "an agent that asks: POST /api/v1/tasks/lease"
	        : arena_printf(e->arena, "agents take those; PATCH /api/v1/tasks/%s {\"priority\": 10} moves it forward",
	                       e->id));
}

static void
reasons(struct explanation *e, const char *status)
{
	if (is(status, "processing"))
		processing(e);
	else if (is(status, "blocked")) {
		paused(e);
		blocked(e);
	} else if (is(status, "pending") || is(status, "retrying")) {
		held_back(e, status);
		if (is_true(e, 0, "ready") && !e->held_back)
			offered(e);
	} else {
		ended(e, status);
	}
	if (e->count == 0)
		add(e, "queued", JSON_NONE, "The task is about to enter its queue.", "nothing to do: it takes a moment");
}

static void
write_numbers(struct explanation *e, const char *const names[][2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int member = json_get(e->facts, 0, names[i][1]);
		json_write_member_raw(&e->out, names[i][0], member == JSON_NONE ? SLICE("null") : json_raw(e->facts, member));
	}
}

void
explain_write(const struct json *facts, struct arena *arena, struct buf *out)
{
	static const char *const queue[][2] = {{"name", "queue"}, {"ahead", "ahead"}, {"ready", "queue_ready"}};
	static const char *const agents[][2] = {
	    {"registered", "registered"}, {"live", "live"}, {"capable", "capable"}, {"free", "free"}, {"idle", "idle"}};
	struct explanation e = {.facts = facts, .arena = arena};
	const char *status = text(&e, "status");

	e.id = text(&e, "id");
	json_write_begin(&e.out, out);
	json_write_object_open(&e.out);
	json_write_member_text(&e.out, "id", e.id);
	json_write_member_text(&e.out, "status", status);
	json_write_key(&e.out, "reasons");
	json_write_array_open(&e.out);
	reasons(&e, status);
	json_write_array_close(&e.out);
	json_write_member_bool(&e.out, "runnable", is_true(&e, 0, "ready") && !e.held_back);
	json_write_key(&e.out, "queue");
	json_write_object_open(&e.out);
	write_numbers(&e, queue, ARRAY_LENGTH(queue));
	json_write_object_close(&e.out);
	json_write_key(&e.out, "agents");
	json_write_object_open(&e.out);
	write_numbers(&e, agents, ARRAY_LENGTH(agents));
	json_write_object_close(&e.out);
	json_write_object_close(&e.out);
}
