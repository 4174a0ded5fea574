/* api_lease.c - leasing tasks: for which queues, by which statement, and what comes back. */
#include "agents_seen.h"
#include "api.h"
#include "ask.h"
#include "body.h"
#include "clock.h"
#include "config.h"
#include "floors.h"
#include "json_write.h"
#include "metrics.h"
#include "probe.h"
#include "reach.h"
#include "rows.h"
#include "settle.h"
#include "task_input.h"
#include "tracing.h"
#include "waiters.h"
#include "wake.h"

#include <math.h>

enum { ROLES, AGENT_ID, MAX_TASKS, WAIT_S, LEASE_S, CAPABILITIES, FIELDS }; /* the order of fields_lease */

enum { SLOW_US = 8000 };

/* The parameters of the statements, made once but for the floors. */
struct lease {
	struct slice agent_id;
	int64_t wait_us;
	int64_t sent_us;
	struct slice *plain;
	struct slice *above;
	struct slice *closely;
};

static void
write_lease(struct request *request, const struct db_result *result)
{
	struct json_writer writer;

	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_key(&writer, "tasks");
	json_write_array_open(&writer);
	for (int row = 0; row < result->count; row++) {
		json_write_object_open(&writer);
		rows_write_members(&writer, result, row);
		tracing_write_lease(request, &writer, result, row);
		json_write_object_close(&writer);
	}
	json_write_array_close(&writer);
	json_write_object_close(&writer);
	request->status = 200;
	PROBE_2(lease, request->context.id, result->count);
	metrics_add(METRIC_LEASES_GRANTED, 0, result->count);
	if (result->count)
		wake_queue(request->worker->heritage, request->principal.tenant, SLICE("events"));
}

/* The client of a lease went away before its answer: its tasks are released. If that fails, the lease runs out. */
static void
give_back(struct request *request, const struct db_result *result)
{
	for (int row = 0; row < result->count; row++)
		settle_release(&request->worker->settler, ask_tenant(request), db_get(result, row, "id"),
		               db_get(result, row, "epoch"));
}

/* A role that is named twice must not be offered twice. */
static void
add_queue(struct waiter_wish *wish, struct slice queue)
{
	for (int i = 0; i < wish->queue_count; i++)
		if (slice_equal(wish->queues[i], queue))
			return;
	wish->queues[wish->queue_count++] = queue;
}

/* The queues as a JSON array for SQL and as a list for the ready board. */
static struct slice
collect_queues(struct request *request, int roles, struct slice agent_id, struct waiter_wish *wish)
{
	struct json_writer writer;
	struct buf text = {0};
	struct slice copy;

	for (int at = json_first(&request->body, roles); at != JSON_NONE; at = json_next(&request->body, roles, at))
		add_queue(wish, json_string(&request->body, at, &request->arena));
	/* What is bound to the agent may be of any role: a key for some roles only does not get it. */
	if (reach_allows(request, SCOPE_AGENT, agent_id))
		add_queue(wish, task_input_queue(SLICE_NONE, agent_id, &request->arena));
	json_write_begin(&writer, &text);
	json_write_array_open(&writer);
	for (int i = 0; i < wish->queue_count; i++)
		json_write_string(&writer, wish->queues[i]);
	json_write_array_close(&writer);
	copy = (struct slice){arena_string(&request->arena, buf_slice(&text)), text.len};
	buf_free(&text);
	return copy;
}

static double
seconds(struct slice text)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%.*s", SLICE_ARG(text));
	return strtod(digits, NULL);
}

static struct slice
write_floors(struct request *request, const struct waiter_wish *wish, bool special)
{
	return floors_write(waiters_floors(request->worker->waiters), request->principal.tenant, special, wish->queues,
	                    wish->queue_count, clock_steady_us(), &request->arena);
}

