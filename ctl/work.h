/*
 * work.h - the inside of `agentctl work`: one thread, one loop over curl, the commands' pipes and a signalfd.
 *
 * Who does what: work.c the loop, the signals and the end; work_server.c registering, leasing and the agent's
 * heartbeat; job.c one task from its lease to its settlement; outcome.c what the end of a command means; child.c the
 * command. Always holds: a task that runs has a heartbeat due or under way; every result is sent until the server has
 * said yes or no, or the lease is surely lost.
 */
#ifndef AGENTCTL_WORK_H
#define AGENTCTL_WORK_H

#include "child.h"
#include "ctl.h"
#include "guard.h"
#include "http.h"

#include <sys/queue.h>

struct work;
struct job;

/* One exchange under way. job is NULL once the job does not care any more. */
struct work_call {
	LIST_ENTRY(work_call) link;
	struct http_call *http;
	void (*done)(struct work *work, struct work_call *call);
	struct job *job;
	int64_t sent_at;
};

enum job_state { JOB_FREE, JOB_RUNNING, JOB_REPORTING };
/* Why we stop a command; JOB_END_ITSELF: we do not. */
enum job_end { JOB_END_ITSELF, JOB_END_LOST, JOB_END_TIMEOUT, JOB_END_OUTPUT, JOB_END_RELEASE };

struct job {
	enum job_state state;
	enum job_end end;
	char *id;
	char label[9]; /* the id's last characters */
	int64_t epoch;
	struct child child;
	/* Monotonic milliseconds; 0: never. */
	int64_t started, lease_ms, lease_end, beat_at, timeout_at, kill_at, report_at;
	const char *verb; /* "complete", "fail" or "release" */
	char *body;
	char *traceparent; /* the trace that the task belongs to; NULL: none */
	int failures; /* of the report so far */
	struct work_call *beat, *report;
};

enum work_phase { WORK_ON, WORK_DRAINING, WORK_RELEASING, WORK_ABORTING };

struct work {
	const struct ctl *ctl;
	const char *command;
	const struct option_words *roles;
	char *agent_id;
	char *self;                           /* path of agentctl */
	long concurrency, lease_s, max_tasks; /* 0: the server's, no limit */
	bool once;
	CURLM *multi;
	int signals;
	struct guard guard;
	struct job *jobs;
	struct curl_waitfd *fds;
	LIST_HEAD(, work_call) calls;
	enum work_phase phase;
	enum ctl_exit code;
	long leased;
	bool lease_ended;                       /* no lease will be asked for any more */
	bool registered, unregistered_by_right; /* the key may not register: works all the same */
	struct work_call *registering, *leasing, *greeting;
	int register_failures, lease_failures;
	int64_t register_at, lease_at, greet_at;
	int64_t phase_until;   /* when the phase has lasted long enough */
	int64_t trouble_until; /* the server's absence is not said again before */
	bool trouble;
};

/* work.c */
struct work_call *work_send(struct work *work, const char *method, const char *path, char *body, int64_t timeout_ms,
                            void (*done)(struct work *, struct work_call *), struct job *job);
void work_forget(struct work *work, struct work_call *call);
/* The wait before try number failures + 1: 0.2 s to 5 s with jitter, or what the server asked for. */
int64_t work_backoff(int failures, const struct http_call *http);
/* The server is away, or there again: each said once. */
void work_note_trouble(struct work *work, const struct http_call *http);
void work_note_contact(struct work *work);
/* Nothing can go on: says why, stops the commands, and the exit code is that of the answer. */
void work_abort(struct work *work, const struct http_call *http, const char *what);
/* Stops every command; the tasks go back. kill_at: when those that still run are killed. */
void work_release_all(struct work *work, int64_t kill_at);
long work_free_slots(const struct work *work);

/* work_server.c */
void work_server_turn(struct work *work, int64_t now);
int64_t work_server_next(const struct work *work);

/* job.c */
void job_start(struct work *work, struct job *job, const json_t *task);
void job_turn(struct work *work, struct job *job, int64_t now);
/* When job_turn() has something to do at the latest, without news. */
int64_t job_next(const struct job *job);
void job_stop(struct job *job, enum job_end end, int64_t kill_at);
/* Drops the job whatever its state; its command is dead or is killed now. */
void job_drop(struct work *work, struct job *job);

/* job_environment.c: the environment of a command, NULL-terminated; free with job_environment_free(). */
MUST_CHECK char **job_environment(const struct work *work, const struct job *job, const json_t *task);
void job_environment_free(char **environment);

/* outcome.c: what a command that has ended means. Sets verb and body; why_r (to be freed) is NULL when it completed. */
void outcome_judge(struct job *job, int64_t now, char **why_r);
/* The report that the task failed. */
void outcome_fail(struct job *job, const char *message, bool retryable);

#endif
