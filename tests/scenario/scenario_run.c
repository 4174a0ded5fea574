/*
 * scenario_run.c - the table of statements, and the run of one scenario from its folder to its clean end.
 *
 * To add a statement: a row here, a runner in the file it belongs to, its declaration in scenario_run.h, and a line in
 * README.md. A new operand goes into scenario_operand.c.
 */
#include "base.h"
#include "scenario_run.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOOK_AGAIN_US = 50000,
	SCENARIO_LAST_LOOK_US = 1000000,
	LOG_TAIL_BYTES = 6000,
	FILE_MAX_BYTES = 64 * 1024 * 1024
};

static bool
run_until(struct scenario *scenario, const struct statement *statement)
{
	int64_t end = clock_mono_us() + statement->duration_us;
	const char *seen;

	/* The last look may take longer than the bound, so that its answer and not its slowness is what is told. */
	scenario->deadline = end + SCENARIO_LAST_LOOK_US;
	while (!scenario_step(scenario, statement->inner)) {
		if (clock_mono_us() >= end) {
			seen = arena_string(&scenario->arena, slice_of(scenario->failure.text));
			return failure_set(&scenario->failure, 0, "not within %lld ms: %s",
			                   (long long)(statement->duration_us / 1000), seen);
		}
		scenario->failure.line = 0;
		usleep(LOOK_AGAIN_US);
	}
	return true;
}

static bool
run_within(struct scenario *scenario, const struct statement *statement)
{
	scenario->deadline = clock_mono_us() + statement->duration_us;
	return scenario_step(scenario, statement->inner);
}

#define METHOD(name, doc)                                                                       \
	{                                                                                           \
		name, "PATH [BODY] [ANSWER] [CONDITION]", doc, request_send, KIND_REQUEST | KIND_AGAIN, \
		    KIND_HEADER | KIND_CHECK                                                            \
	}

