/*
 * waiters.c - the load generator of a fleet that waits: agents with a connection each, all in POST /tasks/lease.
 *
 *     waiters COUNT ROLES RATE SECONDS
 *
 * COUNT agents of ROLES roles in turn (`bench-0`, `bench-1`, ...) ask with wait_s 60 and ask again whenever they are
 * answered; their first waits end spread over that minute, as those of a fleet do that has been there for long. It
 * prints WAITING when all have asked and idles until a line comes on its standard input. Then it makes RATE tasks a
 * second for SECONDS over one more connection. Who gets one completes it and waits again.
 *
 * A task says in its description when it was due, so its latency holds what it waited for the connection that makes
 * tasks, too. BENCH_URL, BENCH_TOKEN and BENCH_TASK as in lease_load; the result is one line of JSON.
 */
#include "client.h"
#include "clock.h"
#include "latency.h"

#include <event2/event.h>
#include <unistd.h>

enum { WAIT_S = 60, OPEN_PAUSE_EACH = 8, OPEN_PAUSE_US = 1500, TICK_US = 1000, LAST_S = 5 };

struct fleet {
	struct event_base *base;
	struct client_target target;
	int count;
	int roles;
	int64_t period_us;
	int64_t seconds;
	int64_t due_us; /* of the next task; 0: none is made yet */
	int64_t start_us;
	int64_t end_us;
	int64_t made;
	int64_t created;
	int64_t leased;
	int64_t completed;
	int64_t empty;
	int64_t errors;
	int failed_status;
	struct latency latency;
	struct client maker;
	struct event *maker_event;
	bool making;
	struct agent *agents;
};

struct agent {
	struct client client;
	struct fleet *fleet;
	struct event *event;
};

static void
agent_ask(struct agent *agent, int wait_s)
{
	char role[32];

	snprintf(role, sizeof(role), "bench-%d", agent->client.number % agent->fleet->roles);
	client_lease(&agent->client, role, 1, wait_s);
	/* Ten thousand agents: what they do not need now goes. */
	buf_free(&agent->client.out);
}

static void
agent_got(struct agent *agent)
{
	struct fleet *fleet = agent->fleet;
	const char *due = client_find(agent->client.body, "due at ");
	/* Read now: what answers is written where this stands. */
	int64_t due_us = due ? strtoll(due + strlen("due at "), NULL, 10) : 0;

	if (client_settle(&agent->client, true) == 0) {
		fleet->empty++;
		agent_ask(agent, WAIT_S);
		return;
	}
	if (!due)
		client_die("a task does not say when it was due");
	fleet->leased++;
	latency_add(&fleet->latency, clock_steady_us() - due_us);
}

static void
on_agent(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	struct fleet *fleet = agent->fleet;

	(void)fd;
	(void)what;
	if (!client_read(&agent->client))
		return;
	if (agent->client.status != 200) {
		fleet->errors++;
		fleet->failed_status = agent->client.status;
		agent_ask(agent, WAIT_S);
	} else if (agent->client.settling) {
		fleet->completed++;
		agent_ask(agent, WAIT_S);
	} else {
		agent_got(agent);
	}
	if (!agent->client.settling)
		buf_free(&agent->client.in);
}

/* Makes the task that is due, unless the one before is still on its way. */
static void
make_next(struct fleet *fleet)
{
	int64_t now_us = clock_steady_us();
	struct buf body = {0};

	if (fleet->making || fleet->due_us == 0 || now_us < fleet->due_us || fleet->due_us >= fleet->end_us)
		return;
	buf_printf(&body, "{\"role\":\"bench-%lld\",\"description\":\"due at %lld\"}",
	           (long long)(fleet->made % fleet->roles), (long long)fleet->due_us);
	client_post(&fleet->maker, "/tasks", buf_slice(&body));
	buf_free(&body);
	fleet->making = true;
	fleet->made++;
	fleet->due_us += fleet->period_us;
}

static void
on_maker(evutil_socket_t fd, short what, void *arg)
{
	struct fleet *fleet = arg;

	(void)fd;
	(void)what;
	if (!client_read(&fleet->maker))
		return;
	if (fleet->maker.status == 201) {
		fleet->created++;
	} else {
		fleet->errors++;
		fleet->failed_status = fleet->maker.status;
	}
	fleet->making = false;
	make_next(fleet);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct fleet *fleet = arg;
	int64_t now_us = clock_steady_us();

	(void)fd;
	(void)what;
	make_next(fleet);
	if (fleet->end_us == 0 || now_us < fleet->end_us)
		return;
	if ((!fleet->making && fleet->completed == fleet->created) || now_us > fleet->end_us + LAST_S * 1000000LL)
		event_base_loopbreak(fleet->base);
}

