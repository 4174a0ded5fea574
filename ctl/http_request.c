/*
 * http_request.c - whole exchanges for commands: one try, or for what makes something new, as many as it takes.
 *
 * Always holds: a request that makes something is repeated only with the Idempotency-Key of its first try, so that a
 * lost answer never makes a second thing.
 */
#include "base.h"

#include "duration.h"
#include "http.h"
#include "json_print.h"
#include "output.h"

#include <sys/random.h>

enum { CREATE_MS = 30000, BACKOFF_MIN_MS = 200, BACKOFF_MAX_MS = 5000 };

/* Ends the call: its JSON for the caller, or the error said. An answer without a body is null. */
static enum ctl_exit
take_answer(const struct ctl *ctl, struct http_call *call, const char *what, json_t **answer_r)
{
	enum ctl_exit code = CTL_DONE;

	if (http_call_ok(call) && (call->status == 204 || call->body_len == 0))
		*answer_r = json_null();
	else if (http_call_ok(call) && call->json)
		*answer_r = json_incref(call->json);
	else
		code = http_call_report(ctl, call, what);
	http_call_free(call);
	return code;
}

enum ctl_exit
http_request(const struct ctl *ctl, const char *method, const char *path, json_t *body, const char *what,
             json_t **answer_r)
{
	struct http_call *call = http_call_new(ctl, method, path, body ? json_print_text(body) : NULL, 0);

	json_decref(body);
	http_call_perform(call);
	return take_answer(ctl, call, what, answer_r);
}

static void
make_key(char key[33])
{
	uint8_t random[16];

	INVARIANT(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(key + 2 * i, 3, "%02x", random[i]);
}

/*
 * Repeating is of use: the connection broke, or the server asks to come again. Where nobody listens is said at once,
 * unless it was there a moment ago or the user named a time.
 */
static bool
is_worth_another(const struct ctl *ctl, const struct http_call *call, int failures)
{
	if (call->result == CURLE_COULDNT_CONNECT)
		return failures > 0 || ctl->timeout_s > 0;
	if (call->result == CURLE_COULDNT_RESOLVE_HOST || call->result == CURLE_SSL_CONNECT_ERROR)
		return false;
	/* The first try is still in flight. */
	if (call->status == 409)
		return failures > 0 && strcmp(http_call_problem(call), "idempotency_in_flight") == 0;
	return http_call_may_retry(call);
}

/* True when it is time for another try: after the pause that the server asked for, if that is before the end. */
static bool
wait_for_another(const struct ctl *ctl, const struct http_call *call, int failures, int64_t end)
{
	int64_t pause = duration_jitter(MIN((int64_t)BACKOFF_MIN_MS << MIN(failures, 10), (int64_t)BACKOFF_MAX_MS));

	pause = MAX(pause, call->retry_after_ms);
	if (!is_worth_another(ctl, call, failures) || duration_now_ms() + pause >= end)
		return false;
	if (failures == 0) {
		char *why = http_call_why(call);

		output_note(ctl, "%s; trying again.", why);
		free(why);
	}
	duration_sleep_ms(pause);
	return true;
}

enum ctl_exit
http_create(const struct ctl *ctl, const char *path, json_t *body, const char *what, json_t **answer_r)
{
	int64_t end = duration_now_ms() + (ctl->timeout_s > 0 ? (int64_t)(ctl->timeout_s * 1000) : CREATE_MS);
	char *text = body ? json_print_text(body) : NULL, key[33];
	struct http_call *call;

	json_decref(body);
	make_key(key);
	for (int failures = 0;; failures++) {
		call = http_call_new(ctl, "POST", path, text ? mem_string(text) : NULL, MAX(end - duration_now_ms(), 1));
		http_call_header(call, "Idempotency-Key", key);
		http_call_perform(call);
		if (http_call_ok(call) || !wait_for_another(ctl, call, failures, end))
			break;
		http_call_free(call);
	}
	free(text);
	return take_answer(ctl, call, what, answer_r);
}

char *
http_path(const char *format, const char *part)
{
	char *safe = curl_easy_escape(NULL, part, (int)strlen(part));
	const char *at = strstr(format, "%s");
	char *path = NULL;

	INVARIANT(safe && at);
	INVARIANT(asprintf(&path, "%.*s%s%s", (int)(at - format), format, safe, at + 2) >= 0);
	curl_free(safe);
	return path;
}

void
http_path_query(char **path, const char *name, const char *value)
{
	char *safe, *longer = NULL;

	if (!value)
		return;
	safe = curl_easy_escape(NULL, value, (int)strlen(value));
	INVARIANT(safe);
	INVARIANT(asprintf(&longer, "%s%c%s=%s", *path, strchr(*path, '?') ? '&' : '?', name, safe) >= 0);
	curl_free(safe);
	free(*path);
	*path = longer;
}
