/*
 * http.h - one HTTP exchange with the server, by libcurl: prepared here, performed at once or by a curl multi handle.
 *
 * Only http and https, no redirects, always a time limit, answers of at most 64 MB. The key is sent to the context's
 * server only. An http_call owns everything in it until http_call_free().
 */
#ifndef AGENTCTL_HTTP_H
#define AGENTCTL_HTTP_H

#include "ctl.h"

#include <curl/curl.h>

struct http_call {
	CURL *easy;
	struct curl_slist *headers;
	char *request; /* the body sent, or NULL */
	char *what;    /* "POST /tasks/lease", for messages */
	char *server;
	FILE *stream; /* collects the answer */
	int64_t timeout_ms;
	size_t received;

	/* After http_call_finish(). status is 0 when there was no answer. */
	CURLcode result;
	char reason[CURL_ERROR_SIZE];
	long status;
	int64_t retry_after_ms; /* 0: not said */
	char *body;
	size_t body_len;
	json_t *json; /* NULL: the answer is not JSON */
};

/*
 * path is below /api/v1 unless it begins with /api/. body (may be NULL) is JSON text that is taken over; timeout_ms 0
 * means the usual one. Never NULL.
 */
MUST_CHECK struct http_call *http_call_new(const struct ctl *ctl, const char *method, const char *path, char *body,
                                           int64_t timeout_ms);
/* One header more, before the call is performed. */
void http_call_header(struct http_call *call, const char *name, const char *value);
/* Performs it, blocking, and finishes it. */
void http_call_perform(struct http_call *call);
/* For a multi handle: takes in how the transfer ended. */
void http_call_finish(struct http_call *call, CURLcode result);
void http_call_free(struct http_call *call);

bool http_call_ok(const struct http_call *call);
/* True when the same request may succeed later: no connection, no answer in time, 429, 502, 503, 504. */
bool http_call_may_retry(const struct http_call *call);
/* The exit code that the answer means. */
enum ctl_exit http_call_exit(const struct http_call *call);
/* Why it did not succeed, one line, not escaped; free() it. */
MUST_CHECK char *http_call_why(const struct http_call *call);
/* The `code` of the problem, or "". */
const char *http_call_problem(const struct http_call *call);
/* Prints the error in three parts; returns the exit code. */
enum ctl_exit http_call_report(const struct ctl *ctl, const struct http_call *call, const char *what);

/*
 * All in one: performs, and reports what fails as `what`. body is taken over (may be NULL). On CTL_DONE *answer_r is
 * the JSON of the answer (null when it has no body), for the caller to json_decref().
 */
MUST_CHECK enum ctl_exit http_request(const struct ctl *ctl, const char *method, const char *path, json_t *body,
                                      const char *what, json_t **answer_r);
/*
 * The same for a POST that makes something: with an Idempotency-Key, and again with the same one within --timeout (30
 * s) when the connection breaks or the server asks to come back.
 */
MUST_CHECK enum ctl_exit http_create(const struct ctl *ctl, const char *path, json_t *body, const char *what,
                                     json_t **answer_r);
/* One path out of a format in which every %s is percent-encoded; free() it. */
MUST_CHECK char *http_path(const char *format, const char *part);
/* Appends ?name=value or &name=value; value NULL: nothing. path is replaced. */
void http_path_query(char **path, const char *name, const char *value);

#endif