static struct event *
watch(struct fleet *fleet, int fd, short what, event_callback_fn callback, void *arg)
{
	struct event *event = event_new(fleet->base, fd, what, callback, arg);

	if (!event || event_add(event, NULL) != 0)
		client_die("libevent cannot watch another connection");
	return event;
}

static void
on_go(evutil_socket_t fd, short what, void *arg)
{
	struct fleet *fleet = arg;
	char byte;

	(void)what;
	if (read((int)fd, &byte, 1) != 1)
		client_die("the standard input was closed before it said when to begin");
	/* Not before: a server need not keep connections that say nothing. */
	client_open(&fleet->maker, fleet->count, fleet->target.url);
	fleet->maker_event = watch(fleet, fleet->maker.fd, EV_READ | EV_PERSIST, on_maker, fleet);
	fleet->start_us = clock_steady_us();
	fleet->end_us = fleet->start_us + fleet->seconds * 1000000;
	fleet->due_us = fleet->start_us;
}

static void
open_agents(struct fleet *fleet)
{
	for (int i = 0; i < fleet->count; i++) {
		struct agent *agent = &fleet->agents[i];

		agent->fleet = fleet;
		client_open(&agent->client, i, fleet->target.url);
		agent->event = watch(fleet, agent->client.fd, EV_READ | EV_PERSIST, on_agent, agent);
		agent_ask(agent, 1 + (int)((int64_t)i * 7919 % WAIT_S));
		/* No faster than the listen queue is emptied: a connection that finds it full is a second late. */
		if (i % OPEN_PAUSE_EACH == 0)
			usleep(OPEN_PAUSE_US);
		event_base_loop(fleet->base, EVLOOP_NONBLOCK);
	}
}

static void
run(struct fleet *fleet)
{
	static const struct timeval tick = {.tv_usec = TICK_US};
	struct event *ticker = event_new(fleet->base, -1, EV_PERSIST, on_tick, fleet);
	struct event *go = watch(fleet, STDIN_FILENO, EV_READ, on_go, fleet);

	if (!ticker || event_add(ticker, &tick) != 0)
		client_die("libevent cannot keep a timer");
	puts("WAITING");
	fflush(stdout);
	event_base_dispatch(fleet->base);
	event_free(go);
	event_free(fleet->maker_event);
	event_free(ticker);
	client_close(&fleet->maker);
}

static void
print_result(struct fleet *fleet)
{
	printf(
	    "BENCH {\"requests\":%lld,\"seconds\":%.6f,\"done\":%lld,\"errors\":%lld,\"failed_status\":%d,\"waiters\":%d,"
	    "\"roles\":%d,\"leased\":%lld,\"completed\":%lld,\"empty_answers\":%lld",
	    (long long)fleet->made, (double)(clock_steady_us() - fleet->start_us) / 1e6, (long long)fleet->created,
	    (long long)(fleet->errors + fleet->created - fleet->completed), fleet->failed_status, fleet->count,
	    fleet->roles, (long long)fleet->leased, (long long)fleet->completed, (long long)fleet->empty);
	latency_print(&fleet->latency, "");
	puts("}");
}

int
main(int argc, char **argv)
{
	struct fleet fleet = {.target = client_target_read()};

	if (argc != 5) {
		fputs("usage: waiters COUNT ROLES RATE SECONDS\n", stderr);
		return 2;
	}
	fleet.count = client_number(argv[1]);
	fleet.roles = client_number(argv[2]);
	fleet.period_us = 1000000 / client_number(argv[3]);
	fleet.seconds = client_number(argv[4]);
	fleet.base = event_base_new();
	if (!fleet.base)
		client_die("libevent did not start");
	fleet.agents = mem_zero((size_t)fleet.count * sizeof(*fleet.agents));
	open_agents(&fleet);
	run(&fleet);
	print_result(&fleet);
	for (int i = 0; i < fleet.count; i++) {
		event_free(fleet.agents[i].event);
		client_close(&fleet.agents[i].client);
	}
	free(fleet.agents);
	latency_free(&fleet.latency);
	event_base_free(fleet.base);
	return 0;
}
