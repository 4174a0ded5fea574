/*
 * worker.c - a worker process: sets itself up, serves until told to stop, and leaves nothing half done.
 *
 * It says that it is ready when it has a database connection with all statements prepared and knows whom to refuse, and
 * accepts from then on; if that takes more than a second it accepts all the same, to say so.
 */
#include "worker.h"
#include "access_log.h"
#include "address_count.h"
#include "agents_seen.h"
#include "aside.h"
#include "bind.h"
#include "cache.h"
#include "changes.h"
#include "clock.h"
#include "config.h"
#include "conn.h"
#include "crypto.h"
#include "process.h"
#include "db.h"
#include "follow.h"
#include "health.h"
#include "jwt.h"
#include "keycache.h"
#include "log.h"
#include "log_levels.h"
#include "measure.h"
#include "password_pool.h"
#include "pulse.h"
#include "quota.h"
#include "recall.h"
#include "refresh.h"
#include "refusals.h"
#include "request.h"
#include "revocations.h"
#include "route.h"
#include "settings.h"
#include "span.h"
#include "task_made.h"
#include "tenant_bounds.h"
#include "tls.h"
#include "tokencache.h"
#include "waiters.h"

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

enum {
	TICK_US = 100000,
	START_US = 5000,
	PATIENCE_US = 1000000,
	SLOW_START_US = 10000000,
	FLUSH_TICKS = 10,
	FORGET_TICKS = 600,
	PASSWORD_THREADS = 1,
	PASSWORD_QUEUE = 128
};

static void
leave(struct worker *worker)
{
	event_base_loopbreak(worker->base);
}

bool
worker_is_leaving(const struct worker *worker)
{
	return worker->draining || atomic_load(&worker->heritage->board->draining);
}

/* No new connections, idle ones closed, waits ended; what is at work finishes. */
static void
start_draining(struct worker *worker)
{
	if (worker->draining)
		return;
	worker->draining = true;
	worker->drain_deadline_us = clock_steady_us() + worker->config->drain_timeout_s * 1000000;
	atomic_store(&worker->slot->state, PROCESS_DRAINING);
	accept_stop(worker);
	waiters_drain(worker->waiters);
	follow_drain(worker->follow);
	conn_drain(worker);
}

static void
on_stop(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number;
	(void)what;
	start_draining(arg);
}

static void
on_reopen(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number;
	(void)what;
	(void)arg;
	log_reopen();
}

/* The master is gone: nobody will restart or stop this process, so it must not stay. */
static void
on_lifeline(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	if (read(fd, &byte, 1) == 0) {
		log_warning("worker", "the master is gone: leaving");
		leave(arg);
	}
}

static void
tell_ready(struct worker *worker)
{
	worker->ready_told = true;
	atomic_store(&worker->slot->state, PROCESS_READY);
	(void)!write(worker->heritage->status_fd, "R", 1);
	log_debug("worker", "ready");
}

static void
tell_certificate(struct worker *worker, const char *message)
{
	enum { DAY_S = 86400, SOON_DAYS = 14 };
	int64_t days = (tls_expires_s(worker->tls) - worker->now_us / 1000000) / DAY_S;
	const struct log_field fields[] = {
	    LOG_TEXT("cert_file", worker->config->tls_cert_file), LOG_INT("days_left", days), {0}};

	atomic_store(&worker->slot->tls_expires_s, tls_expires_s(worker->tls));
	if (days < SOON_DAYS)
		log_write(LOG_LEVEL_WARNING, "worker", "the certificate ends soon", fields);
	else if (log_enabled(LOG_LEVEL_INFO, "worker"))
		log_write(LOG_LEVEL_INFO, "worker", message, fields);
}

