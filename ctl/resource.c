/* resource.c - commands that are one request. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "list.h"
#include "resource.h"
#include "terminal.h"
#include "text.h"

#include <unistd.h>

/* "cannot cancel the workflow."; free() it. */
static char *
failure_text(const char *verb, const char *noun)
{
	char *what = NULL;

	INVARIANT(asprintf(&what, "cannot %s %s.", verb, noun) >= 0);
	return what;
}

enum ctl_exit
resource_list(const struct ctl *ctl, const struct resource *resource, const struct payload_field *filters)
{
	char *path = mem_string(resource->list), *what = failure_text("list", resource->nouns);
	enum ctl_exit code;

	if (filters)
		payload_query(ctl, filters, &path);
	code = list_show(ctl, path, what, resource->columns, resource->id);
	free(path);
	free(what);
	return code;
}

enum ctl_exit
resource_get(const struct ctl *ctl, const struct resource *resource)
{
	char *path = http_path(resource->item, ctl->args.items[0]), *what = failure_text("get", resource->noun);
	json_t *answer = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, what, &answer);

	if (code == CTL_DONE)
		output_object(ctl, answer, resource->details, resource->id);
	json_decref(answer);
	free(path);
	free(what);
	return code;
}

bool
resource_confirm(const struct ctl *ctl, const char *question, enum ctl_exit *code_r)
{
	char *next = NULL;

	*code_r = CTL_DONE;
	if (ctl_flag(ctl, OPTION_YES))
		return true;
	if (isatty(STDIN_FILENO)) {
		if (terminal_confirm(question))
			return true;
		*code_r = output_error(CTL_FAILED, "nothing was done.", "you did not say yes", NULL);
		return false;
	}
	INVARIANT(asprintf(&next, "agentctl %s%s%s --yes", ctl->command->name, ctl->args.count ? " " : "",
	                   ctl->args.count ? ctl->args.items[0] : "") >= 0);
	*code_r = output_error(CTL_USAGE, "nothing was done.", "there is no terminal to ask for confirmation", next);
	free(next);
	return false;
}

enum ctl_exit
resource_delete(const struct ctl *ctl, const struct resource *resource)
{
	char *question = NULL, *name = text_escape(ctl->args.items[0], strlen(ctl->args.items[0]));
	enum ctl_exit code;
	bool yes;

	INVARIANT(asprintf(&question, "Delete %s %s? [y/N] ", resource->noun, name) >= 0);
	yes = resource_confirm(ctl, question, &code);
	free(question);
	free(name);
	if (!yes)
		return code;
	return resource_change(ctl, resource, "DELETE", resource->item, NULL, "delete", "is deleted");
}

void
resource_show_change(const struct ctl *ctl, const struct resource *resource, const json_t *answer, const char *done)
{
	const char *id = output_string(answer, resource->id, ctl->args.count ? ctl->args.items[0] : "");
	char *safe = text_escape(id, strlen(id));

	if (ctl->format == CTL_NAME)
		puts(safe);
	else if (ctl->format > CTL_WIDE)
		output_json(ctl, answer);
	else
		output_note(ctl, "%s %s %s.", resource->noun, id, done);
	free(safe);
}

enum ctl_exit
resource_change(const struct ctl *ctl, const struct resource *resource, const char *method, const char *format,
                json_t *body, const char *verb, const char *done)
{
	char *path = http_path(format, ctl->args.items[0]), *what = failure_text(verb, resource->noun);
	json_t *answer = NULL;
	enum ctl_exit code = http_request(ctl, method, path, body, what, &answer);

	if (code == CTL_DONE)
		resource_show_change(ctl, resource, answer, done);
	json_decref(answer);
	free(path);
	free(what);
	return code;
}

enum ctl_exit
resource_create(const struct ctl *ctl, const struct resource *resource, const char *path, json_t *body)
{
	char *what = failure_text("make", resource->noun);
	json_t *answer = NULL;
	enum ctl_exit code = http_create(ctl, path, body, what, &answer);

	if (code == CTL_DONE)
		output_object(ctl, answer, resource->details, resource->id);
	json_decref(answer);
	free(what);
	return code;
}
