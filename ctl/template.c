/* template.c - agentctl template: graphs of tasks kept under a name, each change a new version. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "resource.h"

static const struct output_field columns[] = {
    {"NAME", "name", OUTPUT_TEXT, false, 0},
    {"VERSION", "version", OUTPUT_TEXT, false, 0},
    {"TASKS", "task_count", OUTPUT_TEXT, false, 0},
    {"BUILT IN", "builtin", OUTPUT_TEXT, true, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"BY", "created_by", OUTPUT_TEXT, true, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 60},
    {0},
};

static const struct output_field details[] = {
    {"NAME", "name", OUTPUT_TEXT, false, 0},
    {"VERSION", "version", OUTPUT_TEXT, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"BY", "created_by", OUTPUT_TEXT, false, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 0},
    {0},
};

static const struct output_field task_columns_of_template[] = {
    {"TASK", "key", OUTPUT_TEXT, false, 24},
    {"ROLE", "role", OUTPUT_TEXT, false, 20},
    {"AFTER", "depends_on", OUTPUT_TEXT, false, 40},
    {"GATE", "gate", OUTPUT_TEXT, true, 0},
    {"CONDITION", "condition", OUTPUT_TEXT, true, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 40},
    {0},
};

static const struct resource resource = {"the template", "the templates", "/templates", "/templates/%s",
                                         "name",         columns,         details};

/* "review" out of "a/review.json". free() it. */
static char *
name_from_path(const char *path)
{
	const char *base = strrchr(path, '/');
	size_t len;

	base = base ? base + 1 : path;
	len = strlen(base);
	if (len > 5 && strcmp(base + len - 5, ".json") == 0)
		len -= 5;
	return strndup(base, len);
}

/* --name, else the name in the file, else the file's. NULL: said why. free() it. */
static char *
choose_name(const struct ctl *ctl, const json_t *body)
{
	const char *path = ctl->args.items[0], *given = ctl_option(ctl, OPTION_NAME);

	if (!given)
		given = output_string(body, "name", NULL);
	if (given)
		return mem_string(given);
	if (strcmp(path, "-") != 0)
		return name_from_path(path);
	output_error(CTL_USAGE, "wrong usage.", "the template has no name: it comes from standard input without one",
	             "agentctl template apply - --name NAME");
	return NULL;
}

static enum ctl_exit
apply(struct ctl *ctl)
{
	json_t *body = payload_file(ctl->args.items[0]), *answer = NULL;
	char *name, *path;
	enum ctl_exit code;

	if (!body)
		return CTL_FAILED;
	if (json_is_array(body))
		body = json_pack("{s:o}", "tasks", body);
	name = choose_name(ctl, body);
	if (!name) {
		json_decref(body);
		return CTL_USAGE;
	}
	if (json_is_object(body))
		json_object_del(body, "name");
	path = http_path("/templates/%s", name);
	code = http_request(ctl, "PUT", path, body, "cannot keep the template.", &answer);
	if (code == CTL_DONE)
		output_object(ctl, answer, details, "name");
	json_decref(answer);
	free(path);
	free(name);
	return code;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	return resource_list(ctl, &resource, NULL);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	char *path = http_path(resource.item, ctl->args.items[0]);
	json_t *answer = NULL;
	const json_t *tasks;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, "cannot get the template.", &answer);

	if (code == CTL_DONE)
		output_object(ctl, answer, details, "name");
	tasks = json_object_get(answer, "tasks");
	if (json_array_size(tasks) && ctl->format <= CTL_WIDE) {
		putchar('\n');
		output_table(ctl, tasks, task_columns_of_template, 0);
	}
	json_decref(answer);
	free(path);
	return code;
}

static enum ctl_exit delete (struct ctl *ctl) { return resource_delete(ctl, &resource); }

const struct command template_commands[] = {
    {"template apply", "FILE", "keep a graph of tasks under a name", OPTIONS(OPTION_NAME), apply,
     .more =
         "FILE (or -) holds an array of tasks, or {\"name\", \"description\", \"tasks\"}. The name is that of --name, "
         "of the\n"
         "file's \"name\", or of the file without .json. A template that is there gets a new version; what runs keeps\n"
         "the old one."},
    {"template list", NULL, "list the templates", OPTIONS(OPTION_LIMIT), list},
    {"template get", "NAME", "show a template and its tasks", NULL, get},
    {"template delete", "NAME", "delete a template", OPTIONS(OPTION_YES), delete},
    {0},
};