/* The floors of what the request wants decide on the statement; few queues have any. */
static void
choose(struct request *request, struct waiter_wish *wish)
{
	struct lease *lease = request->state;
	bool plain = agents_seen_note(request->worker->agents, request->principal.tenant, lease->agent_id, lease->wait_us) &&
	             !wish->look_closer;
	struct slice floors = write_floors(request, wish, false);

	wish->query = !plain ? QUERY_TASK_LEASE_CLOSELY : floors.data ? QUERY_TASK_LEASE_ABOVE : QUERY_TASK_LEASE;
	wish->values = !plain ? lease->closely : floors.data ? lease->above : lease->plain;
	wish->personal = !plain;
	if (plain && floors.data)
		ask_set(lease->above, wish->query, "floors", floors);
	if (!plain) {
		ask_set(lease->closely, wish->query, "floors", floors);
		ask_set(lease->closely, wish->query, "floors_special", write_floors(request, wish, true));
	}
	lease->sent_us = clock_steady_us();
}

/* What took long may have walked over much that is dead. */
static void
note(struct request *request, const struct waiter_wish *wish)
{
	struct floors *floors = waiters_floors(request->worker->waiters);
	const struct lease *lease = request->state;
	int64_t now_us = clock_steady_us();

	if (now_us - lease->sent_us < SLOW_US)
		return;
	for (int i = 0; i < wish->queue_count; i++) {
		floors_suspect(floors, request->principal.tenant, false, wish->queues[i], now_us);
		if (wish->query == QUERY_TASK_LEASE_CLOSELY)
			floors_suspect(floors, request->principal.tenant, true, wish->queues[i], now_us);
	}
}

static struct slice *
make_values(struct request *request, enum query_id query, const struct field_value *fields, struct slice queues)
{
	struct slice *values = ask_values(request, query);
	double lease_s = fields[LEASE_S].text.data ? seconds(fields[LEASE_S].text) : (double)request->worker->config->lease_s;

	ask_set(values, query, "tenant", ask_tenant(request));
	ask_set(values, query, "queues", queues);
	ask_set(values, query, "agent_id", fields[AGENT_ID].text);
	ask_set(values, query, "max", fields[MAX_TASKS].text);
	ask_set(values, query, "lease_ms", slice_of(arena_printf(&request->arena, "%lld", llround(lease_s * 1000))));
	return values;
}

/* A key with limited scopes leases as an agent of its own, or for roles of its own. */
static bool
may_lease(struct request *request, int roles, struct slice agent_id)
{
	if (reach_allows(request, SCOPE_AGENT, agent_id))
		return true;
	for (int at = json_first(&request->body, roles); at != JSON_NONE; at = json_next(&request->body, roles, at))
		if (!reach_allows(request, SCOPE_ROLE, json_string(&request->body, at, &request->arena)))
			return false;
	return true;
}

enum step
api_lease(struct request *request)
{
	struct field_value fields[FIELDS];
	struct waiter_wish wish = {.choose = choose, .note = note, .write = write_lease, .undo = give_back};
	struct lease *lease = arena_zero(&request->arena, sizeof(*lease));
	struct slice *closely;
	struct slice queues;

	if (!body_read(request, fields))
		return STEP_DONE;
	if (!may_lease(request, fields[ROLES].token, fields[AGENT_ID].text))
		return reach_refuse(request);
	queues = collect_queues(request, fields[ROLES].token, fields[AGENT_ID].text, &wish);
	closely = make_values(request, QUERY_TASK_LEASE_CLOSELY, fields, queues);
	ask_set(closely, QUERY_TASK_LEASE_CLOSELY, "capabilities", fields[CAPABILITIES].text);
	wish.wait_us = request->worker->draining ? 0 : llround(seconds(fields[WAIT_S].text) * 1000000);
	*lease = (struct lease){.agent_id = fields[AGENT_ID].text,
	                        .wait_us = wish.wait_us,
	                        .plain = make_values(request, QUERY_TASK_LEASE, fields, queues),
	                        .above = make_values(request, QUERY_TASK_LEASE_ABOVE, fields, queues),
	                        .closely = closely};
	request->state = lease;
	return waiters_begin(request->worker->waiters, request, &wish);
}
