/*
 * test_outbound.c - requests of agentd's own against a server in the same loop: what is sent and told, what is refused,
 * and that every call ends.
 */
#include "base.h"

#include "buf.h"
#include "cidr.h"
#include "clock.h"
#include "outbound.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { DEADLINE_US = 20000000 };

static struct event_base *base;
static struct cidr_list everywhere;
static int port;
static struct buf heard;   /* what the server got */
static int connections;    /* that it had */
static int peers;          /* that it has */
static const char *answer; /* NULL: it says nothing */

struct told {
	int times;
	enum outbound_outcome outcome;
	int status;
	char body[64];
	char error[300];
	int64_t retry_after_s;
	struct outbound *chain; /* the callback sends another by it */
};

static void
on_read(struct bufferevent *peer, void *arg UNUSED)
{
	char piece[4096];
	size_t length;

	while ((length = bufferevent_read(peer, piece, sizeof(piece))) > 0)
		buf_add(&heard, piece, length);
	buf_add_byte(&heard, '\0');
	heard.len--;
	if (answer && strstr(heard.data, "\r\n\r\n"))
		bufferevent_write(peer, answer, strlen(answer));
}

static void
on_event(struct bufferevent *peer, short what, void *arg UNUSED)
{
	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	bufferevent_free(peer);
	peers--;
}

static void
on_connection(struct evconnlistener *listener UNUSED, evutil_socket_t fd, struct sockaddr *from UNUSED, int size UNUSED,
              void *arg UNUSED)
{
	struct bufferevent *peer = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	connections++;
	peers++;
	bufferevent_setcb(peer, on_read, NULL, on_event, NULL);
	bufferevent_enable(peer, EV_READ | EV_WRITE);
}

static struct evconnlistener *
listen_somewhere(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(any);
	struct evconnlistener *listener = evconnlistener_new_bind(base, on_connection, NULL, LEV_OPT_CLOSE_ON_FREE, 16,
	                                                          (struct sockaddr *)&any, sizeof(any));

	assert_non_null(listener);
	assert_int_equal(getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&any, &size), 0);
	port = ntohs(any.sin_port);
	return listener;
}

static struct outbound_request
request_to(char *url, const char *host)
{
	snprintf(url, 100, "http://%s:%d/hook?a=1", host, port);
	return (struct outbound_request){.url = url,
	                                 .headers = {"Content-Type: application/json", "webhook-id: m1"},
	                                 .body = SLICE("{\"a\":1}"),
	                                 .timeout_ms = 5000,
	                                 .answer_max = 10};
}

static void
done(void *arg, const struct outbound_result *result)
{
	struct told *told = arg;
	char url[100];

	told->times++;
	told->outcome = result->outcome;
	told->status = result->status;
	told->retry_after_s = result->retry_after_s;
	snprintf(told->body, sizeof(told->body), "%.*s", SLICE_ARG(result->body));
	snprintf(told->error, sizeof(told->error), "%s", result->error);
	if (told->chain) {
		struct outbound_request next = request_to(url, "127.0.0.1");
		(void)outbound_send(told->chain, &next, done, told);
		told->chain = NULL;
	}
}

static void
run_until(const struct told *told, int times)
{
	int64_t until_us = clock_steady_us() + DEADLINE_US;

	while (told->times < times) {
		event_base_loop(base, EVLOOP_ONCE);
		if (clock_steady_us() > until_us)
			fail_msg("no callback within 20 s");
	}
}

static struct told
ask_url(const struct cidr_list *allowed, const struct outbound_request *request)
{
	struct outbound *outbound = outbound_new(base, allowed);
	struct told told = {0};

	(void)outbound_send(outbound, request, done, &told);
	assert_int_equal(told.times, 0);
	assert_int_equal(outbound_pending(outbound), 1);
	run_until(&told, 1);
	assert_int_equal(outbound_pending(outbound), 0);
	outbound_free(outbound);
	assert_int_equal(told.times, 1);
	return told;
}

static struct told
ask(const char *host, const struct cidr_list *allowed)
{
	char url[100];
	struct outbound_request request = request_to(url, host);

	heard.len = 0;
	connections = 0;
	return ask_url(allowed, &request);
}

