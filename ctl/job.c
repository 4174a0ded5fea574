/* job.c - one leased task: its command, its heartbeats, and the report about it. The states move only here. */
#include "base.h"

#include "duration.h"
#include "json_print.h"
#include "output.h"
#include "work.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum {
	BEATS_A_LEASE = 4,
	BEAT_RETRY_MS = 500,
	STOP_MS = 5000,         /* from SIGTERM to SIGKILL */
	SURELY_LOST_MS = 30000, /* after the end of a lease that could not be prolonged, another agent has the task */
	ERRORS_MAX = 5,         /* so many 500s, and a report is taken as refused */
	LEASE_DEFAULT_MS = 8000,
	REPORT_TIMEOUT_MS = 15000
};

static char *
task_path(const struct job *job, const char *verb)
{
	char *format = NULL, *path;

	INVARIANT(asprintf(&format, "/tasks/%%s/%s", verb) >= 0);
	path = http_path(format, job->id);
	free(format);
	return path;
}

static void
free_job(struct job *job)
{
	/* Answers still under way come to nobody. */
	if (job->beat)
		job->beat->job = NULL;
	if (job->report)
		job->report->job = NULL;
	child_free(&job->child);
	free(job->id);
	free(job->body);
	free(job->traceparent);
	*job = (struct job){.state = JOB_FREE};
}

void
job_drop(struct work *work, struct job *job)
{
	if (job->state == JOB_FREE)
		return;
	child_signal(&job->child, SIGKILL);
	child_pump(&job->child, &work->guard);
	free_job(job);
}

static void
report_soon(struct job *job)
{
	job->state = JOB_REPORTING;
	job->failures = 0;
	job->report_at = duration_now_ms();
}

static void
read_lease(struct job *job, const json_t *task, int64_t now)
{
	const json_t *lease = json_object_get(task, "lease_s"), *limit = json_object_get(task, "timeout_s");

	job->epoch = (int64_t)json_number_value(json_object_get(task, "epoch"));
	job->lease_ms = json_number_value(lease) > 0 ? (int64_t)(json_number_value(lease) * 1000) : LEASE_DEFAULT_MS;
	job->started = now;
	job->lease_end = now + job->lease_ms;
	job->beat_at = now + job->lease_ms / BEATS_A_LEASE;
	job->timeout_at = json_number_value(limit) > 0 ? now + (int64_t)(json_number_value(limit) * 1000) : 0;
}

void
job_start(struct work *work, struct job *job, const json_t *task)
{
	const char *id = output_string(task, "id", "");
	char **environment, *why = NULL;

	*job = (struct job){.state = JOB_RUNNING, .id = mem_string(id)};
	if (output_string(task, "traceparent", NULL))
		job->traceparent = mem_string(output_string(task, "traceparent", NULL));
	read_lease(job, task, duration_now_ms());
	snprintf(job->label, sizeof(job->label), "%s", strlen(id) > 8 ? id + strlen(id) - 8 : id);
	snprintf(job->child.prefix, sizeof(job->child.prefix), "[%s] ", job->label);
	job->child.escape = isatty(STDERR_FILENO);
	environment = job_environment(work, job, task);
	output_note(work->ctl, "[%s] started: %s", job->label,
	            output_string(task, "key", output_string(task, "role", "task")));
	if (child_start(&job->child, work->command, environment, json_print_text(task))) {
		guard_add(&work->guard, job->child.pid);
	} else {
		INVARIANT(asprintf(&why, "the command could not be started: %s", strerror(errno)) >= 0);
		output_note(work->ctl, "[%s] %s", job->label, why);
		outcome_fail(job, why, true);
		report_soon(job);
		free(why);
	}
	job_environment_free(environment);
}

void
job_stop(struct job *job, enum job_end end, int64_t kill_at)
{
	if (job->state != JOB_RUNNING)
		return;
	/* Once lost, there is nothing to tell the server any more. */
	if (job->end != JOB_END_LOST)
		job->end = end;
	job->kill_at = job->kill_at ? MIN(job->kill_at, kill_at) : kill_at;
	child_signal(&job->child, SIGTERM);
}

/* The task is somebody else's, or cancelled: what the command did is thrown away. */
static void
lose(struct work *work, struct job *job, const char *why)
{
	output_note(work->ctl, "[%s] %s; its result is thrown away.", job->label, why);
	if (job->state == JOB_RUNNING)
		job_stop(job, JOB_END_LOST, duration_now_ms() + STOP_MS);
	else
		free_job(job);
}

/* The heartbeat says that the task is not ours any more. If the report is on its way, they crossed: its answer decides.
 */
static void
beat_refused(struct work *work, struct job *job, const char *why)
{
	if (job->state == JOB_RUNNING) {
		lose(work, job, why);
	} else {
		job->beat_at = INT64_MAX;
		job->report_at = duration_now_ms();
	}
}

static void
beat_done(struct work *work, struct work_call *call)
{
	struct job *job = call->job;
	const struct http_call *http = call->http;

	if (!job)
		return;
	job->beat = NULL;
	job->beat_at = duration_now_ms() + MIN(job->lease_ms / BEATS_A_LEASE, (int64_t)BEAT_RETRY_MS);
	if (http_call_ok(http)) {
		work_note_contact(work);
		job->lease_end = call->sent_at + job->lease_ms;
		job->beat_at = call->sent_at + job->lease_ms / BEATS_A_LEASE;
		if (json_is_true(json_object_get(http->json, "cancel")))
			beat_refused(work, job, "the task was cancelled");
	} else if (http->status == 409 || http->status == 404) {
		beat_refused(work, job, http->status == 404 ? "the task is gone" : "the lease was lost");
	} else if (http->status == 401) {
		work_abort(work, http, "the agent cannot go on.");
	} else {
		work_note_trouble(work, http);
	}
}

