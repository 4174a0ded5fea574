/*
 * keeper.c - the keeper process: runs the duties of duty.h, each at its interval.
 *
 * It says that it is ready when the database is. Of two database connections each has one statement at a time, so that
 * one that hangs does not hold up the others. Duties without .leader run on every node: their statements let
 * only one succeed.
 */
#include "keeper.h"
#include "aside.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "leader.h"
#include "log.h"
#include "process_usage.h"
#include "settings.h"
#include "tally.h"
#include "trace_export.h"
#include "webhooks.h"

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

enum { TICK_US = 20000, LEAVE_US = 1000000, CONNECTIONS = 2 };

static struct duty duties[] = {
    {.name = "leases", .run = leases_run, .eased = true},
    {.name = "due", .run = due_run, .eased = true},
    {.name = "decide", .run = decide_run, .intervals = 4, .eased = true},
    {.name = "deadlines", .run = deadlines_run, .intervals = 2, .eased = true},
    {.name = "schedules", .run = schedules_run, .intervals = 2, .eased = true},
    {.name = "unpark", .run = unpark_run, .eased = true},
    {.name = "nodes", .run = nodes_run, .pause_ms = 2000},
    {.name = "gauges", .run = gauges_run, .pause_ms = 5000},
    {.name = "archive tasks", .run = archive_tasks_run, .eased = true},
    {.name = "archive workflows", .run = archive_workflows_run, .eased = true},
    {.name = "partitions", .run = partitions_run, .eased = true, .pause_ms = 1000},
    {.name = "forget", .run = forget_run, .leader = true, .pause_ms = 60000},
    {.name = "fold", .run = fold_run, .eased = true},
    {.name = "history", .run = history_run, .eased = true},
    {.name = "redeliver", .run = redeliver_run, .intervals = 4, .eased = true},
    {.name = "expire_memory", .run = expire_memory_run, .intervals = 10, .eased = true},
    {.name = "tenant quotas", .run = tenants_full_run, .intervals = 4, .leader = true},
    {.name = "forget tenants", .run = tenants_forget_run, .intervals = 10, .leader = true},
    {.name = "settings", .run = settings_run, .pause_ms = 1000},
    {.name = "health", .run = health_run, .always = true},
    {.name = "health records", .run = health_prune_run, .leader = true, .pause_ms = 60000},
    {.name = "storage", .run = storage_run, .pause_ms = 1000, .always = true},
    {.name = "agents", .run = agents_run, .leader = true},
    {.name = "seal", .run = seal_run, .intervals = 2, .eased = true},
    {.name = "checkpoint", .run = checkpoint_run, .eased = true, .pause_ms = 1000},
    {.name = "backups", .run = backups_run, .pause_ms = 1000},
    {.name = "alerts", .run = alerts_run, .leader = true, .pause_ms = 1000},
    {.name = "alert retention", .run = alerts_prune_run, .leader = true, .pause_ms = 60000},
    {.name = "webhooks", .run = webhooks_run, .intervals = 4, .leader = true, .deadline_ms = 90000},
    {.name = "audit retention", .run = audit_retention_run, .eased = true, .pause_ms = 60000},
};

/* No duty begins any more; what is on its way has a second to come back. */
static void
on_stop(evutil_socket_t signal_number, short what, void *arg)
{
	struct keeper *keeper = arg;

	(void)signal_number;
	(void)what;
	if (!keeper->leave_us)
		keeper->leave_us = clock_steady_us() + LEAVE_US;
}

static void
on_reopen(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number;
	(void)what;
	(void)arg;
	log_reopen();
}

