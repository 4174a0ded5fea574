/* http_report.c - what an exchange that did not succeed means for the person at the terminal. */
#include "base.h"

#include "command.h"
#include "context.h"
#include "http.h"
#include "output.h"

/* The problem's title, detail, each field's error, and the request id. */
static void
write_problem(FILE *out, const struct http_call *call)
{
	const char *title = output_string(call->json, "title", NULL), *detail = output_string(call->json, "detail", NULL);
	const char *id = output_string(call->json, "request_id", NULL);
	const json_t *errors = json_object_get(call->json, "errors");
	json_t *error;
	size_t i;

	fprintf(out, "the server answered %ld", call->status);
	if (title)
		fprintf(out, " %s", title);
	if (detail)
		fprintf(out, ": %s", detail);
	json_array_foreach(errors, i, error)
	{
		fprintf(out, "; %s: %s", output_string(error, "pointer", ""),
		        output_string(error, "detail", output_string(error, "code", "wrong")));
	}
	if (id)
		fprintf(out, " (request %s)", id);
}

char *
http_call_why(const struct http_call *call)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	INVARIANT(out);
	if (call->result == CURLE_OPERATION_TIMEDOUT)
		fprintf(out, "%s did not answer %s within %.1f s", call->server, call->what, (double)call->timeout_ms / 1000);
	else if (call->result != CURLE_OK)
		fprintf(out, "no answer from %s: %s", call->server,
		        *call->reason ? call->reason : curl_easy_strerror(call->result));
	else if (http_call_ok(call))
		fprintf(out, "the answer of %s to %s is not the expected JSON; is it an agentd?", call->server, call->what);
	else
		write_problem(out, call);
	fclose(out);
	INVARIANT(text);
	return text;
}

static char *
next_for_identity(const struct ctl *ctl)
{
	const struct context *context = ctl->context;
	char *text = NULL;

	if (context->withheld_for)
		INVARIANT(asprintf(&text, "agentctl login --server %s (the stored key belongs to %s and was not sent)",
		                   context->server, context->withheld_for) >= 0);
	else if (context->key_origin && strncmp(context->key_origin, "AGENTCTL_", 9) == 0)
		INVARIANT(asprintf(&text, "correct %s, or unset it and run: agentctl login", context->key_origin) >= 0);
	else
		INVARIANT(asprintf(&text, "agentctl login --server %s", context->server) >= 0);
	return text;
}

/* "agentctl task list", if the command's group has such a command; else the help of the command. */
static char *
neighbour(const struct command *command, const char *verb, const char *args)
{
	int group_len = (int)strcspn(command->name, " ");
	char *name = NULL, *text = NULL;
	const struct command *found;

	INVARIANT(asprintf(&name, "%.*s %s", group_len, command->name, verb) >= 0);
	found = command_named(name);
	if (found && found != command)
		INVARIANT(asprintf(&text, "agentctl %s%s", name, args) >= 0);
	else
		INVARIANT(asprintf(&text, "agentctl help %s", command->name) >= 0);
	free(name);
	return text;
}

static char *
next_step(const struct ctl *ctl, const struct http_call *call)
{
	if (call->status == 401)
		return next_for_identity(ctl);
	switch (http_call_exit(call)) {
	case CTL_NOT_ALLOWED:
		return mem_string("agentctl whoami");
	case CTL_NOT_FOUND:
		return neighbour(ctl->command, "list", "");
	case CTL_CONFLICT:
		return neighbour(ctl->command, "get", ctl->command->args ? " ID" : "");
	case CTL_UNREACHABLE:
		return mem_string(call->status ? "try again in a moment, or look: agentctl api GET /health"
		                               : "start agentd there, or name another server with --server URL");
	case CTL_TIMED_OUT:
		return mem_string("try again with a longer --timeout SECONDS");
	default:
		return neighbour(ctl->command, "help", "");
	}
}

enum ctl_exit
http_call_report(const struct ctl *ctl, const struct http_call *call, const char *what)
{
	char *why = http_call_why(call), *next = next_step(ctl, call);
	enum ctl_exit code = http_call_exit(call);

	output_error(code == CTL_DONE ? CTL_FAILED : code, what, why, next);
	free(why);
	free(next);
	return code == CTL_DONE ? CTL_FAILED : code;
}
