/*
 * main.c - agentctl: reads the arguments, finds the command, opens its context, runs it, and makes its exit code.
 *
 * Always holds: a failed write to standard output is not reported as success.
 */
#include "base.h"

#include "command.h"
#include "context.h"
#include "help.h"
#include "output.h"
#include "terminal.h"
#include "text.h"

#include <curl/curl.h>
#include <errno.h>
#include <math.h>
#include <unistd.h>

const char *
ctl_option(const struct ctl *ctl, enum option_id id)
{
	const struct option_words *given = &ctl->options[id];

	return given->count ? given->items[given->count - 1] : NULL;
}

bool
ctl_flag(const struct ctl *ctl, enum option_id id)
{
	return ctl->options[id].count > 0;
}

bool
ctl_number(const struct ctl *ctl, enum option_id id, long low, long high, long *value_r)
{
	const char *text = ctl_option(ctl, id);
	char *end;
	long value;

	if (!text)
		return true;
	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || *end || errno || value < low || value > high) {
		output_error_why(CTL_USAGE, "wrong usage.", "correct it and try again", "--%s must be %ld to %ld, not \"%s\"",
		                 option_specs[id].name, low, high, text);
		return false;
	}
	*value_r = value;
	return true;
}

static enum ctl_exit
usage_error(const struct command *command, const char *why)
{
	char next[64] = "agentctl help";

	if (command)
		snprintf(next, sizeof(next), "agentctl help %s", command->name);
	return output_error(CTL_USAGE, "wrong usage.", why, next);
}

static enum ctl_exit
read_format(struct ctl *ctl)
{
	static const char *const names[] = {
	    [CTL_TABLE] = "table", [CTL_WIDE] = "wide", [CTL_JSON] = "json", [CTL_JSONL] = "jsonl", [CTL_NAME] = "name"};
	const char *asked = ctl_option(ctl, OPTION_OUTPUT);

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (!asked || strcmp(asked, names[i]) == 0) {
			ctl->format = (enum ctl_format)i;
			return CTL_DONE;
		}
	return usage_error(ctl->command, "--output must be table, wide, json, jsonl or name");
}

static enum ctl_exit
read_common(struct ctl *ctl)
{
	const char *timeout = ctl_option(ctl, OPTION_TIMEOUT), *no_color = getenv("NO_COLOR");
	char *end;

	if (timeout) {
		ctl->timeout_s = strtod(timeout, &end);
		if (end == timeout || *end || !isfinite(ctl->timeout_s) || ctl->timeout_s < 0.001 || ctl->timeout_s > 1e7)
			return usage_error(ctl->command, "--timeout must be a number of seconds above 0");
	}
	ctl->quiet = ctl_flag(ctl, OPTION_QUIET);
	ctl->colour = terminal_can_redraw(STDOUT_FILENO) && !ctl_flag(ctl, OPTION_NO_COLOR) && !(no_color && *no_color);
	return read_format(ctl);
}

/* The command's own rules: which options, how many words. */
static enum ctl_exit
check_usage(const struct ctl *ctl)
{
	char why[96];
	int most, least = command_least_args(ctl->command, &most);

	for (enum option_id i = 0; i < OPTION_COUNT; i++)
		if (ctl->options[i].count && !command_takes(ctl->command, i)) {
			snprintf(why, sizeof(why), "this command has no option --%s", option_specs[i].name);
			return usage_error(ctl->command, why);
		}
	if (ctl->args.count < least) {
		snprintf(why, sizeof(why), "something is missing after the command: %s", ctl->command->args);
		return usage_error(ctl->command, why);
	}
	if (ctl->args.count > most)
		return usage_error(ctl->command, "there is a word too many after the command");
	return CTL_DONE;
}

static enum ctl_exit
run_with_context(struct ctl *ctl)
{
	struct context context;
	enum ctl_exit code;

	if (ctl->command->offline)
		return ctl->command->run(ctl);
	code = context_open(ctl, &context);
	ctl->context = &context;
	if (code == CTL_DONE)
		code = ctl->command->run(ctl);
	context_close(&context);
	ctl->context = NULL;
	return code;
}

static enum ctl_exit
run_command(struct ctl *ctl)
{
	enum ctl_exit code;

	if (ctl_flag(ctl, OPTION_HELP)) {
		help_command(stdout, ctl->command);
		return CTL_DONE;
	}
	code = check_usage(ctl);
	if (code == CTL_DONE)
		code = read_common(ctl);
	return code == CTL_DONE ? run_with_context(ctl) : code;
}

static enum ctl_exit
explain_unknown(const struct command_group *group, const char *why)
{
	char next[64];

	snprintf(next, sizeof(next), "agentctl help%s%s", group ? " " : "", group ? group->name : "");
	return output_error(CTL_USAGE, "wrong usage.", why, next);
}

/* No command, or half of one. */
static enum ctl_exit
explain(const struct ctl *ctl, const struct option_words *words)
{
	const struct command_group *group = words->count ? command_group_named(words->items[0]) : NULL;
	char *why = NULL;
	enum ctl_exit code;

	if (words->count == 0 || (group && words->count == 1)) {
		help_overview(ctl_flag(ctl, OPTION_HELP) ? stdout : stderr, group);
		return ctl_flag(ctl, OPTION_HELP) ? CTL_DONE : CTL_USAGE;
	}
	INVARIANT(asprintf(&why, "there is no command \"%s%s%s\"", words->items[0], group ? " " : "",
	                   group ? words->items[1] : "") >= 0);
	code = explain_unknown(group, why);
	free(why);
	return code;
}

static enum ctl_exit
dispatch(int argc, char **argv, struct ctl *ctl, struct option_words *words)
{
	char *error = NULL;
	int used = 0;

	if (!option_parse(argc, argv, words, ctl->options, &error)) {
		enum ctl_exit code = usage_error(command_find(words, &used), error);

		free(error);
		return code;
	}
	ctl->command = command_find(words, &used);
	if (!ctl->command)
		return explain(ctl, words);
	ctl->args = (struct option_words){words->items + used, words->count - used};
	return run_command(ctl);
}

/* What was printed must have arrived. */
static enum ctl_exit
finish_output(enum ctl_exit code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno != EPIPE)
		output_error(CTL_FAILED, "cannot write the output.", strerror(errno), NULL);
	return code == CTL_DONE ? CTL_FAILED : code;
}

int
main(int argc, char **argv)
{
	static char version_word[] = "version";
	struct ctl ctl = {0};
	struct option_words words = {0};
	enum ctl_exit code;

	text_init();
	terminal_init();
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		argv[1] = version_word;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return (int)output_error(CTL_FAILED, "cannot start.", "libcurl does not initialise", NULL);
	code = finish_output(dispatch(argc, argv, &ctl, &words));
	curl_global_cleanup();
	for (enum option_id i = 0; i < OPTION_COUNT; i++)
		option_free(&ctl.options[i]);
	option_free(&words);
	return (int)code;
}