static bool
set_up_tls(struct worker *worker)
{
	const char *reason;

	if (!*worker->config->tls_cert_file)
		return true;
	worker->tls = tls_new(worker->config->tls_cert_file, worker->config->tls_key_file, &reason);
	if (worker->tls)
		tell_certificate(worker, "certificate loaded");
	else
		log_error("worker", "cannot start: TLS certificate or key", LOG_TEXT("reason", reason),
		          LOG_TEXT("cert_file", worker->config->tls_cert_file));
	return worker->tls != NULL;
}

static void
look_at_certificate(struct worker *worker)
{
	const char *reason;

	switch (tls_look(worker->tls, &reason)) {
	case TLS_RELOADED:
		tell_certificate(worker, "new certificate loaded");
		break;
	case TLS_BROKEN:
		log_error("worker", "the new certificate or key is of no use; the old one stays", LOG_TEXT("reason", reason),
		          LOG_TEXT("cert_file", worker->config->tls_cert_file));
		break;
	case TLS_SAME:
		break;
	}
}

/*
 * Without a database there is still /livez, and 503 is better than no answer. But a start that is only slow is waited
 * for: a balancer that does not ask /readyz would send here what another node can do.
 */
static bool
has_waited_enough(const struct worker *worker)
{
	int64_t waited_us = clock_steady_us() - worker->started_us;

	return waited_us > SLOW_START_US || (waited_us > PATIENCE_US && *db_last_error(worker->db));
}

static void
look_at_readiness(struct worker *worker)
{
	if (worker->draining)
		return;
	if (!worker->ready_told && db_ready(worker->db) && changes_age_us(worker->changes) < CHANGES_STALE_US &&
	    quota_settled(worker->quota) && settings_loaded(worker->settings))
		tell_ready(worker);
	if (!worker->accepting && (worker->ready_told || has_waited_enough(worker)))
		accept_start(worker);
}

/* Whoever takes the place of a dead process is waited for: it looks more often until it accepts. */
static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {.tv_usec = START_US};
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	changes_tick(worker->changes);
	settings_tick(worker->settings);
	look_at_readiness(worker);
	if (!worker->accepting && !worker->draining)
		event_add(worker->start_event, &again);
}

static void
keep_house(struct worker *worker, int64_t now_us)
{
	static unsigned ticks;

	if (++ticks % FLUSH_TICKS == 0 || worker->draining) {
		key_cache_flush(worker->keys);
		agents_seen_flush(worker->agents);
		if (worker->tls)
			look_at_certificate(worker);
		refusals_flush(worker->refusals, now_us, worker->draining);
	}
	if (ticks % FORGET_TICKS == 0)
		revocations_forget(worker->revocations, health_time_us(worker->heritage->health));
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;
	int64_t now_us = clock_mono_us();

	(void)fd;
	(void)what;
	worker->now_us = clock_wall_us();
	atomic_store(&worker->slot->heartbeat_us, clock_steady_us());
	pulse_tick(worker->pulse);
	changes_tick(worker->changes);
	if (worker->identities_changed) {
		worker->identities_changed = false;
		recall_refused(worker);
	}
	settings_tick(worker->settings);
	conn_tick(worker, now_us);
	waiters_tick(worker->waiters, now_us);
	follow_tick(worker->follow, now_us);
	tenant_bounds_tick(worker->bounds);
	keep_house(worker, now_us);
	quota_tick(worker->quota);
	measure_tick(worker);
	look_at_readiness(worker);
	if (!worker->draining)
		return;
	conn_drain(worker);
	if (clock_steady_us() >= worker->drain_deadline_us ||
	    (worker->conn_count == 0 && worker->request_count == 0 && db_pending(worker->db) == 0))
		leave(worker);
}

