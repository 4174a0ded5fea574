/*
 * lease_load.c - the load generator for what wrk cannot do: agents that lease and complete, each on its own connection.
 *
 *     lease_load preload COUNT                 makes COUNT tasks, in arrays of 500
 *     lease_load work CLIENTS BATCH SECONDS    agents that lease BATCH tasks at once, then complete them
 *     lease_load handover TIMES                how long after its POST a task is with an agent that waits for it
 *
 * BENCH_URL, BENCH_TOKEN and BENCH_TASK (a task's JSON, of the role `bench`) come from the environment; with
 * BENCH_AGENT_URL the agent of `handover` waits at another node. One thread; the clock stops when there is nothing left
 * to lease. The result is one line of JSON.
 */
#include "client.h"
#include "clock.h"
#include "latency.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PRELOAD_ARRAY = 500, IDLE_LEAST_US = 10000, IDLE_STEP_US = 977, IDLE_STEPS = 53 };

struct result {
	int64_t requests;
	int64_t units;
	int64_t errors;
	struct latency lease;
	struct latency all;
	bool ran_empty;
};

static void
print_result(struct result *result, int64_t us)
{
	printf("BENCH {\"requests\":%lld,\"seconds\":%.6f,\"done\":%lld,\"errors\":%lld,\"ran_empty\":%s",
	       (long long)result->requests, (double)us / 1e6, (long long)result->units, (long long)result->errors,
	       result->ran_empty ? "true" : "false");
	latency_print(&result->all, "");
	latency_print(&result->lease, "lease_");
	puts("}");
	latency_free(&result->all);
	latency_free(&result->lease);
}

static void
preload(const struct client_target *target, int count)
{
	struct client client;
	struct buf body = {0};
	int made = 0;

	client_open(&client, 0, target->url);
	while (made < count) {
		int now = MIN(count - made, (int)PRELOAD_ARRAY);

		buf_clear(&body, SIZE_MAX);
		for (int i = 0; i < now; i++)
			buf_printf(&body, "%c%s", i ? ',' : '[', target->task);
		buf_add_byte(&body, ']');
		client_post(&client, "/tasks", buf_slice(&body));
		client_wait(&client);
		if (client.status / 100 != 2 || client_count(client.body, "{\"status\":201") != now)
			client_die("the tasks were not made: status %d, %.*s", client.status,
			           (int)MIN(client.body.len, (size_t)300), client.body.data);
		made += now;
	}
	buf_free(&body);
	client_close(&client);
}

/* A whole answer has come: the next request of this agent. False: there is nothing left to do. */
static bool
agent_step(struct client *client, struct result *result, int batch)
{
	int64_t took_us = clock_steady_us() - client->began_us;
	int done;

	result->requests++;
	if (client->status != 200) {
		result->errors++;
		client_lease(client, "bench", batch, 0);
		return true;
	}
	if (!client->settling) {
		latency_add(&result->lease, took_us);
		result->ran_empty = client_settle(client, batch == 1) == 0;
		return !result->ran_empty;
	}
	done = batch == 1 ? 1 : client_count(client->body, "{\"status\":200");
	result->units += done;
	result->errors += client->tasks - done;
	latency_add(&result->all, took_us);
	client_lease(client, "bench", batch, 0);
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
work(const struct client_target *target, int count, int batch, int seconds)
{
	struct client *clients = mem_zero((size_t)count * sizeof(*clients));
	struct result result = {0};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int64_t start_us;

	if (epoll < 0)
		client_die("epoll_create1: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};

		client_open(&clients[i], i, target->url);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) != 0)
			client_die("epoll_ctl: %s", strerror(errno));
	}
	start_us = clock_steady_us();
	for (int i = 0; i < count; i++)
		client_lease(&clients[i], "bench", batch, 0);
	run_agents(epoll, &result, batch, start_us + (int64_t)seconds * 1000000);
	print_result(&result, clock_steady_us() - start_us);
	for (int i = 0; i < count; i++)
		client_close(&clients[i]);
	close(epoll);
	free(clients);
}

/* Measured from before the POST is sent to after the agent has the task: the longest that anybody could mean by it. */
static void
hand_over(struct client *agent, struct client *maker, const char *task, struct result *result)
{
	int64_t sent_us = clock_steady_us();

	client_post(maker, "/tasks", slice_of(task));
	client_wait(agent);
	latency_add(&result->all, clock_steady_us() - sent_us);
	client_wait(maker);
	result->requests += 3;
	if (agent->status != 200 || maker->status != 201 || client_settle(agent, true) != 1) {
		result->errors++;
		return;
	}
	client_wait(agent);
	result->errors += agent->status != 200;
	result->units++;
}

static void
handover(const struct client_target *target, int times)
{
	const char *agent_url = getenv("BENCH_AGENT_URL");
	struct client agent;
	struct client maker;
	struct result result = {0};
	int64_t start_us = clock_steady_us();

	client_open(&agent, 0, agent_url ? agent_url : target->url);
	client_open(&maker, 1, target->url);
	for (int i = 0; i < times; i++) {
		client_lease(&agent, "bench", 1, 20);
		/* An idle system: the agent has waited for a while, and never for the same while. */
		usleep(IDLE_LEAST_US + (useconds_t)(i * 31 % IDLE_STEPS) * IDLE_STEP_US);
		hand_over(&agent, &maker, target->task, &result);
	}
	print_result(&result, clock_steady_us() - start_us);
	client_close(&agent);
	client_close(&maker);
}

int
main(int argc, char **argv)
{
	struct client_target target = client_target_read();

	if (argc == 3 && strcmp(argv[1], "preload") == 0) {
		preload(&target, client_number(argv[2]));
	} else if (argc == 5 && strcmp(argv[1], "work") == 0) {
		work(&target, client_number(argv[2]), client_number(argv[3]), client_number(argv[4]));
	} else if (argc == 3 && strcmp(argv[1], "handover") == 0) {
		handover(&target, client_number(argv[2]));
	} else {
		fputs("usage: lease_load preload COUNT | work CLIENTS BATCH SECONDS | handover TIMES\n", stderr);
		return 2;
	}
	return 0;
}