const struct statement_kind scenario_kinds[] = {
    {"set", "VARIABLE TEXT", "a setting of the servers that start after it", server_set, 0, 0},
    {"unset", "VARIABLE", "takes a setting away, those of the driver too", server_unset, 0, 0},
    {"start", "[NAME]", "starts a server (node1) and waits until it is ready; requests go to it", server_start, 0, 0},
    {"stop", "[NAME]", "SIGTERM; it must end with 0 within 10 s and leave no process", server_stop, 0, 0},
    {"on", "NAME", "requests, kill and log-has are about this node from here on", server_on, 0, 0},
    {"expect-start-fails", "CODE TEXT", "a server that must refuse to start", server_start_fails, 0, 0},
    {"login", "NAME [TEXT]", "logs in (password: the admin's) and goes on as that user", request_login, 0, 0},
    {"as", "NAME [TEXT]", "as admin, as nobody, as key $KEY", request_as, 0, 0},
    METHOD("GET", "a request; without -> it must get 2xx"),
    METHOD("HEAD", "the same"),
    METHOD("POST", "the same"),
    METHOD("PUT", "the same"),
    METHOD("PATCH", "the same"),
    METHOD("DELETE", "the same"),
    METHOD("OPTIONS", "the same"),
    {"raw", "TEXT [eof] [ANSWER]", "exact bytes on a fresh connection", request_raw, KIND_REQUEST | KIND_AGAIN,
     KIND_CHECK},
    {"header", "HEADER", "indented: a header of the request; replaces the driver's", NULL, KIND_HEADER, 0},
    {"no-header", "NAME", "indented: leaves out a header that the driver would send", NULL, KIND_HEADER, 0},
    {"expect", "CONDITION", "indented: what must hold", check_expect, KIND_CHECK, 0},
    {"let", "VARIABLE = SUBJECT", "indented: keeps a value as $VARIABLE", check_let, KIND_CHECK, 0},
    {"background", "NAME STATEMENT", "sends a request and does not wait", request_background, 0, KIND_HEADER},
    {"send", "NAME TEXT", "more bytes for a request in flight", request_send_more, 0, 0},
    {"join", "NAME [ANSWER] [CONDITION]", "waits for its answer", request_join, 0, KIND_CHECK},
    {"drop", "NAME", "closes its connection and does not look at the answer", request_drop, 0, 0},
    {"refuses", "", "the node takes no new connections", request_refuses, KIND_AGAIN, 0},
    {"advance", "DURATION", "moves the clocks of the servers and of PostgreSQL", database_advance, 0, 0},
    {"jump-forward", "DURATION", "sets the wall clocks of the servers, and nothing else", database_jump_forward, 0, 0},
    {"jump-back", "DURATION", "the same", database_jump_back, 0, 0},
    {"until", "DURATION STATEMENT", "repeats it every 50 ms until it holds", run_until, 0, KIND_HEADER | KIND_CHECK},
    {"within", "DURATION STATEMENT", "gives it another bound than 10 s", run_within, 0, KIND_HEADER | KIND_CHECK},
    {"kill", "PROCESS [SIGNAL]", "SIGTERM or the signal; -9 waits for its death", control_kill, 0, 0},
    {"stop-process", "PROCESS", "SIGSTOP", control_stop_process, 0, 0},
    {"continue-process", "PROCESS", "SIGCONT", control_continue_process, 0, 0},
    {"alive", "PROCESS", "it lives", control_alive, KIND_AGAIN, 0},
    {"gone", "PROCESS", "it does not live", control_gone, KIND_AGAIN, 0},
    {"sql", "TEXT [COMPARISON]", "columns joined with |, rows with a newline", database_sql, KIND_AGAIN, KIND_CHECK},
    {"run", "PROGRAM [TEXT...] [EXIT]", "runs it to its end; without -> the exit status must be 0", command_run,
     KIND_AGAIN, KIND_CHECK},
    {"start-agent", "NAME TEXT TEXT [TEXT...]", "agentctl work: role, shell command, more options", command_start_agent,
     0, 0},
    {"kill-agent", "NAME [SIGNAL]", "ends it; -9 takes the command it runs along", command_kill_agent, 0, 0},
    {"log-has", "TEXT", "the log of the node contains it", control_log_has, KIND_AGAIN, 0},
    {"log-hasnt", "TEXT", "the log of the node does not contain it", control_log_hasnt, KIND_AGAIN, 0},
    {0},
};

bool
scenario_text(struct scenario *scenario, const struct text *text, struct slice *value_r)
{
	return text_value(text, &scenario->variables, &scenario->arena, value_r, &scenario->failure);
}

bool
scenario_step(struct scenario *scenario, const struct statement *statement)
{
	bool done = statement->kind->run(scenario, statement);

	/* The condition of an `expect` or `let` is its own business. */
	if (done && statement->condition && !(statement->kind->is & KIND_CHECK))
		done = check_condition(scenario, statement->condition);
	for (const struct statement *child = statement->children; child && done; child = child->next)
		if (child->kind->is & KIND_CHECK)
			done = scenario_step(scenario, child);
	if (!done && !scenario->failure.line)
		scenario->failure.line = statement->line;
	return done;
}

char *
scenario_read_file(struct arena *arena, const char *path, size_t *size_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf text = {0};
	ssize_t count = fd < 0 ? -1 : 1;
	char *copy;

	while (count > 0 && text.len < FILE_MAX_BYTES) {
		count = read(fd, buf_reserve(&text, 65536), 65536);
		text.len += (size_t)MAX(count, 0);
	}
	copy = count < 0 ? NULL : arena_string(arena, buf_slice(&text));
	if (size_r)
		*size_r = text.len;
	buf_free(&text);
	if (fd >= 0)
		close(fd);
	return copy;
}

