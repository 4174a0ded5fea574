/* workflow_wait.c - waiting for the end of a workflow, through restarts of the server. */
#include "base.h"

#include "duration.h"
#include "http.h"
#include "output.h"
#include "progress.h"
#include "terminal.h"
#include "workflow.h"

enum { PAUSE_MIN_MS = 200, PAUSE_MAX_MS = 1000, REQUEST_MS = 10000, PATIENCE_MS = 120000 };

struct wait {
	const struct ctl *ctl;
	const char *id;
	char *path;
	struct progress progress;
	int64_t deadline;   /* 0: none */
	int64_t lost_since; /* the server is away since then; 0: it is there */
	int64_t pause_ms;
};

bool
workflow_is_final(const json_t *workflow)
{
	const char *status = output_string(workflow, "status", "");

	return strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0;
}

static enum ctl_exit
give_up(const struct wait *wait, enum ctl_exit code, const char *why)
{
	char *next = NULL;

	INVARIANT(asprintf(&next, "agentctl workflow watch %s", wait->id) >= 0);
	output_error(code, "the workflow was not awaited to its end; it goes on.", why, next);
	free(next);
	return code;
}

static enum ctl_exit
time_out(const struct wait *wait)
{
	char why[96];

	snprintf(why, sizeof(why), "it did not end within %g s%s", wait->ctl->timeout_s,
	         wait->lost_since ? ", and the server is not reachable" : "");
	return give_up(wait, CTL_TIMED_OUT, why);
}

/* The server is away: said once. Without --timeout patience has an end too. */
static enum ctl_exit
note_absence(struct wait *wait, const struct http_call *call)
{
	int64_t now = duration_now_ms();

	if (wait->lost_since == 0) {
		char *why = http_call_why(call);

		wait->lost_since = now;
		output_note(wait->ctl, "%s; trying again.", why);
		progress_detach(&wait->progress);
		free(why);
	}
	if (wait->deadline == 0 && now - wait->lost_since > PATIENCE_MS)
		return give_up(wait, CTL_UNREACHABLE, "the server has not been reachable for two minutes");
	return CTL_DONE;
}

static void
note_return(struct wait *wait)
{
	if (wait->lost_since) {
		output_note(wait->ctl, "the server is back.");
		progress_detach(&wait->progress);
	}
	wait->lost_since = 0;
}

/* One look. *final_r stays NULL while the workflow runs. */
static enum ctl_exit
look(struct wait *wait, json_t **final_r)
{
	int64_t left = wait->deadline ? MAX(wait->deadline - duration_now_ms(), 1) : REQUEST_MS;
	struct http_call *call = http_call_new(wait->ctl, "GET", wait->path, NULL, MIN(left, REQUEST_MS));
	enum ctl_exit code = CTL_DONE;

	http_call_perform(call);
	if (http_call_ok(call) && json_is_object(call->json)) {
		note_return(wait);
		progress_show(&wait->progress, call->json);
		if (workflow_is_final(call->json))
			*final_r = json_incref(call->json);
	} else if (!http_call_may_retry(call)) {
		code = http_call_report(wait->ctl, call, "cannot follow the workflow.");
	} else if (!wait->deadline || duration_now_ms() < wait->deadline) {
		code = note_absence(wait, call);
	}
	http_call_free(call);
	return code;
}

static enum ctl_exit
wait_loop(struct wait *wait, json_t **workflow_r)
{
	while (!*workflow_r) {
		enum ctl_exit code = look(wait, workflow_r);
		int64_t pause = wait->pause_ms;

		if (code != CTL_DONE || *workflow_r)
			return code;
		if (wait->deadline) {
			int64_t left = wait->deadline - duration_now_ms();

			if (left <= 0)
				return time_out(wait);
			pause = MIN(pause, left);
		}
		duration_sleep_ms(pause);
		wait->pause_ms = MIN(wait->pause_ms * 5 / 4, PAUSE_MAX_MS);
	}
	return CTL_DONE;
}

enum ctl_exit
workflow_wait(const struct ctl *ctl, const char *id, json_t **workflow_r)
{
	struct wait wait = {.ctl = ctl, .id = id, .path = http_path("/workflows/%s", id), .pause_ms = PAUSE_MIN_MS};
	char *farewell = NULL;
	enum ctl_exit code;

	*workflow_r = NULL;
	wait.progress = progress_begin(ctl);
	if (ctl->timeout_s > 0)
		wait.deadline = duration_now_ms() + (int64_t)(ctl->timeout_s * 1000);
	INVARIANT(asprintf(&farewell,
	                   "\nagentctl: interrupted; the workflow goes on.\n  next: agentctl workflow watch %s\n",
	                   wait.path + strlen("/workflows/")) >= 0);
	terminal_set_farewell(farewell);
	code = wait_loop(&wait, workflow_r);
	terminal_set_farewell(NULL);
	progress_end(&wait.progress);
	free(farewell);
	free(wait.path);
	return code;
}
