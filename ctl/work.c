/* work.c - agentctl work: options, the loop, signals, and how it ends. */
#include "base.h"

#include "command.h"
#include "context.h"
#include "duration.h"
#include "output.h"
#include "text.h"
#include "work.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
	BACKOFF_MIN_MS = 200,
	BACKOFF_MAX_MS = 5000,
	RETRY_AFTER_MAX_MS = 30000,
	QUIET_MS = 30000,
	CONCURRENCY_MAX = 100
};
/* After the first SIGTERM; after the commands were stopped. */
enum { DRAIN_MS = 20000, STOP_MS = 5000, GIVE_UP_MS = 10000 };

struct work_call *
work_send(struct work *work, const char *method, const char *path, char *body, int64_t timeout_ms,
          void (*done)(struct work *, struct work_call *), struct job *job)
{
	struct work_call *call = mem_zero(sizeof(*call));

	call->http = http_call_new(work->ctl, method, path, body, timeout_ms);
	call->done = done;
	call->job = job;
	call->sent_at = duration_now_ms();
	curl_easy_setopt(call->http->easy, CURLOPT_PRIVATE, call);
	LIST_INSERT_HEAD(&work->calls, call, link);
	INVARIANT(curl_multi_add_handle(work->multi, call->http->easy) == CURLM_OK);
	return call;
}

void
work_forget(struct work *work, struct work_call *call)
{
	if (!call)
		return;
	curl_multi_remove_handle(work->multi, call->http->easy);
	LIST_REMOVE(call, link);
	http_call_free(call->http);
	free(call);
}

static void
take_answers(struct work *work)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(work->multi, &left))) {
		CURLcode result = message->data.result;
		struct work_call *call = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		INVARIANT(call);
		http_call_finish(call->http, result);
		call->done(work, call);
		work_forget(work, call);
	}
}

int64_t
work_backoff(int failures, const struct http_call *http)
{
	int64_t ms = MIN((int64_t)BACKOFF_MIN_MS << MIN(failures, 10), (int64_t)BACKOFF_MAX_MS);

	return MAX(duration_jitter(ms), MIN(http->retry_after_ms, http->status == 429 ? (int64_t)RETRY_AFTER_MAX_MS : ms));
}

void
work_note_trouble(struct work *work, const struct http_call *http)
{
	int64_t now = duration_now_ms();

	if (!work->trouble && now >= work->trouble_until) {
		char *why = http_call_why(http);

		output_note(work->ctl, "%s; keeps trying.", why);
		work->trouble_until = now + QUIET_MS;
		work->trouble = true;
		free(why);
	}
}

void
work_note_contact(struct work *work)
{
	if (work->trouble)
		output_note(work->ctl, "the server answers again.");
	work->trouble = false;
}

long
work_free_slots(const struct work *work)
{
	long count = 0;

	for (long i = 0; i < work->concurrency; i++)
		count += work->jobs[i].state == JOB_FREE;
	return count;
}

static void
end_leasing(struct work *work)
{
	work->lease_ended = true;
	work_forget(work, work->leasing);
	work->leasing = NULL;
}

void
work_abort(struct work *work, const struct http_call *http, const char *what)
{
	if (work->phase == WORK_ABORTING)
		return;
	work->code = http_call_report(work->ctl, http, what);
	work->phase = WORK_ABORTING;
	work->phase_until = duration_now_ms() + GIVE_UP_MS;
	/* The caller may be the answer to the lease itself: it is only forgotten in the loop. */
	work->lease_ended = true;
	for (long i = 0; i < work->concurrency; i++)
		job_stop(&work->jobs[i], JOB_END_LOST, duration_now_ms() + STOP_MS);
}

void
work_release_all(struct work *work, int64_t kill_at)
{
	work->phase = WORK_RELEASING;
	work->phase_until = kill_at + GIVE_UP_MS;
	for (long i = 0; i < work->concurrency; i++)
		job_stop(&work->jobs[i], JOB_END_RELEASE, kill_at);
}

/* A signal to end: first let the commands finish, then hand back. */
static void
take_end_signal(struct work *work)
{
	int64_t now = duration_now_ms();
	long busy = work->concurrency - work_free_slots(work);

	if (work->phase == WORK_ON) {
		end_leasing(work);
		work->phase = WORK_DRAINING;
		work->phase_until = now + DRAIN_MS;
		if (busy)
			output_note(work->ctl,
			            "stopping: %ld running task%s may finish within 20 s; another signal hands back at once.", busy,
			            busy == 1 ? "" : "s");
	} else if (work->phase != WORK_ABORTING) {
		output_note(work->ctl, "handing back.");
		work_release_all(work, now);
	}
}

