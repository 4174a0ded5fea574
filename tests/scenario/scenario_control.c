/* scenario_control.c - the processes of the current node, found by their titles, and its log. */
#include "base.h"
#include "scenario_run.h"

#include <errno.h>
#include <signal.h>

/* The pid of the process of the current node that the statement names; 0: it does not live. */
static bool
find_process(struct scenario *scenario, const struct statement *statement, pid_t *pid_r)
{
	struct node *node;

	if (!server_running(scenario, NULL, &node))
		return false;
	if (strcmp(statement->name, "master") == 0)
		*pid_r = node->pid;
	else
		*pid_r = process_find_child(node->pid, statement->name);
	return true;
}

static bool
live_process(struct scenario *scenario, const struct statement *statement, pid_t *pid_r)
{
	if (!find_process(scenario, statement, pid_r))
		return false;
	return *pid_r || failure_set(&scenario->failure, 0, "expected %s to live, saw no child of %s with this title",
	                             statement->name, scenario->node->name);
}

bool
control_kill(struct scenario *scenario, const struct statement *statement)
{
	int signal = statement->signal ? statement->signal : SIGTERM;
	pid_t pid;

	if (!live_process(scenario, statement, &pid))
		return false;
	if (kill(pid, signal) != 0)
		return failure_set(&scenario->failure, 0, "cannot signal %s: %s", statement->name, strerror(errno));
	if (signal != SIGKILL)
		return true;
	if (pid == scenario->node->pid)
		return server_master_died(scenario);
	return process_wait_gone(pid, scenario->deadline) ||
	       failure_set(&scenario->failure, 0, "%s does not die", statement->name);
}

static bool
signal_process(struct scenario *scenario, const struct statement *statement, int signal)
{
	pid_t pid;

	return live_process(scenario, statement, &pid) && kill(pid, signal) == 0;
}

bool
control_stop_process(struct scenario *scenario, const struct statement *statement)
{
	return signal_process(scenario, statement, SIGSTOP);
}

bool
control_continue_process(struct scenario *scenario, const struct statement *statement)
{
	return signal_process(scenario, statement, SIGCONT);
}

bool
control_alive(struct scenario *scenario, const struct statement *statement)
{
	pid_t pid;

	return live_process(scenario, statement, &pid);
}

bool
control_gone(struct scenario *scenario, const struct statement *statement)
{
	pid_t pid;

	if (!find_process(scenario, statement, &pid))
		return false;
	return !pid || failure_set(&scenario->failure, 0, "expected no %s, saw pid %d", statement->name, (int)pid);
}

static bool
log_contains(struct scenario *scenario, const struct statement *statement, struct slice *text_r, bool *found_r)
{
	size_t size = 0;
	const char *log;

	if (!scenario->node)
		return failure_set(&scenario->failure, 0, "no server ran yet; write `start` first");
	if (!scenario_text(scenario, statement->texts[0], text_r))
		return false;
	log = scenario_read_file(&scenario->arena, scenario->node->log, &size);
	*found_r = log && memmem(log, size, text_r->data, text_r->len);
	return true;
}

bool
control_log_has(struct scenario *scenario, const struct statement *statement)
{
	struct slice text;
	bool found = false;

	return log_contains(scenario, statement, &text, &found) &&
	       (found || failure_set(&scenario->failure, 0, "expected \"%s\" in the log of %s, saw it nowhere", text.data,
	                             scenario->node->name));
}

bool
control_log_hasnt(struct scenario *scenario, const struct statement *statement)
{
	struct slice text;
	bool found = false;

	return log_contains(scenario, statement, &text, &found) &&
	       (!found || failure_set(&scenario->failure, 0, "expected no \"%s\" in the log of %s, saw it there", text.data,
	                              scenario->node->name));
}
