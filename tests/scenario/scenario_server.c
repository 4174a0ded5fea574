/*
 * scenario_server.c - the servers of a scenario: start until ready, stop and look for what stayed behind.
 *
 * A node keeps its port, its state folder and its log through restarts. A server must end with status 0 within 10 s
 * of SIGTERM and leave no process.
 */
#include "base.h"
#include "scenario_run.h"

#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVER_EXIT_US = 10000000, SERVER_LOOK_US = 50000 };

static bool
add_setting(struct scenario *scenario, const char *name, const char *value)
{
	struct setting *setting = arena_zero(&scenario->arena, sizeof(*setting));
	struct setting **last = &scenario->settings;

	*setting = (struct setting){.name = name, .value = value};
	while (*last)
		last = &(*last)->next;
	*last = setting;
	return true;
}

bool
server_set(struct scenario *scenario, const struct statement *statement)
{
	struct slice value;

	return scenario_text(scenario, statement->texts[0], &value) && add_setting(scenario, statement->name, value.data);
}

bool
server_unset(struct scenario *scenario, const struct statement *statement)
{
	return add_setting(scenario, statement->name, NULL);
}

void
server_environment(struct scenario *scenario, const struct node *node, struct environment *environment_r)
{
	environment_init(environment_r, &scenario->arena);
	environment_set(environment_r, "AGENTD_ENV", "testing");
	environment_set(environment_r, "AGENTD_DATABASE_URL", scenario->database_url);
	environment_set(environment_r, "AGENTD_PORT", arena_printf(&scenario->arena, "%d", node->port));
	environment_set(environment_r, "AGENTD_STATE_DIR", node->folder);
	environment_set(environment_r, "AGENTD_ADMIN_PASSWORD", scenario->admin_password);
	environment_set(environment_r, "AGENTD_SECRET", scenario->secret);
	environment_set(environment_r, "AGENTD_RATE_LIMIT", "1000000");
	environment_set(environment_r, "AGENTD_LOG_LEVEL", "info");
	environment_set(environment_r, "AGENTD_TEST_CLOCK", scenario->clock_path);
	if (geteuid() == 0)
		environment_set(environment_r, "AGENTD_USER", "nobody");
	for (const struct setting *setting = scenario->settings; setting; setting = setting->next)
		environment_set(environment_r, setting->name, setting->value);
}

static struct node *
find_node(struct scenario *scenario, const char *name)
{
	for (int i = 0; i < scenario->node_count; i++)
		if (strcmp(scenario->nodes[i].name, name) == 0)
			return &scenario->nodes[i];
	return NULL;
}

static struct node *
make_node(struct scenario *scenario, const char *name)
{
	struct node *node;

	if (scenario->node_count == SCENARIO_NODES_MAX) {
		failure_set(&scenario->failure, 0, "a scenario has at most %d nodes", (int)SCENARIO_NODES_MAX);
		return NULL;
	}
	node = &scenario->nodes[scenario->node_count++];
	node->name = name;
	node->port = exchange_free_port();
	node->folder = arena_printf(&scenario->arena, "%s/%s", scenario->folder, name);
	node->log = arena_printf(&scenario->arena, "%s/%s.log", scenario->folder, name);
	mkdir(node->folder, 0700);
	return node;
}

static void
use_node(struct scenario *scenario, struct node *node)
{
	struct arena *arena = &scenario->arena;

	scenario->node = node;
	variables_set(&scenario->variables, "PORT", slice_of(arena_printf(arena, "%d", node->port)));
	variables_set(&scenario->variables, "URL", slice_of(arena_printf(arena, "http://127.0.0.1:%d", node->port)));
	variables_set(&scenario->variables, "STATE_DIR", slice_of(node->folder));
}

static bool
spawn(struct scenario *scenario, struct node *node)
{
	char *arguments[] = {getenv("AGENTD"), (char[]){"run"}, NULL};
	struct environment environment;
	struct process_start start = {.arguments = arguments, .output = node->log, .errors = node->log};

	server_environment(scenario, node, &environment);
	start.environment = environment.list;
	node->pid = process_start(&start, &scenario->failure);
	return node->pid > 0;
}

static bool
wait_ready(struct scenario *scenario, struct node *node)
{
	int64_t deadline = clock_mono_us() + SCENARIO_START_US;
	int status;

	while (!request_answers(scenario, node->port, "/readyz", 200, deadline)) {
		if (process_wait(node->pid, 0, &status)) {
			node->pid = 0;
			return failure_set(&scenario->failure, 0, "expected %s to become ready, saw it end with %s", node->name,
			                   process_describe(status, &scenario->arena));
		}
		if (clock_mono_us() > deadline)
			return failure_set(&scenario->failure, 0,
			                   "expected GET /readyz of %s to answer 200 within %d s of its start", node->name,
			                   SCENARIO_START_US / 1000000);
		usleep(SERVER_LOOK_US);
	}
	return true;
}

bool
server_start(struct scenario *scenario, const struct statement *statement)
{
	const char *name = statement->name ? statement->name : "node1";
	struct node *node = find_node(scenario, name);

	if (node && node->pid)
		return failure_set(&scenario->failure, 0, "%s runs already; `start node2` starts another one", name);
	if (!node)
		node = make_node(scenario, name);
	if (!node || !spawn(scenario, node))
		return false;
	use_node(scenario, node);
	return wait_ready(scenario, node);
}

