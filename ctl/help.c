/* help.c - agentctl help and version: the texts are made from the command table. */
#include "base.h"

#include "help.h"
#include "output.h"

const struct help_row help_environment[] = {
    {"AGENTCTL_SERVER", "the server, in the place of --server"},
    {"AGENTCTL_KEY", "an API key or a token"},
    {"AGENTCTL_KEY_FILE", "a file with it"},
    {"AGENTCTL_CONTEXT", "the context, in the place of --context"},
    {"AGENTCTL_CONFIG", "the configuration file (~/.config/agentctl/config.json)"},
    {"NO_COLOR", "no colour, if it is not empty"},
    {0},
};

const struct help_row help_exits[] = {
    {"0", "done"},
    {"1", "failed"},
    {"2", "wrong usage"},
    {"3", "not found"},
    {"4", "not allowed"},
    {"5", "in conflict with what is there, or the lease was lost"},
    {"6", "the server is not reachable"},
    {"7", "timed out"},
    {"8", "the awaited workflow failed or was cancelled"},
    {"130", "interrupted"},
    {0},
};

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
	const struct command_group *group = ctl->args.count ? command_group_named(ctl->args.items[0]) : NULL;

	if (ctl_flag(ctl, OPTION_MAN))
		manual_print(stdout);
	else if (ctl->args.count == 0 || (ctl->args.count == 1 && group))
		help_overview(stdout, group);
	else if (command && used == ctl->args.count)
		help_command(stdout, command);
	else
		return output_error(CTL_USAGE, "wrong usage.", "there is no such command", "agentctl help");
	return CTL_DONE;
}

static void
print_option(FILE *out, const struct option_spec *spec)
{
	char left[96], letter[] = "-x, ";

	letter[1] = spec->letter;
	snprintf(left, sizeof(left), "%s--%s%s%s", spec->letter ? letter : "    ", spec->name, spec->value ? " " : "",
	         spec->value ? spec->value : "");
	if (strlen(left) > 26)
		fprintf(out, "  %s\n  %-26s  %s\n", left, "", spec->doc);
	else
		fprintf(out, "  %-26s  %s\n", left, spec->doc);
}

static void
print_common_options(FILE *out)
{
	fputs("\nOptions of every command:\n", out);
	for (enum option_id i = 0; i < OPTION_COUNT; i++)
		if (option_is_common(i))
			print_option(out, &option_specs[i]);
}

void
help_command(FILE *out, const struct command *command)
{
	fprintf(out, "agentctl %s - %s\n\nUsage: agentctl %s%s%s [options]\n", command->name, command->doc, command->name,
	        command->args ? " " : "", command->args ? command->args : "");
	if (command->more)
		fprintf(out, "\n%s\n", command->more);
	if (command->options)
		fputs("\nOptions of this command:\n", out);
	for (const enum option_id *at = command->options; at && *at != OPTION_COUNT; at++)
		print_option(out, &option_specs[*at]);
	print_common_options(out);
}

static void
print_commands(FILE *out, const struct command *commands)
{
	for (const struct command *command = commands; command->name; command++) {
		char left[96];

		snprintf(left, sizeof(left), "%s%s%s", command->name, command->args ? " " : "",
		         command->args ? command->args : "");
		fprintf(out, "  %-26s  %s\n", left, command->doc);
	}
}

static void
print_rows(FILE *out, const char *title, const struct help_row *rows)
{
	fprintf(out, "\n%s:\n", title);
	for (; rows->name; rows++)
		fprintf(out, "  %-26s  %s\n", rows->name, rows->doc);
}

static void
print_everything(FILE *out)
{
	fputs("Usage: agentctl COMMAND [options]\n\nCommands:\n", out);
	for (int i = 0; i < command_group_count; i++)
		if (command_groups[i].name)
			fprintf(out, "  %-26s  %s\n", command_groups[i].name, command_groups[i].doc);
		else
			print_commands(out, command_groups[i].commands);
	fputs("\nagentctl help workflow lists the commands of a group; agentctl help workflow run explains one.\n", out);
	print_common_options(out);
	print_rows(out, "Environment", help_environment);
	print_rows(out, "Exit status", help_exits);
}

void
help_overview(FILE *out, const struct command_group *group)
{
	if (!group) {
		print_everything(out);
		return;
	}
	fprintf(out, "agentctl %s - %s\n\nCommands:\n", group->name, group->doc);
	print_commands(out, group->commands);
	fputs("\nagentctl help COMMAND explains one.\n", out);
}

const struct command help_commands[] = {
    {"version", NULL, "print the version", NULL, print_version, .offline = true},
    {"help", "[WORD]...", "explain a command, or list them", OPTIONS(OPTION_MAN), print_help, .offline = true},
    {0},
};
