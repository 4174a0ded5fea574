/* manual.c - the manual page of agentctl, agentctl(1), made from the command table. See man(7). */
#include "base.h"

#include "help.h"

enum { LINE_WIDTH = 70, NO_WIDTH = 100000 };

/*
 * Text of a roff document: what would be a request or an escape is made harmless. A line goes on in the next one at the
 * first space from width on, which changes nothing where lines are filled.
 */
static void
print_wrapped(FILE *out, const char *text, size_t width)
{
	const char *line = text;
	bool begins = true;

	for (; *text; text++) {
		if (begins && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		begins = *text == '\n' || (*text == ' ' && (size_t)(text - line) + strcspn(text + 1, " \n") >= width);
		if (begins) {
			line = text + 1;
			fputc('\n', out);
			continue;
		}
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\'')
			fputs("\\(aq", out);
		else
			fputc(*text, out);
	}
}

static void
print_text(FILE *out, const char *text)
{
	print_wrapped(out, text, NO_WIDTH);
}

static void
print_filled(FILE *out, const char *text)
{
	print_wrapped(out, text, LINE_WIDTH);
}

/* Paragraphs are filled; lines that begin with spaces (examples) stay lines of their own. */
static void
print_lines(FILE *out, const char *text)
{
	bool in_example = false;

	while (*text) {
		int len = (int)strcspn(text, "\n");
		char *line = strndup(text, (size_t)len);

		if (in_example != (*line == ' '))
			fputs(in_example ? ".fi\n" : ".nf\n", out);
		in_example = *line == ' ';
		fputs(len ? "" : ".PP", out);
		(in_example ? print_text : print_filled)(out, line);
		fputc('\n', out);
		free(line);
		text += len + (text[len] == '\n');
	}
	fputs(in_example ? ".fi\n" : "", out);
}

static void
print_option(FILE *out, enum option_id id)
{
	const struct option_spec *spec = &option_specs[id];

	fputs(".TP\n.B ", out);
	if (spec->letter)
		fprintf(out, "\\-%c, ", spec->letter);
	fputs("\\-\\-", out);
	print_text(out, spec->name);
	if (spec->value) {
		fputc(' ', out);
		print_text(out, spec->value);
	}
	fputc('\n', out);
	print_filled(out, spec->doc);
	fputc('\n', out);
}

static void
print_command(FILE *out, const struct command *command)
{
	fputs(".SS agentctl ", out);
	print_text(out, command->name);
	if (command->args) {
		fputc(' ', out);
		print_text(out, command->args);
	}
	fputc('\n', out);
	print_filled(out, command->doc);
	fputs(".\n", out);
	if (command->more) {
		fputs(".PP\n", out);
		print_lines(out, command->more);
	}
	for (const enum option_id *at = command->options; at && *at != OPTION_COUNT; at++)
		print_option(out, *at);
}

static void
print_rows(FILE *out, const char *title, const struct help_row *rows)
{
	fprintf(out, ".SH %s\n", title);
	for (; rows->name; rows++) {
		fputs(".TP\n.B ", out);
		print_text(out, rows->name);
		fputc('\n', out);
		print_filled(out, rows->doc);
		fputc('\n', out);
	}
}

void
manual_print(FILE *out)
{
	fputs(".TH AGENTCTL 1 " PACKAGE_DATE " \"agentd " PACKAGE_VERSION "\" \"User Commands\"\n"
	      ".SH NAME\nagentctl \\- see and steer a server of agentd, and be an agent of it\n"
	      ".SH SYNOPSIS\n.B agentctl\n.I COMMAND\n[\\fIOPTION\\fR]...\n"
	      ".SH DESCRIPTION\nData goes to standard output, everything else to standard error.\n"
	      "Colour and redrawn progress are for terminals only. Secrets never stand in\n"
	      "arguments.\n.SH COMMANDS\n",
	      out);
	for (int i = 0; i < command_group_count; i++)
		for (const struct command *command = command_groups[i].commands; command->name; command++)
			print_command(out, command);
	fputs(".SH OPTIONS\nEvery command takes these; they may stand anywhere.\n", out);
	for (enum option_id i = 0; i < OPTION_COUNT; i++)
		if (option_is_common(i))
			print_option(out, i);
	print_rows(out, "ENVIRONMENT", help_environment);
	print_rows(out, "EXIT STATUS", help_exits);
	fputs(".SH FILES\n.TP\n.B ~/.config/agentctl/config.json\n"
	      "contexts: servers and the keys for them. It is refused when others can read it.\n"
	      ".SH SEE ALSO\n.BR agentd (8),\n.BR agentd.env (5)\n",
	      out);
}
