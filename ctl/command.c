/* command.c - the command table and the help texts made from it. Every command is listed here once. */
#include "base.h"

#include "command.h"

#define BITS1(a) OPTION_BIT(OPTION_##a)
#define BITS2(a, b) (BITS1(a) | BITS1(b))
#define BITS3(a, b, c) (BITS2(a, b) | BITS1(c))

static enum ctl_exit
print_version(struct ctl *ctl)
{
	printf(ctl->format == CTL_JSON || ctl->format == CTL_JSONL ? "{\"version\":\"%s\"}\n" : "agentctl %s\n",
	       PACKAGE_VERSION);
	return CTL_DONE;
}

static enum ctl_exit
print_help(struct ctl *ctl)
{
	int used;
	const struct command *command = command_find(&ctl->args, &used);

	if (command && used == ctl->args.count) {
		command_help(stdout, command);
		return CTL_DONE;
	}
	if (ctl->args.count == 0 || (ctl->args.count == 1 && command_is_group(ctl->args.items[0]))) {
		command_overview(stdout, ctl->args.count ? ctl->args.items[0] : NULL);
		return CTL_DONE;
	}
	fputs("agentctl: there is no such command.\n  next: agentctl help\n", stderr);
	return CTL_USAGE;
}

static const struct command commands[] = {
    {.name = "login",
     .doc = "log in and store the token in the context",
     .more = "The password is asked for on the terminal, or read with --password-file. The token is stored in the\n"
             "configuration file, readable by you only. The context becomes the current one.",
     .options = BITS2(USERNAME, PASSWORD_FILE),
     .ignores_context = true,
     .run = login_run},
    {.name = "logout",
     .doc = "end the session and remove the token from the context",
     .ignores_context = true,
     .run = login_logout},
    {.name = "whoami", .doc = "show who you are to the server, and what you may do", .run = system_whoami},
    {.name = "status", .doc = "show the state of the server", .run = system_status},
    {.group = "agent", .name = "list", .doc = "list the agents", .options = BITS1(LIMIT), .run = agent_list},
    {.group = "agent",
     .name = "get",
     .args = "ID",
     .doc = "show one agent",
     .min_args = 1,
     .max_args = 1,
     .run = agent_get},
    {.group = "workflow",
     .name = "run",
     .doc = "start a workflow from a template",
     .more = "With --wait the exit code is 0 when the workflow completes, 8 when it fails or is cancelled, 7 when\n"
             "--timeout passes first. A server that restarts meanwhile is waited for.",
     .options = BITS3(TEMPLATE, FILE, INPUT) | BITS3(DESCRIPTION, LABEL, WAIT),
     .run = workflow_run},
    {.group = "workflow",
     .name = "list",
     .doc = "list the workflows",
     .options = BITS2(STATUS, LIMIT),
     .run = workflow_list},
    {.group = "workflow",
     .name = "get",
     .args = "ID",
     .doc = "show one workflow, its tasks and findings",
     .options = BITS1(WAIT),
     .min_args = 1,
     .max_args = 1,
     .run = workflow_get},
    {.group = "workflow",
     .name = "cancel",
     .args = "ID",
     .doc = "cancel a workflow and its tasks",
     .options = BITS1(YES),
     .min_args = 1,
     .max_args = 1,
     .run = workflow_cancel},
    {.group = "task",
     .name = "list",
     .doc = "list the tasks",
     .options = BITS3(STATUS, ROLE, AGENT_ID) | BITS2(WORKFLOW, LIMIT),
     .run = task_list},
    {.group = "task",
     .name = "get",
     .args = "ID",
     .doc = "show one task",
     .min_args = 1,
     .max_args = 1,
     .run = task_get},
    {.name = "work",
     .doc = "be an agent: lease tasks and run a command for each",
     .more =
         "The command gets the task as one line of JSON on standard input and answers with one JSON value on\n"
         "standard output (at most 1 MB; nothing means null). Exit status 0 completes the task, 75 fails it so that\n"
         "it is tried again, any other fails it. Standard error is passed on; its last 4 KB are kept with a failure.\n"
         "Its environment has AGENTD_TASK_ID, AGENTD_LEASE_EPOCH, AGENTD_DEADLINE, AGENTD_AGENT_ID, AGENTD_ROLE,\n"
         "AGENTD_WORKFLOW_ID, AGENTCTL and AGENTCTL_SERVER. A lost lease or a cancel stops it: SIGTERM, after 5 s\n"
         "SIGKILL, to its whole process group. SIGTERM to agentctl lets running commands finish for 20 s.",
     .options = BITS3(ROLE, EXEC, CONCURRENCY) | BITS3(AGENT_ID, NAME, LEASE) | BITS2(ONCE, MAX_TASKS),
     .run = work_run},
    {.name = "api",
     .args = "METHOD PATH",
     .doc = "make one request and print the answer",
     .more =
         "PATH is below /api/v1 unless it begins with /api/ or is one of the open ones at the root, such as /health:\n"
         "`agentctl api GET /tasks`, `agentctl api GET /health`.",
     .options = BITS1(DATA),
     .min_args = 2,
     .max_args = 2,
     .run = api_run},
    {.name = "version", .doc = "print the version", .offline = true, .run = print_version},
    {.name = "help",
     .args = "[COMMAND]",
     .doc = "explain a command, or list them",
     .offline = true,
     .max_args = 2,
     .run = print_help},
};