static bool
open_folder(struct scenario *scenario)
{
	const char *parent = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	char *folder = arena_printf(&scenario->arena, "%s/scenario.XXXXXX", parent);
	unsigned long long random[6];

	if (!mkdtemp(folder) || getrandom(random, sizeof(random), 0) != sizeof(random))
		return failure_set(&scenario->failure, 0, "cannot make a folder in %s: %s", parent, strerror(errno));
	scenario->folder = folder;
	scenario->admin_password = arena_printf(&scenario->arena, "Aa1-%016llx%016llx", random[0], random[1]);
	scenario->secret =
	    arena_printf(&scenario->arena, "%016llx%016llx%016llx%016llx", random[2], random[3], random[4], random[5]);
	variables_set(&scenario->variables, "TMP", slice_of(folder));
	variables_set(&scenario->variables, "ADMIN_PASSWORD", slice_of(scenario->admin_password));
	if (getenv("AGENTCTL"))
		variables_set(&scenario->variables, "AGENTCTL", slice_of(getenv("AGENTCTL")));
	return true;
}

static int
remove_entry(const char *path, UNUSED const struct stat *stat, UNUSED int type, UNUSED struct FTW *where)
{
	return remove(path);
}

static bool
run_statements(struct scenario *scenario, const struct statement *first)
{
	for (const struct statement *statement = first; statement; statement = statement->next) {
		scenario->failure.line = 0;
		scenario->deadline = clock_mono_us() + SCENARIO_BOUND_US;
		if (!scenario_step(scenario, statement))
			return false;
	}
	scenario->failure.line = 0;
	return command_finish(scenario) && server_finish(scenario);
}

static void
add_tail(struct scenario *scenario, struct buf *report, const char *name, const char *path)
{
	size_t size = 0;
	const char *text = scenario_read_file(&scenario->arena, path, &size);
	const char *tail;

	if (!text || !size)
		return;
	tail = size > LOG_TAIL_BYTES ? strchr(text + size - LOG_TAIL_BYTES, '\n') : NULL;
	buf_printf(report, "\nthe end of the log of %s:\n%s", name, tail ? tail + 1 : text);
}

/* What a reader needs to find the fault without running it again. */
static const char *
report(struct scenario *scenario, const char *path, struct arena *arena)
{
	struct buf text = {0};
	const char *copy;

	if (scenario->failure.line)
		buf_printf(&text, "%s:%d: %s", path, scenario->failure.line, scenario->failure.text);
	else
		buf_printf(&text, "%s: %s", path, scenario->failure.text);
	if (scenario->deaths)
		buf_add_text(&text, scenario->deaths);
	if (scenario->answer_line)
		buf_printf(&text, "\nthe last answer (line %d):\n%.3000s", scenario->answer_line, scenario->answer.bytes.data);
	for (int i = 0; i < scenario->node_count; i++)
		add_tail(scenario, &text, scenario->nodes[i].name, scenario->nodes[i].log);
	for (const struct agent *agent = scenario->agents; agent; agent = agent->next)
		add_tail(scenario, &text, agent->name, agent->log);
	copy = arena_string(arena, buf_slice(&text));
	buf_free(&text);
	return copy;
}

const char *
scenario_run(const char *path, int number, struct arena *arena)
{
	struct scenario scenario = {0};
	struct statement *first;
	const char *found = NULL;
	struct slice text;
	bool passed;

	scenario.variables.arena = &scenario.arena;
	text.data = scenario_read_file(&scenario.arena, path, &text.len);
	passed = text.data || failure_set(&scenario.failure, 0, "cannot be read: %s", strerror(errno));
	passed = passed && scenario_parse(&scenario.arena, text, &first, &scenario.failure) && open_folder(&scenario) &&
	         database_open(&scenario, number) && run_statements(&scenario, first);
	if (!passed)
		server_note_deaths(&scenario);
	process_kill_all();
	if (!passed)
		found = report(&scenario, path, arena);
	request_finish(&scenario);
	database_close(&scenario);
	if (scenario.folder && (passed || !getenv("SCENARIO_KEEP")))
		nftw(scenario.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	arena_reset(&scenario.arena);
	return found;
}
