/*
 * scenario_command.c - other programs of a scenario: agentctl, agentd and sh to their end, agents in the background.
 *
 * All run in the scenario's folder with the identity that is current when they start; their output goes to files there.
 */
#include "base.h"
#include "scenario_run.h"

#include "clock.h"

#include <signal.h>
#include <sys/wait.h>

enum { COMMAND_WORDS_MAX = STATEMENT_TEXTS_MAX + 8, AGENT_EXIT_US = 10000000 };

struct command {
	char *words[COMMAND_WORDS_MAX + 1];
	int count;
	struct environment environment;
	const char *output;
	const char *errors;
};

static void
add_word(struct scenario *scenario, struct command *command, const char *word)
{
	INVARIANT(command->count < COMMAND_WORDS_MAX);
	command->words[command->count++] = arena_string(&scenario->arena, slice_of(word));
}

static bool
add_texts(struct scenario *scenario, struct command *command, const struct statement *statement, int first)
{
	struct slice word;

	for (int i = first; i < statement->text_count; i++) {
		if (!scenario_text(scenario, statement->texts[i], &word))
			return false;
		add_word(scenario, command, word.data);
	}
	return true;
}

/* What agentctl needs to reach the current node as the current identity, and no context of the user. */
static bool
set_environment(struct scenario *scenario, struct command *command, bool server)
{
	struct environment *environment = &command->environment;
	const struct node *node = scenario->node;

	if (server && !node)
		return failure_set(&scenario->failure, 0, "no server was started; write `start` first");
	if (server)
		server_environment(scenario, node, environment);
	else
		environment_init(environment, &scenario->arena);
	environment_set(environment, "HOME", scenario->folder);
	environment_set(environment, "XDG_CONFIG_HOME", scenario->folder);
	if (!server && node)
		environment_set(environment, "AGENTCTL_SERVER",
		                arena_printf(&scenario->arena, "http://127.0.0.1:%d", node->port));
	if (!server)
		environment_set(environment, "AGENTCTL_KEY", scenario->token);
	return true;
}

static pid_t
start(struct scenario *scenario, struct command *command)
{
	struct process_start process = {.arguments = command->words,
	                                .environment = command->environment.list,
	                                .folder = scenario->folder,
	                                .output = command->output,
	                                .errors = command->errors};

	return process_start(&process, &scenario->failure);
}

static bool
add_program(struct scenario *scenario, struct command *command, const char *name)
{
	const char *path = getenv(strcmp(name, "agentd") == 0 ? "AGENTD" : "AGENTCTL");

	if (strcmp(name, "sh") == 0) {
		add_word(scenario, command, "/bin/sh");
		add_word(scenario, command, "-c");
		return true;
	}
	if (!path)
		return failure_set(&scenario->failure, 0, "AGENTCTL is not in the environment; set it to the path of agentctl");
	add_word(scenario, command, path);
	return true;
}

static bool
expect_exit(struct scenario *scenario, const struct statement *statement, int status)
{
	int wanted = statement->code < 0 ? 0 : statement->code;

	if (WIFEXITED(status) && WEXITSTATUS(status) == wanted)
		return true;
	return failure_set(&scenario->failure, 0,
	                   "expected exit status %d, saw %s\nstandard output: %.1200s\n"
	                   "standard error: %.1200s",
	                   wanted, process_describe(status, &scenario->arena), scenario->output, scenario->errors);
}

bool
command_run(struct scenario *scenario, const struct statement *statement)
{
	struct command command = {0};
	int status;
	pid_t pid;

	if (!add_program(scenario, &command, statement->name) || !add_texts(scenario, &command, statement, 0) ||
	    !set_environment(scenario, &command, strcmp(statement->name, "agentd") == 0))
		return false;
	command.output = arena_printf(&scenario->arena, "%s/run%d.out", scenario->folder, ++scenario->runs);
	command.errors = arena_printf(&scenario->arena, "%s/run%d.err", scenario->folder, scenario->runs);
	pid = start(scenario, &command);
	if (pid < 0)
		return false;
	if (!process_wait(pid, scenario->deadline, &status)) {
		process_signal_session(pid, SIGKILL);
		return failure_set(&scenario->failure, 0, "expected %s to end in time, saw it run on; it was killed",
		                   statement->name);
	}
	scenario->output = scenario_read_file(&scenario->arena, command.output, NULL);
	scenario->errors = scenario_read_file(&scenario->arena, command.errors, NULL);
	if (!scenario->output || !scenario->errors)
		return failure_set(&scenario->failure, 0, "cannot read back what %s wrote", statement->name);
	return expect_exit(scenario, statement, status);
}

static struct agent *
find_agent(struct scenario *scenario, const char *name)
{
	struct agent *agent = scenario->agents;

	while (agent && strcmp(agent->name, name) != 0)
		agent = agent->next;
	return agent;
}

bool
command_start_agent(struct scenario *scenario, const struct statement *statement)
{
	struct agent *agent = find_agent(scenario, statement->name);
	struct command command = {0};
	struct slice role, shell;

	if (agent && agent->pid)
		return failure_set(&scenario->failure, 0, "the agent %s runs already", statement->name);
	if (!scenario_text(scenario, statement->texts[0], &role) || !scenario_text(scenario, statement->texts[1], &shell) ||
	    !add_program(scenario, &command, "agentctl") || !set_environment(scenario, &command, false))
		return false;
	add_word(scenario, &command, "work");
	add_word(scenario, &command, "--role");
	add_word(scenario, &command, role.data);
	add_word(scenario, &command, "--exec");
	add_word(scenario, &command, shell.data);
	if (!add_texts(scenario, &command, statement, 2))
		return false;
	if (!agent) {
		agent = arena_zero(&scenario->arena, sizeof(*agent));
		agent->name = statement->name;
		agent->log = arena_printf(&scenario->arena, "%s/agent-%s.log", scenario->folder, agent->name);
		agent->next = scenario->agents;
		scenario->agents = agent;
	}
	command.output = command.errors = agent->log;
	agent->pid = start(scenario, &command);
	return agent->pid > 0;
}

bool
command_kill_agent(struct scenario *scenario, const struct statement *statement)
{
	struct agent *agent = find_agent(scenario, statement->name);
	int status;

	if (!agent || !agent->pid)
		return failure_set(&scenario->failure, 0, "no agent %s runs; `start-agent %s ...` starts one", statement->name,
		                   statement->name);
	/* -9 is the machine that dies: the agent and the command it runs at the same moment. */
	if (statement->signal == SIGKILL)
		process_signal_session(agent->pid, SIGKILL);
	else
		kill(agent->pid, statement->signal ? statement->signal : SIGTERM);
	if (!process_wait(agent->pid, scenario->deadline, &status))
		return failure_set(&scenario->failure, 0, "expected the agent %s to end in time, saw it run on", agent->name);
	agent->pid = 0;
	return true;
}

bool
command_finish(struct scenario *scenario)
{
	struct statement statement = {0};

	for (struct agent *agent = scenario->agents; agent; agent = agent->next) {
		statement.name = agent->name;
		scenario->deadline = clock_mono_us() + AGENT_EXIT_US;
		if (agent->pid > 0 && !command_kill_agent(scenario, &statement))
			return false;
	}
	return true;
}