static void
read_signals(struct work *work)
{
	struct signalfd_siginfo info;

	while (read(work->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			take_end_signal(work);
}

/* The phases end by time when they do not end by themselves. */
static void
watch_phase(struct work *work, int64_t now)
{
	if (work->phase == WORK_ON || now < work->phase_until)
		return;
	if (work->phase == WORK_DRAINING) {
		output_note(work->ctl, "20 s have passed: stops the running commands and hands their tasks back.");
		work_release_all(work, now + STOP_MS);
		return;
	}
	for (long i = 0; i < work->concurrency; i++) {
		if (work->jobs[i].state == JOB_REPORTING && work->phase == WORK_RELEASING)
			output_note(work->ctl, "[%s] the server could not be told; the lease ends by itself.", work->jobs[i].label);
		job_drop(work, &work->jobs[i]);
	}
}

static bool
is_finished(const struct work *work)
{
	if (work->phase == WORK_ABORTING)
		for (long i = 0; i < work->concurrency; i++)
			if (work->jobs[i].state == JOB_RUNNING)
				return false;
	return work->phase == WORK_ABORTING || (work->lease_ended && work_free_slots(work) == work->concurrency);
}

static void
turn(struct work *work)
{
	int64_t now = duration_now_ms();

	if (work->phase == WORK_ABORTING && work->leasing)
		end_leasing(work);
	watch_phase(work, now);
	for (long i = 0; i < work->concurrency; i++)
		job_turn(work, &work->jobs[i], now);
	work_server_turn(work, now);
}

static int
time_to_next(const struct work *work)
{
	int64_t next = work_server_next(work), now = duration_now_ms();

	for (long i = 0; i < work->concurrency; i++)
		next = MIN(next, job_next(&work->jobs[i]));
	if (work->phase != WORK_ON)
		next = MIN(next, work->phase_until);
	return (int)MIN(MAX(next - now, 0), 60000);
}

static void
wait_for_news(struct work *work)
{
	unsigned count = 1;

	work->fds[0] = (struct curl_waitfd){.fd = work->signals, .events = CURL_WAIT_POLLIN};
	for (long i = 0; i < work->concurrency; i++)
		if (work->jobs[i].state == JOB_RUNNING)
			count += child_wait_fds(&work->jobs[i].child, work->fds + count);
	INVARIANT(curl_multi_poll(work->multi, work->fds, count, time_to_next(work), NULL) == CURLM_OK);
}

static void
loop(struct work *work)
{
	int running;

	for (;;) {
		turn(work);
		INVARIANT(curl_multi_perform(work->multi, &running) == CURLM_OK);
		take_answers(work);
		if (is_finished(work))
			return;
		wait_for_news(work);
		read_signals(work);
	}
}

/* <role>-<host>-<6 hex>, with only letters, digits, '-', '_' and '.'. */
static char *
make_agent_id(const struct ctl *ctl)
{
	const char *given = ctl_option(ctl, OPTION_AGENT_ID);
	char host[HOST_NAME_MAX + 1] = "host", *id = NULL;
	uint8_t random[3] = {0};

	if (given)
		return mem_string(given);
	if (gethostname(host, sizeof(host)) != 0 || getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		host[0] = '\0';
	host[sizeof(host) - 1] = '\0';
	INVARIANT(asprintf(&id, "%s-%s-%02x%02x%02x", ctl->options[OPTION_ROLE].items[0], host, random[0], random[1],
	                   random[2]) >= 0);
	for (char *at = id; *at; at++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *at))
			*at = '-';
	return id;
}

/* What goes into JSON must be UTF-8. */
static bool
names_are_text(const struct ctl *ctl)
{
	static const enum option_id names[] = {OPTION_ROLE, OPTION_CAPABILITY, OPTION_AGENT_ID, OPTION_NAME};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		for (int at = 0; at < ctl->options[names[i]].count; at++) {
			const char *text = ctl->options[names[i]].items[at];

			if (*text == '\0' || text[text_valid_length(text, strlen(text))]) {
				output_error_why(CTL_USAGE, "wrong usage.", "agentctl help work",
				                 "--%s must be UTF-8 text, and not empty", option_specs[names[i]].name);
				return false;
			}
		}
	return true;
}

static bool
read_options(const struct ctl *ctl, struct work *work)
{
	work->concurrency = 1;
	work->command = ctl_option(ctl, OPTION_EXEC);
	work->roles = &ctl->options[OPTION_ROLE];
	work->once = ctl_flag(ctl, OPTION_ONCE);
	if (!work->command || !*work->command || !work->roles->count) {
		output_error(CTL_USAGE, "wrong usage.", work->roles->count ? "--exec is missing" : "--role is missing",
		             "agentctl help work");
		return false;
	}
	return names_are_text(ctl) && ctl_number(ctl, OPTION_CONCURRENCY, 1, CONCURRENCY_MAX, &work->concurrency) &&
	       ctl_number(ctl, OPTION_LEASE, 1, 86400, &work->lease_s) &&
	       ctl_number(ctl, OPTION_MAX_TASKS, 1, LONG_MAX, &work->max_tasks);
}

/* From here on the signals come through a descriptor. */
static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
close_all(struct work *work)
{
	struct work_call *call;

	while ((call = LIST_FIRST(&work->calls)))
		work_forget(work, call);
	for (long i = 0; i < work->concurrency; i++)
		job_drop(work, &work->jobs[i]);
	curl_multi_cleanup(work->multi);
	guard_stop(&work->guard);
	close(work->signals);
	free(work->fds);
	free(work->jobs);
	free(work->agent_id);
	free(work->self);
}

static enum ctl_exit
run_work(struct ctl *ctl)
{
	struct work work = {.ctl = ctl};

	if (!read_options(ctl, &work))
		return CTL_USAGE;
	/* Whoever started it has a trace; the tasks have their own. */
	unsetenv("TRACEPARENT");
	unsetenv("TRACESTATE");
	work.signals = open_signals();
	if (work.signals < 0 || !guard_start(&work.guard))
		return output_error(CTL_FAILED, "cannot start.", strerror(errno), NULL);
	work.agent_id = make_agent_id(ctl);
	work.self = realpath("/proc/self/exe", NULL);
	if (!work.self)
		work.self = mem_string("agentctl");
	work.jobs = mem_zero(sizeof(*work.jobs) * (size_t)work.concurrency);
	work.fds = mem_zero(sizeof(*work.fds) * (1 + CHILD_PIPES * (size_t)work.concurrency));
	work.multi = curl_multi_init();
	INVARIANT(work.multi);
	loop(&work);
	close_all(&work);
	return work.code;
}

const struct command work_commands[] = {
    {"work", NULL, "be an agent: lease tasks and run a command for each",
     OPTIONS(OPTION_ROLE, OPTION_EXEC, OPTION_CAPABILITY, OPTION_CONCURRENCY, OPTION_AGENT_ID, OPTION_NAME,
             OPTION_LEASE, OPTION_ONCE, OPTION_MAX_TASKS),
     run_work,
     .more =
         "The command gets the task as one line of JSON on standard input and answers with one JSON value on\n"
         "standard output (at most 1 MB; nothing means null). Exit status 0 completes the task, 75 fails it so that\n"
         "it is tried again, any other fails it. Standard error is passed on; its last 4 KB are kept with a failure.\n"
         "Its environment has AGENTD_TASK_ID, AGENTD_LEASE_EPOCH, AGENTD_DEADLINE, AGENTD_AGENT_ID, AGENTD_ROLE,\n"
         "AGENTD_WORKFLOW_ID, AGENTCTL and AGENTCTL_SERVER; TRACEPARENT and TRACESTATE (W3C Trace Context) if whoever\n"
         "made the task is traced: what the command does can join that trace, as agentctl in it does. A lost lease or "
         "a cancel stops it: SIGTERM, after 5 s\n"
         "SIGKILL, to its whole process group. SIGTERM to agentctl lets running commands finish for 20 s.\n"
         "\n"
         "While it holds its task the command can say what it does, or make more work of it:\n"
         "  \"$AGENTCTL\" task subtask add \"$AGENTD_TASK_ID\" --description \"reads the file\"\n"
         "  \"$AGENTCTL\" task add-tasks \"$AGENTD_TASK_ID\" more.json --before reviewer"},
    {0},
};
