/* workflow_events.c - agentctl workflow watch --events: each event of one workflow, from its beginning to its end. */
#include "base.h"

#include "duration.h"
#include "event.h"
#include "http.h"
#include "output.h"
#include "workflow.h"

enum { WAIT_S = 10, REQUEST_MS = 20000, PAUSE_MS = 300, PATIENCE_MS = 120000 };

struct watch {
	const struct ctl *ctl;
	const char *id;
	char *after; /* where to go on; NULL: the beginning */
	int64_t end, lost_since;
};

/* The time is over, or the server was away for too long: said, and *code_r is set. */
static bool
is_over(const struct watch *watch, enum ctl_exit *code_r)
{
	int64_t now = duration_now_ms();
	char *next = NULL;

	if (watch->end ? now < watch->end : !watch->lost_since || now - watch->lost_since < PATIENCE_MS)
		return false;
	INVARIANT(asprintf(&next, "agentctl workflow watch %s", watch->id) >= 0);
	*code_r = output_error(
	    watch->end ? CTL_TIMED_OUT : CTL_UNREACHABLE, "the workflow was not awaited to its end; it goes on.",
	    watch->end ? "--timeout has passed" : "the server has not been reachable for two minutes", next);
	free(next);
	return true;
}

/* One GET, again and again while the server is away. NULL: said why, and *code_r is set. */
static json_t *
get(struct watch *watch, const char *path, enum ctl_exit *code_r)
{
	for (;;) {
		struct http_call *call = http_call_new(watch->ctl, "GET", path, NULL, REQUEST_MS);
		json_t *answer = NULL;
		bool lost;

		if (watch->lost_since && is_over(watch, code_r)) {
			http_call_free(call);
			return NULL;
		}
		http_call_perform(call);
		lost = !http_call_ok(call) && http_call_may_retry(call);
		if (lost && !watch->lost_since) {
			char *why = http_call_why(call);

			output_note(watch->ctl, "%s; trying again.", why);
			watch->lost_since = duration_now_ms();
			free(why);
		} else if (http_call_ok(call) && json_is_object(call->json)) {
			answer = json_incref(call->json);
			watch->lost_since = 0;
		} else if (!lost) {
			*code_r = http_call_report(watch->ctl, call, "cannot follow the workflow.");
		}
		http_call_free(call);
		if (!lost)
			return answer;
		duration_sleep_ms(duration_jitter(PAUSE_MS));
	}
}

/* Prints what is new; waits for it at most wait_s. The number of events, -1: said why not. */
static int
print_news(struct watch *watch, long wait_s, enum ctl_exit *code_r)
{
	char *path = http_path("/workflows/%s/events", watch->id), wait[24];
	json_t *answer, *event, *cursor;
	size_t i, count;

	snprintf(wait, sizeof(wait), "%ld", wait_s);
	http_path_query(&path, "after", watch->after);
	http_path_query(&path, "wait_s", wait_s ? wait : NULL);
	answer = get(watch, path, code_r);
	free(path);
	if (!answer)
		return -1;
	count = json_array_size(json_object_get(answer, "items"));
	json_array_foreach(json_object_get(answer, "items"), i, event) event_print(watch->ctl, event);
	cursor = json_object_get(answer, "next_cursor");
	if (json_is_string(cursor)) {
		free(watch->after);
		watch->after = mem_string(json_string_value(cursor));
	}
	json_decref(answer);
	return (int)count;
}

static enum ctl_exit
follow(struct watch *watch)
{
	char *path = http_path("/workflows/%s", watch->id);
	enum ctl_exit code = CTL_DONE;
	bool more = true;

	while (more && !is_over(watch, &code)) {
		json_t *workflow = get(watch, path, &code);
		bool is_final = workflow && workflow_is_final(workflow);
		int64_t left = watch->end ? MAX(watch->end - duration_now_ms(), 0) / 1000 : WAIT_S;
		int count = workflow ? print_news(watch, is_final ? 0 : (long)MIN(left, (int64_t)WAIT_S), &code) : -1;

		/* What happened before the end is all printed before the end is said. */
		more = count >= 0 && !(is_final && count == 0);
		if (!more && count == 0)
			code = workflow_report_end(workflow);
		json_decref(workflow);
	}
	free(path);
	return code;
}

enum ctl_exit
workflow_watch_events(const struct ctl *ctl, const char *id)
{
	struct watch watch = {.ctl = ctl, .id = id};
	enum ctl_exit code;

	if (ctl->timeout_s > 0)
		watch.end = duration_now_ms() + (int64_t)(ctl->timeout_s * 1000);
	code = follow(&watch);
	free(watch.after);
	return code;
}