const struct command *
command_find(const struct option_words *words, int *used_r)
{
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
		const struct command *command = &commands[i];
		const char *first = command->group ? command->group : command->name;

		if (words->count < 1 || strcmp(words->items[0], first) != 0)
			continue;
		*used_r = command->group ? 2 : 1;
		if (!command->group || (words->count > 1 && strcmp(words->items[1], command->name) == 0))
			return command;
	}
	return NULL;
}

bool
command_is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		if (commands[i].group && strcmp(commands[i].group, word) == 0)
			return true;
	return false;
}

static void
print_option(FILE *out, const struct option_spec *spec)
{
	char left[64], letter[] = "-x, ";

	letter[1] = spec->letter;
	snprintf(left, sizeof(left), "%s--%s%s%s", spec->letter ? letter : "    ", spec->name, spec->value ? " " : "",
	         spec->value ? spec->value : "");
	if (strlen(left) > 26)
		fprintf(out, "  %s\n  %-26s  %s\n", left, "", spec->doc);
	else
		fprintf(out, "  %-26s  %s\n", left, spec->doc);
}

static void
print_options(FILE *out, const char *title, uint64_t set)
{
	if (set)
		fprintf(out, "\n%s\n", title);
	for (int i = 0; i < OPTION_COUNT; i++)
		if (set & OPTION_BIT(i))
			print_option(out, &option_specs[i]);
}

void
command_help(FILE *out, const struct command *command)
{
	fprintf(out, "agentctl %s%s%s - %s\n\nUsage: agentctl %s%s%s%s%s [options]\n", command->group ? command->group : "",
	        command->group ? " " : "", command->name, command->doc, command->group ? command->group : "",
	        command->group ? " " : "", command->name, command->args ? " " : "", command->args ? command->args : "");
	if (command->more)
		fprintf(out, "\n%s\n", command->more);
	print_options(out, "Options of this command:", command->options);
	print_options(out, "Options of every command:", OPTION_EVERYWHERE);
}

static void
print_environment(FILE *out)
{
	fputs("\nEnvironment:\n"
	      "  AGENTCTL_SERVER, AGENTCTL_KEY (or AGENTCTL_KEY_FILE), AGENTCTL_CONTEXT\n"
	      "  AGENTCTL_CONFIG             the configuration file (~/.config/agentctl/config.json)\n"
	      "\nExit codes:\n"
	      "  0 done, 1 failed, 2 wrong usage, 3 not found, 4 not allowed, 5 conflict or lost lease, 6 unreachable,\n"
	      "  7 timed out, 8 the awaited workflow failed, 130 interrupted\n",
	      out);
}

void
command_overview(FILE *out, const char *group)
{
	fprintf(out, "Usage: agentctl %s%sCOMMAND [options]\n\nCommands:\n", group ? group : "", group ? " " : "");
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
		const struct command *command = &commands[i];
		char left[64];

		if (group && (!command->group || strcmp(command->group, group) != 0))
			continue;
		snprintf(left, sizeof(left), "%s%s%s%s%s", command->group ? command->group : "", command->group ? " " : "",
		         command->name, command->args ? " " : "", command->args ? command->args : "");
		fprintf(out, "  %-22s  %s\n", left, command->doc);
	}
	fputs("\nagentctl help COMMAND explains one.\n", out);
	if (!group) {
		print_options(out, "Options of every command:", OPTION_EVERYWHERE);
		print_environment(out);
	}
}