static void
send_beat(struct work *work, struct job *job)
{
	char *path = task_path(job, "heartbeat"), *body = NULL;

	INVARIANT(asprintf(&body, "{\"epoch\":%lld}", (long long)job->epoch) >= 0);
	job->beat = work_send(work, "POST", path, body, MAX(job->lease_ms / 2, (int64_t)1000), beat_done, job);
	free(path);
}

/* The server does not want the result as it is: then the task has failed, and people should see why. */
static void
report_refused(struct work *work, struct job *job, const struct http_call *http)
{
	char *why = http_call_why(http), *message = NULL;

	output_note(work->ctl, "[%s] %s was refused: %s", job->label, job->verb, why);
	if (strcmp(job->verb, "complete") == 0) {
		INVARIANT(asprintf(&message, "the result was refused: %s", why) >= 0);
		outcome_fail(job, message, false);
		report_soon(job);
		free(message);
	} else {
		free_job(job);
	}
	free(why);
}

static void
report_accepted(struct work *work, struct job *job)
{
	char spent[DURATION_TEXT_SIZE];

	work_note_contact(work);
	duration_format(duration_now_ms() - job->started, spent);
	output_note(work->ctl, "[%s] %s after %s", job->label,
	            strcmp(job->verb, "complete") == 0 ? "completed"
	            : strcmp(job->verb, "fail") == 0   ? "failed"
	                                               : "handed back",
	            spent);
	free_job(job);
}

static void
report_done(struct work *work, struct work_call *call)
{
	struct job *job = call->job;
	const struct http_call *http = call->http;

	if (!job)
		return;
	job->report = NULL;
	if (http_call_ok(http)) {
		report_accepted(work, job);
	} else if (http->status == 409 || http->status == 404) {
		lose(work, job, http->status == 404 ? "the task is gone" : "the lease was lost");
	} else if (http->status == 401) {
		work_abort(work, http, "the agent cannot go on.");
	} else if (http_call_may_retry(http) || (http->status >= 500 && job->failures < ERRORS_MAX)) {
		work_note_trouble(work, http);
		job->report_at = duration_now_ms() + work_backoff(job->failures++, http);
	} else {
		report_refused(work, job, http);
	}
}

static void
send_report(struct work *work, struct job *job)
{
	char *path = task_path(job, job->verb);

	job->report = work_send(work, "POST", path, mem_string(job->body), REPORT_TIMEOUT_MS, report_done, job);
	/* By this the server knows which attempt has ended (W3C Trace Context). */
	if (job->traceparent)
		http_call_header(job->report->http, "traceparent", job->traceparent);
	free(path);
}

/* The command has ended: decide what to tell the server. */
static void
settle(struct work *work, struct job *job)
{
	char *why = NULL;

	if (job->end == JOB_END_LOST) {
		free_job(job);
		return;
	}
	if (job->end == JOB_END_RELEASE) {
		INVARIANT(asprintf(&job->body, "{\"epoch\":%lld}", (long long)job->epoch) >= 0);
		job->verb = "release";
	} else {
		outcome_judge(job, duration_now_ms(), &why);
		if (why)
			output_note(work->ctl, "[%s] %.300s", job->label, why);
	}
	report_soon(job);
	free(why);
}

static void
watch_command(struct work *work, struct job *job, int64_t now)
{
	child_pump(&job->child, &work->guard);
	if (job->child.ended) {
		settle(work, job);
		return;
	}
	if (job->end == JOB_END_ITSELF && job->child.too_large)
		job_stop(job, JOB_END_OUTPUT, now + STOP_MS);
	if (job->end == JOB_END_ITSELF && job->timeout_at && now >= job->timeout_at)
		job_stop(job, JOB_END_TIMEOUT, now + STOP_MS);
	if (job->kill_at && now >= job->kill_at) {
		child_signal(&job->child, SIGKILL);
		job->kill_at = now + STOP_MS;
	}
}

void
job_turn(struct work *work, struct job *job, int64_t now)
{
	if (job->state == JOB_RUNNING)
		watch_command(work, job, now);
	if (job->state != JOB_FREE && job->end != JOB_END_LOST && now >= job->lease_end + SURELY_LOST_MS)
		lose(work, job, "the lease is surely lost, the server was away for too long");
	if (job->state == JOB_REPORTING && !job->report && now >= job->report_at)
		send_report(work, job);
	if (job->state != JOB_FREE && job->end != JOB_END_LOST && !job->beat && now >= job->beat_at)
		send_beat(work, job);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return b && b < a ? b : a;
}

int64_t
job_next(const struct job *job)
{
	int64_t next = job->lease_end + SURELY_LOST_MS;

	if (job->state == JOB_FREE)
		return INT64_MAX;
	if (job->end == JOB_END_LOST)
		next = INT64_MAX;
	else if (!job->beat)
		next = earlier(next, job->beat_at);
	if (job->state == JOB_REPORTING)
		return job->report ? next : earlier(next, job->report_at);
	if (job->end == JOB_END_ITSELF)
		next = earlier(next, job->timeout_at);
	return earlier(next, job->kill_at);
}
