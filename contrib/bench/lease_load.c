/*
 * lease_load.c - the load generator for what wrk cannot do: agents that lease and complete, each on its own connection.
 *
 *     lease_load preload COUNT                 makes COUNT tasks, in arrays of 500
 *     lease_load work CLIENTS BATCH SECONDS    agents that lease BATCH tasks at once, then complete them
 *     lease_load handover TIMES                how long after its POST a task is with an agent that waits for it
 *
 * BENCH_URL, BENCH_TOKEN and BENCH_TASK (a task's JSON, of the role `bench`) come from the environment. One thread; one
 * request in flight a connection; the clock stops when there is nothing left to lease. The result is one line of JSON.
 * It trusts the server's answers to be well-formed: whether they are is for tests to say.
 */
#include "base.h"
#include "buf.h"
#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PRELOAD_ARRAY = 500, ID_SIZE = 36, ANSWER_TIMEOUT_S = 30, IDLE_US = 10000 };

static const char output_data[] = "{\"summary\":\"all lines were read\",\"lines\":1200,\"findings\":0}";

struct client {
	int fd;
	int number;
	bool settling;
	int tasks; /* leased now */
	int64_t began_us;
	struct buf out;
	struct buf in;
	struct slice body; /* of the answer, in `in` */
	int status;
};

struct result {
	int64_t requests;
	int64_t units;
	int64_t errors;
	int64_t *latency_us;
	size_t count;
	size_t capacity;
	bool ran_empty;
};

static struct sockaddr_in address;
static const char *token;
static const char *task;

NORETURN static void die(const char *format, ...) PRINTF_LIKE(1, 2);