static void
test_what_is_sent_and_told(void **state UNUSED)
{
	struct told told;

	answer = "HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 5\r\n\r\nsorry";
	told = ask("127.0.0.1", &everywhere);
	assert_int_equal(told.outcome, OUTBOUND_ANSWERED);
	assert_int_equal(told.status, 503);
	assert_int_equal(told.retry_after_s, 17);
	assert_string_equal(told.body, "sorry");
	assert_string_equal(told.error, "");
	assert_non_null(strstr(heard.data, "POST /hook?a=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(heard.data, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(heard.data, "\r\nwebhook-id: m1\r\n"));
	assert_non_null(strstr(heard.data, "\r\nUser-Agent: agentd/"));
	assert_non_null(strstr(heard.data, "\r\n\r\n{\"a\":1}"));
}

static void
test_a_long_answer_is_cut(void **state UNUSED)
{
	struct told told;

	/* Most of it never comes, and is not waited for. */
	answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n0123456789abcdef";
	told = ask("127.0.0.1", &everywhere);
	assert_int_equal(told.outcome, OUTBOUND_ANSWERED);
	assert_int_equal(told.status, 200);
	assert_string_equal(told.body, "0123456789");
}

static void
test_redirects_are_not_followed(void **state UNUSED)
{
	char text[200];
	struct told told;

	snprintf(text, sizeof(text),
	         "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/other\r\nContent-Length: 0\r\n\r\n", port);
	answer = text;
	told = ask("127.0.0.1", &everywhere);
	assert_int_equal(told.status, 302);
	assert_int_equal(connections, 1);
	assert_null(strstr(heard.data, "/other"));
}

static void
test_internal_addresses_are_refused_however_they_are_spelt(void **state UNUSED)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0"};
	struct cidr_list other;
	struct slice bad;

	answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	assert_true(cidr_list_parse(SLICE("10.0.0.0/8"), &other, &bad));
	for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
		struct told told = ask(hosts[i], i % 2 ? &other : NULL);
		assert_int_equal(told.outcome, OUTBOUND_REFUSED);
		assert_string_equal(told.error, "its address is an internal one");
		assert_int_equal(connections, 0);
	}
	cidr_list_free(&other);
	/* By its name it is resolved in a thread; allowed, it is reached. */
	assert_int_equal(ask("localhost", &everywhere).status, 200);
}

static void
test_no_proxy_of_the_environment_is_used(void **state UNUSED)
{
	answer = "HTTP/1.1 204 No Content\r\n\r\n";
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
	assert_int_equal(ask("127.0.0.1", &everywhere).status, 204);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

static void
test_who_says_nothing_is_left_at_the_deadline(void **state UNUSED)
{
	char url[100];
	struct outbound_request request = request_to(url, "127.0.0.1");
	int64_t begun_us = clock_steady_us();
	struct told told;

	answer = NULL;
	request.timeout_ms = 200;
	told = ask_url(&everywhere, &request);
	assert_int_equal(told.outcome, OUTBOUND_FAILED);
	assert_non_null(strstr(told.error, "timed out"));
	assert_true(clock_steady_us() - begun_us < 5000000);
}

static void
test_nobody_there_and_no_url(void **state UNUSED)
{
	static const char *const urls[] = {"file:///etc/passwd", "gopher://127.0.0.1/", "nonsense://x", "http://",
	                                   "http://a b/"};
	struct outbound_request request = {.url = "http://127.0.0.1:1/", .body = SLICE(""), .timeout_ms = 5000};
	struct told told = ask_url(&everywhere, &request);

	assert_int_equal(told.outcome, OUTBOUND_FAILED);
	assert_true(*told.error);
	for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
		request.url = urls[i];
		told = ask_url(&everywhere, &request);
		assert_int_equal(told.outcome, OUTBOUND_MALFORMED);
		assert_true(*told.error);
	}
}

static void
test_calls_side_by_side_from_callbacks_and_cancelled(void **state UNUSED)
{
	struct outbound *outbound = outbound_new(base, &everywhere);
	struct told chained = {.chain = outbound}, cancelled = {0}, left = {0};
	char url[100];
	struct outbound_request request = request_to(url, "127.0.0.1");
	struct outbound_call *call;

	answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	(void)outbound_send(outbound, &request, done, &chained);
	call = outbound_send(outbound, &request, done, &cancelled);
	outbound_cancel(call);
	memset(url, 'x', sizeof(url)); /* it was copied */
	run_until(&chained, 2);
	assert_int_equal(chained.status, 200);
	request = request_to(url, "127.0.0.1");
	(void)outbound_send(outbound, &request, done, &left);
	outbound_free(outbound);
	assert_int_equal(cancelled.times, 0);
	assert_int_equal(left.times, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_sent_and_told),
	    cmocka_unit_test(test_a_long_answer_is_cut),
	    cmocka_unit_test(test_redirects_are_not_followed),
	    cmocka_unit_test(test_internal_addresses_are_refused_however_they_are_spelt),
	    cmocka_unit_test(test_no_proxy_of_the_environment_is_used),
	    cmocka_unit_test(test_who_says_nothing_is_left_at_the_deadline),
	    cmocka_unit_test(test_nobody_there_and_no_url),
	    cmocka_unit_test(test_calls_side_by_side_from_callbacks_and_cancelled),
	};
	struct evconnlistener *listener;
	struct slice bad;
	int status;

	base = event_base_new();
	INVARIANT(base && cidr_list_parse(SLICE("::/0"), &everywhere, &bad));
	listener = listen_somewhere();
	status = cmocka_run_group_tests(tests, NULL, NULL);
	/* Each client has closed its connection: the server sees that, and forgets it. */
	while (peers > 0)
		event_base_loop(base, EVLOOP_ONCE);
	evconnlistener_free(listener);
	cidr_list_free(&everywhere);
	buf_free(&heard);
	event_base_free(base);
	return status;
}
