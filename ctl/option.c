/* option.c - the table of options and its parser. An option that is not in the table is an error, never a word. */
#include "base.h"

#include "option.h"

#include <stdarg.h>

const struct option_spec option_specs[OPTION_COUNT] = {
    [OPTION_OUTPUT] = {"output", "table|wide|json|jsonl|name", "form of the data on standard output", 'o'},
    [OPTION_SERVER] = {"server", "URL", "the server, such as http://127.0.0.1:5000", 0},
    [OPTION_CONTEXT] = {"context", "NAME", "which stored server and key to use", 0},
    [OPTION_TIMEOUT] = {"timeout", "SECONDS", "how long to wait: for an answer (30), or for the end", 0},
    [OPTION_QUIET] = {"quiet", NULL, "no progress and no hints on standard error", 'q'},
    [OPTION_NO_COLOR] = {"no-color", NULL, "no colour (as the environment variable NO_COLOR)", 0},
    [OPTION_HELP] = {"help", NULL, "explain the command", 'h'},
    [OPTION_YES] = {"yes", NULL, "do not ask for confirmation", 'y'},
    [OPTION_WAIT] = {"wait", NULL, "wait: for the end of the workflow, or for a message to come", 0},
    [OPTION_USERNAME] = {"username", "NAME", "who logs in; asked for when absent", 0},
    [OPTION_PASSWORD_FILE] = {"password-file", "FILE|-", "read the password from the first line of a file", 0},
    [OPTION_TEMPLATE] = {"template", "NAME", "the template, such as review", 0},
    [OPTION_TASKS] = {"tasks", "FILE|-", "a JSON file with the graph: an array of tasks, or an object with \"tasks\"",
                      0},
    [OPTION_FILE] = {"file", "PATH", "a UTF-8 text of at most 900 KB as the input: {\"name\", \"text\"}", 0},
    [OPTION_INPUT] = {"input", "JSON|@FILE", "the input as JSON (@- reads standard input)", 0},
    [OPTION_DESCRIPTION] = {"description", "TEXT", "what this is about, for people", 0},
    [OPTION_LABEL] = {"label", "KEY=VALUE", "a label; may be given several times (of a limit: its name)", 0},
    [OPTION_DEADLINE] = {"deadline", "SECONDS", "the workflow fails if it has not ended after this time", 0},
    [OPTION_STATUS] = {"status", "STATUS", "only those with this status", 0},
    [OPTION_SCHEDULE] = {"schedule", "ID", "only those that this schedule has started", 0},
    [OPTION_WORKFLOW] = {"workflow", "ID", "only those of this workflow", 0},
    [OPTION_LIMIT] = {"limit", "N", "how many to list at most (50)", 0},
    [OPTION_DATA] = {"data", "FILE|-", "the request's body", 0},
    [OPTION_ROLE] = {"role", "ROLE", "the role; for work it may be given several times", 0},
    [OPTION_CAPABILITY] = {"capability", "NAME", "what the agent can do; may be given several times (its roles)", 0},
    [OPTION_EXEC] = {"exec", "COMMAND", "the command for /bin/sh that does one task", 0},
    [OPTION_CONCURRENCY] = {"concurrency", "N", "how many tasks at once (1)", 0},
    [OPTION_AGENT_ID] = {"agent-id", "ID", "the agent's id", 0},
    [OPTION_NAME] = {"name", "NAME", "its name, for people", 0},
    [OPTION_LEASE] = {"lease", "SECONDS", "how long a lease lives without a heartbeat", 0},
    [OPTION_ONCE] = {"once", NULL, "ask once, do or show what comes, then exit", 0},
    [OPTION_MAX_TASKS] = {"max-tasks", "N", "exit after so many tasks", 0},
    [OPTION_EVENTS] = {"events", NULL, "print the events, one a line, in place of the progress", 0},
    [OPTION_DOT] = {"dot", NULL, "print the graph for graphviz", 0},
    [OPTION_MAN] = {"man", NULL, "print the manual page, for: man -l FILE", 0},
    [OPTION_CRON] = {"cron", "\"M H D M W\"", "when: minute, hour, day, month, weekday, as in cron", 0},
    [OPTION_ZONE] = {"zone", "ZONE", "the time zone of --cron, such as Asia/Seoul (UTC)", 0},
    [OPTION_OVERLAP] = {"overlap", "skip|queue|cancel", "what to do when the last run has not ended yet", 0},
    [OPTION_CATCH_UP] = {"catch-up", "none|one|all", "what to do about runs that were missed", 0},
    [OPTION_PRIORITY] = {"priority", "1-10", "10 is taken first", 0},
    [OPTION_RUN_AT] = {"run-at", "TIME", "not before this time, such as 2026-11-23T09:00:00Z", 0},
    [OPTION_MAX_RETRIES] = {"max-retries", "N", "further attempts after the first", 0},
    [OPTION_TASK_TIMEOUT] = {"task-timeout", "SECONDS", "an attempt ends after this time", 0},
    [OPTION_REQUIRES] = {"requires", "CAPABILITY", "only agents that can do this; may be given several times", 0},
    [OPTION_UNIQUE_KEY] = {"unique-key", "TEXT", "one live task of this key at most", 0},
    [OPTION_ON_DUPLICATE] = {"on-duplicate", "refuse|return", "what to do when there is one already", 0},
    [OPTION_CONCURRENCY_KEY] = {"concurrency-key", "TEXT", "tasks of the same key do not run at once", 0},
    [OPTION_DEAD] = {"dead", NULL, "only those that nobody tries any more", 0},
    [OPTION_COMMENT] = {"comment", "TEXT", "why, for people", 0},
    [OPTION_SEND_BACK] = {"send-back", NULL, "send the work back for another round in place of an end", 0},
    [OPTION_EPOCH] = {"epoch", "N", "the lease that you hold (AGENTD_LEASE_EPOCH within agentctl work)", 0},
    [OPTION_BEFORE] = {"before", "KEY", "the task that waits for the new ones; may be given several times", 0},
    [OPTION_RESULT] = {"result", "JSON|@FILE", "the result as JSON", 0},
    [OPTION_ERROR] = {"error", "TEXT", "what went wrong", 0},
    [OPTION_MAX] = {"max", "N", "at most so many", 0},
    [OPTION_KIND] = {"kind", "KIND", "for a limit: concurrency or rate; for events: only this kind", 0},
    [OPTION_KEY] = {"key", "role|label|agent", "what the limit counts by", 0},
    [OPTION_VALUE] = {"value", "N|JSON", "the limit; the value to remember (standard input when absent)", 0},
    [OPTION_WINDOW] = {"window", "SECONDS", "the time that a rate is about", 0},
    [OPTION_MATCH] = {"match", "TEXT", "only this role, agent or value of the label (each has a limit of its own)", 0},
    [OPTION_FROM] = {"from", "AGENT", "the agent that sends", 0},
    [OPTION_TO] = {"to", "AGENT", "the agent that receives", 0},
    [OPTION_TO_ROLE] = {"to-role", "ROLE", "whichever agent of the role asks first", 0},
    [OPTION_BROADCAST] = {"broadcast", NULL, "to every other agent", 0},
    [OPTION_TYPE] = {"type", "TYPE", "of a message, a key (secret, public) or a memory (shared, agent, read_only)", 0},
    [OPTION_CONTENT] = {"content", "JSON|@FILE", "the message: a JSON object", 0},
    [OPTION_REPLY_TO] = {"reply-to", "ID", "the message that this one answers", 0},
    [OPTION_TASK] = {"task", "ID", "the task that it is about", 0},
    [OPTION_PREFIX] = {"prefix", "TEXT", "only keys that begin so", 0},
    [OPTION_TTL] = {"ttl", "SECONDS", "forget it after this time", 0},
    [OPTION_IF_VERSION] = {"if-version", "N", "only if this is its version now (0: only if it is not there)", 0},
    [OPTION_FOLLOW] = {"follow", NULL, "go on: print what happens from now on", 'f'},
    [OPTION_AFTER] = {"after", "ID", "only what came after this event", 0},
    [OPTION_SUBJECT] = {"subject", "TEXT", "only events about this", 0},
    [OPTION_SCOPE] = {"scope", "SCOPE", "what the key may do: workflow:read, task:execute@role=sena; may be given several times",
                      0},
    [OPTION_RATE_LIMIT] = {"rate-limit", "N", "requests a minute", 0},
    [OPTION_EXPIRES] = {"expires-days", "N", "the key ends after so many days", 0},
    [OPTION_QUOTA] = {"quota", "NAME=N", "what a tenant may have at most (none: as much as it likes); may be given several times", 0},
    [OPTION_TENANT] = {"tenant", "NAME", "the tenant that the user belongs to (default)", 0},
    [OPTION_ALLOW_IP] = {"allow-ip", "ADDRESS[/BITS]", "where it may be used from; may be given several times", 0},
    [OPTION_ALLOW_ORIGIN] = {"allow-origin", "ORIGIN", "whose pages may use a public key; may be given several times", 0},
    [OPTION_OVERLAP_S] = {"overlap-seconds", "N", "how long the old key goes on working (3600)", 0},
    [OPTION_INTERVAL] = {"interval", "SECONDS", "between two looks (2)", 0},
    [OPTION_ACTOR] = {"actor", "NAME", "only what this one did: a name, or user:ID or key:ID", 0},
    [OPTION_ACTION] = {"action", "ACTION", "only this, like key.revoke; key is all about keys", 0},
    [OPTION_COMPONENT] = {"component", "NAME", "only of this, such as database, disk or \"pool 0\"", 0},
    [OPTION_SINCE] = {"since", "TIME", "only from this time on, such as 2026-11-23T09:00:00Z", 0},
    [OPTION_UNTIL] = {"until", "TIME", "only before this time", 0},
    [OPTION_SEVERITY] = {"severity", "info|warning|critical", "how severe it is; of a channel: and what is worse", 0},
    [OPTION_RULE] = {"rule", "NAME", "only of this rule", 0},
    [OPTION_METRIC] = {"metric", "METRIC", "what is looked at, such as agent_errors, queue_age_s or error_rate", 0},
    [OPTION_COMPARISON] = {"comparison", "SIGN", "how it is held against the threshold: > >= < <= or ==", 0},
    [OPTION_THRESHOLD] = {"threshold", "NUMBER", "the alert is for values beyond it", 0},
    [OPTION_FOR] = {"for", "SECONDS", "the condition has to hold for so long before it fires", 0},
    [OPTION_KEEP] = {"keep", "SECONDS", "and not to hold for so long before it is resolved", 0},
    [OPTION_URL] = {"url", "URL", "where to send it", 0},
};

bool
option_is_common(enum option_id id)
{
	return id <= OPTION_HELP;
}

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
