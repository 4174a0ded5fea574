/* option.c - the table of options and its parser. An option that is not in the table is an error, never a word. */
#include "base.h"

#include "option.h"

#include <stdarg.h>

const struct option_spec option_specs[OPTION_COUNT] = {
    [OPTION_OUTPUT] = {"output", "table|wide|json|jsonl|name", "form of the data on standard output", 'o'},
    [OPTION_SERVER] = {"server", "URL", "the server, such as http://127.0.0.1:5000", 0},
    [OPTION_CONTEXT] = {"context", "NAME", "which stored server and key to use", 0},
    [OPTION_TIMEOUT] = {"timeout", "SECONDS", "how long to wait: for each answer (30), with --wait for the end", 0},
    [OPTION_QUIET] = {"quiet", NULL, "no progress and no hints on standard error", 'q'},
    [OPTION_NO_COLOR] = {"no-color", NULL, "no colour (as the environment variable NO_COLOR)", 0},
    [OPTION_HELP] = {"help", NULL, "explain the command", 'h'},
    [OPTION_YES] = {"yes", NULL, "do not ask for confirmation", 'y'},
    [OPTION_WAIT] = {"wait", NULL, "wait for the end of the workflow and show the progress", 0},
    [OPTION_USERNAME] = {"username", "NAME", "who logs in; asked for when absent", 0},
    [OPTION_PASSWORD_FILE] = {"password-file", "FILE|-", "read the password from the first line of a file", 0},
    [OPTION_TEMPLATE] = {"template", "NAME", "the template to run, such as review", 0},
    [OPTION_FILE] = {"file", "PATH", "a UTF-8 text of at most 900 KB as the input: {\"name\", \"text\"}", 0},
    [OPTION_INPUT] = {"input", "JSON|@FILE", "the input as JSON (@- reads standard input)", 0},
    [OPTION_DESCRIPTION] = {"description", "TEXT", "what this is about, for people", 0},
    [OPTION_LABEL] = {"label", "KEY=VALUE", "a label; may be given several times", 0},
    [OPTION_STATUS] = {"status", "STATUS", "only those with this status", 0},
    [OPTION_WORKFLOW] = {"workflow", "ID", "only those of this workflow", 0},
    [OPTION_LIMIT] = {"limit", "N", "how many to list at most (50)", 0},
    [OPTION_DATA] = {"data", "FILE|-", "the request's body", 0},
    [OPTION_ROLE] = {"role", "ROLE", "the role; for work it may be given several times", 0},
    [OPTION_EXEC] = {"exec", "COMMAND", "the command for /bin/sh that does one task", 0},
    [OPTION_CONCURRENCY] = {"concurrency", "N", "how many tasks at once (1)", 0},
    [OPTION_AGENT_ID] = {"agent-id", "ID", "the agent's id", 0},
    [OPTION_NAME] = {"name", "NAME", "the agent's name for people", 0},
    [OPTION_LEASE] = {"lease", "SECONDS", "how long a lease lives without a heartbeat", 0},
    [OPTION_ONCE] = {"once", NULL, "ask for tasks once, do what comes, then exit", 0},
    [OPTION_MAX_TASKS] = {"max-tasks", "N", "exit after so many tasks", 0},
};

static void
add(struct option_words *words, const char *item)
{
	words->items = mem_grow(words->items, sizeof(*words->items) * (size_t)(words->count + 1));
	words->items[words->count++] = item;
}

void
option_free(struct option_words *words)
{
	free(words->items);
	*words = (struct option_words){0};
}

static bool PRINTF_LIKE(2, 3) fail(char **error_r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(error_r, format, args) < 0)
		*error_r = mem_string("out of memory");
	va_end(args);
	return false;
}

static int
find_name(const char *name, size_t len)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (strlen(option_specs[i].name) == len && memcmp(option_specs[i].name, name, len) == 0)
			return i;
	return -1;
}

static int
find_letter(char letter)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (letter && option_specs[i].letter == letter)
			return i;
	return -1;
}

/* One argument that begins with '-'. attached: the text after '=' or after the letter, or NULL. */
static bool
parse_one(int argc, char **argv, int *at, struct option_words options_r[OPTION_COUNT], char **error_r)
{
	const char *arg = argv[*at];
	bool is_long = arg[1] == '-';
	size_t len = is_long ? strcspn(arg + 2, "=") : 1;
	int id = is_long ? find_name(arg + 2, len) : find_letter(arg[1]);
	const char *rest = is_long ? arg + 2 + len : arg + 2;
	const char *attached = *rest == '=' ? rest + 1 : (*rest ? rest : NULL);

	if (id < 0)
		return fail(error_r, "there is no option %.*s", (int)(is_long ? len + 2 : 2), arg);
	if (!option_specs[id].value) {
		if (attached)
			return fail(error_r, "option --%s takes no value", option_specs[id].name);
		add(&options_r[id], "");
		return true;
	}
	if (!attached && *at + 1 >= argc)
		return fail(error_r, "option --%s needs a value: %s", option_specs[id].name, option_specs[id].value);
	add(&options_r[id], attached ? attached : argv[++*at]);
	return true;
}

bool
option_parse(int argc, char **argv, struct option_words *words_r, struct option_words options_r[OPTION_COUNT],
             char **error_r)
{
	bool plain = false;

	for (int i = 1; i < argc; i++) {
		if (plain || argv[i][0] != '-' || argv[i][1] == '\0')
			add(words_r, argv[i]);
		else if (strcmp(argv[i], "--") == 0)
			plain = true;
		else if (!parse_one(argc, argv, &i, options_r, error_r))
			return false;
	}
	return true;
}
