/* outcome.c - from a command's end to the report about its task. */
#include "base.h"

#include "duration.h"
#include "json_print.h"
#include "text.h"
#include "work.h"

#include <stdarg.h>
#include <sys/wait.h>

enum { STATUS_TRY_AGAIN = 75, SHOWN_MAX = 200 };

static char *PRINTF_LIKE(1, 2) format(const char *pattern, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, pattern);
	INVARIANT(vasprintf(&text, pattern, args) >= 0);
	va_end(args);
	return text;
}

void
outcome_fail(struct job *job, const char *message, bool retryable)
{
	size_t len = 0;
	FILE *out;

	free(job->body);
	job->body = NULL;
	out = open_memstream(&job->body, &len);
	INVARIANT(out);
	fprintf(out, "{\"epoch\":%lld,\"retryable\":%s,\"error_message\":", (long long)job->epoch,
	        retryable ? "true" : "false");
	json_print_string(out, message, strlen(message));
	fputc('}', out);
	fclose(out);
	job->verb = "fail";
}

/* Empty output means null. NULL: not JSON, and *error_r says so. */
static const char *
output_value(const struct child *child, json_error_t *error_r)
{
	json_t *value;

	if (strspn(child->output, " \t\r\n") == child->output_len)
		return "null";
	value = json_loadb(child->output, child->output_len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, error_r);
	if (!value)
		return NULL;
	json_decref(value);
	/* The text itself is sent, so that numbers keep their digits. */
	return child->output;
}

static char *
complain_output(const struct child *child, const json_error_t *error)
{
	char *shown = text_escape(child->output, MIN(child->output_len, (size_t)SHOWN_MAX));
	char *why = format("the command ended well, but its output is not one JSON value (line %d, column %d: %s): %s%s",
	                   error->line, error->column, error->text, shown, child->output_len > SHOWN_MAX ? "..." : "");

	free(shown);
	return why;
}

/* The reason, then the end of its standard error. */
static char *
with_tail(const struct child *child, char *reason)
{
	size_t from = 0, len = child->tail_len;
	char *tail, *whole;

	/* The cut may have gone through a character. */
	while (child->tail_len == CHILD_TAIL_MAX && from < 3 && ((uint8_t)child->tail[from] & 0xc0) == 0x80)
		from++;
	while (len > from && strchr(" \r\n", child->tail[len - 1]) && child->tail[len - 1])
		len--;
	tail = text_escape_lines(child->tail + from, len - from);
	whole = *tail ? format("%s: %s", reason, tail) : mem_string(reason);
	free(tail);
	free(reason);
	return whole;
}

static char *
judge_status(struct job *job, bool *retryable_r)
{
	int status = job->child.status;

	*retryable_r = true;
	if (job->end == JOB_END_TIMEOUT)
		return format("the command was stopped after %lld s, the task's time limit",
		              (long long)(job->timeout_at - job->started) / 1000);
	if (job->end == JOB_END_OUTPUT || job->child.too_large) {
		*retryable_r = false;
		return format("the command wrote more than 1 MB (%d bytes) to standard output", CHILD_OUTPUT_MAX);
	}
	if (WIFSIGNALED(status))
		return format("the command was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	*retryable_r = WEXITSTATUS(status) == STATUS_TRY_AGAIN;
	return format("the command exited with status %d", WEXITSTATUS(status));
}

static void
complete(struct job *job, const char *value, int64_t now)
{
	free(job->body);
	job->body = format("{\"epoch\":%lld,\"duration_ms\":%lld,\"output_data\":%s}", (long long)job->epoch,
	                   (long long)(now - job->started), value);
	job->verb = "complete";
}

void
outcome_judge(struct job *job, int64_t now, char **why_r)
{
	const struct child *child = &job->child;
	json_error_t error;
	bool retryable = false, well = WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;
	const char *value;

	*why_r = NULL;
	if (job->end == JOB_END_ITSELF && well && !child->too_large) {
		value = output_value(child, &error);
		if (value) {
			complete(job, value, now);
			return;
		}
		*why_r = complain_output(child, &error);
	} else {
		*why_r = with_tail(child, judge_status(job, &retryable));
	}
	outcome_fail(job, *why_r, retryable);
}