static void
on_lifeline(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	if (read(fd, &byte, 1) == 0)
		event_base_loopbreak(((struct keeper *)arg)->base);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *keeper = arg;
	struct scoreboard_slot *slot = &keeper->heritage->board->slots[keeper->heritage->slot];
	int64_t now_us = clock_steady_us();

	(void)fd;
	(void)what;
	atomic_store(&slot->heartbeat_us, now_us);
	process_usage_tick(clock_wall_us());
	gauges_tick(keeper);
	if (keeper->leave_us) {
		if ((trace_export_flush(keeper->traces) && db_pending(keeper->db) == 0) || now_us >= keeper->leave_us)
			event_base_loopbreak(keeper->base);
		return;
	}
	if (!keeper->ready_told && db_ready(keeper->db)) {
		keeper->ready_told = true;
		atomic_store(&slot->state, PROCESS_READY);
		(void)!write(keeper->heritage->status_fd, "R", 1);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(duties); i++)
		duty_tick(&duties[i], now_us);
}

static struct event *
add_event(struct keeper *keeper, evutil_socket_t fd, short what, event_callback_fn callback, const struct timeval *time)
{
	struct event *event = event_new(keeper->base, fd, what, callback, keeper);

	INVARIANT(event && event_add(event, time) == 0);
	return event;
}

static void
set_up_redis(struct keeper *keeper)
{
	struct cache_options options = {.channel = relay_channel(keeper->relay), .heard = relay_published, .arg = keeper->relay};

	keeper->cache = cache_open(keeper->base, keeper->heritage->config, &options);
}

int
keeper_main(const struct heritage *heritage)
{
	static const struct timeval tick = {.tv_usec = TICK_US};
	const struct config *config = heritage->config;
	struct keeper keeper = {.heritage = heritage, .base = event_base_new()};
	struct db_options options = {.url = heritage->direct_url,
	                             .application_name = "agentd keeper",
	                             .pool_size = CONNECTIONS,
	                             .one_at_a_time = true,
	                             .connect_timeout_ms = (int)config->db_connect_timeout_ms,
	                             .statement_timeout_ms = (int)config->db_statement_timeout_ms,
	                             .retries = (int)config->db_retries,
	                             .pooled = !config->db_prepared && !*config->db_direct_url,
	                             .all_tenants = true,
	                             .test_clock = *config->test_clock};
	struct event *events[4];

	INVARIANT(keeper.base);
	tally_name_events();
	keeper.relay = relay_new(keeper.base, heritage);
	options.listen = !options.pooled ? "agentd_ready" : NULL;
	options.notified = relay_hear;
	options.notified_arg = keeper.relay;
	keeper.db = db_new(keeper.base, &options);
	db_set_slow(keeper.db, config->slow_query_ms);
	keeper.traces = trace_export_new(keeper.base, heritage);
	set_up_redis(&keeper);
	keeper.settings = settings_new(keeper.db, config, settings_apply, &keeper);
	relay_use(keeper.relay, keeper.db, keeper.cache);
	keeper.leader = leader_new(keeper.base, heritage);
	keeper.webhooks = webhooks_new(&keeper);
	keeper.settler = (struct settler){keeper.db, heritage};
	for (size_t i = 0; i < ARRAY_LENGTH(duties); i++)
		duty_init(&duties[i], &keeper);
	events[0] = add_event(&keeper, SIGTERM, EV_SIGNAL | EV_PERSIST, on_stop, NULL);
	events[1] = add_event(&keeper, heritage->lifeline_fd, EV_READ | EV_PERSIST, on_lifeline, NULL);
	events[2] = add_event(&keeper, -1, EV_PERSIST, on_tick, &tick);
	events[3] = add_event(&keeper, SIGUSR1, EV_SIGNAL | EV_PERSIST, on_reopen, NULL);
	event_base_dispatch(keeper.base);
	leader_free(keeper.leader);
	webhooks_free(keeper.webhooks);
	db_free(keeper.db);
	cache_free(keeper.cache);
	aside_free_all();
	relay_free(keeper.relay);
	settings_free(keeper.settings);
	trace_export_free(keeper.traces);
	for (size_t i = 0; i < ARRAY_LENGTH(events); i++)
		event_free(events[i]);
	event_base_free(keeper.base);
	return 0;
}
