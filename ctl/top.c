/*
 * top.c - agentctl top: the server, its tasks and its agents on one page; on a terminal again and again.
 *
 * Always holds: a page is made whole before it is written, and never has more lines than the terminal.
 */
#include "base.h"

#include "agent.h"
#include "command.h"
#include "context.h"
#include "duration.h"
#include "http.h"
#include "output.h"
#include "terminal.h"
#include "text.h"

#include <poll.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static const struct output_field agent_columns[] = {
    {"AGENT", "agent_id", OUTPUT_TEXT, false, 32},
    {"ROLE", "role", OUTPUT_TEXT, false, 20},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"LOAD", "load", OUTPUT_TEXT, false, 0},
    {"RUNNING", "running_tasks", OUTPUT_TEXT, false, 0},
    {"LAST ACTIVITY", "last_activity", OUTPUT_TIME, false, 0},
    {0},
};

/* {"status": ..., "agents": [...]}; NULL: said why. */
static json_t *
look(const struct ctl *ctl, enum ctl_exit *code_r)
{
	json_t *status = NULL, *agents = NULL, *page;

	*code_r = http_request(ctl, "GET", "/system/status", NULL, "cannot get the status.", &status);
	if (*code_r == CTL_DONE)
		*code_r = http_request(ctl, "GET", "/agents?limit=200", NULL, "cannot list the agents.", &agents);
	page = *code_r == CTL_DONE ? json_pack("{s:O, s:O?}", "status", status, "agents", json_object_get(agents, "items"))
	                           : NULL;
	json_decref(status);
	json_decref(agents);
	if (page && ctl->format <= CTL_WIDE)
		agent_count_running(ctl, json_object_get(page, "agents"));
	return page;
}

/* "TASKS  pending 3  processing 1": the numbers of an object. */
static void
print_counts(const struct ctl *ctl, const char *title, json_t *counts)
{
	const char *name;
	json_t *count;

	printf("%s%-8s%s", ctl->colour ? OUTPUT_BOLD : "", title, ctl->colour ? OUTPUT_PLAIN : "");
	json_object_foreach(counts, name, count)
	{
		char *safe = text_escape(name, strlen(name));

		if (json_is_number(count))
			printf("  %s%s%s %.15g", ctl->colour ? output_colour(safe) : "", safe, ctl->colour ? OUTPUT_PLAIN : "",
			       json_number_value(count));
		free(safe);
	}
	putchar('\n');
}

static void
print_page(const struct ctl *ctl, const json_t *page, int rows)
{
	const json_t *status = json_object_get(page, "status"), *agents = json_object_get(page, "agents");
	char *version = text_escape(output_string(status, "version", "?"), strlen(output_string(status, "version", "?")));
	char now[DURATION_TEXT_SIZE];
	json_t *shown = json_array();
	size_t room = rows > 7 ? (size_t)rows - 7 : SIZE_MAX;

	duration_format_time(duration_wall_ms(), now);
	printf("agentd %s at %s  %zu process%s  %.19s UTC\n", version, ctl->context->server,
	       json_array_size(json_object_get(status, "workers")),
	       json_array_size(json_object_get(status, "workers")) == 1 ? "" : "es", now);
	print_counts(ctl, "TASKS", json_object_get(status, "tasks"));
	print_counts(ctl, "AGENTS", json_object_get(status, "agents"));
	putchar('\n');
	for (size_t i = 0; i < json_array_size(agents) && i < room; i++)
		json_array_append(shown, json_array_get(agents, i));
	if (json_array_size(shown))
		output_table(ctl, shown, agent_columns, 0);
	else
		puts("no agents; begin one with: agentctl work --role ROLE --exec COMMAND");
	if (json_array_size(shown) < json_array_size(agents))
		printf("and %zu more\n", json_array_size(agents) - json_array_size(shown));
	json_decref(shown);
	free(version);
}

/* Waits for the time or for a key; true when it is q. */
static bool
wants_to_leave(int64_t ms)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = 0;

	if (!isatty(STDIN_FILENO)) {
		duration_sleep_ms(ms);
		return false;
	}
	return poll(&input, 1, (int)ms) > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q');
}

/* On a screen of its own, that is given back however it ends. */
static enum ctl_exit
repeat(struct ctl *ctl, long interval_s)
{
	enum ctl_exit code = CTL_DONE;
	bool more = true;

	terminal_set_farewell(LEAVE);
	terminal_read_keys(true);
	fputs(ENTER, stdout);
	while (more) {
		json_t *page;
		int columns, rows;

		terminal_size(STDOUT_FILENO, &columns, &rows);
		fputs("\033[H\033[J", stdout);
		page = look(ctl, &code);
		if (page)
			print_page(ctl, page, rows);
		printf("\nevery %ld s; q or Ctrl-C leaves", interval_s);
		fflush(stdout);
		json_decref(page);
		more = (code == CTL_DONE || code == CTL_UNREACHABLE || code == CTL_TIMED_OUT) &&
		       !wants_to_leave(interval_s * 1000);
	}
	fputs(LEAVE, stdout);
	fflush(stdout);
	terminal_read_keys(false);
	terminal_set_farewell(NULL);
	/* What went wrong was said on the screen that is gone. */
	if (code != CTL_DONE)
		json_decref(look(ctl, &code));
	return code;
}

static enum ctl_exit
show_top(struct ctl *ctl)
{
	long interval_s = 2;
	enum ctl_exit code;
	json_t *page;

	if (!ctl_number(ctl, OPTION_INTERVAL, 1, 3600, &interval_s))
		return CTL_USAGE;
	page = look(ctl, &code);
	if (page && ctl->format <= CTL_WIDE && terminal_can_redraw(STDOUT_FILENO) && terminal_can_redraw(STDERR_FILENO) &&
	    !ctl_flag(ctl, OPTION_ONCE)) {
		json_decref(page);
		return repeat(ctl, interval_s);
	}
	if (page && ctl->format == CTL_NAME) {
		json_t *items = json_pack("{s:O}", "items", json_object_get(page, "agents"));

		output_list(ctl, items, agent_columns, "agent_id");
		json_decref(items);
	} else if (page && !output_json(ctl, page)) {
		print_page(ctl, page, 0);
	}
	json_decref(page);
	return code;
}

const struct command top_commands[] = {
    {"top", NULL, "show tasks and agents on one page, again and again", OPTIONS(OPTION_INTERVAL, OPTION_ONCE), show_top,
     .more = "Where standard output is no terminal it shows them once."},
    {0},
};
