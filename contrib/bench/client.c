/* client.c - see client.h. */
#include "client.h"
#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ID_SIZE = 36, ANSWER_TIMEOUT_S = 90, READ_SIZE = 16384 };

static const char output_data[] = "{\"summary\":\"all lines were read\",\"lines\":1200,\"findings\":0}";

static const char *token = "";

void
client_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

struct client_target
client_target_read(void)
{
	struct client_target target = {getenv("BENCH_URL"), getenv("BENCH_TOKEN"), getenv("BENCH_TASK")};

	if (!target.url || !target.token || !target.task)
		client_die("BENCH_URL, BENCH_TOKEN and BENCH_TASK must be set");
	token = target.token;
	return target;
}

static struct sockaddr_in
parse_url(const char *url)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char host[64];
	int port;

	if (sscanf(url, "http://%63[0-9.]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &address.sin_addr) != 1)
		client_die("the server's URL %s is not of the form http://127.0.0.1:5000", url);
	address.sin_port = htons((uint16_t)port);
	return address;
}

void
client_open(struct client *client, int number, const char *url)
{
	struct sockaddr_in address = parse_url(url);
	struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
	int on = 1;

	*client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .number = number};
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		client_die("cannot connect to the server: %s", strerror(errno));
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

void
client_close(struct client *client)
{
	close(client->fd);
	buf_free(&client->out);
	buf_free(&client->in);
}

void
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
			client_die("cannot send: %s", strerror(errno));
		sent += (size_t)n;
	}
	buf_clear(&client->in, SIZE_MAX);
}

const char *
client_find(struct slice text, const char *what)
{
	return memmem(text.data, text.len, what, strlen(what));
}

int
client_count(struct slice text, const char *what)
{
	int count = 0;
	const char *at;

	while ((at = client_find(text, what))) {
		count++;
		at += strlen(what);
		text = (struct slice){at, (size_t)(text.data + text.len - at)};
	}
	return count;
}

bool
client_read(struct client *client)
{
	ssize_t n = recv(client->fd, buf_reserve(&client->in, READ_SIZE), READ_SIZE, 0);
	struct slice head;
	const char *end;
	const char *length;

	if (n <= 0)
		client_die("the server %s", n == 0 ? "closed a connection" : strerror(errno));
	client->in.len += (size_t)n;
	end = client_find(buf_slice(&client->in), "\r\n\r\n");
	if (!end)
		return false;
	head = (struct slice){client->in.data, (size_t)(end - client->in.data) + 2};
	length = client_find(head, "\r\nContent-Length: ");
	if (!length)
		client_die("an answer has no Content-Length");
	client->body = (struct slice){end + 4, strtoul(length + 18, NULL, 10)};
	client->status = (int)strtol(head.data + strlen("HTTP/1.1 "), NULL, 10);
	return client->in.len >= head.len + 2 + client->body.len;
}

void
client_wait(struct client *client)
{
	while (!client_read(client))
		continue;
}

void
client_lease(struct client *client, const char *role, int max, int wait_s)
{
	struct buf body = {0};

	buf_printf(&body, "{\"roles\":[\"%s\"],\"agent_id\":\"bench-%d\",\"max\":%d,\"wait_s\":%d}", role, client->number,
	           max, wait_s);
	client->settling = false;
	client->began_us = clock_steady_us();
	client_post(client, "/tasks/lease", buf_slice(&body));
	buf_free(&body);
}

int
client_settle(struct client *client, bool alone)
{
	struct slice rest = client->body;
	struct buf body = {0};
	char path[64] = "/tasks/settle";
	const char *at;
	int count = 0;

	while ((at = client_find(rest, "{\"id\":\""))) {
		const char *id = at + strlen("{\"id\":\"");
		const char *epoch;

		rest = (struct slice){id, (size_t)(rest.data + rest.len - id)};
		epoch = client_find(rest, "\"epoch\":");
		if (!epoch)
			client_die("a leased task has no epoch");
		if (alone)
			snprintf(path, sizeof(path), "/tasks/%.*s/complete", ID_SIZE, id);
		else
			buf_printf(&body, "%s\"id\":\"%.*s\",\"outcome\":\"complete\",", count ? ",{" : "[{", ID_SIZE, id);
		buf_printf(&body, "%s\"epoch\":%ld,\"output_data\":%s}", alone ? "{" : "",
		           strtol(epoch + strlen("\"epoch\":"), NULL, 10), output_data);
		count++;
	}
	if (!alone)
		buf_add_byte(&body, ']');
	client->settling = true;
	client->tasks = count;
	if (count)
		client_post(client, path, buf_slice(&body));
	buf_free(&body);
	return count;
}

int
client_number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value < 1 || value > 100000000)
		client_die("`%s` is not a number from 1 to 100000000", text);
	return (int)value;
}