static void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("lease_load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* --- one connection --- */

static void
client_open(struct client *client, int number)
{
	struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
	int on = 1;

	*client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .number = number};
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("cannot connect to the server: %s", strerror(errno));
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void
client_close(struct client *client)
{
	close(client->fd);
	buf_free(&client->out);
	buf_free(&client->in);
}

static void
client_post(struct client *client, const char *path, struct slice body)
{
	size_t sent = 0;

	buf_clear(&client->out, SIZE_MAX);
	buf_printf(&client->out,
	           "POST /api/v1%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
	           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	           path, token, body.len);
	buf_add_slice(&client->out, body);
	while (sent < client->out.len) {
		ssize_t n = send(client->fd, client->out.data + sent, client->out.len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			die("cannot send: %s", strerror(errno));
		sent += (size_t)n;
	}
	buf_clear(&client->in, SIZE_MAX);
}

static const char *
find(struct slice text, const char *what)
{
	return memmem(text.data, text.len, what, strlen(what));
}

/* Reads once, which waits if nothing has come. True when the answer is complete. */
static bool
client_read(struct client *client)
{
	ssize_t n = recv(client->fd, buf_reserve(&client->in, 65536), 65536, 0);
	struct slice head;
	const char *end;
	const char *length;

	if (n <= 0)
		die("the server %s", n == 0 ? "closed a connection" : strerror(errno));
	client->in.len += (size_t)n;
	end = find(buf_slice(&client->in), "\r\n\r\n");
	if (!end)
		return false;
	head = (struct slice){client->in.data, (size_t)(end - client->in.data) + 2};
	length = find(head, "\r\nContent-Length: ");
	if (!length)
		die("an answer has no Content-Length");
	client->body = (struct slice){end + 4, strtoul(length + 18, NULL, 10)};
	client->status = (int)strtol(head.data + strlen("HTTP/1.1 "), NULL, 10);
	return client->in.len >= head.len + 2 + client->body.len;
}

static void
client_wait(struct client *client)
{
	while (!client_read(client))
		continue;
}

/* --- what agents say --- */

static void
send_lease(struct client *client, int max, int wait_s)
{
	struct buf body = {0};

	buf_printf(&body, "{\"roles\":[\"bench\"],\"agent_id\":\"bench-%d\",\"max\":%d,\"wait_s\":%d}", client->number, max,
	           wait_s);
	client->settling = false;
	client->began_us = clock_steady_us();
	client_post(client, "/tasks/lease", buf_slice(&body));
	buf_free(&body);
}

/* Settles what the lease's answer in `in` holds. Returns how many tasks those are; none: nothing was sent. */
static int
send_settle(struct client *client, int batch)
{
	struct slice rest = client->body;
	struct buf body = {0};
	char path[64] = "/tasks/settle";
	const char *at;
	int count = 0;

	while ((at = find(rest, "{\"id\":\""))) {
		const char *id = at + strlen("{\"id\":\"");
		const char *epoch;

		rest = (struct slice){id, (size_t)(rest.data + rest.len - id)};
		epoch = find(rest, "\"epoch\":");
		if (!epoch)
			die("a leased task has no epoch");
		if (batch == 1)
			snprintf(path, sizeof(path), "/tasks/%.*s/complete", ID_SIZE, id);
		else
			buf_printf(&body, "%s\"id\":\"%.*s\",\"outcome\":\"complete\",", count ? ",{" : "[{", ID_SIZE, id);
		buf_printf(&body, "%s\"epoch\":%ld,\"output_data\":%s}", batch == 1 ? "{" : "",
		           strtol(epoch + strlen("\"epoch\":"), NULL, 10), output_data);
		count++;
	}
	if (batch > 1)
		buf_add_byte(&body, ']');
	client->settling = true;
	client->tasks = count;
	if (count)
		client_post(client, path, buf_slice(&body));
	buf_free(&body);
	return count;
}

static int
count_text(struct slice text, const char *what)
{
	int count = 0;
	const char *at;

	while ((at = find(text, what))) {
		count++;
		at += strlen(what);
		text = (struct slice){at, (size_t)(text.data + text.len - at)};
	}
	return count;
}

/* --- the result --- */

static void
add_latency(struct result *result, int64_t us)
{
	if (result->count == result->capacity) {
		result->capacity = MAX(result->capacity * 2, (size_t)4096);
		result->latency_us = mem_grow(result->latency_us, result->capacity * sizeof(int64_t));
	}
	result->latency_us[result->count++] = us;
}

static int
compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/* The nearest rank: of 200, the 99th percentile is the 198th. */
static double
percentile_ms(const struct result *result, size_t percent)
{
	return result->count ? (double)result->latency_us[(result->count * percent + 99) / 100 - 1] / 1000.0 : 0.0;
}

static void
print_result(struct result *result, int64_t us)
{
	if (result->count)
		qsort(result->latency_us, result->count, sizeof(int64_t), compare);
	printf("BENCH {\"requests\":%lld,\"seconds\":%.6f,\"done\":%lld,\"errors\":%lld,\"ran_empty\":%s,\"p50_ms\":%.3f,"
	       "\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
	       (long long)result->requests, (double)us / 1e6, (long long)result->units, (long long)result->errors,
	       result->ran_empty ? "true" : "false", percentile_ms(result, 50), percentile_ms(result, 99),
	       percentile_ms(result, 100));
	free(result->latency_us);
}

/* --- the three modes --- */

static void
preload(int count)
{
	struct client client;
	struct buf body = {0};
	int made = 0;

	client_open(&client, 0);
	while (made < count) {
		int now = MIN(count - made, (int)PRELOAD_ARRAY);

		buf_clear(&body, SIZE_MAX);
		for (int i = 0; i < now; i++)
			buf_printf(&body, "%c%s", i ? ',' : '[', task);
		buf_add_byte(&body, ']');
		client_post(&client, "/tasks", buf_slice(&body));
		client_wait(&client);
		if (client.status / 100 != 2 || count_text(client.body, "{\"status\":201") != now)
			die("the tasks were not made: status %d, %.*s", client.status, (int)MIN(client.body.len, (size_t)300),
			    client.body.data);
		made += now;
	}
	buf_free(&body);
	client_close(&client);
}

/* A whole answer has come: the next request of this agent. False: there is nothing left to do. */
static bool
agent_step(struct client *client, struct result *result, int batch)
{
	int done;

	result->requests++;
	if (client->status != 200) {
		result->errors++;
		send_lease(client, batch, 0);
		return true;
	}
	if (!client->settling) {
		result->ran_empty = send_settle(client, batch) == 0;
		return !result->ran_empty;
	}
	done = batch == 1 ? 1 : count_text(client->body, "{\"status\":200");
	result->units += done;
	result->errors += client->tasks - done;
	add_latency(result, clock_steady_us() - client->began_us);
	send_lease(client, batch, 0);
	return true;
}

static void
run_agents(int epoll, struct result *result, int batch, int64_t until_us)
{
	struct epoll_event events[64];

	while (!result->ran_empty) {
		int64_t left_us = until_us - clock_steady_us();
		int n;

		if (left_us <= 0)
			return;
		n = epoll_wait(epoll, events, (int)ARRAY_LENGTH(events), (int)(left_us / 1000) + 1);
		for (int i = 0; i < n; i++) {
			struct client *client = events[i].data.ptr;

			if (client_read(client) && !agent_step(client, result, batch))
				return;
		}
	}
}

static void
work(int count, int batch, int seconds)
{
	struct client *clients = mem_zero((size_t)count * sizeof(*clients));
	struct result result = {0};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int64_t start_us;

	if (epoll < 0)
		die("epoll_create1: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};

		client_open(&clients[i], i);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) != 0)
			die("epoll_ctl: %s", strerror(errno));
	}
	start_us = clock_steady_us();
	for (int i = 0; i < count; i++)
		send_lease(&clients[i], batch, 0);
	run_agents(epoll, &result, batch, start_us + (int64_t)seconds * 1000000);
	print_result(&result, clock_steady_us() - start_us);
	for (int i = 0; i < count; i++)
		client_close(&clients[i]);
	close(epoll);
	free(clients);
}

