/* check.c - see check.h. */
#include "check.h"
#include "aside.h"
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "log.h"
#include "node_usage.h"
#include "recover.h"
#include "uuid.h"

#include <math.h>
#include <stdarg.h>

enum {
	BEAT_LATE_US = 2000000,
	BEAT_LOST_US = 4000000,
	PAUSE_MOST_US = 5000000,
	QUICK_US = 3000000,
	START_US = 30000000,
	SHORT_US = 5000000,
	DAY_S = 86400,
	SOON_DAYS = 14,
	LAST_DAYS = 2
};

static bool recording, worried;

void
check_begin(bool record)
{
	recording = record;
	worried = false;
}

int64_t
check_pause_us(const struct keeper *keeper)
{
	return MIN(keeper->heritage->config->health_interval_s * 1000000 / 4, (int64_t)PAUSE_MOST_US);
}

bool
check_worried(void)
{
	return worried;
}

static void
keep(struct keeper *keeper, const struct health_component *component)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};
	char id[UUID_TEXT_SIZE], response[32];

	if (!db_ready(keeper->db))
		return;
	uuid_new(id);
	snprintf(response, sizeof(response), "%.3f", component->response_ms);
	values[db_param(QUERY_HEALTH_NOTE, "id")] = slice_of(id);
	values[db_param(QUERY_HEALTH_NOTE, "component")] = slice_of(component->name);
	values[db_param(QUERY_HEALTH_NOTE, "status")] = slice_of(health_status_name(component->status));
	values[db_param(QUERY_HEALTH_NOTE, "message")] = slice_of(component->message);
	values[db_param(QUERY_HEALTH_NOTE, "response_time_ms")] =
	    isnan(component->response_ms) ? SLICE_NONE : slice_of(response);
	values[db_param(QUERY_HEALTH_NOTE, "node")] = slice_of(recover_node());
	aside_send(keeper->db, QUERY_HEALTH_NOTE, values, NULL, NULL);
}

static void
tell(const struct health_component *component)
{
	const struct log_field fields[] = {LOG_TEXT("component", component->name),
	                                   LOG_TEXT("status", health_status_name(component->status)),
	                                   LOG_TEXT("message", component->message),
	                                   {0}};
	enum log_level level = component->status == HEALTH_CRITICAL  ? LOG_LEVEL_ERROR
	                       : component->status == HEALTH_WARNING ? LOG_LEVEL_WARNING
	                                                             : LOG_LEVEL_INFO;

	if (log_enabled(level, "health"))
		log_write(level, "health", "a component changed", fields);
}

void
check_found(struct keeper *keeper, int part, const char *name, enum health_status status, double response_ms,
            const char *format, ...)
{
	struct health_finding finding = {.status = status, .response_ms = response_ms};
	struct health_board *board = keeper->heritage->health;
	struct health_component component;
	bool changed, is_new = !health_get(board, part, &component);
	va_list args;

	va_start(args, format);
	vsnprintf(finding.message, sizeof(finding.message), format, args);
	va_end(args);
	changed = health_put(board, part, name, &finding, clock_wall_us());
	worried = worried || status == HEALTH_CRITICAL;
	if (!health_get(board, part, &component))
		return;
	if (changed && !(is_new && status == HEALTH_HEALTHY))
		tell(&component);
	if (changed || recording)
		keep(keeper, &component);
	recover_look(keeper, part, &component, status);
}

/* --- the machine --- */

static void
found_percent(struct keeper *keeper, int part, const char *name, double percent, const char *of)
{
	if (isnan(percent))
		check_found(keeper, part, name, HEALTH_UNKNOWN, NAN, "not known");
	else
		check_found(keeper, part, name, health_of_percent(percent), NAN, "%.1f %% in use%s", percent, of);
}

static void
check_disk(struct keeper *keeper)
{
	const struct config *config = keeper->heritage->config;
	double state = node_disk_percent(config->state_dir);
	double log = *config->log_file ? node_disk_percent(config->log_file) : NAN;
	enum health_storage storage = health_storage(keeper->heritage->health);

	if (storage != HEALTH_STORAGE_OK)
		check_found(keeper, HEALTH_DISK, "disk", HEALTH_CRITICAL, NAN, "%s; writes are refused, reads go on",
		            storage == HEALTH_STORAGE_FULL ? "the disk of the database is full"
		                                           : "less than AGENTD_DISK_RESERVE_MB is left");
	else
		found_percent(keeper, HEALTH_DISK, "disk", fmax(state, log), log > state ? " where the log file is" : "");
}

void
check_machine(struct keeper *keeper)
{
	static struct node_cpu before;
	struct node_cpu cpu = node_cpu_read("", clock_steady_us());
	const char *limited = cpu.limited ? " of what the control group may use" : "";

	/* The first reading has nothing to be held against. */
	if (before.total)
		found_percent(keeper, HEALTH_CPU, "cpu", node_cpu_percent(&before, &cpu), limited);
	before = cpu;
	found_percent(keeper, HEALTH_MEMORY, "memory", node_memory_percent(""), "");
	check_disk(keeper);
}

/* --- processes --- */

static bool
is_worker(const struct scoreboard_slot *slot)
{
	return strncmp(slot->name, "worker", 6) == 0;
}

