/* progress.c - the display of a running workflow. A redraw never writes more lines than the terminal has. */
#include "base.h"

#include "duration.h"
#include "output.h"
#include "progress.h"
#include "terminal.h"
#include "text.h"

#include <unistd.h>

struct progress
progress_begin(const struct ctl *ctl)
{
	const char *no_color = getenv("NO_COLOR");
	bool live = terminal_can_redraw(STDERR_FILENO) && !ctl->quiet;

	return (struct progress){
	    .ctl = ctl, .live = live, .colour = live && !ctl_flag(ctl, OPTION_NO_COLOR) && !(no_color && *no_color)};
}

void
progress_detach(struct progress *progress)
{
	progress->lines = 0;
}

void
progress_end(struct progress *progress)
{
	json_decref(progress->last);
	progress->last = NULL;
}

/* How long the task took, or has been running; "" when it has not begun. */
static void
spent_text(const json_t *task, char out[DURATION_TEXT_SIZE])
{
	const json_t *duration = json_object_get(task, "duration_ms");
	int64_t since;

	out[0] = '\0';
	if (json_is_number(duration))
		duration_format((int64_t)json_number_value(duration), out);
	else if (strcmp(output_string(task, "status", ""), "processing") == 0 &&
	         duration_parse_time(output_string(task, "started_at", NULL), &since))
		duration_format(MAX(duration_wall_ms() - since, 0), out);
}

static char *
name_of(const json_t *task)
{
	const char *name = output_string(task, "key", output_string(task, "role", output_string(task, "id", "?")));

	return text_escape(name, strlen(name));
}

/* "analyst  processing  sena-host-1a2b3c  1.2 s", cut to the width. */
static void
draw_task(const struct progress *progress, const json_t *task, int name_width, int columns)
{
	static const struct output_field agent_field = {"", "leased_by", OUTPUT_TEXT, false, 0};
	static const struct output_field status_field = {"", "status", OUTPUT_STATUS, false, 0};
	char spent[DURATION_TEXT_SIZE], *name = name_of(task), *agent = output_cell(task, &agent_field);
	char *status = output_cell(task, &status_field);
	const char *colour = progress->colour ? output_colour(status) : "";
	int left = columns - 1 - 2 - name_width - 2 - 10 - 2 - 12;

	spent_text(task, spent);
	fputs("  ", stderr);
	text_write_fitted(stderr, name, name_width);
	fprintf(stderr, "  %s", colour);
	text_write_fitted(stderr, status, 10);
	fprintf(stderr, "%s  ", *colour ? OUTPUT_PLAIN : "");
	if (left >= 4)
		text_write_fitted(stderr, agent, MIN(left, 32));
	fprintf(stderr, "  %s", spent);
	free(name);
	free(agent);
	free(status);
}

static int
widest_name(const json_t *tasks, int columns)
{
	int widest = 4;

	for (size_t i = 0; i < json_array_size(tasks); i++) {
		char *name = name_of(json_array_get(tasks, i));

		widest = MAX(widest, text_width(name));
		free(name);
	}
	return MIN(widest, columns / 3);
}

/* "running  ######----  3 of 5 tasks  12.3 s": the whole of it in one line. */
static void
draw_head(const struct progress *progress, const json_t *workflow, int columns)
{
	enum { BAR = 20 };
	static const struct output_field status_field = {"", "status", OUTPUT_STATUS, false, 0};
	const json_t *counts = json_object_get(workflow, "progress");
	long long done = (long long)json_number_value(json_object_get(counts, "completed"));
	long long total = (long long)json_number_value(json_object_get(counts, "total"));
	int filled = total > 0 && done > 0 ? (int)MIN(done * BAR / total, (long long)BAR) : 0;
	char spent[DURATION_TEXT_SIZE] = "", bar[BAR + 1], rest[128], *status = output_cell(workflow, &status_field);
	const char *colour = progress->colour ? output_colour(status) : "";
	int64_t since;

	memset(bar, '.', BAR);
	memset(bar, '#', (size_t)filled);
	bar[BAR] = '\0';
	if (duration_parse_time(output_string(workflow, "created_at", NULL), &since))
		duration_format(MAX(duration_wall_ms() - since, 0), spent);
	snprintf(rest, sizeof(rest), "%s  %lld of %lld task%s  %s", bar, done, total, total == 1 ? "" : "s", spent);
	fprintf(stderr, "%s", colour);
	text_write_fitted(stderr, status, 10);
	fprintf(stderr, "%s  ", *colour ? OUTPUT_PLAIN : "");
	text_write_fitted(stderr, rest, MIN(text_width(rest), MAX(columns - 13, 1)));
	fputs("\033[K\n", stderr);
	free(status);
}

static void
redraw(struct progress *progress, const json_t *workflow)
{
	const json_t *tasks = json_object_get(workflow, "tasks");
	int columns, rows, count = (int)json_array_size(tasks), shown, name_width;

	terminal_size(STDERR_FILENO, &columns, &rows);
	shown = count > rows - 3 ? MAX(rows - 4, 1) : count;
	name_width = widest_name(tasks, columns);
	if (progress->lines)
		fprintf(stderr, "\033[%dA\r", progress->lines);
	progress->lines = shown + 1;
	draw_head(progress, workflow, columns);
	for (int i = 0; i < shown; i++) {
		draw_task(progress, json_array_get(tasks, (size_t)i), name_width, columns);
		fputs("\033[K\n", stderr);
	}
	if (shown < count) {
		fprintf(stderr, "  and %d more\033[K\n", count - shown);
		progress->lines++;
	}
	fputs("\033[J", stderr);
	fflush(stderr);
}

/* The same task as it was shown last, or NULL. */
static const json_t *
find_last(const struct progress *progress, const json_t *task)
{
	const char *id = output_string(task, "id", "");
	json_t *old;
	size_t i;

	json_array_foreach(progress->last, i, old)
	{
		if (strcmp(output_string(old, "id", ""), id) == 0)
			return old;
	}
	return NULL;
}

static bool
has_changed(const json_t *old, const json_t *task)
{
	static const char *const keys[] = {"status", "round", "leased_by"};

	if (!old)
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		const json_t *before = json_object_get(old, keys[i]), *now = json_object_get(task, keys[i]);

		/* The agent that let go is no news. */
		if (before != now && !json_equal(before, now) && (i != 2 || json_is_string(now)))
			return true;
	}
	return false;
}

static void
print_change(const struct ctl *ctl, const json_t *task)
{
	char spent[DURATION_TEXT_SIZE];
	const char *agent = output_string(task, "leased_by", NULL);
	int64_t round = (int64_t)json_number_value(json_object_get(task, "round"));
	char round_text[32] = "";

	spent_text(task, spent);
	if (round > 1)
		snprintf(round_text, sizeof(round_text), ", round %lld", (long long)round);
	output_note(ctl, "%s: %s%s%s%s%s%s", output_string(task, "key", output_string(task, "id", "?")),
	            output_string(task, "status", "?"), agent ? " by " : "", agent ? agent : "", round_text,
	            *spent ? " after " : "", spent);
}

void
progress_show(struct progress *progress, const json_t *workflow)
{
	json_t *tasks = json_object_get(workflow, "tasks"), *task;
	size_t i;

	if (progress->live)
		redraw(progress, workflow);
	else
		json_array_foreach(tasks, i, task)
		{
			if (has_changed(find_last(progress, task), task))
				print_change(progress->ctl, task);
		}
	json_decref(progress->last);
	progress->last = json_incref(tasks);
}
