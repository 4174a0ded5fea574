/* event.c - agentctl event: what has happened, and with -f what happens from now on. */
#include "base.h"

#include "command.h"
#include "event.h"
#include "http.h"
#include "json_print.h"
#include "list.h"
#include "payload.h"
#include "stream.h"

static const struct output_field columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"AT", "at", OUTPUT_TIME, false, 0},
    {"KIND", "kind", OUTPUT_TEXT, false, 0},
    {"SUBJECT", "subject", OUTPUT_TEXT, false, 0},
    {"WORKFLOW", "workflow_id", OUTPUT_TEXT, true, 0},
    {"DATA", "data", OUTPUT_TEXT, false, 60},
    {0},
};

static const struct payload_field filters[] = {
    {"kind", OPTION_KIND, PAYLOAD_TEXT, false, 0, 0},
    {"subject", OPTION_SUBJECT, PAYLOAD_TEXT, false, 0, 0},
    {0},
};

/* The word that colours the line: "completed" of "task.completed". */
static const char *
colour_of(const struct ctl *ctl, const char *kind)
{
	const char *dot = strrchr(kind, '.');

	return ctl->colour ? output_colour(dot ? dot + 1 : kind) : "";
}

static void
print_line(const struct ctl *ctl, const json_t *event)
{
	for (const struct output_field *field = columns + 1; field->title; field++) {
		char *cell = output_cell(event, field);
		bool is_kind = strcmp(field->key, "kind") == 0;
		const char *colour = is_kind ? colour_of(ctl, output_string(event, "kind", "")) : "";

		if ((!field->wide || ctl->format == CTL_WIDE) && strcmp(cell, "-") != 0)
			printf("%s%s%s%s", field == columns + 1 ? "" : "  ", colour, cell, *colour ? OUTPUT_PLAIN : "");
		free(cell);
	}
	putchar('\n');
}

void
event_print(const struct ctl *ctl, const json_t *event)
{
	if (ctl->format == CTL_JSON || ctl->format == CTL_JSONL) {
		json_print_line(stdout, event);
		putchar('\n');
	} else if (ctl->format == CTL_NAME) {
		char *id = output_cell(event, &columns[0]);

		puts(id);
		free(id);
	} else {
		print_line(ctl, event);
	}
	fflush(stdout);
}

/* A reader that has gone ends it. */
static bool
take_event(void *arg, const json_t *event)
{
	event_print(arg, event);
	return !ferror(stdout);
}

static enum ctl_exit
follow(struct ctl *ctl)
{
	char *path = mem_string("/events/stream");
	enum ctl_exit code;

	payload_query(ctl, filters, &path);
	code = stream_follow(ctl, path, ctl_option(ctl, OPTION_AFTER), take_event, ctl);
	free(path);
	/* Here the time is how long to listen, not how long to wait for something. */
	return code == CTL_TIMED_OUT ? CTL_DONE : code;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	char *path = mem_string("/events");
	enum ctl_exit code;

	payload_query(ctl, filters, &path);
	code = list_show_after(ctl, path, "cannot list the events.", columns, "id", ctl_option(ctl, OPTION_AFTER));
	free(path);
	return code;
}

static enum ctl_exit
list_or_follow(struct ctl *ctl)
{
	return ctl_flag(ctl, OPTION_FOLLOW) ? follow(ctl) : list(ctl);
}

const struct command event_commands[] = {
    {"event", NULL, "list events, oldest first; with -f print them as they happen",
     OPTIONS(OPTION_FOLLOW, OPTION_AFTER, OPTION_KIND, OPTION_SUBJECT, OPTION_LIMIT), list_or_follow,
     .more =
         "With -f one line an event (-o jsonl for programs) until Ctrl-C or for --timeout seconds; lost connections\n"
         "are made anew, and no event is lost or printed twice. --after begins after the event of that id.\n"
         "--kind task.completed names one kind, --kind \"task.*\" all of tasks; --subject a task, an agent or a "
         "workflow."},
    {"event list", NULL, "list events, oldest first", OPTIONS(OPTION_AFTER, OPTION_KIND, OPTION_SUBJECT, OPTION_LIMIT),
     list},
    {0},
};
