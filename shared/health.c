/*
 * health.c - see health.h. Each component has a version that is odd while the keeper writes it. A keeper that is
 * stopped or dies in the middle leaves it so: readers then take what is there, cut to what can be read.
 */
#include "health.h"
#include "clock.h"
#include "shared_memory.h"

#include <math.h>

enum { TRIES = 100, SURPRISE_US = 1000000 };

struct part {
	_Atomic uint32_t version;
	struct health_component component;
};

struct health_board {
	struct part parts[HEALTH_PARTS_MAX];
	struct health_pool pools[SCOREBOARD_SLOTS_MAX];
	_Atomic int used; /* parts beyond this were never known */
	_Atomic int storage;
	_Atomic int recoveries;
	_Atomic int64_t stale_us; /* clock_steady_us: what is said is too old from then on; 0: never */
	_Atomic int64_t time_offset_us; /* from clock_mono_us to the database's time; 0: not known */
};

struct health_board *
health_board_new(void)
{
	return shared_memory_map("health 3", sizeof(struct health_board), NULL);
}

/* A failure counts; what is shown is milder until there have been enough of them. */
bool
health_take(struct health_component *component, const struct health_finding *finding, int64_t wall_us)
{
	enum health_status before = component->status, status = finding->status;

	component->failures = status == HEALTH_CRITICAL ? component->failures + 1 : 0;
	if (status == HEALTH_CRITICAL && component->failures < HEALTH_FAILURES)
		status = HEALTH_WARNING;
	component->status = status;
	component->checked_us = wall_us;
	component->response_ms = finding->response_ms;
	memcpy(component->message, finding->message, sizeof(component->message));
	if (status == before && component->since_us)
		return false;
	component->since_us = wall_us;
	return status != before;
}

bool
health_put(struct health_board *board, int part, const char *name, const struct health_finding *finding,
           int64_t wall_us)
{
	struct part *at = &board->parts[part];
	uint32_t version = atomic_load(&at->version) | 1;
	bool changed;

	INVARIANT(part >= 0 && part < HEALTH_PARTS_MAX);
	atomic_store(&at->version, version);
	atomic_thread_fence(memory_order_seq_cst);
	if (!*at->component.name)
		snprintf(at->component.name, sizeof(at->component.name), "%s", name);
	changed = health_take(&at->component, finding, wall_us);
	atomic_thread_fence(memory_order_seq_cst);
	atomic_store(&at->version, version + 1);
	if (part >= atomic_load(&board->used))
		atomic_store(&board->used, part + 1);
	return changed;
}

void
health_forget(struct health_board *board, int part)
{
	struct part *at = &board->parts[part];

	at->component.name[0] = '\0';
	memset(&at->component, 0, sizeof(at->component));
}

int
health_parts(const struct health_board *board)
{
	return atomic_load(&board->used);
}

static void
age(const struct health_board *board, struct health_component *component)
{
	int64_t stale_us = atomic_load(&board->stale_us);

	if (!stale_us || clock_steady_us() < stale_us)
		return;
	component->status = HEALTH_UNKNOWN;
	snprintf(component->message, sizeof(component->message), "nobody has looked for too long: the keeper is not at work");
}

bool
health_get(const struct health_board *board, int part, struct health_component *component_r)
{
	const struct part *at = &board->parts[part];

	for (int i = 0; i < TRIES; i++) {
		uint32_t before = atomic_load(&at->version);
		if (before == 0)
			return false;
		atomic_thread_fence(memory_order_seq_cst);
		*component_r = at->component;
		atomic_thread_fence(memory_order_seq_cst);
		if (before % 2 == 0 && atomic_load(&at->version) == before)
			break;
	}
	component_r->name[HEALTH_NAME - 1] = '\0';
	component_r->message[HEALTH_MESSAGE - 1] = '\0';
	age(board, component_r);
	return *component_r->name;
}

void
health_round(struct health_board *board, int64_t stale_us)
{
	atomic_store(&board->stale_us, clock_steady_us() + stale_us);
}

enum health_status
health_weight(int part, enum health_status status)
{
	bool needed = part == HEALTH_CPU || part == HEALTH_MEMORY || part == HEALTH_DISK || part == HEALTH_DATABASE ||
	              part == HEALTH_CERTIFICATE;

	return needed ? status : MIN(status, HEALTH_WARNING);
}

enum health_status
health_overall(const struct health_board *board)
{
	enum health_status worst = HEALTH_UNKNOWN;
	struct health_component component;
	int workers = 0, lost = 0;

	for (int part = 0; part < health_parts(board); part++) {
		if (!health_get(board, part, &component))
			continue;
		worst = MAX(worst, health_weight(part, component.status));
		if (part >= HEALTH_FIXED_PARTS && (part - HEALTH_FIXED_PARTS) % 2 == 0) {
			workers++;
			lost += component.status == HEALTH_CRITICAL;
		}
	}
	return workers && lost == workers ? HEALTH_CRITICAL : worst;
}

struct health_pool *
health_board_pool(struct health_board *board, int slot)
{
	return &board->pools[slot];
}

enum health_storage
health_storage(const struct health_board *board)
{
	return (enum health_storage)atomic_load(&board->storage);
}

void
health_storage_set(struct health_board *board, enum health_storage storage)
{
	atomic_store(&board->storage, (int)storage);
}

int64_t
health_time_us(const struct health_board *board)
{
	int64_t offset_us = atomic_load_explicit(&board->time_offset_us, memory_order_relaxed);

	return offset_us ? clock_mono_us() + offset_us : clock_wall_us();
}

bool
health_time_set(struct health_board *board, int64_t database_us)
{
	static int64_t surprise_us;
	int64_t offset_us = database_us - clock_mono_us(), known_us = atomic_load(&board->time_offset_us);

	if (known_us && llabs(offset_us - known_us) > SURPRISE_US && llabs(offset_us - surprise_us) > SURPRISE_US) {
		surprise_us = offset_us;
		return false;
	}
	atomic_store(&board->time_offset_us, offset_us);
	return true;
}

int
health_recoveries(const struct health_board *board)
{
	return atomic_load(&board->recoveries);
}

void
health_recovery_count(struct health_board *board)
{
	atomic_fetch_add(&board->recoveries, 1);
}

const char *
health_status_name(enum health_status status)
{
	static const char *const names[] = {[HEALTH_UNKNOWN] = "unknown",
	                                    [HEALTH_HEALTHY] = "healthy",
	                                    [HEALTH_WARNING] = "warning",
	                                    [HEALTH_CRITICAL] = "critical"};

	return (unsigned)status < ARRAY_LENGTH(names) ? names[status] : "unknown";
}

enum health_status
health_of_percent(double percent)
{
	enum { WARNING_ABOVE = 90, CRITICAL_ABOVE = 95 };

	if (isnan(percent))
		return HEALTH_UNKNOWN;
	return percent > CRITICAL_ABOVE ? HEALTH_CRITICAL : percent > WARNING_ABOVE ? HEALTH_WARNING : HEALTH_HEALTHY;
}
