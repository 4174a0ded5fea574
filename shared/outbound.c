/*
 * outbound.c - see outbound.h.
 *
 * libcurl says which sockets it wants watched and when to be called; the loop does both (curl_multi_socket_action(3)).
 * Callbacks of ours run when libcurl has returned, so that they may start other calls.
 */
#include "outbound.h"
#include "address_rule.h"
#include "buf.h"
#include "cidr.h"
#include "clock.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64 };

struct outbound_call {
	TAILQ_ENTRY(outbound_call) entry;
	struct outbound *outbound;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	struct buf answer;
	size_t answer_max;
	bool cut;     /* there was more of the answer */
	bool refused; /* an address was */
	int64_t began_us;
	char error[CURL_ERROR_SIZE];
	outbound_done *done;
	void *arg;
};
TAILQ_HEAD(outbound_calls, outbound_call);

struct outbound {
	struct event_base *base;
	const struct cidr_list *allowed;
	CURLM *multi;
	struct event *timer;
	struct outbound_calls calls;
	int pending;
};

static void
call_free(struct outbound_call *call)
{
	TAILQ_REMOVE(&call->outbound->calls, call, entry);
	call->outbound->pending--;
	curl_multi_remove_handle(call->outbound->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_free(&call->body);
	buf_free(&call->answer);
	free(call);
}

static enum outbound_outcome
outcome_of(const struct outbound_call *call, CURLcode code)
{
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && call->cut))
		return OUTBOUND_ANSWERED;
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
		return OUTBOUND_MALFORMED;
	return call->refused && code == CURLE_COULDNT_CONNECT ? OUTBOUND_REFUSED : OUTBOUND_FAILED;
}

static void
end(struct outbound_call *call, CURLcode code)
{
	struct outbound_result result = {.outcome = outcome_of(call, code),
	                                 .body = buf_slice(&call->answer),
	                                 .took_us = clock_steady_us() - call->began_us,
	                                 .error = *call->error ? call->error : curl_easy_strerror(code)};
	curl_off_t retry_after = 0;
	long status = 0;

	if (result.outcome == OUTBOUND_ANSWERED) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
		result.status = (int)status;
		result.retry_after_s = retry_after;
		result.error = "";
	} else if (result.outcome == OUTBOUND_REFUSED) {
		result.error = "its address is an internal one";
	}
	curl_multi_remove_handle(call->outbound->multi, call->easy);
	call->done(call->arg, &result);
	call_free(call);
}

static void
take_ended(struct outbound *outbound)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(outbound->multi, &left))) {
		struct outbound_call *call = NULL;
		CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		end(call, code);
	}
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct outbound *outbound = arg;
	int running, flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(outbound->multi, fd, flags, &running);
	take_ended(outbound);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct outbound *outbound = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(outbound->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_ended(outbound);
}

/* What libcurl wants to know of a socket; the event is kept with it. */
static int
watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *event)
{
	struct outbound *outbound = arg;
	short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (what != CURL_POLL_REMOVE) {
		event = event_new(outbound->base, fd, events, on_socket, outbound);
		INVARIANT(event && event_add(event, NULL) == 0);
	}
	curl_multi_assign(outbound->multi, fd, event);
	return 0;
}

static int
set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct outbound *outbound = arg;
	const struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

	(void)multi;
	if (timeout_ms < 0)
		event_del(outbound->timer);
	else
		event_add(outbound->timer, &time);
	return 0;
}

static size_t
take_answer(char *data, size_t size, size_t count, void *arg)
{
	struct outbound_call *call = arg;
	size_t length = size * count, room = call->answer_max - call->answer.len;

	buf_add(&call->answer, data, MIN(length, room));
	call->cut = length > room;
	return call->cut ? CURL_WRITEFUNC_ERROR : length;
}

/* Whatever a name resolves to, this is the address that will be connected to. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct outbound_call *call = arg;
	struct cidr where;

	(void)purpose;
	if (!cidr_of(&address->addr, &where) || !address_may_be_reached(&where, call->outbound->allowed)) {
		call->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void
set_request(struct outbound_call *call, const struct outbound_request *request)
{
	struct curl_slist *grown = curl_slist_append(NULL, "Expect:");

	for (int i = 0; i < OUTBOUND_HEADERS_MAX && request->headers[i]; i++) {
		call->headers = grown;
		grown = curl_slist_append(grown, request->headers[i]);
		INVARIANT(grown);
	}
	call->headers = grown;
	curl_easy_setopt(call->easy, CURLOPT_URL, request->url);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms);
	if (!request->body.data)
		return;
	buf_add_slice(&call->body, request->body);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
	curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body.data);
}

static void
set_rules(struct outbound_call *call)
{
	CURL *easy = call->easy;

	/* The address rule has to be asked, so nothing may come between: no proxy, no redirect, no other protocol. */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	INVARIANT(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* A name that does not resolve in time is left to its thread: the loop does not wait for it. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "agentd/" PACKAGE_VERSION);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

struct outbound_call *
outbound_send(struct outbound *outbound, const struct outbound_request *request, outbound_done *done, void *arg)
{
	struct outbound_call *call = mem_zero(sizeof(*call));

	call->outbound = outbound;
	call->answer_max = request->answer_max;
	call->began_us = clock_steady_us();
	call->done = done;
	call->arg = arg;
	call->easy = curl_easy_init();
	INVARIANT(call->easy);
	set_rules(call);
	set_request(call, request);
	TAILQ_INSERT_TAIL(&outbound->calls, call, entry);
	outbound->pending++;
	/* Only sets the timer: nothing is called back before the loop's next turn. */
	INVARIANT(curl_multi_add_handle(outbound->multi, call->easy) == CURLM_OK);
	return call;
}

void
outbound_cancel(struct outbound_call *call)
{
	call_free(call);
}

int
outbound_pending(const struct outbound *outbound)
{
	return outbound->pending;
}

struct outbound *
outbound_new(struct event_base *base, const struct cidr_list *allowed)
{
	struct outbound *outbound = mem_zero(sizeof(*outbound));

	INVARIANT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	outbound->base = base;
	outbound->allowed = allowed;
	TAILQ_INIT(&outbound->calls);
	outbound->timer = event_new(base, -1, 0, on_timer, outbound);
	outbound->multi = curl_multi_init();
	INVARIANT(outbound->timer && outbound->multi);
	curl_multi_setopt(outbound->multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(outbound->multi, CURLMOPT_SOCKETDATA, outbound);
	curl_multi_setopt(outbound->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(outbound->multi, CURLMOPT_TIMERDATA, outbound);
	curl_multi_setopt(outbound->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
	return outbound;
}

void
outbound_free(struct outbound *outbound)
{
	struct outbound_call *call;

	while ((call = TAILQ_FIRST(&outbound->calls)))
		call_free(call);
	curl_multi_cleanup(outbound->multi);
	event_free(outbound->timer);
	free(outbound);
	curl_global_cleanup();
}
