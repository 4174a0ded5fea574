/* api.c - agentctl api: one request as the user wrote it. The answer goes to standard output, good or bad. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "json_print.h"
#include "output.h"
#include "private_file.h"
#include "text.h"

#include <ctype.h>
#include <unistd.h>

static enum ctl_exit
read_data(const char *path, char **body_r)
{
	char *why = NULL;
	size_t len = 0;
	enum ctl_exit code;

	if (!private_file_read(path, false, body_r, &len, &why) || !*body_r) {
		code = output_error(CTL_FAILED, "cannot read the body of the request.", why ? why : "there is no such file",
		                    "agentctl api METHOD PATH --data FILE");
		free(why);
		return code;
	}
	if (memchr(*body_r, '\0', len)) {
		private_file_wipe(*body_r, len);
		return output_error(CTL_FAILED, "cannot send the body of the request.", "it holds a NUL byte, so it is no JSON",
		                    NULL);
	}
	return CTL_DONE;
}

static void
print_answer(const struct ctl *ctl, const struct http_call *call)
{
	if (call->json && (ctl->format == CTL_JSON || isatty(STDOUT_FILENO))) {
		json_print_pretty(stdout, call->json);
		fputc('\n', stdout);
	} else if (call->json && ctl->format == CTL_JSONL) {
		json_print_line(stdout, call->json);
		fputc('\n', stdout);
	} else if (isatty(STDOUT_FILENO)) {
		char *safe = text_escape_lines(call->body, call->body_len);

		fputs(safe, stdout);
		free(safe);
	} else {
		fwrite(call->body, 1, call->body_len, stdout);
		if (call->json && call->body_len && call->body[call->body_len - 1] != '\n')
			fputc('\n', stdout);
	}
}

static bool
is_method(char *method)
{
	size_t len = strlen(method);

	for (char *at = method; *at; at++) {
		if (!isalpha((unsigned char)*at))
			return false;
		*at = (char)toupper((unsigned char)*at);
	}
	return len > 0 && len <= 16;
}

static enum ctl_exit
check_words(char *method, const char *path)
{
	if (!is_method(method))
		return output_error(CTL_USAGE, "wrong usage.", "METHOD must be a word such as GET", "agentctl api GET /health");
	if (*path != '/')
		return output_error(CTL_USAGE, "wrong usage.", "PATH must begin with /", "agentctl api GET /health");
	for (; *path; path++)
		if (*path <= ' ' || *path > '~')
			return output_error(CTL_USAGE, "wrong usage.", "PATH must be visible ASCII; write the rest as %XX",
			                    "agentctl api GET /health");
	return CTL_DONE;
}

static enum ctl_exit
make_request(struct ctl *ctl)
{
	const char *data = ctl_option(ctl, OPTION_DATA), *path = ctl->args.items[1];
	char *method = mem_string(ctl->args.items[0]), *body = NULL;
	struct http_call *call;
	enum ctl_exit code = check_words(method, path);

	if (code == CTL_DONE && data)
		code = read_data(data, &body);
	if (code == CTL_DONE) {
		call = http_call_new(ctl, method, path, body, 0);
		http_call_perform(call);
		if (call->status)
			print_answer(ctl, call);
		if (!http_call_ok(call))
			code = http_call_report(ctl, call, "the request did not succeed.");
		http_call_free(call);
	}
	free(method);
	return code;
}

const struct command api_commands[] = {
    {"api", "METHOD PATH", "make one request and print the answer", OPTIONS(OPTION_DATA), make_request,
     .more =
         "PATH is below /api/v1 unless it begins with /api/ or is one of the open ones at the root, such as /health:\n"
         "`agentctl api GET /tasks`, `agentctl api GET /health`."},
    {0},
};