/* A slot is left when another process has its place, or a reload asked for fewer. */
static bool
is_left(struct keeper *keeper, int index)
{
	static bool seen[SCOREBOARD_SLOTS_MAX];
	const struct scoreboard *board = keeper->heritage->board;
	bool left = !seen[index];

	if (atomic_load(&board->slots[index].state) != PROCESS_NONE) {
		seen[index] = true;
		return false;
	}
	for (int i = 0; i < board->slot_count && !left; i++)
		left = i != index && atomic_load(&board->slots[i].state) != PROCESS_NONE &&
		       strcmp(board->slots[i].name, board->slots[index].name) == 0;
	if (left) {
		seen[index] = false;
		health_forget(keeper->heritage->health, health_worker(index));
		health_forget(keeper->heritage->health, health_pool(index));
	}
	return left;
}

static void
check_worker(struct keeper *keeper, int index)
{
	static int64_t starting_us[SCOREBOARD_SLOTS_MAX];
	const struct scoreboard_slot *slot = &keeper->heritage->board->slots[index];
	int64_t now_us = clock_steady_us(), age_us = now_us - atomic_load(&slot->heartbeat_us);
	int state = atomic_load(&slot->state), restarts = keeper->heritage->board->records[index].restarts;
	int64_t short_us = atomic_load(&health_board_pool(keeper->heritage->health, index)->short_us);
	int part = health_worker(index);

	if (state == PROCESS_READY || state == PROCESS_DRAINING)
		starting_us[index] = 0;
	else if (!starting_us[index])
		starting_us[index] = now_us;
	if (starting_us[index] && now_us - starting_us[index] < QUICK_US)
		return;
	if (starting_us[index])
		check_found(keeper, part, slot->name, now_us - starting_us[index] > START_US ? HEALTH_CRITICAL : HEALTH_WARNING,
		            NAN, "not ready: %s for %lld s; restarted %d times", scoreboard_state_name(state),
		            (long long)(now_us - starting_us[index]) / 1000000, restarts);
	else if (age_us > BEAT_LATE_US)
		check_found(keeper, part, slot->name, age_us > BEAT_LOST_US ? HEALTH_CRITICAL : HEALTH_WARNING, NAN,
		            "its loop has not turned for %lld ms; %d requests in flight", (long long)age_us / 1000,
		            atomic_load(&slot->in_flight));
	else if (short_us && now_us - short_us < SHORT_US)
		check_found(keeper, part, slot->name, HEALTH_WARNING, NAN,
		            "it cannot take new connections: descriptors or memory run out; %d are open",
		            atomic_load(&slot->connections));
	else
		check_found(keeper, part, slot->name, HEALTH_HEALTHY, NAN, "%s; %d requests in flight, restarted %d times",
		            scoreboard_state_name(state), atomic_load(&slot->in_flight), restarts);
}

/* A pool that has not been asked yet, of a worker that is not there yet, says nothing. */
static void
check_pool(struct keeper *keeper, int index)
{
	const struct health_pool *pool = health_board_pool(keeper->heritage->health, index);
	int64_t asked_us = atomic_load(&pool->asked_us), answered_us = atomic_load(&pool->answered_us);
	int64_t patience_us = keeper->heritage->config->db_statement_timeout_ms * 1000;
	int up = atomic_load(&pool->up), size = atomic_load(&pool->size), part = health_pool(index);
	char name[HEALTH_NAME];

	snprintf(name, sizeof(name), "pool %.20s", keeper->heritage->board->slots[index].name + strlen("worker "));
	if (!asked_us || atomic_load(&keeper->heritage->board->slots[index].state) != PROCESS_READY)
		return;
	if (up == 0)
		check_found(keeper, part, name, HEALTH_CRITICAL, NAN, "none of its %d connections is up", size);
	else if (answered_us < asked_us && clock_steady_us() - asked_us > patience_us)
		check_found(keeper, part, name, HEALTH_CRITICAL, NAN, "no answer for %lld ms; %d of %d connections are up",
		            (long long)(clock_steady_us() - asked_us) / 1000, up, size);
	else if (answered_us < asked_us)
		return;
	else if (atomic_load(&pool->read_only))
		check_found(keeper, part, name, HEALTH_CRITICAL, (double)atomic_load(&pool->response_us) / 1000,
		            "its sessions can only read; %d of %d connections are up", up, size);
	else
		check_found(keeper, part, name, up < size ? HEALTH_WARNING : HEALTH_HEALTHY,
		            (double)atomic_load(&pool->response_us) / 1000, "%d of %d connections are up", up, size);
}

void
check_processes(struct keeper *keeper)
{
	const struct scoreboard *board = keeper->heritage->board;

	if (atomic_load(&board->draining))
		return;
	for (int i = 0; i < board->slot_count; i++)
		if (is_worker(&board->slots[i]) && !is_left(keeper, i)) {
			check_worker(keeper, i);
			check_pool(keeper, i);
		}
}

/* --- the certificate --- */

void
check_certificate(struct keeper *keeper)
{
	const struct scoreboard *board = keeper->heritage->board;
	int64_t ends_s = 0, days;

	for (int i = 0; i < board->slot_count; i++) {
		int64_t one_s = atomic_load(&board->slots[i].tls_expires_s);
		if (one_s && (!ends_s || one_s < ends_s))
			ends_s = one_s;
	}
	if (!ends_s)
		return;
	days = (ends_s - clock_wall_us() / 1000000) / DAY_S;
	if (ends_s <= clock_wall_us() / 1000000)
		check_found(keeper, HEALTH_CERTIFICATE, "certificate", HEALTH_CRITICAL, NAN,
		            "it has ended; put a new one where AGENTD_TLS_CERT_FILE says, it is loaded by itself");
	else
		check_found(keeper, HEALTH_CERTIFICATE, "certificate",
		            days < LAST_DAYS   ? HEALTH_CRITICAL
		            : days < SOON_DAYS ? HEALTH_WARNING
		                               : HEALTH_HEALTHY,
		            NAN, "%lld days left", (long long)days);
}