static bool
set_up_identity(struct worker *worker)
{
	const struct heritage *heritage = worker->heritage;
	const struct config *config = worker->config;
	struct slice secrets[2] = {slice_of(heritage->secret), slice_of(heritage->previous_secret)};
	int count = secrets[1].len ? 2 : 1, unused = *config->jwt_key ? 1 : 0;
	/* With a key pair SECRET signs no tokens, but PREVIOUS_SECRET may have done so. */
	struct jwt_setup setup = {.key = unused ? slice_of(config->jwt_key) : SLICE_NONE,
	                          .previous_key = *config->jwt_previous_key ? slice_of(config->jwt_previous_key) : SLICE_NONE,
	                          .secrets = secrets + unused,
	                          .secret_count = count - unused,
	                          .issuer = "agentd"};
	const char *why = "";

	for (int i = 0; i < 2; i++)
		crypto_derive(secrets[secrets[i].len ? i : 0], "agentd sealed answers 1", worker->seal_keys[i],
		              sizeof(worker->seal_keys[i]));
	worker->jwt_keys = jwt_keys_new(&setup, &why);
	config_forget(config, SETTING_JWT_KEY);
	worker->refresh_keys = refresh_keys_new(secrets, count);
	worker->tokens = token_cache_new(heritage->hash_key);
	for (int i = 0; i < 2 && secrets[i].len; i++)
		worker->digests[i] = crypto_hmac_new(secrets[i]);
	worker->passwords = password_pool_new(worker->base, PASSWORD_THREADS, PASSWORD_QUEUE);
	if (!worker->jwt_keys || !worker->passwords)
		log_error("worker", "cannot start: identity", LOG_TEXT("reason", why));
	return worker->jwt_keys && worker->passwords;
}

/* Checked when the settings were loaded. */
static void
set_up_peers(struct worker *worker)
{
	struct slice bad;

	INVARIANT(cidr_list_parse(slice_of(worker->config->trusted_proxies), &worker->trusted, &bad));
	address_count_begin(worker->heritage->addresses, worker->heritage->slot);
}

static void
forget_identities(void *arg)
{
	struct worker *worker = arg;

	worker->identities_changed = true;
	revocations_clear(worker->revocations);
	key_cache_clear(worker->keys);
}

static void
change_identities(void *arg, const struct change *change)
{
	struct worker *worker = arg;

	worker->identities_changed = true;
	revocations_take(worker->revocations, change);
	key_cache_change(worker->keys, change);
}

static void
settings_changed(void *arg)
{
	struct worker *worker = arg;

	log_set_levels(log_levels_of((enum log_level)worker->config->log_level, worker->config->log_levels));
	db_set_slow(worker->db, worker->config->slow_query_ms);
	span_record(worker->config->tracing);
	conn_retime(worker);
}

static void
load_settings(void *arg)
{
	settings_load(((struct worker *)arg)->settings);
}

static void
hear_of_setting(void *arg, const struct change *change)
{
	if (change->kind == CHANGE_SETTINGS)
		load_settings(arg);
}

static void
set_up_database(struct worker *worker)
{
	const struct config *config = worker->config;
	char name[64];
	struct db_options options = {.url = worker->heritage->database_url,
	                             .application_name = name,
	                             .pool_size = (int)config->db_pool_size,
	                             .connect_timeout_ms = (int)config->db_connect_timeout_ms,
	                             .statement_timeout_ms = (int)config->db_statement_timeout_ms,
	                             .retries = (int)config->db_retries,
	                             .pooled = !config->db_prepared,
	                             .test_clock = *config->test_clock};

	snprintf(name, sizeof(name), "agentd %s", worker->heritage->process);
	worker->db = db_new(worker->base, &options);
	db_set_slow(worker->db, config->slow_query_ms);
	worker->settler = (struct settler){worker->db, worker->heritage};
	worker->keys = key_cache_new(worker->db);
	worker->bounds = tenant_bounds_new(worker->db);
	worker->revocations = revocations_new();
	worker->changes = changes_new(worker->db, worker->heritage);
	changes_listen(worker->changes, (struct changes_listener){forget_identities, change_identities, worker});
	worker->agents = agents_seen_new(worker->db);
	worker->refusals = refusals_new(worker->db);
	worker->access_log = access_log_new(worker);
	worker->settings = settings_new(worker->db, worker->config, settings_changed, worker);
	changes_listen(worker->changes, (struct changes_listener){load_settings, hear_of_setting, worker});
	worker->waiters = waiters_new(worker);
	worker->follow = follow_new(worker);
	wakeup_start(worker);
}

