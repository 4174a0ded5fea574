/* http.c - libcurl's only user besides the loop of `agentctl work`; the key stands in a header, never in a URL. */
#include "base.h"

#include "context.h"
#include "http.h"
#include "output.h"
#include "session.h"

enum { TRACE_MAX = 512, ANSWER_MAX = 64 << 20, TIMEOUT_MS = 30000, CONNECT_TIMEOUT_MS = 5000 };

static size_t
take_answer(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;

	call->received += size * count;
	if (call->received > ANSWER_MAX)
		return 0;
	return fwrite(data, size, count, call->stream);
}

static void
add_header(struct http_call *call, const char *text)
{
	struct curl_slist *grown = curl_slist_append(call->headers, text);

	INVARIANT(grown);
	call->headers = grown;
}

void
http_call_header(struct http_call *call, const char *name, const char *value)
{
	char *text = NULL;

	INVARIANT(asprintf(&text, "%s: %s", name, value) >= 0);
	add_header(call, text);
	free(text);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static void
add_headers(const struct ctl *ctl, struct http_call *call)
{
	char *identity = NULL;

	add_header(call, "Accept: application/json");
	add_header(call, "Expect:");
	if (call->request)
		add_header(call, "Content-Type: application/json");
	if (ctl->context->key) {
		INVARIANT(asprintf(&identity, "Authorization: Bearer %s", ctl->context->key) >= 0);
		add_header(call, identity);
		explicit_bzero(identity, strlen(identity));
		free(identity);
	}
}

static void
set_limits(struct http_call *call)
{
	curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(call->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(call->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(call->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(call->easy, CURLOPT_USERAGENT, "agentctl/" PACKAGE_VERSION);
	curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->reason);
	curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
}

/* True for a path that is not below /api/v1: written whole, or one of the few that are open at the root. */
static bool
is_whole(const char *path)
{
	static const char *const open[] = {"/", "/health", "/livez", "/readyz", "/startupz", "/openapi.json", "/docs"};

	for (size_t i = 0; i < ARRAY_LENGTH(open); i++)
		if (strcmp(path, open[i]) == 0)
			return true;
	return strncmp(path, "/api/", 5) == 0;
}

/* The trace that a command of `agentctl work` runs in, or another program that hands one on that way. */
static void
join_trace(struct http_call *call)
{
	const char *parent = getenv("TRACEPARENT"), *state = getenv("TRACESTATE");

	if (!parent || strlen(parent) > TRACE_MAX || strspn(parent, "0123456789abcdef-") != strlen(parent))
		return;
	http_call_header(call, "traceparent", parent);
	if (state && *state && strlen(state) <= TRACE_MAX && !strpbrk(state, "\r\n"))
		http_call_header(call, "tracestate", state);
}

struct http_call *
http_call_new(const struct ctl *ctl, const char *method, const char *path, char *body, int64_t timeout_ms)
{
	struct http_call *call = mem_zero(sizeof(*call));
	char *url = NULL;

	session_keep(ctl);
	call->easy = curl_easy_init();
	call->stream = open_memstream(&call->body, &call->body_len);
	INVARIANT(call->easy && call->stream);
	call->request = body;
	call->server = mem_string(ctl->context->server);
	call->timeout_ms = timeout_ms > 0 ? timeout_ms : ctl->timeout_s > 0 ? (int64_t)(ctl->timeout_s * 1000) : TIMEOUT_MS;
	INVARIANT(asprintf(&call->what, "%s %s", method, path) >= 0);
	INVARIANT(asprintf(&url, "%s%s%s", ctl->context->server, is_whole(path) ? "" : "/api/v1", path) >= 0);
	set_limits(call);
	add_headers(ctl, call);
	curl_easy_setopt(call->easy, CURLOPT_URL, url);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
	join_trace(call);
	if (body || strcmp(method, "POST") == 0) {
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? strlen(body) : 0));
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(call->easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, method);
	free(url);
	return call;
}

/* jansson refuses integers above 64 bits; as doubles they are at least shown. */
static json_t *
parse_answer(const char *body, size_t len)
{
	json_error_t error;
	json_t *value = json_loadb(body, len, JSON_DECODE_ANY, &error);

	if (!value && json_error_code(&error) == json_error_numeric_overflow)
		value = json_loadb(body, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
	return value;
}

void
http_call_finish(struct http_call *call, CURLcode result)
{
	curl_off_t wait_s = 0;

	call->result = result;
	if (call->stream)
		fclose(call->stream);
	call->stream = NULL;
	INVARIANT(call->body);
	if (result == CURLE_OK) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
		curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &wait_s);
		call->retry_after_ms = MIN(wait_s, 3600) * 1000;
		call->json = parse_answer(call->body, call->body_len);
	}
}

void
http_call_perform(struct http_call *call)
{
	http_call_finish(call, curl_easy_perform(call->easy));
}

void
http_call_free(struct http_call *call)
{
	if (!call)
		return;
	curl_easy_cleanup(call->easy);
	for (struct curl_slist *header = call->headers; header; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl_slist_free_all(call->headers);
	if (call->stream)
		fclose(call->stream);
	/* Bodies of logins hold secrets, and wiping the rest costs little. */
	if (call->request)
		explicit_bzero(call->request, strlen(call->request));
	if (call->body)
		explicit_bzero(call->body, call->body_len);
	free(call->request);
	free(call->body);
	free(call->what);
	free(call->server);
	json_decref(call->json);
	free(call);
}

bool
http_call_ok(const struct http_call *call)
{
	return call->result == CURLE_OK && call->status >= 200 && call->status < 300;
}

static bool
is_no_connection(const struct http_call *call)
{
	switch (call->result) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SSL_CONNECT_ERROR:
		return true;
	default:
		return false;
	}
}

bool
http_call_may_retry(const struct http_call *call)
{
	if (call->result != CURLE_OK)
		return is_no_connection(call) || call->result == CURLE_OPERATION_TIMEDOUT;
	return call->status == 429 || (call->status >= 502 && call->status <= 504);
}

enum ctl_exit
http_call_exit(const struct http_call *call)
{
	if (call->result == CURLE_OPERATION_TIMEDOUT)
		return CTL_TIMED_OUT;
	if (call->result != CURLE_OK)
		return is_no_connection(call) || call->result == CURLE_PEER_FAILED_VERIFICATION ? CTL_UNREACHABLE : CTL_FAILED;
	switch (call->status) {
	case 401:
	case 403:
		return CTL_NOT_ALLOWED;
	case 404:
		return CTL_NOT_FOUND;
	case 409:
	case 412:
		return CTL_CONFLICT;
	case 502:
	case 503:
	case 504:
		return CTL_UNREACHABLE;
	default:
		return http_call_ok(call) ? CTL_DONE : CTL_FAILED;
	}
}

const char *
http_call_problem(const struct http_call *call)
{
	return output_string(call->json, "code", "");
}