bool
server_on(struct scenario *scenario, const struct statement *statement)
{
	struct node *node = find_node(scenario, statement->name);

	if (!node)
		return failure_set(&scenario->failure, 0, "there is no node %s; `start %s` makes it", statement->name,
		                   statement->name);
	use_node(scenario, node);
	return true;
}

/* The server has ended: nothing may be left of it. patience: how long its processes may take to notice. */
static bool
check_nothing_left(struct scenario *scenario, struct node *node, int64_t patience)
{
	int64_t deadline = clock_mono_us() + patience;
	pid_t session = node->pid;
	const char *list;

	node->pid = 0;
	while (process_leftovers(session, &scenario->arena, &list) > 0) {
		if (clock_mono_us() >= deadline)
			return failure_set(&scenario->failure, 0, "expected no process of %s to be left, saw %s", node->name, list);
		usleep(SERVER_LOOK_US);
	}
	return true;
}

static bool
stop_node(struct scenario *scenario, struct node *node)
{
	int status;

	kill(node->pid, SIGTERM);
	if (!process_wait(node->pid, clock_mono_us() + SERVER_EXIT_US, &status))
		return failure_set(&scenario->failure, 0, "expected %s to end within %d s of SIGTERM, saw it run on",
		                   node->name, SERVER_EXIT_US / 1000000);
	if (status == 0)
		return check_nothing_left(scenario, node, 0);
	node->pid = 0;
	return failure_set(&scenario->failure, 0, "expected %s to end with exit status 0 after SIGTERM, saw %s", node->name,
	                   process_describe(status, &scenario->arena));
}

void
server_note_deaths(struct scenario *scenario)
{
	int status;

	for (struct node *node = scenario->nodes; node < scenario->nodes + scenario->node_count; node++)
		if (node->pid > 0 && process_wait(node->pid, 0, &status))
			scenario->deaths = arena_printf(&scenario->arena, "%s\n%s had ended by itself: %s",
			                                scenario->deaths ? scenario->deaths : "", node->name,
			                                process_describe(status, &scenario->arena));
}

bool
server_running(struct scenario *scenario, const char *name, struct node **node_r)
{
	*node_r = name ? find_node(scenario, name) : scenario->node;
	if (*node_r && (*node_r)->pid)
		return true;
	return failure_set(&scenario->failure, 0, "no server runs%s%s; write `start` first", name ? " by the name of " : "",
	                   name ? name : "");
}

bool
server_stop(struct scenario *scenario, const struct statement *statement)
{
	struct node *node;

	return server_running(scenario, statement->name, &node) && stop_node(scenario, node);
}

bool
server_start_fails(struct scenario *scenario, const struct statement *statement)
{
	struct node *node = make_node(scenario, arena_printf(&scenario->arena, "refused%d", scenario->node_count + 1));
	struct slice text;
	const char *log;
	int status;

	if (!node || !scenario_text(scenario, statement->texts[0], &text) || !spawn(scenario, node))
		return false;
	if (!process_wait(node->pid, clock_mono_us() + SCENARIO_START_US, &status))
		return failure_set(&scenario->failure, 0, "expected agentd to refuse to start, saw it run on");
	if (!check_nothing_left(scenario, node, 0))
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != statement->code)
		return failure_set(&scenario->failure, 0, "expected agentd to end with exit status %d, saw %s", statement->code,
		                   process_describe(status, &scenario->arena));
	log = scenario_read_file(&scenario->arena, node->log, NULL);
	return (log && strstr(log, text.data)) ||
	       failure_set(&scenario->failure, 0, "expected standard error to say \"%s\", saw:\n%.1500s", text.data,
	                   log ? log : "nothing");
}

bool
server_master_died(struct scenario *scenario)
{
	int status;

	if (!process_wait(scenario->node->pid, scenario->deadline, &status))
		return failure_set(&scenario->failure, 0, "the master does not die");
	return check_nothing_left(scenario, scenario->node, SERVER_EXIT_US);
}

static bool
check_log(struct scenario *scenario, const struct node *node)
{
	static const char *const never[] = {"invariant broken", "ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
	                                    "runtime error:", "system calls were refused"};
	const char *log = scenario_read_file(&scenario->arena, node->log, NULL);
	const char *found;

	/* Who tries to break out is refused: that is no fault. */
	size_t count = ARRAY_LENGTH(never) - (log && strstr(log, "breach denied") ? 1 : 0);

	for (size_t i = 0; log && i < count; i++)
		if ((found = strstr(log, never[i])))
			return failure_set(&scenario->failure, 0, "expected a clean log of %s, saw:\n%.2500s", node->name, found);
	return true;
}

bool
server_finish(struct scenario *scenario)
{
	for (int i = 0; i < scenario->node_count; i++)
		if (scenario->nodes[i].pid > 0 && !stop_node(scenario, &scenario->nodes[i]))
			return false;
	for (int i = 0; i < scenario->node_count; i++)
		if (!check_log(scenario, &scenario->nodes[i]))
			return false;
	return true;
}