/* Measured from before the POST is sent to after the agent has the task: the longest that anybody could mean by it. */
static void
handover(int times)
{
	struct client agent;
	struct client maker;
	struct result result = {0};
	int64_t start_us = clock_steady_us();

	client_open(&agent, 0);
	client_open(&maker, 1);
	for (int i = 0; i < times; i++) {
		int64_t sent_us;

		send_lease(&agent, 1, 20);
		/* An idle system: the agent has been waiting for a while. */
		usleep(IDLE_US);
		sent_us = clock_steady_us();
		client_post(&maker, "/tasks", slice_of(task));
		client_wait(&agent);
		add_latency(&result, clock_steady_us() - sent_us);
		client_wait(&maker);
		if (agent.status != 200 || maker.status != 201 || send_settle(&agent, 1) != 1) {
			result.errors++;
			continue;
		}
		client_wait(&agent);
		result.errors += agent.status != 200;
		result.requests += 3;
		result.units++;
	}
	print_result(&result, clock_steady_us() - start_us);
	client_close(&agent);
	client_close(&maker);
}

static int
number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value < 1 || value > 100000000)
		die("`%s` is not a number from 1 to 100000000", text);
	return (int)value;
}

static void
read_environment(void)
{
	const char *url = getenv("BENCH_URL");
	char host[64];
	int port;

	token = getenv("BENCH_TOKEN");
	task = getenv("BENCH_TASK");
	if (!url || !token || !task)
		die("BENCH_URL, BENCH_TOKEN and BENCH_TASK must be set");
	address.sin_family = AF_INET;
	if (sscanf(url, "http://%63[0-9.]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &address.sin_addr) != 1)
		die("BENCH_URL=%s is not of the form http://127.0.0.1:5000", url);
	address.sin_port = htons((uint16_t)port);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "preload") == 0) {
		read_environment();
		preload(number(argv[2]));
	} else if (argc == 5 && strcmp(argv[1], "work") == 0) {
		read_environment();
		work(number(argv[2]), number(argv[3]), number(argv[4]));
	} else if (argc == 3 && strcmp(argv[1], "handover") == 0) {
		read_environment();
		handover(number(argv[2]));
	} else {
		fputs("usage: lease_load preload COUNT | work CLIENTS BATCH SECONDS | handover TIMES\n", stderr);
		return 2;
	}
	return 0;
}