static void
on_redis(void *arg, bool up)
{
	quota_changed(((struct worker *)arg)->quota, up);
}

static void
set_up_redis(struct worker *worker)
{
	const struct cache_options options = {.changed = on_redis, .arg = worker};

	worker->cache = cache_open(worker->base, worker->config, &options);
	worker->quota = quota_new(worker);
	worker->pulse = pulse_new(worker);
}

static struct event *
add_event(struct worker *worker, evutil_socket_t fd, short what, event_callback_fn callback, const struct timeval *time)
{
	struct event *event = event_new(worker->base, fd, what, callback, worker);

	INVARIANT(event && event_add(event, time) == 0);
	return event;
}

static void
tear_down(struct worker *worker)
{
	accept_stop(worker);
	conn_close_all(worker);
	request_free_all(worker);
	password_pool_free(worker->passwords);
	wakeup_stop(worker);
	waiters_free(worker->waiters);
	follow_free(worker->follow);
	key_cache_free(worker->keys);
	tenant_bounds_free(worker->bounds);
	agents_seen_free(worker->agents);
	db_free(worker->db);
	cache_free(worker->cache);
	quota_free(worker->quota);
	changes_free(worker->changes);
	revocations_free(worker->revocations);
	aside_free_all();
	refusals_free(worker->refusals);
	access_log_free(worker->access_log);
	settings_free(worker->settings);
	pulse_free(worker->pulse);
	token_cache_free(worker->tokens);
	jwt_keys_free(worker->jwt_keys);
	refresh_keys_free(worker->refresh_keys);
	for (int i = 0; i < 2 && worker->digests[i]; i++)
		crypto_hmac_free(worker->digests[i]);
	crypto_wipe(worker->seal_keys, sizeof(worker->seal_keys));
	tls_free(worker->tls);
	cidr_list_free(&worker->trusted);
}

int
worker_main(const struct heritage *heritage)
{
	static const struct timeval tick = {.tv_usec = TICK_US}, start = {.tv_usec = START_US};
	struct worker worker = {.heritage = heritage, .config = heritage->config};
	struct event *events[5];

	worker.slot = &heritage->board->slots[heritage->slot];
	worker.base = event_base_new();
	INVARIANT(worker.base);
	for (int i = 0; i < CONN_WAIT_COUNT; i++)
		TAILQ_INIT(&worker.conns[i]);
	TAILQ_INIT(&worker.requests);
	worker.now_us = clock_wall_us();
	worker.started_us = clock_steady_us();
	route_init();
	request_init();
	measure_init();
	bind_init();
	task_made_init();
	if (!set_up_identity(&worker) || !set_up_tls(&worker))
		return 1;
	set_up_peers(&worker);
	span_use(&heritage->spans[heritage->slot]);
	span_record(heritage->config->tracing);
	set_up_database(&worker);
	set_up_redis(&worker);
	events[0] = add_event(&worker, SIGTERM, EV_SIGNAL | EV_PERSIST, on_stop, NULL);
	events[1] = add_event(&worker, heritage->lifeline_fd, EV_READ | EV_PERSIST, on_lifeline, NULL);
	events[2] = add_event(&worker, -1, EV_PERSIST, on_tick, &tick);
	events[3] = add_event(&worker, SIGUSR1, EV_SIGNAL | EV_PERSIST, on_reopen, NULL);
	events[4] = worker.start_event = add_event(&worker, -1, 0, on_start, &start);
	event_base_dispatch(worker.base);
	tear_down(&worker);
	for (size_t i = 0; i < ARRAY_LENGTH(events); i++)
		event_free(events[i]);
	event_base_free(worker.base);
	return 0;
}
