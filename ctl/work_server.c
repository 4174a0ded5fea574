/* work_server.c - the agent's own talk with the server: registering, leasing, heartbeats of the agent. */
#include "base.h"

#include "duration.h"
#include "json_print.h"
#include "output.h"
#include "work.h"

enum {
	WAIT_S = 20,
	WAIT_SLACK_MS = 10000, /* an answer to a long poll may come so much later than promised */
	GREET_MS = 10000,
	EMPTY_PAUSE_MS = 200 /* for a server that answers a long poll at once with nothing */
};

static json_t *
text_list(const struct option_words *words)
{
	json_t *texts = json_array();

	for (int i = 0; i < words->count; i++)
		json_array_append_new(texts, json_string(words->items[i]));
	return texts;
}

/* What the agent can do: as it was said, else its roles. */
static json_t *
capability_list(const struct work *work)
{
	const struct option_words *given = &work->ctl->options[OPTION_CAPABILITY];

	return text_list(given->count ? given : work->roles);
}

static char *
take_text(json_t *body)
{
	char *text = json_print_text(body);

	json_decref(body);
	return text;
}

static void
register_done(struct work *work, struct work_call *call)
{
	const struct http_call *http = call->http;

	work->registering = NULL;
	if (http_call_ok(http) || http->status == 403) {
		work_note_contact(work);
		work->registered = true;
		work->unregistered_by_right = http->status == 403;
		work->register_failures = 0;
		work->greet_at = duration_now_ms() + GREET_MS;
		if (http->status == 403)
			output_note(work->ctl, "the key may not register agents: works without being listed.");
		else
			output_note(work->ctl, "%s is ready.", work->agent_id);
	} else if (http_call_may_retry(http) || http->status >= 500) {
		work_note_trouble(work, http);
		work->register_at = duration_now_ms() + work_backoff(work->register_failures++, http);
	} else {
		work_abort(work, http, "cannot register the agent.");
	}
}

static void
send_register(struct work *work)
{
	const char *name = ctl_option(work->ctl, OPTION_NAME);
	json_t *body =
	    json_pack("{s:s, s:s, s:s, s:s, s:o, s:I}", "agent_id", work->agent_id, "name", name ? name : work->agent_id,
	              "role", work->roles->items[0], "description", "a command run by agentctl work", "capabilities",
	              capability_list(work), "max_concurrent", (json_int_t)work->concurrency);

	INVARIANT(body);
	work->registering = work_send(work, "POST", "/agents", take_text(body), 0, register_done, NULL);
}

static struct job *
free_slot(struct work *work)
{
	for (long i = 0; i < work->concurrency; i++)
		if (work->jobs[i].state == JOB_FREE)
			return &work->jobs[i];
	return NULL;
}

static void
take_tasks(struct work *work, const json_t *tasks)
{
	json_t *task;
	size_t i;

	json_array_foreach(tasks, i, task)
	{
		struct job *slot = free_slot(work);

		if (!slot || !*output_string(task, "id", "") || !json_is_number(json_object_get(task, "epoch"))) {
			output_note(work->ctl, "the server gave a task that was not asked for or has no id and epoch; left alone.");
			continue;
		}
		job_start(work, slot, task);
		work->leased++;
	}
	if (work->once || (work->max_tasks && work->leased >= work->max_tasks))
		work->lease_ended = true;
}

static void
lease_failed(struct work *work, const struct http_call *http)
{
	if (http->status == 404) {
		/* The server does not know the agent any more. */
		work->registered = false;
		work->register_at = work->lease_at = duration_now_ms() + work_backoff(work->lease_failures++, http);
	} else if (http_call_may_retry(http) || http->status >= 500) {
		work_note_trouble(work, http);
		work->lease_at = duration_now_ms() + work_backoff(work->lease_failures++, http);
	} else {
		work_abort(work, http, "cannot lease tasks.");
	}
}

static void
lease_done(struct work *work, struct work_call *call)
{
	const json_t *tasks = json_object_get(call->http->json, "tasks");
	int64_t now = duration_now_ms();

	work->leasing = NULL;
	work->lease_at = now;
	if (!http_call_ok(call->http)) {
		lease_failed(work, call->http);
		return;
	}
	if (!json_is_array(tasks)) {
		work_note_trouble(work, call->http);
		work->lease_at = now + work_backoff(work->lease_failures++, call->http);
		return;
	}
	work_note_contact(work);
	work->lease_failures = 0;
	take_tasks(work, tasks);
	if (json_array_size(tasks) == 0 && now - call->sent_at < 1000)
		work->lease_at = now + EMPTY_PAUSE_MS;
}

static void
send_lease(struct work *work, long slots)
{
	json_t *body;

	if (work->max_tasks)
		slots = MIN(slots, work->max_tasks - work->leased);
	body = json_pack("{s:o, s:s, s:I, s:i}", "roles", text_list(work->roles), "agent_id", work->agent_id, "max",
	                 (json_int_t)slots, "wait_s", WAIT_S);
	INVARIANT(body);
	if (work->lease_s)
		json_object_set_new(body, "lease_s", json_integer(work->lease_s));
	if (ctl_flag(work->ctl, OPTION_CAPABILITY))
		json_object_set_new(body, "capabilities", capability_list(work));
	work->leasing =
	    work_send(work, "POST", "/tasks/lease", take_text(body), WAIT_S * 1000 + WAIT_SLACK_MS, lease_done, NULL);
}

static void
greet_done(struct work *work, struct work_call *call)
{
	work->greeting = NULL;
	if (call->http->status == 401)
		work_abort(work, call->http, "the agent cannot go on.");
	else if (call->http->status == 404)
		work->registered = false;
	else if (http_call_may_retry(call->http))
		work_note_trouble(work, call->http);
	else if (call->http->status == 403)
		work->unregistered_by_right = true;
}

static void
send_greeting(struct work *work, int64_t now)
{
	long busy = work->concurrency - work_free_slots(work);
	char *path = http_path("/agents/%s/heartbeat", work->agent_id);
	json_t *body = json_pack("{s:s, s:f, s:{s:I, s:I}}", "status", busy ? "active" : "idle", "load",
	                         (double)busy / (double)work->concurrency, "details", "running", (json_int_t)busy,
	                         "concurrency", (json_int_t)work->concurrency);

	INVARIANT(body);
	work->greeting = work_send(work, "POST", path, take_text(body), 5000, greet_done, NULL);
	work->greet_at = now + GREET_MS;
	free(path);
}

void
work_server_turn(struct work *work, int64_t now)
{
	long slots = work_free_slots(work);

	if (work->phase == WORK_ABORTING)
		return;
	if (!work->registered) {
		if (!work->registering && work->phase == WORK_ON && now >= work->register_at)
			send_register(work);
		return;
	}
	if (!work->leasing && !work->lease_ended && slots > 0 && now >= work->lease_at)
		send_lease(work, slots);
	if (!work->greeting && !work->unregistered_by_right && now >= work->greet_at)
		send_greeting(work, now);
}

int64_t
work_server_next(const struct work *work)
{
	int64_t next = INT64_MAX;

	if (work->phase == WORK_ABORTING)
		return next;
	if (!work->registered)
		return work->registering || work->phase != WORK_ON ? next : work->register_at;
	if (!work->leasing && !work->lease_ended && work_free_slots(work) > 0)
		next = work->lease_at;
	if (!work->greeting && !work->unregistered_by_right)
		next = MIN(next, work->greet_at);
	return next;
}
