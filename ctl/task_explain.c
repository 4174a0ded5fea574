/* task_explain.c - agentctl task explain: why a task is not running, in sentences. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "task.h"
#include "text.h"

/* Escaped text on standard output. */
static void
print_text(const char *text)
{
	char *safe = text_escape(text, strlen(text));

	fputs(safe, stdout);
	free(safe);
}

/* A sentence begins with a capital and ends with a full stop, whatever the server sent. */
static void
print_sentence(const char *text)
{
	size_t len = strlen(text);

	if (*text >= 'a' && *text <= 'z') {
		putchar(*text - 'a' + 'A');
		text++;
		len--;
	}
	print_text(text);
	if (len && !strchr(".!?", text[len - 1]))
		putchar('.');
	putchar('\n');
}

static void
print_head(const struct ctl *ctl, const json_t *answer)
{
	static const struct output_field status_field = {"", "status", OUTPUT_STATUS, false, 0};
	char *status = output_cell(answer, &status_field);
	const char *colour = ctl->colour ? output_colour(status) : "";
	bool ended = strcmp(status, "completed") == 0 || strcmp(status, "failed") == 0 ||
	             strcmp(status, "cancelled") == 0 || strcmp(status, "dead") == 0;

	fputs("The task ", stdout);
	print_text(output_string(answer, "id", ctl->args.items[0]));
	printf(" is %s%s%s", colour, status, *colour ? OUTPUT_PLAIN : "");
	if (json_is_true(json_object_get(answer, "runnable")))
		fputs(" and ready to run", stdout);
	else if (!ended && strcmp(status, "processing") != 0)
		fputs(" and cannot run yet", stdout);
	fputs(".\n", stdout);
	free(status);
}

static void
print_reasons(const json_t *reasons)
{
	json_t *reason;
	size_t i;

	json_array_foreach(reasons, i, reason)
	{
		const char *code = output_string(reason, "code", "unknown"), *frees = output_string(reason, "frees", NULL);

		printf("%3zu. ", i + 1);
		print_sentence(output_string(reason, "detail", code));
		if (frees) {
			fputs("     What frees it: ", stdout);
			print_text(frees);
			putchar('\n');
		}
	}
}

static void
print_queue(const json_t *answer)
{
	const json_t *queue = json_object_get(answer, "queue"), *agents = json_object_get(answer, "agents");
	long long ahead = (long long)json_number_value(json_object_get(queue, "ahead"));

	if (json_is_object(queue)) {
		fputs("Queue ", stdout);
		print_text(output_string(queue, "name", "?"));
		if (ahead == 0)
			fputs(": nothing goes before it", stdout);
		else
			printf(": %lld task%s before it", ahead, ahead == 1 ? " goes" : "s go");
		if (json_is_number(json_object_get(queue, "ready")))
			printf("; %lld ready to run", (long long)json_number_value(json_object_get(queue, "ready")));
		fputs(".\n", stdout);
	}
	if (json_is_object(agents))
		printf("Agents that could take it: %lld alive, %lld idle.\n",
		       (long long)json_number_value(json_object_get(agents, "live")),
		       (long long)json_number_value(json_object_get(agents, "idle")));
}

enum ctl_exit
task_explain(struct ctl *ctl)
{
	char *path = http_path("/tasks/%s/explain", ctl->args.items[0]);
	json_t *answer = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, "cannot explain the task.", &answer);

	if (code == CTL_DONE && ctl->format == CTL_NAME)
		resource_show_change(ctl, &task_resource, answer, "");
	else if (code == CTL_DONE && !output_json(ctl, answer)) {
		print_head(ctl, answer);
		print_reasons(json_object_get(answer, "reasons"));
		print_queue(answer);
	}
	json_decref(answer);
	free(path);
	return code;
}
